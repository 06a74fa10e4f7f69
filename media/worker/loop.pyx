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
include "conceal.pxi"
include "tones.pxi"
include "ear.pxi"
include "mouth.pxi"
include "sound.pxi"
include "mixer.pxi"
include "sockets.pxi"
include "prompts.pxi"
include "recorder.pxi"
include "outgoing.pxi"
include "srtp.pxi"
include "beside.pxi"
include "guard.pxi"
include "incoming.pxi"
include "agreed.pxi"
include "doze.pxi"
include "rtcp.pxi"
include "control.pxi"
include "door.pxi"
include "life.pxi"

RECORD_VERSION = VERSION
COMMAND_BYTES = sizeof(Command)
EVENT_BYTES = sizeof(Event)
PLAYLIST_LONGEST = MAX_PLAYLIST
PROMPTS_MOST = MAX_PROMPTS


def run(
    listener_fd: int, host: str, first: int, last: int, grace_s: float, recordings: RecordingThread | None = None,
    beside_fd: int = -1,
) -> None:
    """Open the RTP/RTCP pairs of `first`-`last` on `host` and serve whoever comes to `listener_fd` (SOCK_SEQPACKET), one
    at a time, until STOP, or until a server with leases is gone for `grace_s` (each server says its own). The thread of
    `recordings` must go on until this returns, and then write what is left. `beside_fd` is a socket (SOCK_SEQPACKET) to the
    thread that does handshakes.

    Raises ValueError if `host` is no IP address, MemoryError, OSError if there is no epoll.
    """
    cdef Loop *loop
    cdef bytes host_bytes = host.encode()
    cdef const char *host_text = host_bytes
    cdef sockaddr_storage address
    if not parse_address(&address, host_text):
        raise ValueError(f"{host} is not an IP address")
    loop = <Loop *>calloc(1, sizeof(Loop))
    if loop == NULL:
        raise MemoryError
    loop.host = address
    loop.first_number = first
    loop.port_count = max(0, (last - first + 1) // 2)
    loop.ports = <Port *>calloc(max(1, loop.port_count), sizeof(Port))
    loop.watch_ms = <uint32_t *>calloc(max(1, loop.port_count), sizeof(uint32_t))
    loop.epoll = epoll_create1(EPOLL_CLOEXEC)
    if recordings is not None:
        loop.recorder = (<RecordingThread>recordings).recorder
    loop.listener = listener_fd
    loop.control = -1
    loop.grace_ns = <int64_t>(grace_s * 1e9)
    try:
        if loop.ports == NULL or loop.watch_ms == NULL:
            raise MemoryError
        if loop.epoll < 0:
            raise OSError(errno, "epoll_create1")
        make_sound()
        begin_beside(loop, beside_fd)
        with nogil:
            begin(loop)
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
        expect(loop, i, count)
        if loop.ready[i].data.u64 == <uint64_t>CONTROL_KEY:
            on_control(loop)
        elif loop.ready[i].data.u64 == <uint64_t>LISTENER_KEY:
            on_server(loop)
        elif loop.ready[i].data.u64 == <uint64_t>BESIDE_KEY:
            on_beside(loop)
        else:
            media = True
            on_ready(loop, loop.ready[i].data.u64)
    loop.now_ns = monotonic_ns()
    run_pace(loop)
    run_reports(loop)
    if loop.recorder != NULL and load_acquire(&loop.recorder.news):
        tell_of_recordings(loop)
    run_watch(loop)
    if loop.orphan_until_ns and loop.now_ns >= loop.orphan_until_ns:
        loop.closed = True
    acknowledge(loop)
    if loop.event_count:
        flush_events(loop)
    if media and count < MAX_EVENTS:
        hold_ns = woken_ns + HOLD_NS
        due_ns = pace_due_ns(loop)
        if 0 <= due_ns < hold_ns:
            hold_ns = due_ns
        sleep_until_ns(hold_ns)


cdef inline void expect(Loop *loop, int i, int count) noexcept nogil:
    """Fetch the ports of the packets to come, then those they go to."""
    cdef uint32_t index
    if i + 2 < count:
        index = <uint32_t>loop.ready[i + 2].data.u64 >> 1
        if index < loop.port_count:  # else no port's
            fetch_port(&loop.ports[index])
    if i + 1 < count:
        index = <uint32_t>loop.ready[i + 1].data.u64 >> 1
        if index < loop.port_count and loop.ports[index].partner != NULL:
            fetch_port(loop.ports[index].partner)


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
    due_ns = earlier(due_ns, loop.orphan_until_ns)
    due_ns = earlier(due_ns, loop.ack_due_ns)
    return earlier(due_ns, loop.watch_due_ns if loop.watched_count else 0)


cdef inline int64_t earlier(int64_t due_ns, int64_t other_ns) noexcept nogil:
    """`other_ns` 0: never."""
    return other_ns if other_ns and (due_ns < 0 or other_ns < due_ns) else due_ns


cdef void close_all(Loop *loop) noexcept nogil:
    """BYE to every peer, then everything back: a test may run several loops in one process."""
    cdef uint32_t i
    if loop.ports != NULL:
        for i in range(loop.port_count):
            if loop.ports[i].generation:
                loop.event_count = 0
                release(loop, &loop.ports[i])
            close_pair(&loop.ports[i])
    forget_all(loop)
    if loop.control >= 0:
        close(loop.control)
    close_all_conferences(loop)
    free_sound(loop)
    if loop.epoll >= 0:
        close(loop.epoll)
    free(loop.watch_ms)
    free(loop.ports)
    free(loop)
