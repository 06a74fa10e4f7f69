# Recording a port: what it receives (left) and what it is sent (right). The loop copies payloads into a ring, one a
# recording; a thread (recording.py) takes them out, lays them on a line of time and writes seconds of sound. The ring has
# one writer and one reader and no lock: a disk that stalls fills it, and then packets are counted, not waited for.

cdef extern from *:
    """
    #include <fcntl.h>
    #define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
    #define store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
    static int duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }
    """
    uint32_t load_acquire(uint32_t *) nogil
    void store_release(uint32_t *, uint32_t) nogil
    int duplicate(int) nogil

cdef enum:
    RECORDING_RUNNING = 0  # the loop writes, the thread reads
    RECORDING_STOPPING = 1  # the loop has let go; the thread writes the rest
    RECORDING_OVER = 2  # the thread has let go; the loop tells the server and frees it

    STOPPED_BY_ORDER = 0  # flags of RECORDING_ENDED
    STOPPED_BY_RELEASE = 1
    STOPPED_BY_FAILURE = 2

    NO_MEMORY = 12  # ENOMEM
    MAX_RECORDINGS = 4096
    RING_BYTES = 65536  # 3.7 s of G.711 both ways, 1 s of L16 at 16 kHz
    RING_ENTRY_BYTES = 16
    BEEPED = 0x7FFFFFFF  # the beep is over
    RING_WRAP = 0xFFFF  # size of an entry that only says: go on at the ring's start

    LATE_MS = 200  # how long the thread waits for packets that come late or out of order
    REANCHOR_MS = 200  # a packet later than this against its timestamp: the source's clock has jumped, or it had paused
    AHEAD_MS = 600
    DRIFT_MS = 20  # clocks that drift apart are brought together in steps of at least this
    DRIFT_SPAN_MS = 2000
    KEY_BEGAN_MS = 50  # how long a key has sounded, at most, when it is known for one
    WINDOW_SAMPLES = 16384  # a power of two: two seconds at 8 kHz; twice as many at 16


cdef packed struct RingEntry:
    uint16_t size
    uint8_t side
    uint8_t codec
    uint32_t timestamp
    int64_t at_ns


cdef packed struct RecordPayload:
    uint16_t beep_slot
    uint16_t beep_every_s  # 0: no beep


cdef struct Track:
    # One side on the line of time; the thread's
    bint begun
    Decoder decoder
    HalfBand down
    HalfBand up  # to the ear for keys
    KeyEar keys
    int clock_khz  # of the timestamps
    uint32_t timestamp  # of the last packet
    int64_t position  # where it lies, in samples
    int64_t least_late
    int measured
    int16_t *window  # what has not been taken out, around in a circle


cdef struct Recording:
    # Set when it is made
    uint32_t id
    uint32_t index
    uint32_t generation
    int order_fd
    int64_t started_ns
    # The loop's
    Port *port  # NULL: stopped
    bint masked
    bint told  # the server, that the file is open
    uint8_t why
    uint32_t overrun  # packets that found no room
    int64_t stopped_ns
    Prompt *beep
    int64_t beep_every_ns
    int64_t beep_ns  # the next one
    uint32_t beeped[2]  # bytes of it (Opus: frames) that the partner and the port were sent
    # Shared
    uint32_t state
    uint32_t opened
    uint32_t failed  # errno
    uint32_t head
    uint32_t tail
    # The thread's
    int rate
    bint stereo
    bint hide_keys
    int window  # samples
    int64_t written  # samples taken out
    uint32_t late  # packets too late, wholly or in part
    uint32_t undecoded
    uint64_t size_bytes
    Track tracks[2]  # left: received, right: sent
    uint8_t ring[RING_BYTES]


cdef struct Recorder:
    Recording *recordings[MAX_RECORDINGS]
    uint32_t highest  # slots ever used
    # New ones, for the thread. A slot is here once at most, so it has room for all.
    uint32_t fresh[MAX_RECORDINGS]
    uint32_t fresh_head
    uint32_t fresh_tail
    uint32_t news  # the thread has something for the server


# --- the loop's side --------------------------------------------------------------------------------------------------

