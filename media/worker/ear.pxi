# The ear of a port: packets as they arrive become an even stream of sound. It holds what is early, conceals what is missing,
# and keeps as little delay as the network allows. It reads no clock: time is given, in samples at 16 kHz, as everything here.

cdef enum:
    EAR_SLOTS = 64  # packets that wait
    EAR_ARENA = 16384  # bytes of them: 500 ms of the largest codec
    EAR_HISTORY = 800  # samples kept for concealment: 50 ms
    EAR_ROOM = 4608
    EAR_FIRST = 480  # delay at first: 30 ms
    EAR_LEAST = 320  # what it never goes below, nor above
    EAR_MOST = 3200
    EAR_SPARE = 160  # beyond the measured jitter
    EAR_EXCESS = 320  # delay that is worth taking out
    EAR_LACK = 80  # delay that is worth putting in
    EAR_PATIENCE = 10  # packets of speech between two that are shortened
    EAR_WINDOW = 48000  # in which the fastest packet is looked for: 3 s
    EAR_JUMP = 16000  # from the stream's clock: it started anew
    EAR_LATE_RUN = 5  # packets too late one after another: the network has become slower for good
    OPUS_FILLS = 1600  # samples of a gap that libopus conceals; from there on it is repeated and fades
    QUIET_LEVEL = 200  # mean magnitude below which nobody speaks


cdef struct Kept:
    int64_t at  # its first sample's place in the stream
    uint64_t place  # in the arena
    int length  # samples
    uint16_t size
    uint16_t seq
    uint8_t codec


cdef struct Ear:
    Decoder decoder
    bint started  # the stream's clock is known
    bint playing
    uint32_t timestamp  # of the last packet, and its place
    int64_t units
    int64_t next_at  # place of the next sample to decode
    uint16_t last_seq  # decoded last
    bint any_decoded
    int last_length
    # Transit times: arrival less place
    int64_t fastest
    int64_t fastest_before
    int64_t window_until
    int64_t slowest  # decays
    int late_run
    int since_stretch
    bint lacking  # a packet came too late: the delay grows at once
    bint lossy  # the present gap is no pause of the sender's
    int missing  # samples of the present gap
    int kept_count
    Kept kept[EAR_SLOTS]
    uint64_t written
    uint8_t arena[EAR_ARENA]
    Gap gap
    KeyEar keys
    int read
    int count
    int16_t sound[EAR_ROOM]
    # For the port's figures
    uint32_t concealed  # samples
    uint32_t decode_errors
    uint32_t late
    Ear *next  # in the pool


cdef bint ear_open(Ear *ear, int codec) noexcept nogil:
    """A clean ear. False: the codec can't be had."""
    keys_reset(&ear.keys)
    ear.concealed = ear.decode_errors = ear.late = 0
    ear.count = ear.read = EAR_HISTORY
    memset(ear.sound, 0, EAR_HISTORY * sizeof(int16_t))
    ear.gap.length = FADE_TO
    ear.gap.at = 0
    ear.gap.cycle = CYCLE_LEAST
    memset(ear.gap.sound, 0, sizeof(ear.gap.sound))
    return ear_restart(ear, codec)


cdef bint ear_restart(Ear *ear, int codec) noexcept nogil:
    """Another stream: what was decoded is still heard."""
    ear.started = ear.playing = ear.any_decoded = ear.lacking = ear.lossy = False
    ear.kept_count = ear.late_run = ear.since_stretch = ear.missing = 0
    ear.last_length = SOUND_FRAME
    return decoder_open(&ear.decoder, codec)


cdef inline int64_t ear_delay(Ear *ear, int64_t now) noexcept nogil:
    """How much later than the fastest packet allows the next sample is heard."""
    return now - ear.next_at - min(ear.fastest, ear.fastest_before)


cdef inline int64_t ear_target(Ear *ear) noexcept nogil:
    cdef int64_t jitter = ear.slowest - min(ear.fastest, ear.fastest_before)
    return max(<int64_t>EAR_LEAST, min(jitter + EAR_SPARE, <int64_t>EAR_MOST))


cdef void ear_transit(Ear *ear, int64_t transit, int64_t now) noexcept nogil:
    if now >= ear.window_until:
        ear.fastest_before = ear.fastest
        ear.fastest = transit
        ear.window_until = now + EAR_WINDOW
    elif transit < ear.fastest:
        ear.fastest = transit
    if transit > ear.slowest:
        ear.slowest = transit
    else:
        ear.slowest -= (ear.slowest - transit + 127) >> 7


