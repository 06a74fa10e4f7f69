# What arrives at a port: validity, latching, counters, keys; then on to the port it feeds.

cdef void on_rtp(Loop *loop, Port *port) noexcept nogil:
    """One packet of a readable socket; level-triggered epoll brings us back if there are more."""
    cdef sockaddr_storage address
    cdef socklen_t size = sizeof(address)
    cdef ssize_t n
    if port.guard != NULL:
        on_guarded(loop, port)
        return
    if port.latch.connected:
        n = recv(port.rtp_fd, loop.packet, MAX_PACKET, MSG_TRUNC)
        if n >= 0:
            on_packet(loop, port, <int>n)
        return
    n = recvfrom(port.rtp_fd, loop.packet, MAX_PACKET, MSG_TRUNC, <sockaddr *>&address, &size)
    if n < 0:
        return
    if port.latch.latched and same_address(&address, &port.latch.source):
        if loop.now_ns >= port.latch.open_until_ns:
            filter_source(port)
    elif rtp_valid(loop.packet, <int>n) and may_latch(loop, port, &address):
        latch(port, &address)
    else:
        port.packets_dropped += 1
        return
    on_packet(loop, port, <int>n)
    if port.latch.connected:
        drain_strangers(loop, port)


cdef void drain_strangers(Loop *loop, Port *port) noexcept nogil:
    """What was queued before the kernel began to filter: keep the peer's packets, drop the others'. An ICMP error in between
    is no end of it."""
    cdef sockaddr_storage address
    cdef socklen_t size
    cdef ssize_t n
    cdef int i
    for i in range(512):
        size = sizeof(address)
        n = recvfrom(port.rtp_fd, loop.packet, MAX_PACKET, MSG_TRUNC, <sockaddr *>&address, &size)
        if n < 0:
            if errno == EAGAIN:
                return
        elif same_address(&address, &port.latch.source):
            on_packet(loop, port, <int>n)
        else:
            port.packets_dropped += 1


cdef inline bint rtp_valid(const uint8_t *packet, int size) noexcept nogil:
    """RFC 3550 A.1: version 2, long enough, not RTCP (RFC 5761 4: types 64-95 are RTCP's)."""
    return 12 <= size <= MAX_PACKET and packet[0] >> 6 == 2 and not 64 <= (packet[1] & 0x7F) <= 95


cdef void on_packet(Loop *loop, Port *port, int size) noexcept nogil:
    """A packet of the peer, in loop.packet."""
    cdef uint8_t *packet = loop.packet
    cdef int start = 12, end = size, kind
    cdef Port *to = port.partner if port.source == PARTNER else port
    if not rtp_valid(packet, size):
        port.packets_dropped += 1
        return
    if packet[0] & 0x3F:  # padding, extension or contributing sources
        start += 4 * (packet[0] & 0x0F)
        if packet[0] & 0x10 and start + 4 <= size:
            start += 4 + 4 * get16(packet + start + 2)
        if packet[0] & 0x20:
            end -= packet[size - 1]
    kind = kind_of(port, packet[1] & 0x7F)
    if kind != port.codec and start < end:
        kind = follow_codec(loop, port, kind)
    if start >= end or kind == NO_TYPE or not port.peer_sends:
        port.packets_dropped += 1
        return
    if not count_arrival(loop, port, get16(packet + 2), get32(packet + 4), get32(packet + 8), kind):
        return
    if end - start != port.packet_bytes:
        note_length(loop, port, kind, end - start)
    if kind == OUR_DTMF_TYPE:
        if end - start < 4:
            port.packets_dropped += 1
            return
        on_event_packet(loop, port, packet + start)
    elif port.recording != NULL and kind != COMFORT_NOISE:
        tap(loop, port.recording, 0, kind, packet + start, end - start, get32(packet + 4))
    if port.ear != NULL and put_in_ear(loop, port, packet + start, end - start, kind):
        return
    if port.source == PARTNER or port.source == ITSELF:
        if kind == COMFORT_NOISE:
            to.out.seq_offset -= 1
        else:
            relay(loop, port, to, packet + start, end - start, kind, packet[1] >> 7)


cdef inline int kind_of(Port *port, int payload_type) noexcept nogil:
    """The codec, OUR_DTMF_TYPE, COMFORT_NOISE; NO_TYPE: unknown. Static numbers hold whatever was negotiated."""
    if payload_type == PCMU or payload_type == PCMA or payload_type == COMFORT_NOISE:
        return payload_type
    if payload_type == port.dtmf_receive_type:
        return OUR_DTMF_TYPE
    if payload_type == port.receive_type:
        return port.codec
    return OUR_DTMF_TYPE if payload_type == OUR_DTMF_TYPE else NO_TYPE


