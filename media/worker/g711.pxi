# G.711, bit for bit as the ITU's own program (G.191, Software Tool Library): tables between PCMU, PCMA and linear
# samples of 16 bits, made at start.

cdef uint8_t PCMU_TO_PCMA[256]
cdef uint8_t PCMA_TO_PCMU[256]
cdef int16_t PCMU_LINEAR[256]
cdef int16_t PCMA_LINEAR[256]
cdef uint8_t LINEAR_PCMU[16384]  # by the upper 14 bits
cdef uint8_t LINEAR_PCMA[8192]  # by the upper 13


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
    cdef int magnitude = min(~linear if linear < 0 else linear, 32635) + 132  # one's complement, as G.191
    cdef int segment = segment_of(magnitude)
    return ~((0x80 if linear < 0 else 0) | segment << 4 | magnitude >> (segment + 3) & 15) & 0xFF


cdef int pcma_code(int linear) noexcept nogil:
    cdef int magnitude = ~linear if linear < 0 else linear
    cdef int segment = segment_of(magnitude)
    return ((0 if linear < 0 else 0x80) | segment << 4 | magnitude >> (max(segment, 1) + 3) & 15) ^ 0x55


cdef void make_tables() noexcept nogil:
    cdef int code, linear
    for code in range(256):
        PCMU_LINEAR[code] = <int16_t>pcmu_linear(code)
        PCMA_LINEAR[code] = <int16_t>pcma_linear(code)
        PCMU_TO_PCMA[code] = <uint8_t>pcma_code(pcmu_linear(code))
        PCMA_TO_PCMU[code] = <uint8_t>pcmu_code(pcma_linear(code))
    for linear in range(-32768, 32768, 4):
        LINEAR_PCMU[(linear >> 2) + 8192] = <uint8_t>pcmu_code(linear)
        LINEAR_PCMA[(linear >> 3) + 4096] = <uint8_t>pcma_code(linear)


cdef inline uint8_t to_pcmu(int linear) noexcept nogil:
    return LINEAR_PCMU[(linear >> 2) + 8192]


cdef inline uint8_t to_pcma(int linear) noexcept nogil:
    return LINEAR_PCMA[(linear >> 3) + 4096]


cdef void transcode(uint8_t *payload, int size, bint into_pcma) noexcept nogil:
    cdef const uint8_t *table = &PCMU_TO_PCMA[0] if into_pcma else &PCMA_TO_PCMU[0]
    cdef int i
    for i in range(size):
        payload[i] = table[payload[i]]


def transcoding_tables() -> tuple[bytes, bytes]:
    """PCMU to PCMA and PCMA to PCMU, as the loop uses them."""
    make_tables()
    return bytes(PCMU_TO_PCMA[:256]), bytes(PCMA_TO_PCMU[:256])


def g711_tables() -> tuple[bytes, bytes, bytes, bytes]:
    """Codes of the samples -32768 to 32767 in PCMU and PCMA; samples (int16) of the codes 0 to 255."""
    make_tables()
    pcmu = bytes([to_pcmu(linear) for linear in range(-32768, 32768)])
    pcma = bytes([to_pcma(linear) for linear in range(-32768, 32768)])
    return pcmu, pcma, (<char *>PCMU_LINEAR)[:512], (<char *>PCMA_LINEAR)[:512]