cdef void ear_put(Ear *ear, int64_t now, uint16_t seq, uint32_t timestamp, int codec, const uint8_t *payload,
                  int size) noexcept nogil:
    """A packet arrived. What does not decode is counted, and concealed when its time comes."""
    cdef int khz = clock_khz(ear.decoder.codec), length = packet_samples(codec, payload, size)
    cdef int64_t at
    if length <= 0 or codec != ear.decoder.codec and (khz != 8 or codec != PCMU and codec != PCMA):
        ear.decode_errors += 1
        return
    if ear.started:
        ear.units += <int32_t>(timestamp - ear.timestamp)
        at = ear.units * 16 // khz
        if not -EAR_JUMP < now - at - ear.fastest < EAR_JUMP:
            ear_restart(ear, ear.decoder.codec)
    if not ear.started:
        ear.started = True
        ear.units = at = 0
        ear.next_at = 0
        ear.fastest = ear.fastest_before = ear.slowest = now
        ear.window_until = now + EAR_WINDOW
    ear.timestamp = timestamp
    ear_transit(ear, now - at, now)
    if ear.playing and at < ear.next_at and not ear_catch(ear, at, length, seq, now):
        return
    ear.late_run = 0
    ear_keep(ear, at, length, seq, codec, payload, size)


cdef bint ear_catch(Ear *ear, int64_t at, int length, uint16_t seq, int64_t now) noexcept nogil:
    """A packet whose time has passed. If nothing after it was heard yet, only a gap filled, the stream goes on from it: so the
    delay grows by what was lacking. False: it is of no more use."""
    if ear.missing and (not ear.any_decoded or <int16_t>(seq - ear.last_seq) > 0):
        if now - at - min(ear.fastest, ear.fastest_before) <= EAR_MOST - SOUND_FRAME:
            ear.next_at = at
            ear.lossy = True
            return True
    elif at + length > ear.next_at:
        return True
    ear.late += 1
    ear.late_run += 1
    ear.lacking = True
    if ear.late_run >= EAR_LATE_RUN:
        ear_restart(ear, ear.decoder.codec)
    return False


cdef void ear_keep(Ear *ear, int64_t at, int length, uint16_t seq, int codec, const uint8_t *payload, int size) noexcept nogil:
    """Put a packet where it belongs. A second of the same time is dropped; too many: the oldest gives way."""
    cdef Kept *kept
    cdef uint64_t place = ear.written
    cdef int i
    if place % EAR_ARENA + size > EAR_ARENA:
        place += EAR_ARENA - place % EAR_ARENA
    if ear.kept_count == EAR_SLOTS:
        ear_drop(ear)
    i = ear.kept_count
    while i > 0 and ear.kept[i - 1].at > at:
        i -= 1
    if i > 0 and ear.kept[i - 1].at == at:
        return
    memmove(&ear.kept[i + 1], &ear.kept[i], (ear.kept_count - i) * sizeof(Kept))
    kept = &ear.kept[i]
    kept.at = at
    kept.place = place
    kept.length = length
    kept.size = <uint16_t>size
    kept.seq = seq
    kept.codec = <uint8_t>codec
    ear.kept_count += 1
    memcpy(&ear.arena[place % EAR_ARENA], payload, size)
    ear.written = place + size


cdef inline void ear_drop(Ear *ear) noexcept nogil:
    ear.kept_count -= 1
    memmove(&ear.kept[0], &ear.kept[1], ear.kept_count * sizeof(Kept))


cdef void ear_pull(Ear *ear, int64_t now, int16_t *frame) noexcept nogil:
    """The next 20 ms."""
    if ear.started and not ear.playing and ear.kept_count:
        ear.next_at = ear.kept[0].at
        ear.playing = ear_delay(ear, now) >= EAR_FIRST
        if ear.playing:
            ear_break(ear)
    while ear.count - ear.read < SOUND_FRAME:
        ear_room(ear)
        if ear.playing:
            ear_step(ear, now)
        else:
            ear_conceal(ear, SOUND_FRAME)
    memcpy(frame, &ear.sound[ear.read], SOUND_FRAME * sizeof(int16_t))
    ear.read += SOUND_FRAME


cdef inline void ear_room(Ear *ear) noexcept nogil:
    """Move what is needed to the beginning: sound not yet heard, and the history."""
    cdef int first = min(ear.read, ear.count - EAR_HISTORY)
    if ear.count > EAR_ROOM - 3 * DECODED_MOST // 2 - SEAM_MOST:
        memmove(ear.sound, &ear.sound[first], (ear.count - first) * sizeof(int16_t))
        ear.read -= first
        ear.count -= first


