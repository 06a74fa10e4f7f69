# Keys as tones (ITU-T Q.23): found in sound by Goertzel's filters within the limits of Q.24, and made where a peer knows no other.

cdef extern from *:
    """
    static const float TONE_HZ[8] = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
    /* By row and column; the event codes of RFC 4733 3.2. */
    static const uint8_t TONE_KEYS[16] = {1, 2, 3, 12, 4, 5, 6, 13, 7, 8, 9, 14, 10, 0, 11, 15};
    """
    const float *TONE_HZ
    const uint8_t *TONE_KEYS

cdef enum:
    TONE_BLOCK = 204  # samples a decision rests on: 12.75 ms,
    TONE_HOP = 102  # taken every 6.4 ms
    TONE_HITS = 4  # decisions in a row that make a key: 40 ms suffice, 20 ms do not (Q.24)
    TONE_MISSES = 4  # that end it: 40 ms suffice, an interruption of 10 ms does not
    TONE_LEVEL = 600  # amplitude: -31 dBm0
    TONE_PEAK = 7000  # of each tone that we make: -10 dBm0
    NO_KEY = 16

cdef float TONE_COEFFICIENTS[16]  # of the eight tones; of the rows' third and the columns' second harmonics


cdef struct KeyEar:
    # What listens for keys
    int16_t block[TONE_BLOCK]
    int filled
    uint8_t candidate  # the last decision
    uint8_t key  # that is held; NO_KEY
    int hits
    int misses
    int blocks  # since the key began
    float row_phase  # of the candidate's tones in the last block
    float column_phase


cdef void make_tones() noexcept nogil:
    cdef int i
    for i in range(8):
        TONE_COEFFICIENTS[i] = <float>(2 * cos(2 * 3.141592653589793 * TONE_HZ[i] / 16000))
        TONE_COEFFICIENTS[i + 8] = <float>(2 * cos((6 if i < 4 else 4) * 3.141592653589793 * TONE_HZ[i] / 16000))


cdef void keys_reset(KeyEar *ear) noexcept nogil:
    memset(ear, 0, sizeof(KeyEar))
    ear.candidate = ear.key = NO_KEY


cdef inline float goertzel(const int16_t *block, float coefficient, float *phase) noexcept nogil:
    """Power at a frequency: the square of amplitude * TONE_BLOCK / 2 for a sine; and the phase at the end, if it is asked."""
    cdef float one = 0, two = 0, next
    cdef int i
    for i in range(TONE_BLOCK):
        next = block[i] + coefficient * one - two
        two = one
        one = next
    if phase != NULL:
        next = coefficient / 2
        phase[0] = atan2f(two * sqrtf(1 - next * next), one - two * next)
    return one * one + two * two - coefficient * one * two


cdef int strongest(const float *power) noexcept nogil:
    """Of four, if it stands out by 8 dB; else -1."""
    cdef int i, best = 0
    for i in range(1, 4):
        if power[i] > power[best]:
            best = i
    for i in range(4):
        if i != best and power[i] * <float>6.3 > power[best]:
            return -1
    return best


cdef inline bint on_pitch(float hertz, float phase, float phase_before) noexcept nogil:
    """A hop has turned the phase by as much as the frequency says, within 2.3 % (Q.24: 1.5 % must pass, 3.5 % must not)."""
    cdef float turns = (phase - phase_before) / <float>6.2831853 - hertz * TONE_HOP / 16000
    turns -= <int>(turns - <float>0.5 if turns < 0 else turns + <float>0.5)
    return fabsf(turns) * 16000 / TONE_HOP <= hertz * <float>0.023


