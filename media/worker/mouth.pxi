# The mouth of a port: sound, 20 ms at a time, becomes packets of the length the peer wants. Prompts, which are encoded already,
# pass through it only where that is not 20 ms.

cdef struct Mouth:
    Encoder encoder
    int size  # bytes that wait for a packet to be full; of Opus, which can't be cut, samples
    int16_t sound[1280]
    uint8_t data[2560]
    Mouth *next  # in the pool


cdef void send_frame(Loop *loop, Port *port, const uint8_t *payload, int size, int length_ms, int skipped_ms) noexcept nogil:
    """One packet of what we make."""
    cdef Outgoing *out = &port.out
    cdef uint8_t *packet = loop.scratch
    cdef bint marker = out.resync
    cdef uint32_t timestamp
    if not port.may_send:
        out.resync = True
        return
    timestamp = next_timestamp(loop, out) if marker else out.timestamp + out.span + <uint32_t>(skipped_ms * out.khz)
    header(packet, out, port.payload_type, marker, out.seq + 1, timestamp)
    memcpy(packet + 12, payload, size)
    out.resync = False
    out.span = length_ms * out.khz
    transmit(loop, port, packet, 12 + size)
    advance(loop, out, out.seq + 1, timestamp)


cdef void send_encoded(Loop *loop, Port *port, const uint8_t *frame, int size, int skipped_ms) noexcept nogil:
    """20 ms that are encoded, in packets of the peer's length. (Opus packets are left as they are: every receiver takes any.)"""
    cdef Mouth *mouth = port.mouth
    cdef int packet_bytes
    if mouth == NULL or port.ptime_ms == FRAME_MS or port.codec == OPUS:
        send_frame(loop, port, frame, size, FRAME_MS, skipped_ms)
        return
    packet_bytes = port.ptime_ms * bytes_a_ms(port.codec)
    memcpy(&mouth.data[mouth.size], frame, size)
    mouth.size += size
    while mouth.size >= packet_bytes:
        send_frame(loop, port, mouth.data, packet_bytes, port.ptime_ms, skipped_ms)
        skipped_ms = 0
        mouth.size -= packet_bytes
        memmove(mouth.data, &mouth.data[packet_bytes], mouth.size)


cdef void say(Loop *loop, Port *port, const int16_t *frame, int skipped_ms) noexcept nogil:
    """20 ms of sound to the peer."""
    cdef Mouth *mouth = port.mouth
    cdef uint8_t data[ENCODED_MOST]
    cdef int size, samples
    if not port.may_send or mouth == NULL:
        port.out.resync = True
        return
    if port.codec != OPUS:
        size = encode(&mouth.encoder, frame, SOUND_FRAME, data)
        send_encoded(loop, port, data, size, skipped_ms)
        return
    samples = opus_ptime(port.ptime_ms) * SOUND_MS
    memcpy(&mouth.sound[mouth.size], frame, SOUND_FRAME * sizeof(int16_t))
    mouth.size += SOUND_FRAME
    while mouth.size >= samples:
        size = encode(&mouth.encoder, mouth.sound, samples, data)
        if size > 0:
            send_frame(loop, port, data, size, samples // SOUND_MS, skipped_ms)
        skipped_ms = 0
        mouth.size -= samples
        memmove(mouth.sound, &mouth.sound[samples], mouth.size * sizeof(int16_t))


cdef inline int opus_ptime(int ptime_ms) noexcept nogil:
    """The longest frame of Opus that fits (RFC 6716 2.1.4)."""
    return 60 if ptime_ms >= 60 else 40 if ptime_ms >= 40 else 20 if ptime_ms >= 20 else 10


cdef void say_nothing(Loop *loop, Port *port, int skipped_ms) noexcept nogil:
    """20 ms of silence."""
    cdef uint8_t silence[FRAME_BYTES]
    cdef int16_t frame[SOUND_FRAME]
    if is_g711(port.codec):
        memset(silence, 0xD5 if port.codec == PCMA else 0xFF, FRAME_BYTES)
        send_encoded(loop, port, silence, FRAME_BYTES, skipped_ms)
    else:
        memset(frame, 0, sizeof(frame))
        say(loop, port, frame, skipped_ms)
