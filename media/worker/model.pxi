# The loop's memory: everything is allocated at start, but prompts, which come and go by command.

cdef enum:
    VERSION = 3  # of the records; media/records.py has the same

    # Commands (server to worker)
    HELLO = 1
    LEASE = 2
    CONNECT = 3
    BRIDGE = 4
    PLAY = 5
    SILENCE = 6
    ECHO = 7
    SEND_DIGIT = 8
    RELEASE = 9
    PROMPT = 10
    FORGET = 11
    PING = 12
    OPEN_CONFERENCE = 30
    JOIN = 31
    LEAVE = 32
    CLOSE_CONFERENCE = 33
    SOUND = 16  # event: what became of decoded sound
    KEY_END = 24  # event: a key, and how long it was held
    SECURITY = 50
    KEYS = 51
    HANDSHAKE_ORDER = 52
    RECORD = 40
    MASK = 41
    STOP_RECORDING = 42
    STOP = 13
    WATCH = 14
    TELL_STATS = 15
    RETIRE = 16
    OPEN_MISSING = 17

    # Events (worker to server)
    GREETING = 1
    PORTS = 2
    READY = 3
    DIGIT = 4
    PLAYED = 5
    STATS = 6
    PONG = 7
    SECURED_EVENT = 40
    INSECURE = 41  # with the reason

    NO_SRTP = 1  # reasons; handshakes.py has more
    NO_HANDSHAKE = 2
    SECURITY_TOTALS = 42
    RECORDING_STARTED = 32
    RECORDING_MASKED = 33
    RECORDING_ENDED = 34
    DONE = 8
    REFUSED = 9
    LEASED = 10
    LEASED_PEER = 11
    SILENT = 12
    QUALITY = 13

    # Why a command was REFUSED
    STALE = 0  # no such lease any more
    UNKNOWN = 1  # no such command, port or value
    IMPOSSIBLE = 2  # not with what was negotiated
    FULL = 3

    # Flags of CONNECT
    MAY_SEND = 1
    PEER_SENDS = 2
    SECURED = 4  # SRTP only
    RTCP_MUX = 8
    ICE = 16
    DTLS = 32

    # Its sound_flags
    IN_BAND_KEYS = 1
    FEC = 2
    PTIME_WISHED = 4  # the peer asked for this length

    OTHERS_MOST = 5  # codecs of an answer beside the first

    PCMU = 0  # static payload types, RFC 3551 6; also the codec's number here
    PCMA = 8
    COMFORT_NOISE = 13  # RFC 3389
    OUR_DTMF_TYPE = 101  # the number of telephone-event in our own offers
    NO_TYPE = 255

    FRAME_BYTES = 160
    FRAME_MS = 20
    TICK_NS = 1_000_000
    CLOCK_JUMP_MS = 10_000
    SOUND_NS = 62_500  # a sample at 16 kHz
    KEY_LOST_NS = 250_000_000
    KEY_LONGEST_MS = 8000
    KEY_HOLD_NS = 100_000_000  # a key that is relayed is over when no packet of it has come for so long
    HOLD_NS = 1_000_000  # after a wake-up, gather packets for this long

    MAX_EVENTS = 2048  # of one epoll_wait
    MAX_PACKET = 2048
    MAX_PLAYLIST = 32
    MAX_DIGITS = 32
    MAX_PROMPTS = 4096
    MAX_VARIANTS = 8  # codecs of a prompt
    MAX_FRAME = 1275  # bytes of 20 ms: the longest Opus packet (RFC 6716 3.4)
    COMMANDS_A_MESSAGE = 512
    MESSAGES_A_ROUND = 16
    EVENTS_A_MESSAGE = 800
    EVENT_ROOM = 8192

    RTCP_SLOTS = 64
    RTCP_SLOT_NS = 128_000_000
    RTCP_MEAN_SLOTS = 39  # 5 s, RFC 3550 6.2

    KEY_BYTES = 46  # the longest master key and salt

    CONTROL_KEY = -1  # epoll data of the control socket
    LISTENER_KEY = -2  # and of the one where servers come
    BESIDE_KEY = -3  # and of the one to the thread beside

    FIRST_SERVER_NS = 20_000_000_000  # the one that started this process comes within
    RETIRED_NS = 7_200_000_000_000  # longer than any call that is worth it
    ACK_NS = 20_000_000
    LATCH_NS = 10_000_000_000  # after `connect`, for so long others than the negotiated address may turn out to be the peer
    AJAR_NS = 1_000_000_000  # of each report interval, for so long that address can take the port back from them
    WATCH_SLOTS = 10
    WATCH_SLOT_NS = 50_000_000
    STRANGERS = 16  # that a port remembers
    LISTED = 0xFFFFFFFF  # every port was told to the server
    NO_PARTNER = 0xFFFFFFFF


