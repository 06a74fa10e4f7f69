# The worker's life: one server at a time on a listening socket, the grace without one, and what the next one is told.
#
#            accept                      STOP, or no lease left
#   waiting --------> served ------------------------------------> ended
#      ^ |              |                                            ^
#      | +--------------|--- nobody came within the grace -----------+
#      +----------------+
#        the server died
#
# Retiring (another version, or another site): free ports are given up at once, leased ones as they end.

cdef void begin(Loop *loop) noexcept nogil:
    if getrandom(&loop.random, 8, 0) != 8 or loop.random == 0:
        loop.random = <uint64_t>realtime_ns()
    loop.now_ns = loop.epoch_ns = monotonic_ns()
    loop.dual = loop.host.ss_family == AF_INET6
    loop.control = -1
    loop.listing = LISTED
    open_ports(loop)
    loop.now_ns = monotonic_ns()
    loop.orphan_until_ns = loop.now_ns + FIRST_SERVER_NS
    await_server(loop, EPOLL_CTL_ADD)


cdef void open_ports(Loop *loop) noexcept nogil:
    """Open every pair that can be had. Out of descriptors: the rest is left."""
    cdef uint32_t i
    cdef Port *port
    cdef bint out_of_descriptors = False
    for i in range(loop.port_count):
        port = &loop.ports[i]
        port.index = i
        port.rtp_fd = port.rtcp_fd = -1
        if out_of_descriptors:
            loop.ports_beyond += 1
        elif open_pair(loop, port):
            loop.ports_open += 1
        elif loop.open_error == EMFILE or loop.open_error == ENFILE:
            out_of_descriptors = True
            loop.ports_beyond += 1
        else:
            loop.ports_taken += 1


cdef bint open_pair(Loop *loop, Port *port) noexcept nogil:
    """False, with the reason in `open_error`."""
    port.rtp_fd = open_socket(&loop.host, <uint16_t>(loop.first_number + 2 * port.index))
    if port.rtp_fd >= 0:
        port.rtcp_fd = open_socket(&loop.host, <uint16_t>(loop.first_number + 2 * port.index + 1))
    if port.rtcp_fd >= 0:
        return True
    loop.open_error = errno
    if port.rtp_fd >= 0:
        close(port.rtp_fd)
        port.rtp_fd = -1
    return False


cdef void close_pair(Port *port) noexcept nogil:
    if port.rtp_fd >= 0:
        close(port.rtp_fd)
        close(port.rtcp_fd)
    port.rtp_fd = port.rtcp_fd = -1


cdef void open_missing(Loop *loop) noexcept nogil:
    """Once more, for ports that somebody else had; bounded, for it is asked again and again."""
    cdef uint32_t i, tries = 0
    for i in range(loop.port_count):
        if loop.ports[i].rtp_fd >= 0:
            continue
        tries += 1
        if tries > 1000:
            return
        if open_pair(loop, &loop.ports[i]):
            announce(loop, i + 1, 1)


# --- the server comes and goes ----------------------------------------------------------------------------------------

cdef void await_server(Loop *loop, int operation) noexcept nogil:
    """While one is served, others wait in the backlog."""
    cdef epoll_event event
    event.events = EPOLLIN
    event.data.u64 = <uint64_t>LISTENER_KEY
    epoll_ctl(loop.epoll, operation, loop.listener, &event)


