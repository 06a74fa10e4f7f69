# The socket to the server: commands in, events out. One message holds many records of one size.

cdef Event *emit(Loop *loop, int op, Port *port, uint32_t argument) noexcept nogil:
    """Queue an event and return it, for what else it says; the queue leaves once a round. What peers cause gives way when
    the server has stopped reading, the answers to commands can't overflow: none is taken before they could. Without a
    server nobody is told anything."""
    cdef Event *event = &loop.nowhere
    if loop.control < 0:
        pass
    elif (loop.event_count >= EVENT_ROOM - 1024 and (op == DIGIT or op == KEY_END or op == PLAYED or op == SILENT)
            or loop.event_count >= EVENT_ROOM):
        loop.events_dropped += 1
    else:
        event = &loop.events[loop.event_count]
        loop.event_count += 1
    memset(event, 0, sizeof(Event))
    event.op = op
    event.argument = argument
    if port != NULL:
        event.index = port.index
        event.generation = port.generation
    return event


cdef void flush_events(Loop *loop) noexcept nogil:
    cdef uint32_t count
    cdef ssize_t sent
    while loop.event_sent < loop.event_count:
        count = min(loop.event_count - loop.event_sent, <uint32_t>EVENTS_A_MESSAGE)
        sent = send(loop.control, &loop.events[loop.event_sent], count * sizeof(Event), MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent < 0:
            if errno != EAGAIN and errno != EINTR:
                server_gone(loop)
                return
            break
        loop.event_sent += count
    if loop.event_sent == loop.event_count:
        loop.event_sent = loop.event_count = 0
    elif loop.event_sent:
        loop.event_count -= loop.event_sent
        memmove(loop.events, &loop.events[loop.event_sent], loop.event_count * sizeof(Event))
        loop.event_sent = 0
    if loop.listing != LISTED:
        list_ports(loop)
    watch_control(loop)


cdef void watch_control(Loop *loop) noexcept nogil:
    """Stop taking commands while events wait: the server must read first."""
    cdef epoll_event event
    cdef bint waiting = loop.event_count > 0
    if waiting == loop.control_paused:
        return
    loop.control_paused = waiting
    event.events = EPOLLOUT if waiting else EPOLLIN
    event.data.u64 = <uint64_t>CONTROL_KEY
    epoll_ctl(loop.epoll, EPOLL_CTL_MOD, loop.control, &event)


cdef void on_control(Loop *loop) noexcept nogil:
    """Several messages a round: those that pass a descriptor (prompts, recordings) have one command each, and a round may
    take a millisecond."""
    cdef int i
    if loop.control_paused:
        flush_events(loop)
        return
    for i in range(MESSAGES_A_ROUND):
        if not take_message(loop) or loop.control < 0 or loop.closed or loop.event_count >= EVENT_ROOM // 4:
            return


cdef bint take_message(Loop *loop) noexcept nogil:
    """False: there is none."""
    cdef int passed = -1
    cdef ssize_t n
    cdef uint32_t i
    n = receive_message(loop.control, loop.commands, sizeof(loop.commands), &passed)
    if n < 0 and (errno == EAGAIN or errno == EINTR):
        return False
    if n >= 4 and not loop.greeted and loop.commands[0].op == HELLO and loop.commands[0].count != VERSION:
        retire(loop)  # a server of another version: its records may have another size
        server_gone(loop)
    elif n <= 0 or n % sizeof(Command) or not loop.greeted and loop.commands[0].op != HELLO:
        server_gone(loop)  # or it speaks otherwise
    else:
        for i in range(<uint32_t>(n // sizeof(Command))):
            obey(loop, &loop.commands[i], passed)
        if not loop.ack_due_ns:
            loop.ack_due_ns = loop.now_ns + ACK_NS
    if passed >= 0:
        close(passed)
    return True


cdef void execute(Loop *loop, Command *command, int passed) noexcept nogil:
    cdef Port *port
    cdef Conference *conference
    if command.op == HELLO:
        loop.greeted = True
        loop.retiring = False
        loop.grace_ns = <int64_t>command.argument * 1_000_000
        forget_all(loop)
        orphan_conferences(loop)
        return
    if command.op == STOP:
        loop.closed = True
        return
    if command.op == RETIRE:
        retire(loop)
        return
    if command.op == OPEN_MISSING:
        open_missing(loop)
        return
    if command.op == PING:
        pong(loop)
        return
    if command.op == SECURITY:
        srtp_open()
        if passed >= 0:
            set_aside(loop, NULL, CONFIGURE, dup(passed), NULL, NULL, 0)
        return
    if command.op == OPEN_CONFERENCE:
        open_conference(loop, command.argument, command.count)
        return
    if command.op == CLOSE_CONFERENCE:
        conference = conference_of(loop, command.argument)
        if conference == NULL:
            refuse(loop, UNKNOWN)
        else:
            close_conference(loop, conference)
        return
    if command.op == PROMPT or command.op == FORGET:
        set_prompt(loop, command.argument, passed if command.op == PROMPT else -1)
        return
    if command.index >= loop.port_count or loop.ports[command.index].rtp_fd < 0:
        refuse(loop, UNKNOWN)
        return
    port = &loop.ports[command.index]
    if command.op == LEASE:
        lease(loop, port, command.generation, command.payload)
    elif port.generation == 0 or port.generation != command.generation:
        loop.stale_commands += 1
    elif command.op == CONNECT:
        set_remote(loop, port, command.flags, <ConnectPayload *>command.payload)
    elif command.op == BRIDGE:
        bridge(loop, port, <BridgePayload *>command.payload)
    elif command.op == PLAY:
        play(loop, port, command)
    elif command.op == SILENCE:
        set_source(loop, port, QUIET)
    elif command.op == ECHO:
        set_source(loop, port, ITSELF)
    elif command.op == JOIN:
        join_conference(loop, port, command.argument, <JoinPayload *>command.payload)
    elif command.op == LEAVE and port.source == MIXED:
        set_source(loop, port, QUIET)
    elif command.op == LEAVE:
        pass
    elif command.op == SEND_DIGIT:
        queue_digit(loop, port, command.count, command.argument)
    elif command.op == KEYS:
        if not set_keys(loop, port, command.argument, command.payload, command.flags & 1):
            emit(loop, INSECURE, port, NO_SRTP)
        explicit_bzero(command.payload, sizeof(command.payload))
    elif command.op == HANDSHAKE_ORDER:
        shake_hands(loop, port, command)
    elif command.op == RELEASE:
        release(loop, port)
    elif command.op == RECORD:
        record_port(loop, port, command, passed)
    elif command.op == MASK:
        mask_recording(loop, port, command)
    elif command.op == STOP_RECORDING and recording_of(port, command.argument) != NULL:
        stop_recording(loop, port, STOPPED_BY_ORDER)
    elif command.op == WATCH:
        watch_silence(loop, port, command.argument)
    elif command.op == TELL_STATS:
        tell_stats(loop, port, command.argument)
    else:
        refuse(loop, UNKNOWN)


cdef void pong(Loop *loop) noexcept nogil:
    cdef Event *event = emit(loop, PONG, NULL, 0)
    event.payload[0] = loop.stale_commands
    event.payload[1] = loop.send_errors
    event.payload[2] = loop.events_dropped
    if loop.srtp_forged or loop.srtp_replayed or loop.srtp_unsent or loop.aside_dropped or loop.srtp_sources_refused:
        event = emit(loop, SECURITY_TOTALS, NULL, 0)
        event.payload[0] = loop.srtp_forged
        event.payload[1] = loop.srtp_replayed
        event.payload[2] = loop.srtp_unsent
        event.payload[3] = loop.aside_dropped
        event.payload[4] = loop.srtp_sources_refused


# --- commands of a port -----------------------------------------------------------------------------------------------

cdef void lease(Loop *loop, Port *port, uint32_t generation, const uint8_t *tag) noexcept nogil:
    """A clean port: nothing of the last lease but whom not to latch to."""
    cdef Latch old = port.latch
    cdef uint64_t name
    cdef int i
    if port.generation:
        release(loop, port)
    loop.lease_count += 1
    memcpy(port.tag, tag, 16)
    drain(loop, port.rtcp_fd)
    memset(&port.out, 0, sizeof(Outgoing))
    memset(&port.inc, 0, sizeof(Incoming))
    memset(&port.latch, 0, sizeof(Latch))
    memset(&port.peer, 0, sizeof(PeerReport))
    # Whoever did not stop for the last call either: the port may be leased again before his next packet.
    memcpy(port.latch.strangers, old.strangers, sizeof(old.strangers))
    port.latch.strangers_met = old.strangers_met
    drain_meeting(loop, port)
    port.latch.before_source = old.source
    port.latch.before_negotiated = old.negotiated
    port.generation = generation
    port.source = NOTHING
    port.may_send = port.peer_sends = False
    port.codec = port.payload_type = PCMU
    port.receive_type = PCMU
    port.dtmf_type = port.dtmf_receive_type = NO_TYPE
    port.dtmf_khz = port.out.khz = 8
    port.out.span = FRAME_BYTES
    port.ptime_ms = FRAME_MS
    port.max_ptime_ms = port.wished_ms = port.heard_ms = 0
    port.packet_bytes = port.odd_run = 0
    port.agreed_count = 0
    port.in_band = port.held = False
    port.concealed_ms = port.decode_errors = port.late = 0
    port.packets_received = port.packets_sent = port.packets_dropped = port.rtcp_received = 0
    port.turns = port.met = 0
    begin_stream(loop, port)
    port.out.timestamp = <uint32_t>draw(loop)
    port.out.sent_ns = loop.now_ns
    name = draw(loop) << 16 ^ draw(loop)
    for i in range(16):
        port.cname[i] = b"0123456789abcdef"[name >> (4 * i) & 15]
    watch(loop, port, EPOLL_CTL_ADD)


cdef void begin_stream(Loop *loop, Port *port) noexcept nogil:
    """What it sends from here on is of another source."""
    port.out.ssrc = <uint32_t>draw(loop)
    port.out.seq = <uint16_t>(draw(loop) & 0x7FFF)  # RFC 3550 5.1: random; low, so that no wrap comes early
    port.out.resync = True


cdef void set_remote(Loop *loop, Port *port, uint8_t flags, ConnectPayload *remote) noexcept nogil:
    """Latching begins anew. With the peer's address unchanged, sound keeps going where it went meanwhile."""
    cdef Latch *state = &port.latch
    cdef sockaddr_storage negotiated
    cdef bint usable = make_address(&negotiated, remote.family, remote.host, remote.rtp_port)
    if loop.dual:
        map_ipv4(&negotiated)
    if flags & ICE and port.guard != NULL and port.guard.ice:
        usable = True  # it is where its checks come from, now as before
    else:
        dissolve(port)
        if not (usable and state.has_remote and same_address(&negotiated, &state.negotiated)):
            state.negotiated = state.source = negotiated
            state.negotiated_rtcp = remote.rtcp_port
            expect_rtcp(state)
        usable = usable or flags & ICE
    state.has_remote = usable
    state.open_until_ns = loop.now_ns + LATCH_NS
    state.candidate_run = 0
    state.candidate.ss_family = AF_UNSPEC
    set_codec(port, remote)
    port.peer_sends = flags & PEER_SENDS
    port.may_send = usable and flags & MAY_SEND
    set_guard(loop, port, flags)
    if not port.may_send:
        port.out.resync = True
    arrange_both(loop, port)
    if usable and not port.reporting:
        schedule_report(loop, port)


cdef void stop_source(Loop *loop, Port *port) noexcept nogil:
    """End what feeds the port, and its bridge's other side."""
    cdef int i
    cdef Port *partner = port.partner
    if port.source == PROMPTS:
        for i in range(port.play_count):
            forget(port.playlist[i])
        port.play_count = 0
    elif port.source == PARTNER:
        port.partner = partner.partner = NULL
        partner.source = QUIET
        partner.out.resync = True
        arrange(loop, partner)
    elif port.source == MIXED:
        leave_conference(loop, port)
    port.source = NOTHING


cdef void set_source(Loop *loop, Port *port, Source source) noexcept nogil:
    if port.source != source or source == PROMPTS:
        stop_source(loop, port)
        port.out.resync = True
    port.source = source
    arrange(loop, port)


cdef void bridge(Loop *loop, Port *port, BridgePayload *other) noexcept nogil:
    cdef Port *partner
    if other.index >= loop.port_count or other.index == port.index:
        loop.stale_commands += 1
        return
    partner = &loop.ports[other.index]
    if partner.generation == 0 or partner.generation != other.generation:
        loop.stale_commands += 1
        return
    if port.source == PARTNER and port.partner == partner:
        return
    set_source(loop, port, QUIET)
    set_source(loop, partner, QUIET)
    port.source = partner.source = PARTNER
    port.partner = partner
    partner.partner = port
    port.out.resync = partner.out.resync = True
    arrange_both(loop, port)


cdef void play(Loop *loop, Port *port, Command *command) noexcept nogil:
    cdef uint16_t *slots = <uint16_t *>command.payload
    cdef Prompt *prompt
    cdef bint switched = port.source != PROMPTS and port.source != QUIET
    cdef int i
    stop_source(loop, port)
    for i in range(min(command.count, <int>MAX_PLAYLIST)):
        prompt = loop.prompts[slots[i]] if slots[i] < MAX_PROMPTS else NULL
        if prompt != NULL:
            prompt.users += 1
            port.playlist[port.play_count] = prompt
            port.play_count += 1
    port.play_at = 0
    port.play_frame = 0
    port.play_loop = command.flags & 1
    port.play_once = port.play_loop_from = min(command.flags >> 1, port.play_count)
    port.play_id = command.argument
    port.source = PROMPTS
    port.out.resync = port.out.resync or switched
    arrange(loop, port)


cdef void queue_digit(Loop *loop, Port *port, int event, uint32_t duration_ms) noexcept nogil:
    cdef Outgoing *out = &port.out
    cdef QueuedDigit *digit
    if event > 15 or out.digits_count == MAX_DIGITS or port.dtmf_type == NO_TYPE and not port.in_band:
        refuse(loop, FULL if out.digits_count == MAX_DIGITS else IMPOSSIBLE)
        return
    digit = &port.digits[(out.digits_head + out.digits_count) % MAX_DIGITS]
    digit.event = event
    # At least 40 ms, in one segment (RFC 4733 2.5.1.3)
    digit.duration = <uint16_t>max(40 * port.dtmf_khz, min(duration_ms * port.dtmf_khz, <uint32_t>64000))
    out.digits_count += 1
    pace(loop, port)


cdef void release(Loop *loop, Port *port) noexcept nogil:
    send_report(loop, port, True)
    cancel_report(loop, port)
    wake(loop, port)
    watch(loop, port, EPOLL_CTL_DEL)
    stop_source(loop, port)
    if port.recording != NULL:
        stop_recording(loop, port, STOPPED_BY_RELEASE)
    end_sound(loop, port)
    port.out.digits_count = 0
    pace(loop, port)
    dissolve(port)
    end_guard(loop, port)
    watch_silence(loop, port, 0)
    tell_stats(loop, port, 0)
    port.generation = 0
    loop.lease_count -= 1
    if loop.retiring:
        close_pair(port)
        loop.closed = loop.closed or loop.control < 0 and loop.lease_count == 0


cdef void tell_stats(Loop *loop, Port *port, uint32_t asked) noexcept nogil:
    """`asked`: the number of the question; 0: the last ones of a lease."""
    cdef Event *event
    cdef int64_t lost = port.inc.lost_before + lost_of(&port.inc)
    tell_sound(loop, port, asked)
    event = emit(loop, QUALITY, port, asked)
    event.payload[0] = port.peer.round_trip
    event.payload[1] = <uint32_t>port.peer.lost
    event.payload[2] = port.peer.jitter * 8 // port.out.khz
    event.payload[3] = port.inc.bursts
    event.payload[4] = port.peer.reports
    event = emit(loop, STATS, port, asked)
    event.payload[0] = port.packets_received
    event.payload[1] = port.packets_sent
    event.payload[2] = <uint32_t>max(0, min(lost, 0x7FFFFFFF))
    event.payload[3] = port.packets_dropped
    event.payload[4] = port.inc.jitter * 8 // port.out.khz  # times 16, in units of 1/8 ms
    event.payload[5] = port.codec