cdef enum Source:
    NOTHING = 0
    QUIET = 1  # silence packets
    PROMPTS = 2
    PARTNER = 3  # bridged
    ITSELF = 4  # echo
    MIXED = 5  # a conference


cdef packed struct Command:
    uint8_t op
    uint8_t flags
    uint16_t count
    uint32_t index
    uint32_t generation
    uint32_t argument
    uint8_t payload[80]


cdef packed struct Spoken:
    # A codec that was agreed on, and the payload types that go with it
    uint8_t codec
    uint8_t payload_type
    uint8_t receive_type  # what the peer's sound comes with
    uint8_t dtmf_type
    uint8_t dtmf_receive_type
    uint8_t dtmf_khz
    uint8_t flags  # FEC
    uint8_t bitrate_kbps  # of Opus; 0: ours


cdef packed struct ConnectPayload:
    uint16_t family  # 4, 6, or 0: no usable address
    uint16_t rtp_port
    uint16_t rtcp_port
    uint8_t codec
    uint8_t payload_type
    uint8_t dtmf_payload_type
    uint8_t receive_type  # what the peer's sound comes with
    uint8_t dtmf_receive_type
    uint8_t dtmf_khz
    uint8_t ptime_ms
    uint8_t max_ptime_ms  # 0: it does not say
    uint8_t sound_flags
    uint8_t bitrate_kbps  # of Opus; 0: ours
    uint8_t host[16]  # network order
    uint8_t others_count
    Spoken others[OTHERS_MOST]  # that the peer may go over to


cdef packed struct BridgePayload:
    uint32_t index
    uint32_t generation


cdef packed struct Event:
    uint8_t op
    uint8_t flags
    uint16_t count
    uint32_t index
    uint32_t generation
    uint32_t argument
    uint32_t payload[6]


cdef packed struct PromptHead:
    # A prompt's file begins with this and its variants; media/encoding.py writes it.
    uint8_t magic[4]
    uint32_t variants


cdef packed struct Variant:
    # All frames of a prompt, 20 ms each, in one codec
    uint8_t codec
    uint8_t unused
    uint16_t frame_bytes  # 0: of their own sizes; frames + 1 offsets (uint32) stand before them
    uint32_t frames
    uint64_t start  # bytes from the beginning of the file
    uint64_t size


cdef struct Prompt:
    uint8_t *data
    uint64_t size
    int users
    uint32_t variant_count
    Variant variants[MAX_VARIANTS]


cdef struct QueuedDigit:
    uint8_t event
    uint16_t duration  # timestamp units


cdef struct Incoming:
    # What arrives: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter)
    bint started
    uint32_t ssrc
    uint16_t max_seq
    uint32_t cycles
    uint32_t base_seq
    uint32_t bad_seq
    uint32_t received
    uint32_t expected_prior
    uint32_t received_prior
    int32_t transit
    uint32_t jitter  # times 16
    int64_t lost_before  # of earlier SSRCs
    uint32_t bursts  # runs of lost packets
    uint32_t last_sr  # middle 32 bits of its NTP time
    int64_t last_sr_ns
    # RFC 4733
    bint dtmf_seen
    bint dtmf_ended
    uint8_t dtmf_event
    bint dtmf_open  # its end was not reported
    uint16_t dtmf_duration
    uint32_t dtmf_before  # units of earlier segments of a long key
    uint32_t dtmf_timestamp
    int64_t dtmf_ns


