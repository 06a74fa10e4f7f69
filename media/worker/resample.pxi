# The one resampler of the loop: between 8 and 16 kHz by a half-band filter (a windowed sinc of 63 taps of which every
# other is zero). Flat to 3.4 kHz, 75 dB down from 4.65 kHz on; each way delays by 1.9 ms.

cdef extern from "<math.h>" nogil:
    double sin(double)
    double cos(double)
    double sqrt(double)
    float sqrtf(float)
    float atan2f(float, float)
    float fabsf(float)

cdef enum:
    HALF_TAPS = 32  # those that are not zero, but for the middle one
    HALF_MOST = 960  # samples at 8 kHz in one step: 120 ms

cdef float HALF_BAND[HALF_TAPS]


cdef struct HalfBand:
    # One direction of one stream: what the filter still needs of the samples before
    int16_t line[2 * HALF_TAPS - 2]


cdef double bessel_i0(double x) noexcept nogil:
    cdef double term = 1, total = 1
    cdef int k
    for k in range(1, 40):
        term *= (x / (2 * k)) * (x / (2 * k))
        total += term
    return total


cdef void make_half_band() noexcept nogil:
    """Kaiser window, beta 8 (80 dB)."""
    cdef double pi = 3.141592653589793, at, total = 0
    cdef int k
    for k in range(HALF_TAPS):
        at = 2 * k - (HALF_TAPS - 1)  # -31, -29 ... 31: distance from the middle in samples at 16 kHz
        HALF_BAND[k] = <float>(sin(pi * at / 2) / (pi * at) * bessel_i0(8 * sqrt(1 - (at / HALF_TAPS) ** 2)))
        total += HALF_BAND[k]
    for k in range(HALF_TAPS):
        HALF_BAND[k] *= <float>(0.5 / total)  # with the middle tap of 0.5 a gain of exactly 1 at 0 Hz


cdef inline int16_t rounded(float value) noexcept nogil:
    value += <float>0.5 if value >= 0 else <float>-0.5
    return <int16_t>(-32768 if value < -32768 else 32767 if value > 32767 else <int>value)


cdef void up_2(HalfBand *state, const int16_t *samples, int count, int16_t *out) noexcept nogil:
    """`count` samples at 8 kHz (at most 960) to twice as many at 16 kHz."""
    cdef float line[HALF_TAPS - 1 + HALF_MOST]
    cdef float total
    cdef int i, k
    cdef int before = HALF_TAPS - 1
    for i in range(before):
        line[i] = state.line[i]
    for i in range(count):
        line[before + i] = samples[i]
    for i in range(count):
        total = 0
        for k in range(HALF_TAPS):
            total += HALF_BAND[k] * line[i + k]
        out[2 * i] = rounded(2 * total)
        out[2 * i + 1] = <int16_t>line[i + HALF_TAPS // 2]
    for i in range(before):
        state.line[i] = <int16_t>line[count + i]


cdef void down_2(HalfBand *state, const int16_t *samples, int count, int16_t *out) noexcept nogil:
    """`count` samples at 16 kHz, an even number (at most 1920), to half as many at 8 kHz."""
    cdef float odd[HALF_TAPS - 1 + HALF_MOST]  # the samples that meet the taps
    cdef float even[HALF_TAPS - 1 + HALF_MOST]  # those that meet the middle one
    cdef float total
    cdef int i, k
    cdef int before = HALF_TAPS - 1
    for i in range(before):
        even[i] = state.line[2 * i]
        odd[i] = state.line[2 * i + 1]
    for i in range(count // 2):
        even[before + i] = samples[2 * i]
        odd[before + i] = samples[2 * i + 1]
    for i in range(count // 2):
        total = 0
        for k in range(HALF_TAPS):
            total += HALF_BAND[k] * odd[i + k]
        out[i] = rounded(total + <float>0.5 * even[i + HALF_TAPS // 2])
    for i in range(before):
        state.line[2 * i] = <int16_t>even[count // 2 + i]
        state.line[2 * i + 1] = <int16_t>odd[count // 2 + i]
