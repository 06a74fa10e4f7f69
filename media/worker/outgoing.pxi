# What leaves a port: one RTP stream that never breaks for the life of a lease, whatever feeds it.

cdef inline uint16_t get16(const uint8_t *p) noexcept nogil:
    return <uint16_t>(p[0] << 8 | p[1])


cdef inline uint32_t get32(const uint8_t *p) noexcept nogil:
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]


cdef inline void put16(uint8_t *p, uint32_t value) noexcept nogil:
    p[0] = <uint8_t>(value >> 8)
    p[1] = <uint8_t>value


cdef inline void put32(uint8_t *p, uint32_t value) noexcept nogil:
    put16(p, value >> 16)
    put16(p + 2, value)


cdef void transmit(Loop *loop, Port *port, const uint8_t *packet, int size) noexcept nogil:
    cdef ssize_t sent
    cdef int attempt, whole = size
    if port.recording != NULL or port.source == PARTNER and port.partner.recording != NULL:
        whole = size = tap_sent(loop, port, <uint8_t *>packet, size)
    if port.guard != NULL:
        whole = protect(loop, port, packet, size, False)
        packet = loop.sealed
        if whole == 0:
            return
    for attempt in range(2):
        if port.latch.connected:
            sent = send(port.rtp_fd, packet, whole, MSG_NOSIGNAL)
        else:
            sent = sendto(port.rtp_fd, packet, whole, MSG_NOSIGNAL,
                          <sockaddr *>&port.latch.source, address_size(&port.latch.source))
        # An ICMP error of an earlier packet is reported instead of sending this one: once more.
        if sent >= 0 or errno != ECONNREFUSED:
            break
    if sent < 0:
        loop.send_errors += 1
        return
    port.packets_sent += 1
    port.out.octets += size - 12


cdef uint32_t next_timestamp(Loop *loop, Outgoing *out) noexcept nogil:
    """Where the stream goes on after a change of source: real time has passed, and at least one packet's worth."""
    cdef int64_t passed = (loop.now_ns - out.sent_ns) * out.khz // 1_000_000
    return out.timestamp + <uint32_t>max(passed, <int64_t>out.span)


cdef inline void header(uint8_t *packet, Outgoing *out, int payload_type, bint marker, uint16_t seq,
                        uint32_t timestamp) noexcept nogil:
    packet[0] = 0x80
    packet[1] = <uint8_t>(payload_type | (0x80 if marker else 0))
    put16(packet + 2, seq)
    put32(packet + 4, timestamp)
    put32(packet + 8, out.ssrc)


cdef inline void advance(Loop *loop, Outgoing *out, uint16_t seq, uint32_t timestamp) noexcept nogil:
    if not out.begun or <int16_t>(seq - out.seq) > 0:
        out.seq = seq
    if not out.begun or <int32_t>(timestamp - out.timestamp) > 0:
        out.timestamp = timestamp
        out.sent_ns = loop.now_ns
    out.begun = True


# --- relayed: the partner's packets, or one's own (echo) --------------------------------------------------------------