cdef struct Outgoing:
    # One stream for the life of a lease, or of a key
    uint32_t ssrc
    bint sealed  # SRTP has left in this lease
    uint8_t khz  # of the timestamps
    uint32_t span  # units of the last packet we made
    uint32_t timestamp  # highest sent
    int64_t sent_ns  # when it was first sent
    uint16_t seq  # highest sent
    bint begun
    bint resync  # the source changed: next packet continues the stream and carries the marker
    # Translation of a relayed source
    uint16_t seq_offset
    uint16_t seq_floor
    uint32_t timestamp_offset
    uint32_t since_switch
    uint32_t octets
    # Digits
    int digits_head
    int digits_count
    bint digit_active
    uint16_t digit_duration
    uint32_t digit_timestamp
    int digit_ends_left
    int digit_pause
    uint32_t tone_at  # samples of the digit that is made as tones
    # A key that crosses a bridge of sound
    bint key_seen
    uint32_t key_source  # its timestamp there
    uint32_t key_timestamp
    int64_t key_until_ns


cdef struct PeerReport:
    # What the peer says of our stream (RFC 3550 6.4.1)
    uint32_t reports
    uint32_t round_trip  # 1/65536 s, smoothed; 0: unknown
    int32_t lost
    uint32_t jitter  # units of our timestamps


cdef struct Latch:
    bint latched
    bint connected  # the kernel filters
    bint has_remote
    sockaddr_storage source  # where RTP goes: negotiated, then latched
    sockaddr_storage negotiated
    uint16_t negotiated_rtcp  # port
    int64_t open_until_ns  # the kernel does not filter until then, unless the source is the negotiated one
    sockaddr_storage rtcp
    sockaddr_storage candidate
    uint32_t candidate_ssrc
    uint16_t candidate_seq
    int candidate_run
    sockaddr_storage before_source  # of the previous lease: never latched to unless negotiated
    sockaddr_storage before_negotiated
    uint32_t strangers[STRANGERS]  # hashes of addresses that sent while nobody had the port: not its peer to be
    uint32_t strangers_met


cdef struct Keys:
    # One direction: its state and what it was made of
    void *session
    uint8_t profile
    uint8_t key[KEY_BYTES]


cdef struct Guard:
    # What stands before a port that is not plain RTP
    bint secured  # SRTP only: without keys nothing passes
    bint mux  # RTCP on the RTP socket, RFC 5761
    bint ice  # latched by STUN alone
    bint dtls  # the keys come of a handshake
    bint aside  # the thread beside knows of it
    bint silent  # the peer does not consent any more (RFC 7675)
    int tokens  # packets that may be passed to the thread
    int64_t tokens_ns
    Keys receiving
    Keys sending


cdef struct Recording  # recorder.pxi
cdef struct Recorder
cdef struct Ear  # ear.pxi
cdef struct Mouth  # mouth.pxi
cdef struct Conference  # mixer.pxi


