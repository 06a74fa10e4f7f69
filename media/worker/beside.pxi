# What does not hurry, done beside the loop by a Python thread (handshakes.py): STUN checks and DTLS handshakes. Each message of
# the socket between them is one packet or one order; the thread answers with packets to send, keys, and where the peer is.

cdef enum:
    # Loop to thread
    CONFIGURE = 1  # number: a descriptor, which becomes the thread's
    HANDSHAKE = 2
    PACKET = 3
    FORGET_PORT = 4

    # Thread to loop
    SEND_PACKET = 1
    SET_KEYS = 2
    FOUND = 3  # the peer is at the address
    FAILED = 4  # number: why
    UNHEARD = 5  # nothing came of the peer for long: nothing may be sent until it is FOUND again
    NO_KEYS = 6  # those of an earlier handshake are void

    PACKETS_A_SECOND = 50  # of one port to the thread
    PACKETS_AT_ONCE = 100
    ASIDE_ROOM = 2048 + 32  # a message


cdef packed struct Aside:
    uint8_t op
    uint8_t family  # 4 or 6
    uint16_t port
    uint32_t index
    uint32_t generation
    uint32_t number
    uint8_t host[16]


cdef void begin_beside(Loop *loop, int fd) noexcept nogil:
    cdef epoll_event event
    loop.beside = fd
    if fd >= 0:
        event.events = EPOLLIN
        event.data.u64 = <uint64_t>BESIDE_KEY
        epoll_ctl(loop.epoll, EPOLL_CTL_ADD, fd, &event)


cdef bint set_aside(Loop *loop, Port *port, int op, uint32_t number, const sockaddr_storage *address, const uint8_t *payload,
                    int size) noexcept nogil:
    """A message to the thread; False, counted, if it has too many already, or there is none."""
    cdef uint8_t message[ASIDE_ROOM]
    cdef Aside *head = <Aside *>message
    memset(head, 0, sizeof(Aside))
    head.op = op
    head.number = number
    if port != NULL:
        head.index = port.index
        head.generation = port.generation
    if address != NULL and address.ss_family == AF_INET6:
        head.family = 6
        memcpy(head.host, &(<sockaddr_in6 *>address).sin6_addr, 16)
        head.port = port_of(address)
    elif address != NULL and address.ss_family == AF_INET:
        head.family = 4
        memcpy(head.host, &(<sockaddr_in *>address).sin_addr, 4)
        head.port = port_of(address)
    if size:
        memcpy(message + sizeof(Aside), payload, size)
    if loop.beside >= 0 and send(loop.beside, message, sizeof(Aside) + size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0:
        return True
    loop.aside_dropped += 1
    return False


cdef void shake_hands(Loop *loop, Port *port, Command *command) noexcept nogil:
    """The peer's certificate and our ICE credentials, for the thread; `connect` came before."""
    cdef uint8_t payload[84]
    if port.guard == NULL or not port.guard.dtls:
        loop.stale_commands += 1
        return
    port.guard.aside = True
    payload[0] = command.flags
    payload[1] = <uint8_t>command.count
    payload[2] = payload[3] = 0
    memcpy(payload + 4, command.payload, 80)
    if not set_aside(loop, port, HANDSHAKE, 0, &port.latch.negotiated, payload, 84):
        emit(loop, INSECURE, port, NO_HANDSHAKE)


cdef void forget_aside(Loop *loop, Port *port) noexcept nogil:
    if port.guard.aside:
        set_aside(loop, port, FORGET_PORT, 0, NULL, NULL, 0)
        port.guard.aside = False


cdef void on_aside_packet(Loop *loop, Port *port, sockaddr_storage *address, int size, bint known) noexcept nogil:
    """STUN or DTLS (RFC 7983), in loop.packet: at most so many a second, and DTLS of the peer's address alone: with ICE where it
    was found, else of the host that SDP names."""
    cdef Guard *guard = port.guard
    cdef bint stun = loop.packet[0] < 4
    cdef int64_t fresh = (loop.now_ns - guard.tokens_ns) * PACKETS_A_SECOND // 1_000_000_000
    if stun:
        if not guard.ice:
            port.packets_dropped += 1
            return
    elif not (guard.dtls and 20 <= loop.packet[0] <= 63
              and (known or not guard.ice and same_host(address, &port.latch.negotiated))):
        port.packets_dropped += 1
        return
    if fresh > 0:
        guard.tokens = <int>min(<int64_t>PACKETS_AT_ONCE, guard.tokens + fresh)
        guard.tokens_ns = loop.now_ns
    if guard.tokens == 0:
        port.packets_dropped += 1
        loop.aside_dropped += 1
        return
    guard.tokens -= 1
    set_aside(loop, port, PACKET, 0, address, loop.packet, size)


cdef void on_beside(Loop *loop) noexcept nogil:
    """What the thread says; a message to a lease that is over is nothing."""
    cdef ssize_t n
    cdef int i
    cdef Aside *head = <Aside *>loop.packet
    cdef Port *port
    cdef sockaddr_storage address
    for i in range(64):
        n = recv(loop.beside, loop.packet, MAX_PACKET, MSG_DONTWAIT)
        if n < <ssize_t>sizeof(Aside):
            return
        if head.index >= loop.port_count:
            continue
        port = &loop.ports[head.index]
        if port.generation == 0 or port.generation != head.generation or port.guard == NULL or not port.guard.aside:
            continue
        make_address(&address, head.family, head.host, head.port)
        on_aside(loop, port, head, &address, loop.packet + sizeof(Aside), <int>(n - sizeof(Aside)))
        if head.op == SET_KEYS:
            explicit_bzero(loop.packet, n)


cdef void on_aside(Loop *loop, Port *port, Aside *head, sockaddr_storage *address, const uint8_t *payload,
                   int size) noexcept nogil:
    cdef Guard *guard = port.guard
    if head.op == SEND_PACKET:
        if port.latch.connected:
            send(port.rtp_fd, payload, size, MSG_NOSIGNAL)
        else:
            sendto(port.rtp_fd, payload, size, MSG_NOSIGNAL, <sockaddr *>address, address_size(address))
    elif head.op == SET_KEYS and size >= 2 * KEY_BYTES:
        if (set_keys(loop, port, head.number, payload, False)
                and set_keys(loop, port, head.number, payload + KEY_BYTES, True)):
            port.out.resync = True
            emit(loop, SECURED_EVENT, port, head.number)
        else:
            emit(loop, INSECURE, port, NO_SRTP)
    elif head.op == FOUND and guard.ice:
        guard.silent = False
        port.latch.source = port.latch.rtcp = address[0]
        port.latch.latched = True
    elif head.op == UNHEARD:
        guard.silent = True
    elif head.op == FAILED:
        emit(loop, INSECURE, port, head.number)
    elif head.op == NO_KEYS:
        end_keys(guard)
