# A peer that says nothing while we play to it, as a phone on hold: epoll is told of each packet that leaves a socket it watches,
# and that is a tenth of what the packet costs. So such a port is not waited for: it is looked at, ten times a second, when it has
# its turn on the wheel; whatever has come then, or any change of what the port does, and it is waited for again.

cdef enum:
    DOZE_TURNS = 50  # of 20 ms, without a packet
    LOOK_TURNS = 5
    LOOK_MOST = 64  # packets


cdef inline uint32_t met(Port *port) noexcept nogil:
    """Changes with each packet."""
    return port.packets_received + port.packets_dropped


cdef inline void take_turn(Loop *loop, Port *port) noexcept nogil:
    """A port on the wheel, each 20 ms."""
    port.turns += 1
    if port.turns >= (LOOK_TURNS if port.dozing else DOZE_TURNS):
        port.turns = 0
        if port.dozing:
            look(loop, port)
        else:
            doze(loop, port)


cdef void doze(Loop *loop, Port *port) noexcept nogil:
    """If nothing came since the last time, and nobody minds when something comes."""
    cdef bint silent = port.met == met(port)
    port.met = met(port)
    if (silent and (port.source == PROMPTS or port.source == QUIET) and port.guard == NULL and port.ear == NULL
            and port.recording == NULL):
        port.dozing = True
        watch_rtp(loop, port, EPOLL_CTL_DEL)


cdef void look(Loop *loop, Port *port) noexcept nogil:
    cdef uint32_t before
    cdef int i
    for i in range(LOOK_MOST):
        before = met(port)
        on_rtp(loop, port)
        if met(port) == before:
            break
    if i > 0:
        wake(loop, port)


cdef void wake(Loop *loop, Port *port) noexcept nogil:
    if port.dozing:
        port.dozing = False
        port.turns = 0
        port.inc.transit = 0  # late by our doing
        watch_rtp(loop, port, EPOLL_CTL_ADD)
