# G.722 at 64 kbit/s (ITU-T G.722, 2012): two bands by a quadrature mirror filter, ADPCM of 6 and 2 bits. The blocks and
# names are those of the Recommendation's clauses 3 (encoder), 4 (decoder) and 5 to 6 (the arithmetic, in integers).

cdef extern from *:
    """
    static const int G722_QMF[12] = {3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};  /* table 11, every other */
    static const int G722_Q6[30] = {0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858,
        940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919};
    static const int G722_QM2[4] = {-7408, -1616, 7408, 1616};
    static const int G722_QM4[16] = {0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
        20456, 12896, 8968, 6288, 4240, 2584, 1200, 0};
    static const int G722_QM6[64] = {-136, -136, -136, -136, -24808, -21904, -19008, -16704,
        -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
        -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
        10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
        1688, 1360, 1040, 728, 432, 136, -432, -136};
    static const int G722_WL[8] = {-60, -30, 58, 172, 334, 538, 1198, 3042};
    static const int G722_RL42[16] = {0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0};
    static const int G722_WH[3] = {0, -214, 798};
    static const int G722_RH2[4] = {2, 1, 2, 1};
    static const int G722_ILB[32] = {2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714,
        2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};
    """
    const int *G722_QMF
    const int *G722_Q6
    const int *G722_QM2
    const int *G722_QM4
    const int *G722_QM6
    const int *G722_WL
    const int *G722_RL42
    const int *G722_WH
    const int *G722_RH2
    const int *G722_ILB


cdef struct G722Band:
    int s  # predicted signal: poles and zeros
    int sz  # of the zeros alone
    int nb  # logarithm of the quantiser's step
    int det  # the step
    int r[2]  # reconstructed signal before this sample
    int p[2]
    int a[2]
    int b[6]
    int d[6]


cdef struct G722:
    # One direction of one stream
    G722Band low
    G722Band high
    int x[24]  # the mirror filter's line


cdef inline int sat16(int value) noexcept nogil:
    return -32768 if value < -32768 else 32767 if value > 32767 else value


cdef void g722_reset(G722 *state) noexcept nogil:
    memset(state, 0, sizeof(G722))
    state.low.det = 32
    state.high.det = 8


cdef void g722_predict(G722Band *band, int d) noexcept nogil:
    """Block 4: reconstruct, adapt two poles and six zeros, predict the next sample (RECONS to PREDIC, 3.6)."""
    cdef int r = sat16(band.s + d), p = sat16(band.sz + d)
    cdef int a1, a2, limit, wd, i, sz = 0
    cdef bint same1 = (p < 0) == (band.p[0] < 0), same2 = (p < 0) == (band.p[1] < 0)
    wd = sat16(4 * band.a[0])  # UPPOL2
    wd = min(-wd, 32767) if same1 else wd
    a2 = (wd >> 7) + (128 if same2 else -128) + ((band.a[1] * 32512) >> 15)
    a2 = max(-12288, min(12288, a2))
    a1 = sat16((192 if same1 else -192) + ((band.a[0] * 32640) >> 15))  # UPPOL1
    limit = sat16(15360 - a2)
    a1 = max(-limit, min(limit, a1))
    for i in range(6):  # UPZERO
        wd = 0 if d == 0 else (128 if (d < 0) == (band.d[i] < 0) else -128)
        band.b[i] = sat16(wd + ((band.b[i] * 32640) >> 15))
    for i in range(5, 0, -1):  # DELAYA
        band.d[i] = band.d[i - 1]
    band.d[0] = d
    band.r[1] = band.r[0]
    band.r[0] = r
    band.p[1] = band.p[0]
    band.p[0] = p
    band.a[0] = a1
    band.a[1] = a2
    for i in range(6):  # FILTEZ
        sz += (band.b[i] * sat16(2 * band.d[i])) >> 15
    band.sz = sat16(sz)
    wd = ((a1 * sat16(2 * r)) >> 15) + ((a2 * sat16(2 * band.r[1])) >> 15)  # FILTEP
    band.s = sat16(sat16(wd) + band.sz)


cdef inline void g722_scale(G722Band *band, int weight, int most, int octaves) noexcept nogil:
    """Block 3: LOGSCL and SCALEL, LOGSCH and SCALEH (3.5)."""
    cdef int shift
    band.nb = max(0, min(most, ((band.nb * 127) >> 7) + weight))
    shift = octaves - (band.nb >> 11)
    band.det = G722_ILB[(band.nb >> 6) & 31]
    band.det = (band.det << -shift if shift < 0 else band.det >> shift) << 2


cdef inline void g722_adapt_low(G722Band *band, int ril) noexcept nogil:
    cdef int d = (band.det * G722_QM4[ril]) >> 15
    g722_scale(band, G722_WL[G722_RL42[ril]], 18432, 8)
    g722_predict(band, d)


cdef inline void g722_adapt_high(G722Band *band, int ih) noexcept nogil:
    cdef int d = (band.det * G722_QM2[ih]) >> 15
    g722_scale(band, G722_WH[G722_RH2[ih]], 22528, 10)
    g722_predict(band, d)


cdef void g722_encode(G722 *state, const int16_t *samples, int count, uint8_t *codes) noexcept nogil:
    """`count` samples at 16 kHz, an even number, to count / 2 bytes."""
    cdef int i, k, even, odd, low, high, error, size, level, il, ih
    for i in range(count // 2):
        memmove(state.x, &state.x[2], 22 * sizeof(int))
        state.x[22] = samples[2 * i]
        state.x[23] = samples[2 * i + 1]
        even = odd = 0
        for k in range(12):
            odd += state.x[2 * k] * G722_QMF[k]
            even += state.x[2 * k + 1] * G722_QMF[11 - k]
        low = (even + odd) >> 14
        high = (even - odd) >> 14
        error = sat16(low - state.low.s)  # SUBTRA, QUANTL
        size = ~error if error < 0 else error
        level = 1
        while level < 30 and size >= (G722_Q6[level] * state.low.det) >> 12:
            level += 1
        if error < 0:
            il = 64 - level if level < 3 else 34 - level  # table 15
        else:
            il = 62 - level
        error = sat16(high - state.high.s)
        size = ~error if error < 0 else error
        ih = (0 if error < 0 else 2) + (size < (564 * state.high.det) >> 12)  # QUANTH, table 19
        g722_adapt_low(&state.low, il >> 2)
        g722_adapt_high(&state.high, ih)
        codes[i] = <uint8_t>(ih << 6 | il)


cdef void g722_decode(G722 *state, const uint8_t *codes, int count, int16_t *samples) noexcept nogil:
    """`count` bytes to twice as many samples at 16 kHz."""
    cdef int i, k, il, ih, low, high, first, second
    for i in range(count):
        il = codes[i] & 0x3F
        ih = codes[i] >> 6
        low = max(-16384, min(16383, state.low.s + ((state.low.det * G722_QM6[il]) >> 15)))
        high = max(-16384, min(16383, state.high.s + ((state.high.det * G722_QM2[ih]) >> 15)))
        g722_adapt_low(&state.low, il >> 2)
        g722_adapt_high(&state.high, ih)
        memmove(state.x, &state.x[2], 22 * sizeof(int))
        state.x[22] = low + high
        state.x[23] = low - high
        first = second = 0
        for k in range(12):
            second += state.x[2 * k] * G722_QMF[k]
            first += state.x[2 * k + 1] * G722_QMF[11 - k]
        samples[2 * i] = <int16_t>sat16(first >> 11)
        samples[2 * i + 1] = <int16_t>sat16(second >> 11)
