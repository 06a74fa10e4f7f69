# Sound: 16 kHz, mono, 16 bits. Every codec decodes to it and encodes from it; who handles decoded audio knows no other.

cdef enum:
    G722_CODEC = 9
    L16_8K = 11
    L16_16K = 12
    OPUS = 111  # numbers of the codecs here, not payload types
    SOUND_MS = 16  # samples of a millisecond
    SOUND_FRAME = 320  # samples: 20 ms
    DECODED_MOST = 1920  # samples of one packet: 120 ms
    ENCODED_MOST = 1920  # bytes of one packet: 60 ms of L16 at 16 kHz


cdef struct Decoder:
    uint8_t codec
    HalfBand up
    G722 g722
    void *opus  # allocated with the first use, kept for the next


cdef struct Encoder:
    uint8_t codec
    HalfBand down
    G722 g722
    void *opus


cdef inline int clock_khz(int codec) noexcept nogil:
    """RTP timestamp units of a millisecond (RFC 3551 4.5.2: G.722 says 8; RFC 7587 4.1: Opus says 48)."""
    return 48 if codec == OPUS else 16 if codec == L16_16K else 8


cdef inline int bytes_a_ms(int codec) noexcept nogil:
    """0: the size of a packet says nothing about its length."""
    return 0 if codec == OPUS else 32 if codec == L16_16K else 16 if codec == L16_8K else 8


cdef bint decoder_open(Decoder *decoder, int codec) noexcept nogil:
    """Begin a stream. False if the codec can't be had: no libopus, no memory, unknown."""
    cdef void *kept = decoder.opus
    memset(decoder, 0, sizeof(Decoder))
    decoder.codec = <uint8_t>codec
    decoder.opus = kept
    g722_reset(&decoder.g722)
    if codec != OPUS:
        return codec == PCMU or codec == PCMA or codec == G722_CODEC or codec == L16_8K or codec == L16_16K
    if opus_library == NULL:
        return False
    if decoder.opus == NULL:
        decoder.opus = calloc(1, opus_decoder_size(1))
    return decoder.opus != NULL and opus_decoder_init(decoder.opus, 16000, 1) == 0


cdef void decoder_close(Decoder *decoder) noexcept nogil:
    free(decoder.opus)
    decoder.opus = NULL


cdef int packet_samples(int codec, const uint8_t *payload, int size) noexcept nogil:
    """How many samples of sound a payload holds; 0 or less: it can't be decoded."""
    cdef int samples
    if codec == OPUS:
        samples = opus_packet_samples(payload, size, 16000) if opus_library != NULL else -1
    elif codec == L16_8K or codec == L16_16K:
        samples = -1 if size & 1 else size if codec == L16_8K else size // 2
    else:
        samples = 2 * size
    return samples if samples <= DECODED_MOST else -1


cdef int decode(Decoder *decoder, int codec, const uint8_t *payload, int size, int16_t *out) noexcept nogil:
    """One payload to at most DECODED_MOST samples of sound; how many, or -1. `codec` is the decoder's; PCMU and PCMA
    stand in for any other whose sound comes as theirs."""
    cdef int16_t narrow[HALF_MOST]
    cdef int i, samples = packet_samples(codec, payload, size)
    if samples <= 0:
        return -1
    if codec == OPUS:
        return opus_decode(decoder.opus, payload, size, out, DECODED_MOST, 0)
    if codec == G722_CODEC:
        g722_decode(&decoder.g722, payload, size, out)
    elif codec == L16_16K:
        for i in range(samples):
            out[i] = <int16_t>get16(payload + 2 * i)
    else:
        for i in range(samples // 2):
            if codec == L16_8K:
                narrow[i] = <int16_t>get16(payload + 2 * i)
            else:
                narrow[i] = PCMU_LINEAR[payload[i]] if codec == PCMU else PCMA_LINEAR[payload[i]]
        up_2(&decoder.up, narrow, samples // 2, out)
    return samples


cdef bint encoder_open(Encoder *encoder, int codec, int bitrate, bint fec) noexcept nogil:
    """Begin a stream. `bitrate` (bit/s, 0: ours) and `fec` are for Opus. False as decoder_open."""
    cdef void *kept = encoder.opus
    memset(encoder, 0, sizeof(Encoder))
    encoder.codec = <uint8_t>codec
    encoder.opus = kept
    g722_reset(&encoder.g722)
    if codec != OPUS:
        return codec == PCMU or codec == PCMA or codec == G722_CODEC or codec == L16_8K or codec == L16_16K
    if opus_library == NULL:
        return False
    if encoder.opus == NULL:
        encoder.opus = calloc(1, opus_encoder_size(1))
    if encoder.opus == NULL or opus_encoder_init(encoder.opus, 16000, 1, OPUS_VOIP) != 0:
        return False
    opus_tune(encoder.opus, bitrate or OPUS_BITRATE, fec)
    return True


cdef void encoder_close(Encoder *encoder) noexcept nogil:
    free(encoder.opus)
    encoder.opus = NULL


cdef int encode(Encoder *encoder, const int16_t *samples, int count, uint8_t *out) noexcept nogil:
    """`count` samples of sound, at most 60 ms, to at most ENCODED_MOST bytes; how many, or -1."""
    cdef int16_t narrow[HALF_MOST]
    cdef int i, codec = encoder.codec
    if codec == OPUS:
        return opus_encode(encoder.opus, samples, count, out, 400)
    if codec == G722_CODEC:
        g722_encode(&encoder.g722, samples, count, out)
        return count // 2
    if codec == L16_16K:
        for i in range(count):
            put16(out + 2 * i, <uint16_t>samples[i])
        return 2 * count
    down_2(&encoder.down, samples, count, narrow)
    for i in range(count // 2):
        if codec == PCMU:
            out[i] = to_pcmu(narrow[i])
        elif codec == PCMA:
            out[i] = to_pcma(narrow[i])
        else:
            put16(out + 2 * i, <uint16_t>narrow[i])
    return count if codec == L16_8K else count // 2