# --- latching: symmetric RTP (RFC 4961) for phones behind NAT, without reflecting to strangers ------------------------
#
# The negotiated address is the peer's whenever it sends. Another one may be, if SDP named an address that is not seen here: it is
# believed after a run of packets, once, soon after `connect` and while the peer may send at all. It is kept until the next
# `connect` to another address, or until the negotiated one sends after all. So a stranger may at most be heard until the peer is.

cdef bint may_latch(Loop *loop, Port *port, sockaddr_storage *address) noexcept nogil:
    """Exactly where SDP said: at once, though another be latched. Where this call was latched before the same address was
    negotiated again: at once. Others must send a run of consecutive packets within the window, and may not be the peer of the
    port's previous lease."""
    cdef Latch *state = &port.latch
    cdef uint32_t ssrc = get32(loop.packet + 8)
    cdef uint16_t seq = get16(loop.packet + 2)
    if not state.has_remote:
        return False
    if same_address(address, &state.negotiated):
        return True
    if state.latched:
        return False
    if same_address(address, &state.source):
        return True
    if not port.peer_sends or loop.now_ns >= state.open_until_ns:
        return False
    if same_address(address, &state.before_source) or same_address(address, &state.before_negotiated):
        return False
    if state.strangers_met and is_stranger(state, address):
        return False
    if (not same_address(address, &state.candidate) or ssrc != state.candidate_ssrc
            or <uint16_t>(seq - state.candidate_seq) != 1):
        state.candidate = address[0]
        state.candidate_ssrc = ssrc
        state.candidate_run = 0
    state.candidate_seq = seq
    state.candidate_run += 1
    return state.candidate_run >= (5 if same_host(address, &state.negotiated) else 15)


cdef void latch(Port *port, sockaddr_storage *address) noexcept nogil:
    """Filtered at once is only who is beyond doubt: whoever sends from the negotiated address, or has the key."""
    cdef Latch *state = &port.latch
    state.source = address[0]
    state.latched = True
    if same_address(address, &state.negotiated):
        expect_rtcp(state)
    else:  # Behind NAT: RTCP comes from there too, most likely one port above.
        state.rtcp = address[0]
        set_port(&state.rtcp, port_of(address) + 1)
        if port.guard == NULL or not port.guard.secured:
            return
    filter_source(port)


cdef void expect_rtcp(Latch *state) noexcept nogil:
    """Where SDP said."""
    state.rtcp = state.negotiated
    set_port(&state.rtcp, state.negotiated_rtcp)


cdef void filter_source(Port *port) noexcept nogil:
    """Let the kernel drop what others send."""
    cdef sockaddr_storage *source = &port.latch.source
    port.latch.connected = connect(port.rtp_fd, <sockaddr *>source, address_size(source)) == 0


cdef void leave_ajar(Loop *loop, Port *port) noexcept nogil:
    """For a moment the kernel does not filter, if another than the negotiated address is the source: so that one comes
    through whenever it begins to send, and the port of a phone behind NAT costs no more than others most of the time."""
    cdef Latch *state = &port.latch
    if state.connected and port.guard == NULL and not same_address(&state.source, &state.negotiated):
        unfilter(port)
        state.open_until_ns = loop.now_ns + AJAR_NS


# --- counters: RFC 3550 appendix A ------------------------------------------------------------------------------------

cdef void restart_sequence(Incoming *inc, uint16_t seq, uint32_t ssrc) noexcept nogil:
    inc.lost_before += lost_of(inc)
    inc.ssrc = ssrc
    inc.base_seq = inc.max_seq = seq
    inc.bad_seq = 0x10000  # so that seq == bad_seq is false
    inc.cycles = inc.received = inc.received_prior = inc.expected_prior = 0
    inc.transit = 0
    inc.dtmf_seen = False


cdef int64_t lost_of(Incoming *inc) noexcept nogil:
    """A.3 for the present source."""
    if not inc.started:
        return 0
    return <int64_t>(inc.cycles + inc.max_seq) - inc.base_seq + 1 - inc.received


cdef inline void resync_fed(Port *port) noexcept nogil:
    """Whoever hears this port hears a new stream."""
    if port.ear != NULL:
        ear_restart(port.ear, port.codec)
    if port.source == PARTNER:
        port.partner.out.resync = True
    elif port.source == ITSELF:
        port.out.resync = True


