/* RTP as many phones send it: one UDP socket a call, G.711 packets of 20 ms, and a count of what comes back.
 *
 *   rtp_load SECONDS < pairs        a pair is "LOCAL_PORT REMOTE_PORT\n", both on 127.0.0.1
 *
 * Prints one line: sockets sent received worst_received_ratio longest_gap_ms cpu_seconds
 * Calls are spread over the 20 ms, a twentieth of them each millisecond, as real calls are.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { MAX_CALLS = 16384, PACKET = 172, SAMPLES = 160, SLOTS = 20, BATCH = 512, DRAIN_MS = 300 };

struct call {
    int fd;
    uint32_t sent, received;
    int64_t last_ns; /* when the last packet came; 0: none yet */
};

static struct call calls[MAX_CALLS];
static int count;
static int64_t longest_gap_ns;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_call(int local, int remote) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(local), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(remote), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int buffer = 1 << 18, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) || connect(fd, (struct sockaddr *)&to, sizeof to)) return -1;
    return fd;
}

/* RFC 3550 5.1: version 2, payload type 0, sequence and timestamp that advance together. */
static void send_packet(struct call *call, uint32_t ssrc) {
    uint8_t packet[PACKET];
    uint16_t sequence = htons((uint16_t)call->sent);
    uint32_t timestamp = htonl(call->sent * SAMPLES), source = htonl(ssrc);
    memset(packet, 0x55, sizeof packet);
    packet[0] = 0x80;
    packet[1] = 0;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &source, 4);
    if (send(call->fd, packet, sizeof packet, 0) == PACKET) call->sent++;
}

static void receive(struct call *call) {
    uint8_t packet[2048];
    ssize_t length;
    while ((length = recv(call->fd, packet, sizeof packet, 0)) > 0 || (length < 0 && errno == ECONNREFUSED)) {
        int type = packet[1] & 0x7f;
        if (length < 12 || type >= 72) continue; /* RTCP, RFC 5761 4 */
        int64_t at = now_ns();
        if (call->last_ns && at - call->last_ns > longest_gap_ns) longest_gap_ns = at - call->last_ns;
        call->last_ns = at;
        call->received++;
    }
}

static void wait_until(int poll, int64_t until_ns) {
    struct epoll_event events[BATCH];
    int64_t left_ns;
    do {
        left_ns = until_ns - now_ns();
        int found = epoll_wait(poll, events, BATCH, left_ns > 0 ? (int)((left_ns + 999999) / 1000000) : 0);
        for (int i = 0; i < found; i++) receive(&calls[events[i].data.u32]);
    } while (left_ns > 0);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    struct rlimit files = {MAX_CALLS + 64, MAX_CALLS + 64};
    int local, remote, poll = epoll_create1(0);
    setrlimit(RLIMIT_NOFILE, &files);
    while (count < MAX_CALLS && scanf("%d %d", &local, &remote) == 2) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)count};
        if ((calls[count].fd = open_call(local, remote)) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, calls[count].fd, &event)) {
            fprintf(stderr, "rtp_load: port %d: %s\n", local, strerror(errno));
            return 1;
        }
        count++;
    }
    int64_t start_ns = now_ns(), ticks = (int64_t)(seconds * 1000);
    for (int64_t tick = 0; tick < ticks; tick++) {
        for (int i = (int)(tick % SLOTS); i < count; i += SLOTS) send_packet(&calls[i], 0x1000u + (uint32_t)i);
        wait_until(poll, start_ns + (tick + 1) * 1000000);
    }
    wait_until(poll, now_ns() + DRAIN_MS * 1000000ll);

    uint64_t sent = 0, received = 0;
    double worst = 1;
    for (int i = 0; i < count; i++) {
        double ratio = calls[i].sent ? (double)calls[i].received / calls[i].sent : 1;
        sent += calls[i].sent;
        received += calls[i].received;
        if (ratio < worst) worst = ratio;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("%d %llu %llu %.4f %.1f %.2f\n", count, (unsigned long long)sent, (unsigned long long)received, worst,
           (double)longest_gap_ns / 1e6, cpu);
    return 0;
}