cdef void tap(Loop *loop, Recording *recording, int side, int codec, const uint8_t *payload, int size,
              uint32_t timestamp) noexcept nogil:
    """Copy a payload into the ring. Masked: it never gets there."""
    cdef uint32_t head = recording.head
    cdef uint32_t room = RING_BYTES - (head - load_acquire(&recording.tail))
    cdef uint32_t at = head % RING_BYTES
    cdef uint32_t need = RING_ENTRY_BYTES + ((<uint32_t>size + 7) & ~<uint32_t>7)
    cdef uint32_t left = RING_BYTES - at  # to the end of the ring
    cdef RingEntry *entry = <RingEntry *>(recording.ring + at)
    if recording.masked:
        return
    if room < need or (left < need and room < left + need):
        recording.overrun += 1
        return
    if left < need:
        entry.size = RING_WRAP
        head += left
        entry = <RingEntry *>recording.ring
    entry.size = <uint16_t>size
    entry.side = <uint8_t>side
    entry.codec = <uint8_t>codec
    entry.timestamp = timestamp
    entry.at_ns = loop.now_ns
    memcpy(<uint8_t *>entry + RING_ENTRY_BYTES, payload, size)
    store_release(&recording.head, head + need)


cdef int tap_sent(Loop *loop, Port *port, uint8_t *packet, int size) noexcept nogil:
    """A packet about to leave a recorded port, or one whose bridge partner is recorded: the beep in its place, if it is
    time; then into the recording. Returns the packet's size."""
    cdef Recording *recording = port.recording if port.recording != NULL else port.partner.recording
    if (packet[1] & 0x7F) != port.payload_type:
        return size  # a key
    if recording.beep != NULL and recording.port.source == PARTNER:
        size = 12 + beep(loop, recording, port, packet + 12, size - 12)
    if port.recording != NULL:
        tap(loop, recording, 1, port.codec, packet + 12, size - 12, get32(packet + 4))
    return size