cdef void ear_step(Ear *ear, int64_t now) noexcept nogil:
    """Decode the packet whose turn it is, or conceal that there is none."""
    cdef Kept *head = &ear.kept[0]
    cdef int64_t delay = ear_delay(ear, now)
    cdef int missing = ear.last_length
    if delay > EAR_MOST:
        ear_skip(ear, delay - ear_target(ear))
        delay = ear_target(ear)
    while ear.kept_count and head.at + head.length <= ear.next_at:
        ear_drop(ear)
        ear.late += 1
    if ear.kept_count and head.at <= ear.next_at + SOUND_MS:
        ear_decode(ear, delay)
        return
    if ear.kept_count:
        missing = <int>min(head.at - ear.next_at, <int64_t>missing)
        if ear.decoder.codec == OPUS:
            missing = max(40, missing // 40 * 40)  # what libopus can conceal
    ear_conceal(ear, missing)
    ear.next_at += missing


cdef inline void ear_break(Ear *ear) noexcept nogil:
    """What follows is not the continuation: it begins over a seam."""
    if ear.gap.length == 0:
        gap_begin(&ear.gap, &ear.sound[ear.count])
        ear.gap.length = 1


cdef void ear_skip(Ear *ear, int64_t excess) noexcept nogil:
    """More waits than may: go on with the newer."""
    ear_break(ear)
    ear.next_at += excess
    ear.any_decoded = False


cdef void ear_conceal(Ear *ear, int missing) noexcept nogil:
    """Opus conceals by itself, from the redundancy in the next packet if that is there; else, and for all others, the gap."""
    cdef int i
    cdef int16_t *sound = &ear.sound[ear.count]
    ear.missing += missing
    ear.count += missing
    if ear.decoder.codec == OPUS and ear.any_decoded and ear.gap.length == 0 and ear.missing <= OPUS_FILLS:
        if opus_fill(ear, sound, missing) == missing:
            return
    if ear.gap.length == 0:
        gap_begin(&ear.gap, sound)
    for i in range(missing):
        sound[i] = gap_sample(&ear.gap)


cdef int opus_fill(Ear *ear, int16_t *sound, int missing) noexcept nogil:
    cdef Kept *head = &ear.kept[0]
    if ear.kept_count and head.at - ear.next_at == missing and ear.written - head.place <= EAR_ARENA:
        return opus_decode(ear.decoder.opus, &ear.arena[head.place % EAR_ARENA], head.size, sound, missing, 1)
    return opus_decode(ear.decoder.opus, NULL, 0, sound, missing, 0)


cdef void ear_decode(Ear *ear, int64_t delay) noexcept nogil:
    """The first of the kept packets becomes sound."""
    cdef Kept *head = &ear.kept[0]
    cdef int16_t *sound = &ear.sound[ear.count]
    cdef int64_t end = head.at + head.length
    cdef int count = -1, heard = <int>(ear.next_at - head.at)
    cdef bint pause = not ear.any_decoded or <uint16_t>(head.seq - ear.last_seq) == 1 and not ear.lossy
    if ear.written - head.place <= EAR_ARENA:
        count = decode(&ear.decoder, head.codec, &ear.arena[head.place % EAR_ARENA], head.size, sound)
    ear.last_seq = head.seq
    ear.last_length = head.length
    ear_drop(ear)
    if count <= 0:
        ear.decode_errors += 1
        ear.lossy = True
        ear_conceal(ear, ear.last_length)
        ear.next_at = end
        return
    if heard > SOUND_MS and heard < count:  # its beginning came too late
        count -= heard
        memmove(sound, &sound[heard], count * sizeof(int16_t))
    if ear.gap.length:
        gap_end(&ear.gap, sound, count)
    if not pause:  # a gap in time without one in the sequence is a pause of the sender's
        ear.concealed += ear.missing
    ear.missing = 0
    ear.lossy = False
    ear.any_decoded = True
    ear.count += ear_adapt(ear, sound, count, delay)
    ear.next_at = end


cdef int ear_adapt(Ear *ear, int16_t *sound, int count, int64_t delay) noexcept nogil:
    """Bring the delay nearer to its target by a pitch period: shorter where nobody speaks, or now and then; longer at once when
    packets come too late."""
    cdef int64_t target = ear_target(ear)
    cdef int i, level = 0
    cdef bint quiet
    ear.since_stretch += 1
    if count < 160 or -EAR_LACK <= delay - target <= EAR_EXCESS:
        ear.lacking = False
        return count
    for i in range(0, count, 4):
        level += sound[i] if sound[i] >= 0 else -sound[i]
    quiet = level < QUIET_LEVEL * count // 4
    if not (quiet or ear.lacking and delay < target) and ear.since_stretch < EAR_PATIENCE:
        return count
    ear.since_stretch = 0
    return stretch(sound, count, delay < target, quiet or ear.lacking)