cdef void on_server(Loop *loop) noexcept nogil:
    cdef epoll_event event
    cdef int fd = accept4(loop.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
    if fd < 0:
        return
    await_server(loop, EPOLL_CTL_DEL)
    loop.control = fd
    event.events = EPOLLIN
    event.data.u64 = <uint64_t>CONTROL_KEY
    epoll_ctl(loop.epoll, EPOLL_CTL_ADD, fd, &event)
    loop.orphan_until_ns = 0
    loop.greeted = False
    loop.done = 0
    emit(loop, GREETING, NULL, getpid()).count = VERSION
    loop.listing = loop.listing_run = 0
    list_ports(loop)


cdef void server_gone(Loop *loop) noexcept nogil:
    """It died, or spoke otherwise. The sound goes on for the grace, if anybody listens."""
    epoll_ctl(loop.epoll, EPOLL_CTL_DEL, loop.control, NULL)
    close(loop.control)
    loop.control = -1
    loop.control_paused = False
    loop.event_count = loop.event_sent = 0
    loop.ack_due_ns = 0
    loop.listing = LISTED
    loop.orphan_until_ns = loop.now_ns + (RETIRED_NS if loop.retiring else loop.grace_ns)
    if loop.lease_count == 0:
        loop.closed = True
    await_server(loop, EPOLL_CTL_ADD)


cdef void retire(Loop *loop) noexcept nogil:
    """No new calls here. Those that are left end when their release comes or, with nobody to send one, when their peer has
    said nothing for the grace."""
    cdef uint32_t i
    loop.retiring = True
    for i in range(loop.port_count):
        if loop.ports[i].generation == 0:
            close_pair(&loop.ports[i])
        elif loop.watch_ms[i] == 0:
            watch_silence(loop, &loop.ports[i], <uint32_t>(loop.grace_ns // 1_000_000))


# --- what a server is told when it comes ------------------------------------------------------------------------------

cdef void announce(Loop *loop, uint32_t end, uint32_t run) noexcept nogil:
    """A run of open pairs that ends before index `end`."""
    if run:
        emit(loop, PORTS, NULL, run).index = end - run


cdef void list_ports(Loop *loop) noexcept nogil:
    """Go on with the list of open ports and leases, as far as there is room; READY ends it."""
    cdef Port *port
    cdef Event *event
    while loop.listing < loop.port_count and loop.event_count < EVENT_ROOM // 4:
        port = &loop.ports[loop.listing]
        if port.rtp_fd >= 0:
            loop.listing_run += 1
        else:
            announce(loop, loop.listing, loop.listing_run)
            loop.listing_run = 0
        if port.generation:
            list_lease(loop, port)
        loop.listing += 1
    if loop.listing < loop.port_count:
        return
    announce(loop, loop.port_count, loop.listing_run)
    event = emit(loop, READY, NULL, loop.ports_open)
    event.flags = loop.retiring
    event.payload[0] = loop.ports_taken
    event.payload[1] = loop.ports_beyond  # for want of descriptors
    event.payload[2] = loop.open_error
    loop.listing = LISTED


cdef void list_lease(Loop *loop, Port *port) noexcept nogil:
    """Two events: what the port does, and its peer."""
    cdef Event *event = emit(loop, LEASED, port, port.play_id)
    cdef sockaddr_storage *peer = &port.latch.negotiated
    event.flags = port.source
    event.count = <uint16_t>(port.codec << 8 | port.payload_type)
    memcpy(event.payload, port.tag, 16)
    event.payload[4] = port.packets_received
    event.payload[5] = port.packets_sent
    event = emit(loop, LEASED_PEER, port, port.partner.index if port.source == PARTNER else NO_PARTNER)
    event.payload[4] = port.out.ssrc
    event.payload[5] = port.dtmf_type
    if port.latch.has_remote:
        event.count = port_of(peer)
        if peer.ss_family == AF_INET6:
            event.flags = 6
            memcpy(event.payload, &(<sockaddr_in6 *>peer).sin6_addr, 16)
        else:
            event.flags = 4
            memcpy(event.payload, &(<sockaddr_in *>peer).sin_addr, 4)


# --- answers to commands ----------------------------------------------------------------------------------------------

cdef void obey(Loop *loop, Command *command, int passed) noexcept nogil:
    """Execute one command. It is answered by the count that DONE bears, and by REFUSED if it could not be done."""
    cdef uint32_t before = loop.stale_commands
    cdef Event *event
    loop.refusal = STALE
    execute(loop, command, passed)
    loop.done += 1
    if loop.stale_commands != before:
        event = emit(loop, REFUSED, NULL, loop.done)
        event.flags = loop.refusal
        event.count = command.op
        event.index = command.index
        event.generation = command.generation


cdef void refuse(Loop *loop, int reason) noexcept nogil:
    """The command that is being executed can't be done."""
    loop.stale_commands += 1
    loop.refusal = reason


cdef void acknowledge(Loop *loop) noexcept nogil:
    """With whatever leaves anyway, else some milliseconds later: a message of its own wakes the server."""
    if loop.ack_due_ns and (loop.event_count or loop.now_ns >= loop.ack_due_ns):
        emit(loop, DONE, NULL, loop.done)
        loop.ack_due_ns = 0


# --- peers that say nothing -------------------------------------------------------------------------------------------

cdef void watch_silence(Loop *loop, Port *port, uint32_t after_ms) noexcept nogil:
    """0: no more. The time counts from now."""
    cdef uint32_t *watched = &loop.watch_ms[port.index]
    loop.watched_count += (after_ms > 0) - (watched[0] > 0)
    watched[0] = after_ms
    port.heard = port.packets_received + port.rtcp_received
    port.heard_ns = loop.now_ns
    port.silence_told = False
    if loop.watched_count == 1 and after_ms:
        loop.watch_due_ns = loop.now_ns + WATCH_SLOT_NS


cdef void run_watch(Loop *loop) noexcept nogil:
    """One port in ten each twentieth of a second. Nothing is counted or timed for a packet: its counters have changed."""
    cdef uint32_t i, heard
    cdef Port *port
    if loop.watched_count == 0 or loop.now_ns < loop.watch_due_ns:
        return
    loop.watch_due_ns = loop.now_ns + WATCH_SLOT_NS
    loop.watch_slot = (loop.watch_slot + 1) % WATCH_SLOTS
    i = loop.watch_slot
    while i < loop.port_count:
        if loop.watch_ms[i]:
            port = &loop.ports[i]
            heard = port.packets_received + port.rtcp_received
            if heard != port.heard:
                port.heard = heard
                port.heard_ns = loop.now_ns
                port.silence_told = False
            elif not port.silence_told and loop.now_ns - port.heard_ns >= <int64_t>loop.watch_ms[i] * 1_000_000:
                port.silence_told = True
                emit(loop, SILENT, port, loop.watch_ms[i])
                if loop.retiring and loop.control < 0:
                    release(loop, port)
        i += WATCH_SLOTS
