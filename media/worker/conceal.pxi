# What is heard where a packet is missing: the last pitch periods again, fading out (after ITU-T G.711 Appendix I, here at 16 kHz
# for every codec but Opus, which has its own), and the seams to the sound before and after.

cdef enum:
    PITCH_LEAST = 80  # samples: 200 Hz
    PITCH_MOST = 240  # 66 Hz
    PITCH_WINDOW = 320
    CYCLE_LEAST = 160  # what is repeated holds as many periods as make 10 ms, lest it beeps
    FADE_FROM = 160  # samples of a gap: full level until here,
    FADE_TO = 960  # silence from here on: 60 ms
    OFFSET_FADES = 64
    SEAM_LEAST = 128
    SEAM_MOST = 160


cdef struct Gap:
    # What is repeated in the present gap
    int length  # samples concealed so far; 0: no gap
    int cycle
    int at
    float offset  # from the last true sample to the first repeated one
    int16_t sound[PITCH_MOST + CYCLE_LEAST]


cdef int best_lag(const int16_t *sound, int window, int least, int most, float *likeness) noexcept nogil:
    """The distance at which `window` samples resemble those before them most; sound[-most] must be there. Coarsely by every
    second sample, then finely. `likeness`: normalised correlation, -1 to 1."""
    cdef int lag, i, best = least, first = least, last = most, step = 2
    cdef float cross, energy, own = 1, score, best_score = -2
    for i in range(0, window, 2):
        own += <float>sound[i] * sound[i]
    while step:
        lag = first
        while lag <= last:
            cross = 0
            energy = 1
            for i in range(0, window, 2):
                cross += <float>sound[i] * sound[i - lag]
                energy += <float>sound[i - lag] * sound[i - lag]
            score = cross / sqrtf(energy * own)
            if score > best_score:
                best_score = score
                best = lag
            lag += step
        first = max(least, best - 1)
        last = min(most, best + 1)
        step -= 1
    likeness[0] = best_score
    return best


cdef void gap_begin(Gap *gap, const int16_t *end) noexcept nogil:
    """`end` is where the true sound stops; PITCH_MOST + PITCH_WINDOW samples before it must be there."""
    cdef float likeness, weight
    cdef int i, quarter, period = best_lag(end - PITCH_WINDOW, PITCH_WINDOW, PITCH_LEAST, PITCH_MOST, &likeness)
    cdef int cycle = period
    if cycle < CYCLE_LEAST:
        cycle *= 2
    quarter = period // 4
    for i in range(cycle):
        gap.sound[i] = end[i - cycle]
    for i in range(quarter):  # where the repetition meets itself
        weight = <float>(i + 1) / (quarter + 1)
        gap.sound[cycle - quarter + i] = rounded(end[i - quarter] * (1 - weight) + end[i - cycle - quarter] * weight)
    gap.cycle = cycle
    gap.at = 0
    gap.offset = <float>(end - 1)[0] - gap.sound[0]


cdef int16_t gap_sample(Gap *gap) noexcept nogil:
    """The next sample of the gap."""
    cdef float value = gap.sound[gap.at]
    gap.at += 1
    if gap.at == gap.cycle:
        gap.at = 0
    if gap.length < OFFSET_FADES:
        value += gap.offset * (OFFSET_FADES - gap.length) / OFFSET_FADES
    elif gap.length >= FADE_TO:
        return 0
    if gap.length > FADE_FROM:
        value *= <float>(FADE_TO - gap.length) / (FADE_TO - FADE_FROM)
    gap.length += 1
    return rounded(value)


cdef void gap_end(Gap *gap, int16_t *sound, int count) noexcept nogil:
    """True sound is back: the repetition goes on below its beginning, fading."""
    cdef int i, seam = min(count, min(SEAM_MOST, SEAM_LEAST + gap.length // 4))
    cdef float weight
    for i in range(seam):
        weight = <float>(i + 1) / (seam + 1)
        weight *= weight * (3 - 2 * weight)  # flat at both ends: a resampler that still rings is not heard
        sound[i] = rounded(sound[i] * weight + gap_sample(gap) * (1 - weight))
    gap.length = 0


cdef int stretch(int16_t *sound, int count, bint longer, bint always) noexcept nogil:
    """Take one pitch period out of `count` samples (at least 160) or put one in, with a seam where both sides resemble each
    other; unless `always`, only if they do. There must be room for half as many again. How many there are then."""
    cdef int16_t copy[DECODED_MOST]
    cdef int overlap = min(count // 2, 160)
    cdef int most = min(PITCH_MOST, count - overlap)
    cdef int lag, i
    cdef float likeness, weight
    if most < PITCH_LEAST:
        return count
    lag = best_lag(sound + most, overlap, PITCH_LEAST, most, &likeness)
    if likeness < 0.6 and not always:
        return count
    # sound[most - lag] resembles sound[most]
    memcpy(copy, sound, count * sizeof(int16_t))
    for i in range(overlap):
        weight = <float>(i + 1) / (overlap + 1)
        if longer:
            sound[most + i] = rounded(copy[most + i] * (1 - weight) + copy[most - lag + i] * weight)
        else:
            sound[most - lag + i] = rounded(copy[most - lag + i] * (1 - weight) + copy[most + i] * weight)
    if longer:
        memcpy(&sound[most + overlap], &copy[most - lag + overlap], (count - most + lag - overlap) * sizeof(int16_t))
        return count + lag
    memcpy(&sound[most - lag + overlap], &copy[most + overlap], (count - most - overlap) * sizeof(int16_t))
    return count - lag
