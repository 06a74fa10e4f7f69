# Conferences: every 20 ms the ears of the members are pulled, and each member's mouth says the sum of those it hears, without
# itself. Who hears whom is a mask that the server works out.

cdef enum:
    MAX_MEMBERS = 64
    MAX_CONFERENCES = 1024
    SPEECH_LEVEL = 40  # mean magnitude below which a member says nothing


cdef struct Member:
    Port *port  # NULL: the seat is free
    uint64_t hears  # seats
    uint64_t mixed  # seats whose sound it got last
    float level  # mean magnitude; falls slowly
    int16_t frame[SOUND_FRAME]


cdef struct Conference:
    uint32_t number
    int speakers_most
    int count
    bint orphan  # of a server that is gone: ends with its last member
    uint64_t speaking  # the loudest, last time
    int64_t due_tick
    Conference *next  # on the wheel
    Conference *previous
    Member members[MAX_MEMBERS]


cdef packed struct JoinPayload:
    uint64_t hears
    uint8_t seat


# --- commands -----------------------------------------------------------------------------------------------------------------

cdef Conference *conference_of(Loop *loop, uint32_t number) noexcept nogil:
    cdef int i
    for i in range(MAX_CONFERENCES):
        if loop.conferences[i] != NULL and loop.conferences[i].number == number:
            return loop.conferences[i]
    return NULL


cdef void open_conference(Loop *loop, uint32_t number, int speakers_most) noexcept nogil:
    cdef Conference *conference = NULL
    cdef int i = 0
    while i < MAX_CONFERENCES and loop.conferences[i] != NULL:
        i += 1
    if i < MAX_CONFERENCES and conference_of(loop, number) == NULL:
        conference = <Conference *>calloc(1, sizeof(Conference))
    if conference == NULL:
        refuse(loop, FULL)
        return
    conference.number = number
    conference.speakers_most = max(1, min(speakers_most, <int>MAX_MEMBERS))
    loop.conferences[i] = conference
    begin_pace(loop)
    conference.due_tick = loop.tick + 1 + number % FRAME_MS  # so that conferences share out the 20 ms
    conference.next = loop.mixing[conference.due_tick % FRAME_MS]
    if conference.next != NULL:
        conference.next.previous = conference
    loop.mixing[conference.due_tick % FRAME_MS] = conference
    loop.paced_count += 1


cdef void close_conference(Loop *loop, Conference *conference) noexcept nogil:
    cdef int i
    for i in range(MAX_MEMBERS):
        if conference.members[i].port != NULL:
            conference.members[i].port.conference = NULL
            set_source(loop, conference.members[i].port, QUIET)
    if conference.previous != NULL:
        conference.previous.next = conference.next
    else:
        loop.mixing[conference.due_tick % FRAME_MS] = conference.next
    if conference.next != NULL:
        conference.next.previous = conference.previous
    for i in range(MAX_CONFERENCES):
        if loop.conferences[i] == conference:
            loop.conferences[i] = NULL
    loop.paced_count -= 1
    free(conference)


cdef void join_conference(Loop *loop, Port *port, uint32_t number, JoinPayload *payload) noexcept nogil:
    """A new member, or another mask of an old one."""
    cdef Conference *conference = conference_of(loop, number)
    cdef Member *member
    if conference == NULL or payload.seat >= MAX_MEMBERS:
        refuse(loop, UNKNOWN)
        return
    member = &conference.members[payload.seat]
    if member.port != NULL and member.port != port:
        refuse(loop, IMPOSSIBLE)
        return
    member.hears = payload.hears
    if member.port == port:
        return
    set_source(loop, port, QUIET)
    member.port = port
    member.level = 0
    member.mixed = 0
    conference.count += 1
    port.conference = conference
    port.seat = payload.seat
    set_source(loop, port, MIXED)


cdef void leave_conference(Loop *loop, Port *port) noexcept nogil:
    """When another source feeds a member."""
    cdef Conference *conference = port.conference
    if conference == NULL:
        return
    conference.members[port.seat].port = NULL
    conference.members[port.seat].hears = 0
    conference.count -= 1
    port.conference = NULL


cdef void close_all_conferences(Loop *loop) noexcept nogil:
    cdef int i
    for i in range(MAX_CONFERENCES):
        if loop.conferences[i] != NULL:
            close_conference(loop, loop.conferences[i])