cdef void relay(Loop *loop, Port *source, Port *to, uint8_t *payload, int size, int kind, bint marker) noexcept nogil:
    """Send a received payload (with 12 bytes of room before it) on. `kind` is its codec or OUR_DTMF_TYPE.

    Sequence and timestamp keep their distances, so the far end sees loss and pauses as they were."""
    cdef Outgoing *out = &to.out
    cdef uint8_t *received = loop.packet
    cdef uint16_t in_seq = get16(received + 2), seq
    cdef uint32_t in_timestamp = get32(received + 4), timestamp, jump
    cdef int payload_type = to.payload_type
    if not to.may_send or out.digit_active:
        out.resync = True
        return
    if kind == OUR_DTMF_TYPE:
        if to.dtmf_type == NO_TYPE:
            out.seq_offset -= 1  # left out on purpose: no gap
            return
        payload_type = to.dtmf_type
    else:
        if kind != to.codec:
            if not is_g711(kind) or not is_g711(to.codec):
                source.packets_dropped += 1  # a codec that was not agreed on
                return
            transcode(payload, size, to.codec == PCMA)
        jump = CLOCK_JUMP_MS * out.khz
        if <uint32_t>(in_timestamp + out.timestamp_offset - next_timestamp(loop, out) + jump) > 2 * jump:
            out.resync = True  # the source's clock jumped without a new SSRC: our stream goes on
    if out.resync:
        out.seq_floor = out.seq + 1
        out.seq_offset = out.seq_floor - in_seq
        out.timestamp_offset = next_timestamp(loop, out) - in_timestamp
        out.since_switch = 0
        out.resync = False
        marker = True
    seq = in_seq + out.seq_offset
    timestamp = in_timestamp + out.timestamp_offset
    out.since_switch += 1
    if out.since_switch < 1000 and <int16_t>(seq - out.seq_floor) < 0:
        source.packets_dropped += 1  # older than the switch: its number is taken
        return
    header(payload - 12, out, payload_type, marker, seq, timestamp)
    transmit(loop, to, payload - 12, size + 12)
    advance(loop, out, seq, timestamp)


# --- played: prompts and silence, 20 ms at a time ---------------------------------------------------------------------

cdef const uint8_t *next_frame(Port *port, int *size) noexcept nogil:
    """The next 20 ms of the playlist in the port's codec; NULL at its end. What lacks the codec is left out."""
    cdef const uint8_t *frame
    cdef int round
    for round in range(2):  # a loop starts again once; a list of empty prompts ends
        while port.play_at < port.play_count:
            frame = frame_of(port.playlist[port.play_at], port.codec, port.play_frame, size)
            if frame != NULL:
                port.play_frame += 1
                return frame
            port.play_at += 1
            port.play_frame = 0
        if not port.play_loop:
            return NULL
        port.play_at = port.play_loop_from
    return NULL


cdef void play_out(Loop *loop, Port *port) noexcept nogil:
    """One step of 20 ms: a digit, else a frame of whatever feeds the port."""
    cdef int skipped_ms = <int>(loop.tick - port.due_tick), size = 0
    cdef const uint8_t *frame = NULL
    cdef int16_t sound[SOUND_FRAME]
    port.due_tick = loop.tick + FRAME_MS
    take_turn(loop, port)
    if port.fed:
        hear(loop, port.partner, sound)
    elif pulled_here(port):
        hear(loop, port, sound)
    if port.out.digits_count and digit_step(loop, port):
        return
    if port.source == PROMPTS:
        frame = next_frame(port, &size)
        if frame == NULL:
            emit(loop, PLAYED, port, port.play_id)
            stop_source(loop, port)
            port.source = QUIET
        elif port.play_once and port.play_at >= port.play_once:
            emit(loop, PLAYED, port, port.play_id)
            port.play_once = 0
    if frame != NULL:
        send_encoded(loop, port, frame, size, skipped_ms)
    elif port.source == QUIET:
        say_nothing(loop, port, skipped_ms)
    elif port.fed and port.out.key_until_ns < loop.now_ns:
        say(loop, port, sound, skipped_ms)


# --- digits: RFC 4733 2.5 ---------------------------------------------------------------------------------------------

