# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The media loop: native, without the interpreter, one recv and one send a packet.

Its parts are included below, one concept a file. A round is: wait, take what is ready (commands among it), play out what
is due, report, send the events. Nothing is allocated for a packet.
"""

from collections.abc import Sequence

include "posix.pxi"
include "model.pxi"
include "g711.pxi"
include "g722.pxi"
include "resample.pxi"
include "opus.pxi"
include "codec.pxi"
include "sockets.pxi"
include "prompts.pxi"
include "recorder.pxi"
include "outgoing.pxi"
include "srtp.pxi"
include "guard.pxi"
include "incoming.pxi"
include "rtcp.pxi"
include "control.pxi"
include "door.pxi"

RECORD_VERSION = VERSION
COMMAND_BYTES = sizeof(Command)
EVENT_BYTES = sizeof(Event)
PLAYLIST_LONGEST = MAX_PLAYLIST
PROMPTS_MOST = MAX_PROMPTS


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the thread that started this process ends."""
    if prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0:
        raise OSError(errno, "PR_SET_PDEATHSIG")


def run(control_fd: int, host: str, first: int, last: int, recordings: RecordingThread | None = None) -> None:
    """Open the RTP/RTCP pairs of `first`-`last` on `host`, announce them on `control_fd`, serve until it closes. The
    thread of `recordings` must go on until this returns, and then write what is left.

    Raises ValueError if `host` is no IP address, MemoryError, OSError if there is no epoll.
    """
    cdef Loop *loop
    cdef bytes host_bytes = host.encode()
    cdef const char *host_text = host_bytes
    cdef sockaddr_storage address
    cdef uint16_t first_port = first
    if not parse_address(&address, host_text):
        raise ValueError(f"{host} is not an IP address")
    loop = <Loop *>calloc(1, sizeof(Loop))
    if loop == NULL:
        raise MemoryError
    loop.port_count = max(0, (last - first + 1) // 2)
    loop.ports = <Port *>calloc(max(1, loop.port_count), sizeof(Port))
    loop.epoll = epoll_create1(EPOLL_CLOEXEC)
    loop.control = control_fd
    if recordings is not None:
        loop.recorder = (<RecordingThread>recordings).recorder
    try:
        if loop.ports == NULL:
            raise MemoryError
        if loop.epoll < 0:
            raise OSError(errno, "epoll_create1")
        make_sound()
        with nogil:
            start(loop, &address, first_port)
            while not loop.closed:
                serve(loop)
    finally:
        close_all(loop)


cdef uint64_t draw(Loop *loop) noexcept nogil:
    """xorshift64*, seeded by the kernel: for SSRCs and report times, not for secrets."""
    loop.random ^= loop.random >> 12
    loop.random ^= loop.random << 25
    loop.random ^= loop.random >> 27
    return (loop.random * <uint64_t>0x2545F4914F6CDD1D) >> 16


cdef void start(Loop *loop, sockaddr_storage *host, uint16_t first) noexcept nogil:
    cdef epoll_event event
    if getrandom(&loop.random, 8, 0) != 8 or loop.random == 0:
        loop.random = <uint64_t>realtime_ns()
    loop.now_ns = loop.epoch_ns = monotonic_ns()
    loop.dual = host.ss_family == AF_INET6
    event.events = EPOLLIN
    event.data.u64 = <uint64_t>CONTROL_KEY
    epoll_ctl(loop.epoll, EPOLL_CTL_ADD, loop.control, &event)
    emit(loop, GREETING, NULL, getpid())
    loop.events[0].count = VERSION
    open_ports(loop, host, first)


cdef void open_ports(Loop *loop, sockaddr_storage *host, uint16_t first) noexcept nogil:
    """Open every pair that can be had and announce runs of them. Out of descriptors: the rest is left."""
    cdef uint32_t i, run = 0, opened = 0, taken = 0
    cdef int last_error = 0
    cdef bint out_of_descriptors = False
    cdef Port *port
    cdef Event *event
    for i in range(loop.port_count):
        port = &loop.ports[i]
        port.index = i
        port.rtp_fd = port.rtcp_fd = -1
        if not out_of_descriptors:
            port.rtp_fd = open_socket(host, <uint16_t>(first + 2 * i))
            if port.rtp_fd >= 0:
                port.rtcp_fd = open_socket(host, <uint16_t>(first + 2 * i + 1))
        if port.rtcp_fd >= 0:
            run += 1
            opened += 1
            continue
        if not out_of_descriptors:
            last_error = errno
            out_of_descriptors = last_error == EMFILE or last_error == ENFILE
            taken += not out_of_descriptors
        if port.rtp_fd >= 0:
            close(port.rtp_fd)
            port.rtp_fd = -1
        announce(loop, i, run)
        run = 0
    announce(loop, loop.port_count, run)
    event = &loop.events[loop.event_count]
    emit(loop, READY, NULL, opened)
    event.payload[0] = taken
    event.payload[1] = loop.port_count - opened - taken  # for want of descriptors
    event.payload[2] = last_error
    flush_events(loop)


cdef void announce(Loop *loop, uint32_t end, uint32_t run) noexcept nogil:
    """A run of opened pairs that ends before index `end`. At start we may wait for the server to read."""
    cdef pollfd writable
    if run == 0:
        return
    emit(loop, PORTS, NULL, run)
    loop.events[loop.event_count - 1].index = end - run
    while loop.event_count > EVENT_ROOM // 2 and not loop.closed:
        flush_events(loop)
        writable.fd = loop.control
        writable.events = POLLOUT
        poll(&writable, 1, 1000)


cdef void serve(Loop *loop) noexcept nogil:
    """One round."""
    cdef int i, count, timeout_ms
    cdef int64_t woken_ns, due_ns, hold_ns
    cdef bint media = False
    due_ns = next_due_ns(loop)
    timeout_ms = -1
    if due_ns >= 0:
        # epoll counts in milliseconds: wait the whole ones there and the rest here
        timeout_ms = <int>max(0, (due_ns - monotonic_ns()) // 1_000_000)
        if timeout_ms == 0:
            sleep_until_ns(due_ns)
    count = epoll_wait(loop.epoll, loop.ready, MAX_EVENTS, timeout_ms)
    woken_ns = loop.now_ns = monotonic_ns()
    for i in range(count):
        if loop.ready[i].data.u64 == <uint64_t>CONTROL_KEY:
            on_control(loop)
        else:
            media = True
            on_ready(loop, loop.ready[i].data.u64)
    loop.now_ns = monotonic_ns()
    run_pace(loop)
    run_reports(loop)
    if loop.recorder != NULL and load_acquire(&loop.recorder.news):
        tell_of_recordings(loop)
    if loop.event_count:
        flush_events(loop)
    if media and count < MAX_EVENTS:
        hold_ns = woken_ns + HOLD_NS
        due_ns = pace_due_ns(loop)
        if 0 <= due_ns < hold_ns:
            hold_ns = due_ns
        sleep_until_ns(hold_ns)


cdef inline void on_ready(Loop *loop, uint64_t key) noexcept nogil:
    cdef Port *port = &loop.ports[<uint32_t>key >> 1]
    if port.generation != <uint32_t>(key >> 32):
        return  # released since epoll_wait
    if key & 1:
        on_rtcp(loop, port)
    else:
        on_rtp(loop, port)


cdef int64_t next_due_ns(Loop *loop) noexcept nogil:
    """When there is something to do without being asked; -1: never."""
    cdef int64_t due_ns = pace_due_ns(loop), report_ns
    if loop.reporting_count:
        report_ns = loop.epoch_ns + (loop.report_slot + 1) * RTCP_SLOT_NS
        if due_ns < 0 or report_ns < due_ns:
            due_ns = report_ns
    return due_ns


cdef void close_all(Loop *loop) noexcept nogil:
    """BYE to every peer, then everything back: a test may run several loops in one process."""
    cdef uint32_t i
    cdef int slot
    if loop.ports != NULL:
        for i in range(loop.port_count):
            if loop.ports[i].generation:
                loop.event_count = 0
                release(loop, &loop.ports[i])
            if loop.ports[i].rtp_fd > 0:
                close(loop.ports[i].rtp_fd)
                close(loop.ports[i].rtcp_fd)
    for slot in range(MAX_PROMPTS):
        if loop.prompts[slot] != NULL:
            forget(loop.prompts[slot])
    if loop.epoll >= 0:
        close(loop.epoll)
    free(loop.ports)
    free(loop)