cdef bint count_arrival(Loop *loop, Port *port, uint16_t seq, uint32_t timestamp, uint32_t ssrc, int kind) noexcept nogil:
    """A.1 and A.8. False: out of every order, drop it (twice in a row means that the source started anew)."""
    cdef Incoming *inc = &port.inc
    cdef uint16_t ahead = seq - inc.max_seq
    cdef int32_t transit
    cdef int64_t difference
    if not inc.started or ssrc != inc.ssrc:
        restart_sequence(inc, seq, ssrc)
        inc.started = True
        resync_fed(port)
    elif ahead < 3000:  # MAX_DROPOUT
        if seq < inc.max_seq:
            inc.cycles += 0x10000
        inc.bursts += ahead > 1
        inc.max_seq = seq
    elif ahead <= 0xFFFF - 100:  # MAX_MISORDER
        if seq != inc.bad_seq:
            inc.bad_seq = <uint16_t>(seq + 1)
            port.packets_dropped += 1
            return False
        restart_sequence(inc, seq, ssrc)
        resync_fed(port)
    inc.received += 1
    port.packets_received += 1
    if kind != OUR_DTMF_TYPE:  # all packets of a key bear its first timestamp
        transit = <int32_t>(<uint32_t>(loop.now_ns * port.out.khz // 1_000_000) - timestamp)
        if inc.received > 1 and inc.transit and not port.dozing:
            difference = <int32_t>(<uint32_t>transit - <uint32_t>inc.transit)
            difference = -difference if difference < 0 else difference
            if difference < CLOCK_JUMP_MS * port.out.khz:  # else a jump of the source's clock, not jitter
                inc.jitter += <uint32_t>difference - ((inc.jitter + 8) >> 4)
        inc.transit = transit
        if inc.dtmf_open and loop.now_ns - inc.dtmf_ns > KEY_LOST_NS:
            end_key(loop, port)  # all its end packets were lost
    return True


# --- keys: RFC 4733 ---------------------------------------------------------------------------------------------------

cdef void on_event_packet(Loop *loop, Port *port, const uint8_t *payload) noexcept nogil:
    """Report each key once, at its first packet that arrives. A key is its timestamp (2.2.2): repeated and lost ends, and a
    lost marker, change nothing."""
    cdef Incoming *inc = &port.inc
    cdef uint32_t timestamp = get32(loop.packet + 4)
    cdef uint8_t event = payload[0]
    cdef bint end = payload[1] >> 7
    cdef uint16_t duration = get16(payload + 2)
    cdef int64_t since_ns = loop.now_ns - inc.dtmf_ns
    cdef bint fresh
    if not inc.dtmf_seen:
        fresh = True
    elif timestamp == inc.dtmf_timestamp:
        fresh = False
    elif <int32_t>(timestamp - inc.dtmf_timestamp) < 0 and since_ns < 500_000_000:
        return  # a late packet of an earlier key
    else:
        # 2.5.1.3: a key longer than 0xFFFF units goes on in a new segment that starts where the last one stopped
        fresh = not (event == inc.dtmf_event and not inc.dtmf_ended and inc.dtmf_duration >= 0xFF00
                     and timestamp - inc.dtmf_timestamp == 0xFFFF)
        if not fresh:
            inc.dtmf_before += inc.dtmf_duration
            inc.dtmf_ended = False
            inc.dtmf_duration = 0
    if fresh:
        end_key(loop, port)
        inc.dtmf_ended = False
        inc.dtmf_duration = 0
        inc.dtmf_before = 0
        if event < 16:
            inc.dtmf_open = True
            emit(loop, DIGIT, port, event)
    inc.dtmf_seen = True
    inc.dtmf_event = event
    inc.dtmf_timestamp = timestamp
    inc.dtmf_ended = inc.dtmf_ended or end
    inc.dtmf_duration = max(inc.dtmf_duration, duration)
    inc.dtmf_ns = loop.now_ns
    if end:
        end_key(loop, port)


cdef void end_key(Loop *loop, Port *port) noexcept nogil:
    """Report how long a key was held: at its first end packet, or when others follow without one."""
    cdef Incoming *inc = &port.inc
    if inc.dtmf_open:
        inc.dtmf_open = False
        emit(loop, KEY_END, port, inc.dtmf_event | (inc.dtmf_before + inc.dtmf_duration) // port.dtmf_khz << 8)