cdef uint8_t key_of(KeyEar *ear) noexcept nogil:
    """The key whose tones the block holds, or NO_KEY."""
    cdef const int16_t *block = ear.block
    cdef uint8_t key
    cdef float row_phase, column_phase
    cdef bint steady
    cdef float power[8]
    cdef float energy = 0, both, least
    cdef int i, row, column
    for i in range(TONE_BLOCK):
        energy += <float>block[i] * block[i]
    least = <float>TONE_LEVEL * TONE_LEVEL * TONE_BLOCK * TONE_BLOCK / 4
    if energy * TONE_BLOCK / 2 < 2 * least:
        return NO_KEY
    for i in range(8):
        power[i] = goertzel(block, TONE_COEFFICIENTS[i], NULL)
    row = strongest(power)
    column = strongest(&power[4])
    if row < 0 or column < 0 or power[row] < least or power[4 + column] < least:
        return NO_KEY
    both = power[row] + power[4 + column]
    if (both < <float>0.65 * energy * TONE_BLOCK / 2  # Nothing else is as loud;
            or power[row] > 10 * power[4 + column] or power[4 + column] > <float>3.2 * power[row]  # twist: 8 dB and 4 dB, and some;
            # and voices have harmonics, which keys have not. (The rows' second ones lie among the columns.)
            or goertzel(block, TONE_COEFFICIENTS[8 + row], NULL) > power[row] / 20
            or goertzel(block, TONE_COEFFICIENTS[12 + column], NULL) > power[4 + column] / 20):
        return NO_KEY
    key = TONE_KEYS[4 * row + column]
    goertzel(block, TONE_COEFFICIENTS[row], &row_phase)
    goertzel(block, TONE_COEFFICIENTS[4 + column], &column_phase)
    steady = key != ear.candidate or (on_pitch(TONE_HZ[row], row_phase, ear.row_phase)
                                      and on_pitch(TONE_HZ[4 + column], column_phase, ear.column_phase))
    ear.row_phase = row_phase
    ear.column_phase = column_phase
    return key if steady else NO_KEY


cdef int keys_hear(KeyEar *ear, const int16_t *sound, int count, uint8_t *key) noexcept nogil:
    """Listen to some sound, of at most TONE_HOP samples. 1: `key` begins; -1: it ends; 0: neither."""
    cdef int fits = min(count, TONE_BLOCK - ear.filled)
    cdef uint8_t heard
    memcpy(&ear.block[ear.filled], sound, fits * sizeof(int16_t))
    ear.filled += fits
    if ear.filled < TONE_BLOCK:
        return 0
    heard = key_of(ear)
    memmove(ear.block, &ear.block[TONE_HOP], (TONE_BLOCK - TONE_HOP) * sizeof(int16_t))
    ear.filled = TONE_BLOCK - TONE_HOP + count - fits
    memcpy(&ear.block[TONE_BLOCK - TONE_HOP], sound + fits, (count - fits) * sizeof(int16_t))
    ear.hits = ear.hits + 1 if heard == ear.candidate else 1
    ear.candidate = heard
    ear.blocks += 1
    if ear.key != NO_KEY:
        ear.misses = 0 if heard == ear.key else ear.misses + 1
        if ear.misses < TONE_MISSES and (heard == NO_KEY or heard == ear.key or ear.hits < TONE_HITS):
            return 0
        key[0] = ear.key
        ear.key = NO_KEY
        return -1
    if heard == NO_KEY or ear.hits < TONE_HITS:
        return 0
    ear.key = key[0] = heard
    ear.misses = 0
    ear.blocks = TONE_HITS
    return 1


cdef inline uint32_t key_ms(KeyEar *ear) noexcept nogil:
    """How long the key that just ended was held, as far as its decisions tell."""
    return <uint32_t>max(0, ear.blocks - ear.misses) * TONE_HOP // SOUND_MS