cdef int beep(Loop *loop, Recording *recording, Port *port, uint8_t *payload, int size) noexcept nogil:
    """Both parties of a bridge hear the beep at the same time, each in his codec, in place of each other. Returns the
    payload's size, another one if the codec's frames have sizes of their own."""
    cdef uint32_t *done = &recording.beeped[port == recording.port]
    cdef uint32_t frame_bytes = bytes_a_ms(port.codec) * FRAME_MS, part
    cdef const uint8_t *frame
    cdef int64_t room = loop.packet + MAX_PACKET - payload if loop.packet <= payload < loop.packet + MAX_PACKET else 0
    cdef int filled = 0, frame_size
    if loop.now_ns >= recording.beep_ns:
        recording.beep_ns = loop.now_ns + recording.beep_every_ns
        recording.beeped[0] = recording.beeped[1] = 0
    while done[0] != BEEPED and filled < size:
        frame = frame_of(recording.beep, port.codec, done[0] // max(frame_bytes, 1), &frame_size)
        if frame == NULL or frame_size > max(size, room):
            done[0] = BEEPED
        elif frame_bytes == 0:
            memcpy(payload, frame, frame_size)
            done[0] += 1
            return frame_size
        else:
            part = min(<uint32_t>(size - filled), frame_bytes - done[0] % frame_bytes)
            memcpy(payload + filled, frame + done[0] % frame_bytes, part)
            done[0] += part
            filled += part
    return size


cdef void record_port(Loop *loop, Port *port, Command *command, int order_fd) noexcept nogil:
    """RECORD: `argument` is the recording's number, the order for the thread (JSON) came as a descriptor. One that takes the
    place of another is masked if that was: the server that began that one is dead."""
    cdef RecordPayload *order = <RecordPayload *>command.payload
    cdef Recorder *recorder = loop.recorder
    cdef Recording *recording = NULL
    cdef Event *event
    cdef bint masked = command.flags & 1
    cdef int i
    if port.recording != NULL:
        masked = masked or port.recording.masked
        stop_recording(loop, port, STOPPED_BY_ORDER)
    if recorder != NULL and order_fd >= 0:
        for i in range(MAX_RECORDINGS):
            if recorder.recordings[i] == NULL:
                recording = <Recording *>calloc(1, sizeof(Recording))
                break
    if recording != NULL:
        recording.order_fd = duplicate(order_fd)
    if recording == NULL or recording.order_fd < 0:
        free(recording)
        event = emit(loop, RECORDING_ENDED, port, command.argument)
        event.flags = STOPPED_BY_FAILURE
        event.payload[1] = NO_MEMORY
        return
    recording.id = command.argument
    recording.port = port
    recording.index = port.index
    recording.generation = port.generation
    recording.started_ns = loop.now_ns
    if order.beep_every_s and order.beep_slot < MAX_PROMPTS and loop.prompts[order.beep_slot] != NULL:
        recording.beep = loop.prompts[order.beep_slot]
        recording.beep.users += 1
        recording.beep_every_ns = <int64_t>order.beep_every_s * 1_000_000_000
        recording.beep_ns = loop.now_ns
        recording.beeped[0] = recording.beeped[1] = BEEPED
    wake(loop, port)  # its time of arrival counts
    port.recording = recording
    recorder.recordings[i] = recording
    recorder.highest = max(recorder.highest, <uint32_t>i + 1)
    recorder.fresh[recorder.fresh_head % MAX_RECORDINGS] = i
    store_release(&recorder.fresh_head, recorder.fresh_head + 1)
    if masked:
        set_mask(loop, recording, True)


cdef Recording *recording_of(Port *port, uint32_t number) noexcept nogil:
    return port.recording if port.recording != NULL and port.recording.id == number else NULL


cdef void mask_recording(Loop *loop, Port *port, Command *command) noexcept nogil:
    """MASK: nothing of either side gets into the recording until it is unmasked."""
    cdef Recording *recording = recording_of(port, command.argument)
    if recording == NULL:
        loop.stale_commands += 1
        return
    set_mask(loop, recording, command.flags & 1)


cdef void set_mask(Loop *loop, Recording *recording, bint masked) noexcept nogil:
    """Told with the time it happened at."""
    cdef Event *event = emit(loop, RECORDING_MASKED, recording.port, recording.id)
    recording.masked = masked
    event.flags = masked
    event.payload[0] = <uint32_t>((loop.now_ns - recording.started_ns) // 1_000_000)


cdef void stop_recording(Loop *loop, Port *port, int why) noexcept nogil:
    cdef Recording *recording = port.recording
    port.recording = NULL
    if recording.beep != NULL:
        forget(recording.beep)
        recording.beep = NULL
    recording.port = NULL
    recording.stopped_ns = loop.now_ns
    recording.why = why
    store_release(&recording.state, RECORDING_STOPPING)


cdef void tell_of_recordings(Loop *loop) noexcept nogil:
    """What the thread has done since: files opened, recordings over."""
    cdef Recorder *recorder = loop.recorder
    cdef Recording *recording
    cdef Event *event
    cdef uint32_t i
    store_release(&recorder.news, 0)
    for i in range(recorder.highest):
        recording = recorder.recordings[i]
        if recording == NULL:
            continue
        if loop.event_count + 2 > EVENT_ROOM:
            store_release(&recorder.news, 1)  # the server does not read: later
            return
        if not recording.told and load_acquire(&recording.opened):
            recording.told = True
            emit_recording(loop, RECORDING_STARTED, recording)
        if recording.port != NULL and load_acquire(&recording.failed):
            stop_recording(loop, recording.port, STOPPED_BY_FAILURE)
        if load_acquire(&recording.state) == RECORDING_OVER:
            event = emit_recording(loop, RECORDING_ENDED, recording)
            event.flags = recording.why
            event.payload[0] = <uint32_t>((recording.stopped_ns - recording.started_ns) // 1_000_000)
            event.payload[1] = recording.failed
            event.payload[2] = recording.overrun
            event.payload[3] = recording.late + recording.undecoded
            event.payload[4] = <uint32_t>recording.size_bytes
            event.payload[5] = <uint32_t>(recording.size_bytes >> 32)
            recorder.recordings[i] = NULL
            free_recording(recording)


cdef Event *emit_recording(Loop *loop, int op, Recording *recording) noexcept nogil:
    """The port may be another lease's by now: the event bears the one that was recorded."""
    cdef Event *event = emit(loop, op, NULL, recording.id)
    event.index = recording.index
    event.generation = recording.generation
    return event


cdef void free_recording(Recording *recording) noexcept nogil:
    cdef int side
    for side in range(2):
        decoder_close(&recording.tracks[side].decoder)
        free(recording.tracks[side].window)
    if recording.order_fd >= 0:
        close(recording.order_fd)
    free(recording)


# --- the thread's side: on a line of time -----------------------------------------------------------------------------

cdef int decode_entry(Recording *recording, Track *track, RingEntry *entry, int16_t *samples) noexcept nogil:
    """Samples at the recording's rate; 0: it can't be decoded."""
    cdef const uint8_t *payload = <uint8_t *>entry + RING_ENTRY_BYTES
    cdef const int16_t *table = &PCMA_LINEAR[0] if entry.codec == PCMA else &PCMU_LINEAR[0]
    cdef int16_t sound[DECODED_MOST]
    cdef int i
    if recording.rate == 8000 and (entry.codec == PCMU or entry.codec == PCMA):
        for i in range(entry.size):
            samples[i] = table[payload[i]]
        return entry.size
    if track.decoder.codec != entry.codec or not track.begun:
        if not decoder_open(&track.decoder, entry.codec):
            return 0
    if recording.rate == 16000:
        return max(0, decode(&track.decoder, entry.codec, payload, entry.size, samples))
    i = max(0, decode(&track.decoder, entry.codec, payload, entry.size, sound)) & ~1
    down_2(&track.down, sound, i, samples)
    return i // 2


cdef int64_t place(Recording *recording, Track *track, RingEntry *entry, int samples) noexcept nogil:
    """Where a packet belongs on the line, in samples: by its timestamp, which is exact; the line itself is our clock, so that
    both sides keep together. Arrival anchors a stream that begins, goes on after a pause or jumps, and corrects its
    drift by the packet that was delayed least in two seconds."""
    cdef int rate = recording.rate
    cdef int64_t arrived = (entry.at_ns - recording.started_ns) * rate // 1_000_000_000
    cdef int khz = clock_khz(entry.codec)
    cdef int64_t at = track.position + <int64_t><int32_t>(entry.timestamp - track.timestamp) * rate // (1000 * khz)
    cdef int64_t late = arrived - at
    if not track.begun or khz != track.clock_khz or late > rate * REANCHOR_MS // 1000 or late < -rate * AHEAD_MS // 1000:
        track.begun = True
        track.clock_khz = khz
        at = arrived
        track.least_late = rate
        track.measured = 0
    else:
        track.least_late = min(track.least_late, late)
        track.measured += samples
        if track.measured >= rate * DRIFT_SPAN_MS // 1000:
            if track.least_late > rate * DRIFT_MS // 1000 or track.least_late < -rate * DRIFT_MS // 1000:
                at += track.least_late
            track.least_late = rate
            track.measured = 0
    track.timestamp = entry.timestamp
    track.position = at
    return at


cdef inline int64_t room_needed(Recording *recording, RingEntry *entry) noexcept nogil:
    """Where the window must reach so that whatever the entry holds, and wherever its timestamp says, fits in."""
    cdef int64_t arrived = (entry.at_ns - recording.started_ns) * recording.rate // 1_000_000_000
    return arrived + recording.rate * (AHEAD_MS + 120) // 1000


cdef bint lay(Recording *recording, RingEntry *entry) noexcept nogil:
    """Put one entry on the line. False: it lies beyond the window, a chunk must be taken out first."""
    cdef Track *track = &recording.tracks[entry.side & 1]
    cdef int16_t samples[MAX_PACKET]
    cdef int count, skip = 0, i
    cdef int64_t at
    if room_needed(recording, entry) > recording.written + recording.window:
        return False
    count = decode_entry(recording, track, entry, samples)
    if count == 0:
        recording.undecoded += 1
        return True
    at = place(recording, track, entry, count)
    if at + count > recording.written + recording.window:
        count = <int>max(<int64_t>0, recording.written + recording.window - at)
    if at < recording.written:
        skip = <int>min(<int64_t>count, recording.written - at)
        recording.late += 1
    for i in range(skip, count):
        track.window[(at + i) & (recording.window - 1)] = samples[i]
    if recording.hide_keys:
        hide_keys(recording, track, samples, count, at)
    return True


cdef void hide_keys(Recording *recording, Track *track, const int16_t *samples, int count, int64_t at) noexcept nogil:
    """Silence in place of keys that a peer sends as tones."""
    cdef int16_t wide[80]
    cdef int times = 16000 // recording.rate, done = 0, step
    cdef uint8_t key
    while done < count:
        step = min(80 // times, count - done)
        if times == 2:
            up_2(&track.up, samples + done, step, wide)
        else:
            memcpy(wide, samples + done, step * sizeof(int16_t))
        if keys_hear(&track.keys, wide, step * times, &key) > 0:
            blank(recording, track, at + done - recording.rate * KEY_BEGAN_MS // 1000, at + done)
        if track.keys.key != NO_KEY:
            blank(recording, track, at + done, at + done + step)
        done += step


cdef void blank(Recording *recording, Track *track, int64_t start, int64_t end) noexcept nogil:
    cdef int64_t i
    for i in range(max(start, recording.written), min(end, recording.written + recording.window)):
        track.window[i & (recording.window - 1)] = 0


cdef bint drain_ring(Recording *recording) noexcept nogil:
    """Entries from the ring onto the line, until it is empty (True) or the window is full."""
    cdef uint32_t tail = recording.tail, at
    cdef uint32_t head = load_acquire(&recording.head)
    cdef RingEntry *entry
    while tail != head:
        at = tail % RING_BYTES
        entry = <RingEntry *>(recording.ring + at)
        if entry.size == RING_WRAP:
            tail += RING_BYTES - at
            continue
        if not lay(recording, entry):
            store_release(&recording.tail, tail)
            return False
        tail += RING_ENTRY_BYTES + ((<uint32_t>entry.size + 7) & ~<uint32_t>7)
    store_release(&recording.tail, tail)
    return True


cdef int take_chunk(Recording *recording, int16_t *out, int most, bint stopping) noexcept nogil:
    """The next `most` samples of the line if they are complete, interleaved or mixed; the rest when it is stopping. Returns
    samples (of each side)."""
    cdef int rate = recording.rate
    cdef int64_t until
    cdef int count = most
    if not drain_ring(recording):
        pass  # what comes next is beyond the window: this is complete
    elif stopping:
        until = (recording.stopped_ns - recording.started_ns) * rate // 1_000_000_000
        count = <int>max(<int64_t>0, min(<int64_t>most, until - recording.written))
    else:
        until = (monotonic_ns() - recording.started_ns) * rate // 1_000_000_000 - rate * LATE_MS // 1000
        if until < recording.written + most:
            return 0
    copy_out(recording, out, count)
    recording.written += count
    return count


cdef void copy_out(Recording *recording, int16_t *out, int count) noexcept nogil:
    cdef int16_t *left = recording.tracks[0].window
    cdef int16_t *right = recording.tracks[1].window
    cdef uint32_t mask = recording.window - 1
    cdef uint32_t at = <uint32_t>recording.written & mask
    cdef int i
    for i in range(count):
        if recording.stereo:
            out[2 * i] = left[at]
            out[2 * i + 1] = right[at]
        else:
            out[i] = <int16_t>max(-32768, min(32767, <int>left[at] + right[at]))
        left[at] = right[at] = 0
        at = (at + 1) & mask


cdef bint open_line(Recording *recording, int rate, bint stereo) noexcept nogil:
    """False: no memory."""
    cdef int side
    recording.rate = rate
    recording.stereo = stereo
    recording.window = WINDOW_SAMPLES if rate == 8000 else 2 * WINDOW_SAMPLES
    for side in range(2):
        recording.tracks[side].window = <int16_t *>calloc(recording.window, sizeof(int16_t))
        if recording.tracks[side].window == NULL:
            return False
        keys_reset(&recording.tracks[side].keys)
    return True


cdef class RecordingThread:
    """What the recorder thread may ask of the recordings that the loop makes. Each is known by its slot."""

    cdef Recorder *recorder

    def __cinit__(self) -> None:
        self.recorder = <Recorder *>calloc(1, sizeof(Recorder))
        if self.recorder == NULL:
            raise MemoryError

    def __dealloc__(self) -> None:
        """After the thread and the loop have ended."""
        cdef int i
        for i in range(MAX_RECORDINGS):
            if self.recorder.recordings[i] != NULL:
                free_recording(self.recorder.recordings[i])
        free(self.recorder)

    def fresh(self) -> list[tuple[int, int, int]]:
        """(slot, descriptor of the order, number) of recordings that were not handed out before."""
        cdef Recorder *recorder = self.recorder
        cdef uint32_t head = load_acquire(&recorder.fresh_head), slot
        found = []
        while recorder.fresh_tail != head:
            slot = recorder.fresh[recorder.fresh_tail % MAX_RECORDINGS]
            recorder.fresh_tail += 1
            found.append((slot, recorder.recordings[slot].order_fd, recorder.recordings[slot].id))
        return found

    def open(self, slot: int, rate: int, stereo: bool, hide_keys: bool = False) -> None:
        """The file is open: sound may be taken. Raises MemoryError."""
        cdef Recording *recording = self.recorder.recordings[slot]
        recording.hide_keys = hide_keys
        if not open_line(recording, rate, stereo):
            raise MemoryError
        store_release(&recording.opened, 1)
        store_release(&self.recorder.news, 1)

    def take(self, slot: int, out: bytearray, samples: int, stopping: bool) -> int:
        """Fill `out` with the next `samples` samples of each side (16 bits, native order). 0: they aren't complete yet. Of a
        recording that is `stopping`, fewer than asked for are its end."""
        cdef Recording *recording = self.recorder.recordings[slot]
        cdef int16_t *into = <int16_t *><char *>out
        cdef int most = samples
        cdef bint to_the_end = stopping
        if len(out) < most * (4 if recording.stereo else 2):
            raise ValueError("the buffer is too short")
        with nogil:
            most = take_chunk(recording, into, most, to_the_end)
        return most

    def stopping(self, slot: int) -> bool:
        return load_acquire(&self.recorder.recordings[slot].state) == RECORDING_STOPPING

    def fail(self, slot: int, error: int) -> None:
        """The file can't be written (an errno): the loop stops the recording."""
        store_release(&self.recorder.recordings[slot].failed, error)
        store_release(&self.recorder.news, 1)

    def close(self, slot: int, size_bytes: int) -> None:
        """The last word about a slot that is `stopping`."""
        cdef Recording *recording = self.recorder.recordings[slot]
        recording.size_bytes = size_bytes
        store_release(&recording.state, RECORDING_OVER)
        store_release(&self.recorder.news, 1)


cdef class RecordingLine:
    """The line of time of a recording whose packets were captured elsewhere (media/rtpengine/convert.py): put them in the
    order of their arrival, take out what is complete. Raises MemoryError."""

    cdef Recording *recording

    def __cinit__(self, rate: int, stereo: bool, hide_keys: bool = False) -> None:
        make_sound()
        self.recording = <Recording *>calloc(1, sizeof(Recording))
        if self.recording == NULL:
            raise MemoryError
        self.recording.order_fd = -1
        self.recording.hide_keys = hide_keys
        if not open_line(self.recording, rate, stereo):
            raise MemoryError

    def __dealloc__(self) -> None:
        if self.recording != NULL:
            free_recording(self.recording)

    def put(self, side: int, codec: int, at_ns: int, timestamp: int, payload: bytes) -> bool:
        """A payload of the left (0) or right (1) side that arrived `at_ns` after the start. False: it lies too far ahead,
        `take` first. ValueError: longer than any packet."""
        cdef uint8_t buffer[2064]  # RING_ENTRY_BYTES + MAX_PACKET
        cdef RingEntry *entry = <RingEntry *>&buffer[0]
        cdef const uint8_t *data = payload
        cdef int size = len(payload)
        if size > MAX_PACKET - 12:
            raise ValueError(f"{size} bytes are no packet")
        entry.size, entry.side, entry.codec = size, side, codec
        entry.at_ns, entry.timestamp = at_ns, timestamp
        memcpy(<uint8_t *>entry + RING_ENTRY_BYTES, data, size)
        return lay(self.recording, entry)

    def take(self, out: bytearray, samples: int) -> None:
        """Fill `out` with the next `samples` samples of each side. ValueError: it is too short, or they are too many."""
        cdef int16_t *into = <int16_t *><char *>out
        if not 0 < samples <= self.recording.window or len(out) < samples * (4 if self.recording.stereo else 2):
            raise ValueError("the buffer does not fit")
        copy_out(self.recording, into, samples)
        self.recording.written += samples

    @property
    def late(self) -> int:
        """Packets that came too late for their place, or did not decode."""
        return self.recording.late + self.recording.undecoded
