# What the loop uses of Linux. Kept apart so that the rest reads as protocol code.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memmove, memset
from libc.errno cimport EAGAIN, ECONNREFUSED, EINTR, EMFILE, ENFILE, EADDRINUSE, errno

cdef extern from *:
    """
    #include <errno.h>
    #include <string.h>
    #include <arpa/inet.h>
    #include <netinet/in.h>
    #include <netinet/ip.h>
    #include <poll.h>
    #include <sys/epoll.h>
    #include <sys/mman.h>
    #include <sys/random.h>
    #include <sys/socket.h>
    #include <sys/stat.h>
    #include <time.h>
    #include <unistd.h>

    /* One message of the control socket; *passed is the descriptor that came with it, or -1. */
    static ssize_t receive_message(int fd, void *buffer, size_t size, int *passed) {
        union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } ancillary;
        struct iovec part = { buffer, size };
        struct msghdr message = { 0 };
        message.msg_iov = &part; message.msg_iovlen = 1;
        message.msg_control = &ancillary; message.msg_controllen = sizeof ancillary;
        *passed = -1;
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) return n;
        struct cmsghdr *one = CMSG_FIRSTHDR(&message);
        if (one && one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_RIGHTS && one->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(passed, CMSG_DATA(one), sizeof(int));
        return n;
    }

    /* The memory is on its way while others' packets are sent: with thousands of ports none stays in the cache. */
    static inline void fetch(const void *from, const void *to) {
        for (const char *line = from; line < (const char *)to; line += 64) __builtin_prefetch(line);
    }

    static void errno_set(int error) { errno = error; }

    static int64_t monotonic_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }

    static int64_t realtime_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }

    static void sleep_until_ns(int64_t at) {
        struct timespec t = { at / 1000000000, at % 1000000000 };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
    """
    void explicit_bzero(void *data, size_t size) nogil
    ctypedef unsigned int socklen_t
    ctypedef int ssize_t
    ctypedef unsigned short sa_family_t

    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr:
        sa_family_t sa_family
    struct sockaddr_in:
        sa_family_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        sa_family_t sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    struct sockaddr_storage:
        sa_family_t ss_family
    union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    struct pollfd:
        int fd
        short events
        short revents
    ctypedef struct stat_t "struct stat":
        int64_t st_size

    int AF_INET, AF_INET6, AF_UNSPEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC
    int SOL_SOCKET, SO_RCVBUF, SO_SNDBUF, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_TRUNC
    int IPPROTO_IP, IP_TOS, IPPROTO_IPV6, IPV6_TCLASS, IPV6_V6ONLY
    int EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLL_CLOEXEC
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP
    int PROT_READ, MAP_SHARED, MAP_POPULATE
    void *MAP_FAILED
    short POLLOUT

    int socket(int, int, int) nogil
    int bind(int, const sockaddr *, socklen_t) nogil
    int accept4(int, sockaddr *, socklen_t *, int) nogil
    int connect(int, const sockaddr *, socklen_t) nogil
    int setsockopt(int, int, int, const void *, socklen_t) nogil
    ssize_t recv(int, void *, size_t, int) nogil
    ssize_t recvfrom(int, void *, size_t, int, sockaddr *, socklen_t *) nogil
    ssize_t send(int, const void *, size_t, int) nogil
    ssize_t sendto(int, const void *, size_t, int, const sockaddr *, socklen_t) nogil
    int inet_pton(int, const char *, void *) nogil
    uint16_t htons(uint16_t) nogil
    uint16_t ntohs(uint16_t) nogil
    int close(int) nogil
    int dup(int) nogil
    int getpid() nogil
    int fstat(int, stat_t *) nogil
    void *mmap(void *, size_t, int, int, int, int64_t) nogil
    int munmap(void *, size_t) nogil
    int poll(pollfd *, unsigned long, int) nogil
    int epoll_create1(int) nogil
    int epoll_ctl(int, int, int, epoll_event *) nogil
    int epoll_wait(int, epoll_event *, int, int) nogil
    ssize_t getrandom(void *, size_t, unsigned int) nogil

    void fetch(const void *, const void *) nogil
    ssize_t receive_message(int, void *, size_t, int *) nogil
    void errno_set(int) nogil
    int64_t monotonic_ns() nogil
    int64_t realtime_ns() nogil
    void sleep_until_ns(int64_t) nogil
