# Tables between PCMU and PCMA (ITU-T G.711), made at start: decode to linear, encode to the nearest code.

cdef uint8_t PCMU_TO_PCMA[256]
cdef uint8_t PCMA_TO_PCMU[256]


cdef int pcmu_linear(int code) noexcept nogil:
    code = ~code & 0xFF
    cdef int magnitude = ((((code & 15) << 3) + 132) << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


cdef int pcma_linear(int code) noexcept nogil:
    code ^= 0x55
    cdef int segment = code >> 4 & 7
    cdef int magnitude = ((code & 15) << 4) + 8
    if segment:
        magnitude = (magnitude + 0x100) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


cdef int segment_of(int magnitude) noexcept nogil:
    cdef int segment = 0
    while segment < 7 and magnitude >= 256 << segment:
        segment += 1
    return segment


cdef int pcmu_code(int linear) noexcept nogil:
    cdef int magnitude = min(-linear if linear < 0 else linear, 32635) + 132
    cdef int segment = segment_of(magnitude)
    return ~((0x80 if linear < 0 else 0) | segment << 4 | magnitude >> (segment + 3) & 15) & 0xFF


cdef int pcma_code(int linear) noexcept nogil:
    cdef int magnitude = ~linear if linear < 0 else linear
    cdef int segment = segment_of(magnitude)
    return ((0 if linear < 0 else 0x80) | segment << 4 | magnitude >> (max(segment, 1) + 3) & 15) ^ 0x55


cdef void make_tables() noexcept nogil:
    cdef int code
    for code in range(256):
        PCMU_TO_PCMA[code] = <uint8_t>pcma_code(pcmu_linear(code))
        PCMA_TO_PCMU[code] = <uint8_t>pcmu_code(pcma_linear(code))


cdef void transcode(uint8_t *payload, int size, bint to_pcma) noexcept nogil:
    cdef const uint8_t *table = &PCMU_TO_PCMA[0] if to_pcma else &PCMA_TO_PCMU[0]
    cdef int i
    for i in range(size):
        payload[i] = table[payload[i]]


def transcoding_tables() -> tuple[bytes, bytes]:
    """PCMU to PCMA and PCMA to PCMU, as the loop uses them."""
    make_tables()
    return bytes(PCMU_TO_PCMA[:256]), bytes(PCMA_TO_PCMU[:256])