cdef struct Port:
    # What packets touch comes first, in one piece: `fetch_port`
    int rtp_fd
    uint32_t generation  # 0: idle
    Source source
    bint may_send
    bint peer_sends
    bint fed  # what the partner says comes through the mouth
    Port *partner
    Guard *guard  # NULL: plain RTP
    Ear *ear  # NULL: what arrives is not decoded
    Mouth *mouth  # NULL: what leaves is relayed, or 20 ms of G.711
    Recording *recording
    uint8_t codec
    uint8_t payload_type
    uint8_t dtmf_type
    uint8_t receive_type
    uint8_t dtmf_receive_type
    uint8_t dtmf_khz
    uint8_t ptime_ms
    uint8_t max_ptime_ms
    uint8_t wished_ms  # the length that the peer asks for; 0: any
    uint8_t heard_ms  # that of what it sends; 0: not known
    uint16_t packet_bytes  # its payloads' size
    uint32_t packets_received
    uint32_t packets_sent
    uint32_t packets_dropped
    bint in_band  # its keys are tones
    Outgoing out
    Incoming inc
    # The 20 ms wheel
    int64_t due_tick
    Port *pace_next
    Port *pace_previous
    bint paced
    bint dozing  # not in epoll: doze.pxi
    int turns  # since it was last looked at
    uint32_t met
    # What it plays
    bint play_loop
    int play_once  # of a loop: prompts that are heard once, whose end is told
    int play_loop_from  # the first prompt that is heard again
    int play_count
    int play_at
    uint32_t play_frame  # the next one of playlist[play_at]
    uint32_t play_id
    Latch latch
    int rtcp_fd
    uint32_t index
    Conference *conference
    uint8_t seat
    bint held  # the last of its digits has no end yet
    int64_t held_ns
    bint fec
    int bitrate
    int agreed_count
    Spoken agreed[1 + OTHERS_MOST]
    # Packets of another length, one after another
    uint16_t odd_bytes
    uint16_t odd_seq
    uint8_t odd_run
    uint32_t concealed_ms  # with ears it had before
    uint32_t decode_errors
    uint32_t late
    uint32_t rtcp_received
    PeerReport peer
    # The RTCP wheel
    bint reporting
    int report_slot
    Port *report_next
    Port *report_previous
    uint8_t cname[16]
    uint8_t tag[16]  # the server's, given back to the next one
    # Silence of the peer
    uint32_t heard
    bint silence_told
    int64_t heard_ns
    Prompt *playlist[MAX_PLAYLIST]
    QueuedDigit digits[MAX_DIGITS]


cdef struct Loop:
    int epoll
    int control  # the server; -1: there is none
    int listener
    bint closed
    bint control_paused
    bint dual  # the ports are IPv6 sockets that take IPv4 too
    bint greeted  # the server said HELLO
    bint retiring
    int64_t grace_ns
    int64_t orphan_until_ns  # without a server: when to end; 0: there is one
    sockaddr_storage host
    uint16_t first_number
    uint32_t port_count
    Port *ports
    uint32_t lease_count
    uint32_t ports_open
    uint32_t ports_taken
    uint32_t ports_beyond
    int open_error
    uint32_t listing  # the next port to list
    uint32_t listing_run
    uint32_t done  # commands since the server came
    int64_t ack_due_ns  # 0: all were acknowledged
    int refusal
    uint32_t *watch_ms  # by port: silence to be told after; 0: never
    uint32_t watched_count
    uint32_t watch_slot
    int64_t watch_due_ns
    Prompt *prompts[MAX_PROMPTS]
    int64_t now_ns
    int64_t epoch_ns
    int64_t tick  # the last one played out
    int paced_count
    Port *pace[FRAME_MS]
    int64_t report_slot  # the last one reported
    int reporting_count
    Port *reports[RTCP_SLOTS]
    uint64_t random
    Conference *conferences[1024]
    Conference *mixing[FRAME_MS]  # the wheel's slots of them
    Ear *ears  # pools
    Mouth *mouths
    Recorder *recorder  # NULL: nothing can be recorded
    uint32_t stale_commands
    uint32_t send_errors
    uint32_t events_dropped
    uint32_t srtp_forged
    uint32_t srtp_replayed
    uint32_t srtp_unsent
    uint32_t srtp_sources_refused
    uint32_t aside_dropped
    int beside  # socket of the thread; -1: there is none
    uint32_t event_count
    uint32_t event_sent
    Event nowhere
    Event events[EVENT_ROOM]
    epoll_event ready[MAX_EVENTS]
    uint8_t packet[MAX_PACKET]
    uint8_t scratch[MAX_PACKET]
    uint8_t sealed[MAX_PACKET + 160]  # what leaves a guarded port
    Command commands[COMMANDS_A_MESSAGE]
