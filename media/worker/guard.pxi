# What stands between a socket and its port when there is more than plain RTP: SRTP, RTCP on the same socket (RFC 5761), ICE and
# DTLS. A plain port has no guard, and pays one test of a pointer for each packet.

cdef void set_guard(Loop *loop, Port *port, uint8_t flags) noexcept nogil:
    """As the last `connect` wants it. A port that was to be secured stays so until its peer has agreed otherwise; without keys it
    is mute and deaf."""
    cdef Guard *guard = port.guard
    if not flags & (SECURED | RTCP_MUX | ICE):
        end_guard(loop, port)
        return
    if guard == NULL:
        guard = port.guard = <Guard *>calloc(1, sizeof(Guard))
        if guard == NULL:
            port.may_send = port.peer_sends = False  # no memory: rather silent than in the clear
            return
    if not flags & SECURED or guard.dtls != ((flags & DTLS) != 0):
        end_keys(guard)  # what was agreed otherwise is void
    guard.secured = flags & SECURED
    guard.mux = flags & RTCP_MUX
    guard.ice = flags & ICE
    guard.dtls = (flags & DTLS) != 0
    if not guard.dtls:
        forget_aside(loop, port)


cdef void end_guard(Loop *loop, Port *port) noexcept nogil:
    cdef Guard *guard = port.guard
    if guard == NULL:
        return
    forget_aside(loop, port)
    end_keys(guard)
    free(guard)
    port.guard = NULL


cdef void end_keys(Guard *guard) noexcept nogil:
    """They do not stay in memory."""
    srtp_end(guard.receiving.session)
    srtp_end(guard.sending.session)
    explicit_bzero(&guard.receiving, sizeof(Keys))
    explicit_bzero(&guard.sending, sizeof(Keys))


cdef void on_guarded(Loop *loop, Port *port) noexcept nogil:
    """One packet of a readable RTP socket: which protocol it is (RFC 7983), whether it is the peer's, then what is inside."""
    cdef sockaddr_storage address
    cdef socklen_t address_bytes = sizeof(address)
    cdef uint8_t *packet = loop.packet
    cdef Guard *guard = port.guard
    cdef bint known, rtcp
    cdef int size = <int>recvfrom(port.rtp_fd, packet, MAX_PACKET, MSG_TRUNC, <sockaddr *>&address, &address_bytes)
    if size < 0:
        return
    if size < 12 or size > MAX_PACKET:
        port.packets_dropped += 1
        return
    known = port.latch.latched and same_address(&address, &port.latch.source)
    if packet[0] < 64:
        on_aside_packet(loop, port, &address, size, known)
        return
    rtcp = guard.mux and 64 <= (packet[1] & 0x7F) <= 95
    if not known and (port.latch.latched and guard.secured or guard.ice or rtcp or not port.latch.has_remote):
        port.packets_dropped += 1
        return
    size = unprotect(loop, port, packet, size, rtcp)
    if size <= 0:
        port.packets_dropped += 1
        return
    if rtcp:
        take_rtcp(loop, port, packet, size)
        return
    if not known:
        # Who has the key is the peer, wherever he is; others must prove themselves as ever.
        if not rtp_valid(packet, size) or not (guard.secured or may_latch(loop, port, &address)):
            port.packets_dropped += 1
            return
        latch(port, &address)
    on_packet(loop, port, size)