cdef void orphan_conferences(Loop *loop) noexcept nogil:
    """A server came that knows of none: its people go on talking."""
    cdef int i
    for i in range(MAX_CONFERENCES):
        if loop.conferences[i] != NULL:
            loop.conferences[i].orphan = True


cdef void run_mixing(Loop *loop, Conference *conference) noexcept nogil:
    """What is due in one slot of the wheel."""
    cdef Conference *following
    cdef int skipped_ms
    while conference != NULL:
        following = conference.next
        if conference.due_tick <= loop.tick:
            skipped_ms = <int>(loop.tick - conference.due_tick)
            conference.due_tick = loop.tick + FRAME_MS
            if conference.orphan and conference.count == 0:
                close_conference(loop, conference)
            else:
                mix(loop, conference, skipped_ms)
        conference = following


# --- mixing -------------------------------------------------------------------------------------------------------------------

cdef void mix(Loop *loop, Conference *conference, int skipped_ms) noexcept nogil:
    """20 ms for everybody."""
    cdef int order[MAX_MEMBERS]
    cdef int16_t sum[SOUND_FRAME]
    cdef int i, speakers
    cdef Member *member
    for i in range(MAX_MEMBERS):
        member = &conference.members[i]
        if member.port != NULL:
            hear(loop, member.port, member.frame)
            member.level = max(level_of(member.frame), member.level * <float>0.93)
    speakers = rank(conference, order)
    for i in range(MAX_MEMBERS):
        member = &conference.members[i]
        if member.port != NULL:
            sum_for(conference, i, order, speakers, sum)
            if not member.port.out.digits_count:
                say(loop, member.port, sum, skipped_ms)


cdef float level_of(const int16_t *frame) noexcept nogil:
    cdef int i
    cdef uint32_t total = 0
    for i in range(SOUND_FRAME):
        total += frame[i] if frame[i] >= 0 else -frame[i]
    return <float>total / SOUND_FRAME


cdef int rank(Conference *conference, int *order) noexcept nogil:
    """Who says something, the loudest first; who spoke keeps his place until another is 4 dB louder."""
    cdef float score[MAX_MEMBERS]
    cdef float level
    cdef uint64_t bit
    cdef int i, at, count = 0
    for i in range(MAX_MEMBERS):
        level = conference.members[i].level
        if conference.members[i].port == NULL or level < SPEECH_LEVEL:
            continue
        bit = <uint64_t>1 << i
        if conference.speaking & bit:
            level *= <float>1.6
        at = count
        while at > 0 and score[at - 1] < level:
            score[at] = score[at - 1]
            order[at] = order[at - 1]
            at -= 1
        score[at] = level
        order[at] = i
        count += 1
    conference.speaking = 0
    for i in range(min(count, conference.speakers_most)):
        conference.speaking |= <uint64_t>1 << order[i]
    return count


cdef void sum_for(Conference *conference, int seat, const int *order, int speakers, int16_t *out) noexcept nogil:
    """The loudest of those a member hears. Who comes and who goes does so over the whole 20 ms: no clicks."""
    cdef int32_t sum[SOUND_FRAME]
    cdef Member *member = &conference.members[seat]
    cdef uint64_t hears = member.hears & ~(<uint64_t>1 << seat), before = member.mixed & hears, now = 0, bit
    cdef int i, taken = 0
    memset(sum, 0, sizeof(sum))
    for i in range(speakers):
        bit = <uint64_t>1 << order[i]
        if hears & bit and taken < conference.speakers_most:
            taken += 1
            now |= bit
            add(sum, conference.members[order[i]].frame, (before & bit) != 0, True)
    before &= ~now
    for i in range(MAX_MEMBERS):
        if before == 0:
            break
        bit = <uint64_t>1 << i
        if before & bit:
            before &= ~bit
            if conference.members[i].port != NULL:
                add(sum, conference.members[i].frame, True, False)
    member.mixed = now
    for i in range(SOUND_FRAME):
        out[i] = <int16_t>sat16(sum[i])


cdef void add(int32_t *sum, const int16_t *frame, bint was, bint stays) noexcept nogil:
    cdef int i
    if was and stays:
        for i in range(SOUND_FRAME):
            sum[i] += frame[i]
    else:
        for i in range(SOUND_FRAME):
            sum[i] += frame[i] * (i if stays else SOUND_FRAME - i) // SOUND_FRAME