cdef void make_tone(int event, int64_t at, int count, int length, int16_t *sound) noexcept nogil:
    """`count` samples of a key from its `at`-th on; the key has `length`, the rest is silence. Its ends are rounded over 2 ms."""
    cdef int i, place = 0
    cdef double row, column, level, pi = 3.141592653589793
    while TONE_KEYS[place] != event:
        place += 1
    row = 2 * pi * TONE_HZ[place // 4] / 16000
    column = 2 * pi * TONE_HZ[4 + place % 4] / 16000
    for i in range(count):
        level = max(<int64_t>0, min(<int64_t>32, min(at + i, length - at - i))) * (TONE_PEAK / 32.0)
        sound[i] = <int16_t>(level * (sin(row * (at + i)) + sin(column * (at + i))))


# --- a port whose keys are tones ------------------------------------------------------------------------------------------------

cdef void hear_keys(Loop *loop, Port *port, int16_t *frame) noexcept nogil:
    """Report the keys in 20 ms of what the peer says. A bridged partner who knows telephone-event gets them so, and not the tones."""
    cdef KeyEar *ear = &port.ear.keys
    cdef Port *to = port.partner if port.source == PARTNER else NULL
    cdef int at = 0, step, change
    cdef uint8_t key
    while at < SOUND_FRAME:
        step = min(80, SOUND_FRAME - at)
        change = keys_hear(ear, frame + at, step, &key)
        at += step
        if change > 0:
            emit(loop, DIGIT, port, key)
            if to != NULL and to.dtmf_type != NO_TYPE:
                hold_key(loop, to, key)
        elif change < 0:
            emit(loop, KEY_END, port, key | key_ms(ear) << 8)
            if to != NULL:
                to.out.key_until_ns = 0
    if to != NULL and to.dtmf_type == NO_TYPE:
        return  # he hears the tones
    if ear.key != NO_KEY and to != NULL and to.held:
        to.out.key_until_ns = loop.now_ns + KEY_HOLD_NS
    if ear.key != NO_KEY or ear.candidate != NO_KEY and ear.hits > 1:
        memset(frame, 0, SOUND_FRAME * sizeof(int16_t))


cdef void hold_key(Loop *loop, Port *port, uint8_t event) noexcept nogil:
    """A key goes down whose end is not known yet: it lasts while `key_until_ns` is moved on."""
    if port.held:
        let_key(loop, port)
    if port.out.digits_count == MAX_DIGITS or not port.may_send:
        return
    queue_digit(loop, port, event, KEY_LONGEST_MS)
    port.held = True
    port.held_ns = loop.now_ns
    port.out.key_until_ns = loop.now_ns + KEY_HOLD_NS


cdef void let_key(Loop *loop, Port *port) noexcept nogil:
    """The held key goes up."""
    cdef Outgoing *out = &port.out
    cdef QueuedDigit *digit = &port.digits[(out.digits_head + out.digits_count - 1) % MAX_DIGITS]
    cdef int64_t units = max(<int64_t>40, (loop.now_ns - port.held_ns) // 1_000_000) * port.dtmf_khz
    port.held = False
    if out.digits_count == 0:
        return
    if out.digits_count == 1 and out.digit_active:
        units = max(units, <int64_t>out.digit_duration)
    digit.duration = <uint16_t>min(units, <int64_t>digit.duration)


cdef bint tone_step(Loop *loop, Port *port, QueuedDigit *digit) noexcept nogil:
    """20 ms of the digit at the head of the queue, as tones, and of the silence after it."""
    cdef Outgoing *out = &port.out
    cdef int16_t frame[SOUND_FRAME]
    cdef int length = digit.duration * SOUND_MS // port.dtmf_khz
    if out.digit_pause:
        out.digit_pause -= 1
        say_nothing(loop, port, 0)
        return True
    out.digit_active = True
    make_tone(digit.event, <int64_t>out.tone_at, SOUND_FRAME, length, frame)
    say(loop, port, frame, 0)
    out.tone_at += SOUND_FRAME
    out.digit_duration = <uint16_t>min(<uint32_t>digit.duration, out.tone_at // SOUND_MS * port.dtmf_khz)
    if out.tone_at >= <uint32_t>length:
        out.tone_at = 0
        out.digit_active = False
        out.digit_pause = 3
        out.digits_head = (out.digits_head + 1) % MAX_DIGITS
        out.digits_count -= 1
        pace(loop, port)
    return True
