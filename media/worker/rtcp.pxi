# RTCP (RFC 3550 6): a report about every 5 s on each port with a peer, SDES CNAME in each, BYE on release.

cdef enum:
    SR = 200
    RR = 201
    SDES = 202
    BYE = 203
    NTP_OF_1970 = 2_208_988_800
    ROUND_TRIP_MOST = 30 << 16


cdef uint64_t ntp_now() noexcept nogil:
    cdef int64_t now_ns = realtime_ns()
    return <uint64_t>(now_ns // 1_000_000_000 + NTP_OF_1970) << 32 | ((now_ns % 1_000_000_000) << 32) // 1_000_000_000


cdef int put_report_block(Loop *loop, Incoming *inc, uint8_t *p) noexcept nogil:
    """24 bytes (6.4.1), the loss as in A.3."""
    cdef uint32_t expected = inc.cycles + inc.max_seq - inc.base_seq + 1
    cdef int64_t expected_interval = <int64_t>expected - inc.expected_prior
    cdef int64_t lost_interval = expected_interval - (<int64_t>inc.received - inc.received_prior)
    cdef int64_t lost = max(-0x800000, min(0x7FFFFF, <int64_t>expected - inc.received))
    cdef int64_t fraction = 0
    if expected_interval > 0 and lost_interval > 0:
        fraction = min((lost_interval << 8) // expected_interval, 255)
    inc.expected_prior = expected
    inc.received_prior = inc.received
    put32(p, inc.ssrc)
    put32(p + 4, <uint32_t>(fraction << 24) | (<uint32_t>lost & 0xFFFFFF))
    put32(p + 8, inc.cycles + inc.max_seq)
    put32(p + 12, inc.jitter >> 4)
    put32(p + 16, inc.last_sr)
    put32(p + 20, <uint32_t>((loop.now_ns - inc.last_sr_ns) * 65536 // 1_000_000_000) if inc.last_sr else 0)
    return 24


cdef void send_report(Loop *loop, Port *port, bint bye) noexcept nogil:
    cdef Outgoing *out = &port.out
    cdef uint8_t *p = loop.scratch
    cdef int size = 8
    cdef bint sender = port.packets_sent > 0
    cdef uint64_t ntp
    if not port.latch.has_remote or port_of(&port.latch.rtcp) == 0 or not (sender or port.inc.started):
        return
    put32(p + 4, out.ssrc)
    if sender:
        ntp = ntp_now()
        put32(p + 8, <uint32_t>(ntp >> 32))
        put32(p + 12, <uint32_t>ntp)
        put32(p + 16, out.timestamp + <uint32_t>((loop.now_ns - out.sent_ns) * out.khz // 1_000_000))
        put32(p + 20, port.packets_sent)
        put32(p + 24, out.octets)
        size = 28
    if port.inc.started:
        size += put_report_block(loop, &port.inc, p + size)
    p[0] = 0x80 | port.inc.started
    p[1] = SR if sender else RR
    put16(p + 2, size // 4 - 1)
    p += size
    p[0] = 0x81  # SDES, one chunk: CNAME of 16 characters (RFC 7022), two zero bytes end and pad it
    p[1] = SDES
    put16(p + 2, 6)
    put32(p + 4, out.ssrc)
    p[8] = 1
    p[9] = 16
    memcpy(p + 10, port.cname, 16)
    p[26] = p[27] = 0
    p += 28
    if bye:
        p[0] = 0x81
        p[1] = BYE
        put16(p + 2, 1)
        put32(p + 4, out.ssrc)
        p += 8
    transmit_rtcp(loop, port, loop.scratch, <int>(p - loop.scratch))


cdef void transmit_rtcp(Loop *loop, Port *port, const uint8_t *packet, int size) noexcept nogil:
    cdef int fd = port.rtcp_fd
    cdef sockaddr_storage *to = &port.latch.rtcp
    if port.guard != NULL:
        size = protect(loop, port, packet, size, True)
        packet = loop.sealed
        if size == 0:
            return
        if port.guard.mux:
            fd = port.rtp_fd
            to = &port.latch.source
    sendto(fd, packet, size, MSG_NOSIGNAL, <sockaddr *>to, address_size(to))


cdef void on_rtcp(Loop *loop, Port *port) noexcept nogil:
    """One packet of the RTCP socket, from the host that sends RTP."""
    cdef sockaddr_storage address
    cdef socklen_t address_bytes = sizeof(address)
    cdef ssize_t n = recvfrom(port.rtcp_fd, loop.packet, MAX_PACKET, MSG_TRUNC, <sockaddr *>&address, &address_bytes)
    if n < 0:
        return
    if n > MAX_PACKET or not port.latch.has_remote or not same_host(&address, &port.latch.source):
        port.packets_dropped += 1
        return
    if port.guard != NULL:
        n = unprotect(loop, port, loop.packet, <int>n, True)
    if take_rtcp(loop, port, loop.packet, <int>n):
        port.latch.rtcp = address


cdef bint take_rtcp(Loop *loop, Port *port, const uint8_t *p, int n) noexcept nogil:
    """A.2: a compound packet, version 2, first an SR or RR, the lengths add up."""
    cdef int at = 0
    if n < 8 or (p[1] != SR and p[1] != RR):
        port.packets_dropped += 1
        return False
    while at + 4 <= n and p[at] >> 6 == 2:
        at += 4 * (get16(p + at + 2) + 1)
    if at != n:
        port.packets_dropped += 1
        return False
    port.rtcp_received += 1
    at = 0
    while at < n:
        take_part(loop, port, p + at, 4 * (get16(p + at + 2) + 1))
        at += 4 * (get16(p + at + 2) + 1)
    return True


cdef void take_part(Loop *loop, Port *port, const uint8_t *p, int size) noexcept nogil:
    """One packet of a compound. SDES and BYE tell nothing that we use: a call is over when its signalling says so, and another
    source is followed at once. Others are not for us."""
    cdef int count = p[0] & 31, at = 8
    if p[1] == SR and size >= 28:
        if port.inc.started and get32(p + 4) == port.inc.ssrc:
            port.inc.last_sr = get32(p + 10)
            port.inc.last_sr_ns = loop.now_ns
        at = 28
    elif p[1] != RR:
        return
    while count > 0 and at + 24 <= size:
        if get32(p + at) == port.out.ssrc:
            take_report(port, p + at)
        at += 24
        count -= 1


cdef void take_report(Port *port, const uint8_t *block) noexcept nogil:
    """What the peer hears of us, and the round trip: now - LSR - DLSR (6.4.1), smoothed as TCP does (RFC 6298)."""
    cdef PeerReport *peer = &port.peer
    cdef uint32_t last_sr = get32(block + 16), trip
    peer.reports += 1
    peer.lost = <int32_t>(get32(block + 4) << 8) >> 8
    peer.jitter = get32(block + 12)
    if last_sr == 0:
        return
    trip = <uint32_t>(ntp_now() >> 16) - last_sr - get32(block + 20)
    if trip < ROUND_TRIP_MOST:  # else a report of a stream before, or a clock that lies
        peer.round_trip = max(trip, 1) if peer.round_trip == 0 else peer.round_trip - (peer.round_trip >> 3) + (trip >> 3)


# --- the wheel of reports: 64 slots of 128 ms -------------------------------------------------------------------------

cdef void schedule_report(Loop *loop, Port *port) noexcept nogil:
    """In half to one and a half times 5 s (6.2), so that ports do not report all at once."""
    cdef int slot
    if loop.reporting_count == 0:
        loop.report_slot = (loop.now_ns - loop.epoch_ns) // RTCP_SLOT_NS
    slot = (loop.report_slot + RTCP_MEAN_SLOTS // 2 + <int>(draw(loop) % RTCP_MEAN_SLOTS)) % RTCP_SLOTS
    port.report_slot = slot
    port.report_previous = NULL
    port.report_next = loop.reports[slot]
    if port.report_next != NULL:
        port.report_next.report_previous = port
    loop.reports[slot] = port
    port.reporting = True
    loop.reporting_count += 1


cdef void cancel_report(Loop *loop, Port *port) noexcept nogil:
    if not port.reporting:
        return
    if port.report_previous != NULL:
        port.report_previous.report_next = port.report_next
    else:
        loop.reports[port.report_slot] = port.report_next
    if port.report_next != NULL:
        port.report_next.report_previous = port.report_previous
    port.reporting = False
    loop.reporting_count -= 1


cdef void run_reports(Loop *loop) noexcept nogil:
    cdef int64_t until = (loop.now_ns - loop.epoch_ns) // RTCP_SLOT_NS
    cdef Port *port
    cdef Port *following
    if until - loop.report_slot > RTCP_SLOTS:
        loop.report_slot = until - RTCP_SLOTS
    while loop.reporting_count and loop.report_slot < until:
        loop.report_slot += 1
        port = loop.reports[loop.report_slot % RTCP_SLOTS]
        while port != NULL:
            following = port.report_next
            cancel_report(loop, port)
            send_report(loop, port, False)
            leave_ajar(loop, port)
            schedule_report(loop, port)
            port = following