cdef bint digit_step(Loop *loop, Port *port) noexcept nogil:
    """Send the next packet of the digit at the head of the queue. False in the pause after a digit."""
    cdef Outgoing *out = &port.out
    cdef QueuedDigit *digit = &port.digits[out.digits_head]
    cdef uint8_t *packet = loop.scratch
    cdef bint marker = False, end
    if port.held and out.key_until_ns < loop.now_ns:
        let_key(loop, port)
    if port.dtmf_type == NO_TYPE and port.in_band:
        return tone_step(loop, port, digit)
    if out.digit_pause:
        out.digit_pause -= 1
        return False
    if not out.digit_active:
        out.digit_active = marker = True
        out.digit_timestamp = next_timestamp(loop, out)
        out.digit_duration = 0
        out.digit_ends_left = 3  # 2.5.1.4: the last packet is sent three times
    if out.digit_duration < digit.duration:
        out.digit_duration = <uint16_t>min(out.digit_duration + FRAME_MS * port.dtmf_khz, digit.duration)
    end = out.digit_duration >= digit.duration
    if port.may_send and port.dtmf_type != NO_TYPE:
        header(packet, out, port.dtmf_type, marker, out.seq + 1, out.digit_timestamp)
        packet[12] = digit.event
        packet[13] = (0x80 if end else 0) | 10  # -10 dBm0
        put16(packet + 14, out.digit_duration)
        transmit(loop, port, packet, 16)
        advance(loop, out, out.seq + 1, out.digit_timestamp)
    if end:
        out.digit_ends_left -= 1
        if out.digit_ends_left == 0:
            out.digit_active = False
            out.digit_pause = 3
            out.resync = True
            out.digits_head = (out.digits_head + 1) % MAX_DIGITS
            out.digits_count -= 1
            pace(loop, port)
    return True


# --- the wheel: 20 slots of 1 ms; a paced port comes round every 20 ms exactly ----------------------------------------

cdef inline void begin_pace(Loop *loop) noexcept nogil:
    """Before something is put on an empty wheel."""
    if loop.paced_count == 0:
        loop.tick = (loop.now_ns - loop.epoch_ns) // TICK_NS


cdef inline void fetch_port(Port *port) noexcept nogil:
    fetch(port, &port.latch.negotiated)


cdef void pace(Loop *loop, Port *port) noexcept nogil:
    """Put the port on the wheel or take it off, as its source and digits want."""
    cdef bint wanted = (port.source == QUIET or port.source == PROMPTS or port.out.digits_count > 0
                        or port.fed or pulled_here(port))
    cdef Port **slot
    if wanted and not port.paced:
        begin_pace(loop)
        port.due_tick = loop.tick + 1
        slot = &loop.pace[port.due_tick % FRAME_MS]
        port.pace_previous = NULL
        port.pace_next = slot[0]
        if slot[0] != NULL:
            slot[0].pace_previous = port
        slot[0] = port
        port.paced = True
        loop.paced_count += 1
    elif port.paced and not wanted:
        if port.pace_previous != NULL:
            port.pace_previous.pace_next = port.pace_next
        else:
            loop.pace[port.due_tick % FRAME_MS] = port.pace_next
        if port.pace_next != NULL:
            port.pace_next.pace_previous = port.pace_previous
        port.paced = False
        loop.paced_count -= 1


cdef void run_pace(Loop *loop) noexcept nogil:
    cdef int64_t until = (loop.now_ns - loop.epoch_ns) // TICK_NS
    cdef Port *port
    cdef Port *following
    if loop.paced_count == 0:
        return
    if until - loop.tick > 3 * FRAME_MS:
        loop.tick = until - FRAME_MS  # after a stall: go on from here, the timestamps skip what was missed
    while loop.tick < until:
        loop.tick += 1
        port = loop.pace[loop.tick % FRAME_MS]
        while port != NULL:
            following = port.pace_next
            if following != NULL:
                fetch_port(following)
            if port.due_tick <= loop.tick:
                play_out(loop, port)
            port = following
        if loop.mixing[loop.tick % FRAME_MS] != NULL:
            run_mixing(loop, loop.mixing[loop.tick % FRAME_MS])


cdef int64_t pace_due_ns(Loop *loop) noexcept nogil:
    """When the next paced port is due; -1: none."""
    cdef int ahead
    if loop.paced_count == 0:
        return -1
    for ahead in range(1, FRAME_MS + 1):
        if loop.pace[(loop.tick + ahead) % FRAME_MS] != NULL or loop.mixing[(loop.tick + ahead) % FRAME_MS] != NULL:
            return loop.epoch_ns + (loop.tick + ahead) * TICK_NS
    return -1
