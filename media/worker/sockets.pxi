# Addresses and sockets. Everything passes sockaddr_storage, so that IPv6 is a matter of these few functions.

cdef inline socklen_t address_size(const sockaddr_storage *address) noexcept nogil:
    return sizeof(sockaddr_in6) if address.ss_family == AF_INET6 else sizeof(sockaddr_in)


cdef inline uint16_t port_of(const sockaddr_storage *address) noexcept nogil:
    if address.ss_family == AF_INET6:
        return ntohs((<sockaddr_in6 *>address).sin6_port)
    return ntohs((<sockaddr_in *>address).sin_port)


cdef inline void set_port(sockaddr_storage *address, uint16_t port) noexcept nogil:
    if address.ss_family == AF_INET6:
        (<sockaddr_in6 *>address).sin6_port = htons(port)
    else:
        (<sockaddr_in *>address).sin_port = htons(port)


cdef inline bint same_host(const sockaddr_storage *a, const sockaddr_storage *b) noexcept nogil:
    if a.ss_family != b.ss_family:
        return False
    if a.ss_family == AF_INET6:
        return memcmp(&(<sockaddr_in6 *>a).sin6_addr, &(<sockaddr_in6 *>b).sin6_addr, 16) == 0
    return a.ss_family == AF_INET and (<sockaddr_in *>a).sin_addr.s_addr == (<sockaddr_in *>b).sin_addr.s_addr


cdef inline bint same_address(const sockaddr_storage *a, const sockaddr_storage *b) noexcept nogil:
    return same_host(a, b) and port_of(a) == port_of(b)


cdef bint make_address(sockaddr_storage *address, int family, const void *host, uint16_t port) noexcept nogil:
    """`family` 4 or 6, `host` in network order. False if it is no address."""
    memset(address, 0, sizeof(sockaddr_storage))
    if family == 4:
        address.ss_family = AF_INET
        memcpy(&(<sockaddr_in *>address).sin_addr, host, 4)
    elif family == 6:
        address.ss_family = AF_INET6
        memcpy(&(<sockaddr_in6 *>address).sin6_addr, host, 16)
    else:
        return False
    set_port(address, port)
    return True


cdef void map_ipv4(sockaddr_storage *address) noexcept nogil:
    """An IPv4 address as an IPv6 socket sees it (RFC 4291 2.5.5.2); an IPv6 one stays."""
    cdef uint8_t mapped[16]
    if address.ss_family == AF_INET:
        memset(mapped, 0, 10)
        memset(&mapped[10], 0xFF, 2)
        memcpy(&mapped[12], &(<sockaddr_in *>address).sin_addr, 4)
        make_address(address, 6, mapped, port_of(address))


cdef bint parse_address(sockaddr_storage *address, const char *host) noexcept nogil:
    cdef uint8_t binary[16]
    if inet_pton(AF_INET, host, binary) == 1:
        return make_address(address, 4, binary, 0)
    return inet_pton(AF_INET6, host, binary) == 1 and make_address(address, 6, binary, 0)


cdef int open_socket(sockaddr_storage *host, uint16_t port) noexcept nogil:
    """A bound datagram socket, or -1 with errno."""
    cdef int fd = socket(host.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    cdef int error
    cdef int room_bytes = 65536  # what strangers may pile up on an idle port; seconds of sound on a live one
    cdef int expedited = 46 << 2  # DSCP EF, RFC 4594 4.1
    cdef int both = 0
    if fd < 0:
        return -1
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof(int))
    if host.ss_family == AF_INET6:
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &expedited, sizeof(int))
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(int))  # bound to "::" it takes IPv4 too
    setsockopt(fd, IPPROTO_IP, IP_TOS, &expedited, sizeof(int))
    set_port(host, port)
    if bind(fd, <sockaddr *>host, address_size(host)) < 0:
        error = errno
        close(fd)
        errno_set(error)
        return -1
    return fd


cdef void dissolve(Port *port) noexcept nogil:
    """The port has no source any more."""
    unfilter(port)
    port.latch.latched = False


cdef void unfilter(Port *port) noexcept nogil:
    """Let the kernel accept every source again."""
    cdef sockaddr_storage nobody
    if port.latch.connected:
        memset(&nobody, 0, sizeof(nobody))
        nobody.ss_family = AF_UNSPEC
        connect(port.rtp_fd, <sockaddr *>&nobody, sizeof(sockaddr_in))
    port.latch.connected = False


cdef inline uint32_t address_hash(const sockaddr_storage *address) noexcept nogil:
    """FNV-1a of host and port; never 0."""
    cdef const uint8_t *host = <const uint8_t *>&(<sockaddr_in *>address).sin_addr
    cdef int size = 4, i
    cdef uint32_t value = <uint32_t>2166136261
    if address.ss_family == AF_INET6:
        host = <const uint8_t *>&(<sockaddr_in6 *>address).sin6_addr
        size = 16
    for i in range(size):
        value = (value ^ host[i]) * <uint32_t>16777619
    value = (value ^ (port_of(address) & 0xFF)) * <uint32_t>16777619
    value = (value ^ (port_of(address) >> 8)) * <uint32_t>16777619
    return value | 1


cdef void drain_meeting(Loop *loop, Port *port) noexcept nogil:
    """As `drain`, and whoever sent to the idle port is remembered: a phone that does not stop when its call is over."""
    cdef sockaddr_storage address
    cdef socklen_t size
    cdef uint32_t value, last = 0
    cdef int i
    for i in range(2048):
        size = sizeof(address)
        if recvfrom(port.rtp_fd, loop.packet, MAX_PACKET, 0, <sockaddr *>&address, &size) < 0:
            if errno == EAGAIN:
                return
            continue
        value = address_hash(&address)
        if value != last:
            port.latch.strangers[port.latch.strangers_met % STRANGERS] = last = value
            port.latch.strangers_met += 1


cdef bint is_stranger(Latch *state, const sockaddr_storage *address) noexcept nogil:
    cdef uint32_t value = address_hash(address)
    cdef int i
    for i in range(STRANGERS):
        if state.strangers[i] == value:
            return True
    return False


cdef void drain(Loop *loop, int fd) noexcept nogil:
    """Throw away what is queued; an ICMP error in the queue is no end of it."""
    cdef int i
    for i in range(2048):
        if recv(fd, loop.packet, MAX_PACKET, 0) < 0 and errno == EAGAIN:
            return


cdef void watch(Loop *loop, Port *port, int operation) noexcept nogil:
    """Put both sockets of a port into epoll, or take them out."""
    watch_rtp(loop, port, operation)
    watch_socket(loop, port, operation, port.rtcp_fd, 1)


cdef inline void watch_rtp(Loop *loop, Port *port, int operation) noexcept nogil:
    watch_socket(loop, port, operation, port.rtp_fd, 0)


cdef void watch_socket(Loop *loop, Port *port, int operation, int fd, int rtcp) noexcept nogil:
    """The key bears the lease's generation, so that an event gathered before a release is not taken for the next lease's."""
    cdef epoll_event event
    event.events = EPOLLIN
    event.data.u64 = <uint64_t>port.generation << 32 | port.index << 1 | rtcp
    epoll_ctl(loop.epoll, operation, fd, &event)
