/* RTP as many phones send it: one UDP socket a party, a packet each 20 ms, and a count of what comes back.
 *
 *   rtp_load SECONDS [-t] [FILE...] < parties
 *
 * A party is "LOCAL_PORT REMOTE_PORT STREAM\n", both ports on 127.0.0.1. Stream 0 is G.711, -1 only listens, N > 0 are
 * the packets of the Nth file in order, each after its length (two bytes, high byte first): other codecs, SRTP.
 * -t: G.711 carries when it was sent; the kernel stamps what arrives, so that no delay of ours is measured.
 *
 * Prints one line: sockets sent received worst_received_ratio longest_gap_ms cpu_seconds p50_ms p99_ms longest_ms
 * Parties are spread over the 20 ms, a twentieth of them each millisecond, as real calls are.
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
#include <sys/uio.h>
#include <time.h>

enum { MAX_CALLS = 16384, PACKET = 172, SAMPLES = 160, SLOTS = 20, BATCH = 512, DRAIN_MS = 300 };
enum { MAX_FILES = 8, STAMP_AT = 12, BUCKET_NS = 10000, BUCKETS = 100000 };

struct stream {
    uint8_t *data;
    uint32_t *at; /* where each packet's length stands */
    uint32_t packets;
};

struct call {
    int fd, stream;
    uint32_t sent, received;
    int64_t last_ns; /* when the last packet came; 0: none yet */
};

static struct call calls[MAX_CALLS];
static int count;
static int64_t longest_gap_ns;
static struct stream streams[MAX_FILES];
static int stamped;
static uint64_t delays[BUCKETS]; /* the last bucket: one second or more */
static int64_t longest_delay_ns;

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static int read_stream(const char *path, struct stream *stream) {
    FILE *file = fopen(path, "rb");
    long size;
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) return -1;
    rewind(file);
    stream->data = malloc((size_t)size + 1);
    stream->at = malloc(((size_t)size / 2 + 1) * sizeof *stream->at);
    if (!stream->data || !stream->at || fread(stream->data, 1, (size_t)size, file) != (size_t)size) return -1;
    fclose(file);
    for (uint32_t at = 0; at + 2 <= size; at += 2 + (uint32_t)(stream->data[at] << 8 | stream->data[at + 1]))
        stream->at[stream->packets++] = at;
    return 0;
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
static void send_g711(struct call *call, uint32_t ssrc) {
    uint8_t packet[PACKET];
    uint16_t sequence = htons((uint16_t)call->sent);
    uint32_t timestamp = htonl(call->sent * SAMPLES), source = htonl(ssrc);
    memset(packet, 0x55, sizeof packet);
    packet[0] = 0x80;
    packet[1] = 0;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &source, 4);
    if (stamped) {
        int64_t at = clock_ns(CLOCK_REALTIME);
        memcpy(packet + STAMP_AT, &at, sizeof at);
    }
    if (send(call->fd, packet, sizeof packet, 0) == PACKET) call->sent++;
}

static void send_packet(struct call *call, uint32_t ssrc) {
    if (call->stream == 0) {
        send_g711(call, ssrc);
    } else if (call->stream > 0 && call->sent < streams[call->stream - 1].packets) {
        struct stream *stream = &streams[call->stream - 1];
        uint8_t *packet = stream->data + stream->at[call->sent];
        if (send(call->fd, packet + 2, (size_t)(packet[0] << 8 | packet[1]), 0) >= 0) call->sent++;
    }
}

static void note_delay(const uint8_t *packet, struct msghdr *message) {
    struct cmsghdr *one = CMSG_FIRSTHDR(message);
    struct timespec arrived;
    int64_t sent_ns, delay_ns;
    if (!one || one->cmsg_type != SCM_TIMESTAMPNS) return;
    memcpy(&arrived, CMSG_DATA(one), sizeof arrived);
    memcpy(&sent_ns, packet + STAMP_AT, sizeof sent_ns);
    delay_ns = (int64_t)arrived.tv_sec * 1000000000 + arrived.tv_nsec - sent_ns;
    if (delay_ns < 0) delay_ns = 0;
    if (delay_ns > longest_delay_ns) longest_delay_ns = delay_ns;
    delays[delay_ns / BUCKET_NS < BUCKETS ? delay_ns / BUCKET_NS : BUCKETS - 1]++;
}

static ssize_t take(struct call *call, uint8_t *packet, size_t size) {
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(struct timespec))]; } ancillary;
    struct iovec part = {packet, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
    ssize_t length;
    if (!stamped) return recv(call->fd, packet, size, 0);
    if ((length = recvmsg(call->fd, &message, 0)) == PACKET && packet[1] < 64) note_delay(packet, &message);
    return length;
}

static void receive(struct call *call) {
    uint8_t packet[2048];
    ssize_t length;
    while ((length = take(call, packet, sizeof packet)) > 0 || (length < 0 && errno == ECONNREFUSED)) {
        int type = packet[1] & 0x7f;
        if (length < 12 || (type >= 64 && type <= 95)) continue; /* RTCP, RFC 5761 4 */
        int64_t at = now_ns();
        if (call->last_ns && at - call->last_ns > longest_gap_ns) longest_gap_ns = at - call->last_ns;
        call->last_ns = at;
        call->received++;
    }
}

static double delay_ms(double share) {
    uint64_t all = 0, below = 0;
    int i = 0;
    for (int k = 0; k < BUCKETS; k++) all += delays[k];
    while (i < BUCKETS && (double)(below += delays[i]) < share * (double)all) i++;
    return all ? (i + 1) * BUCKET_NS / 1e6 : 0;
}

/* Nobody sleeps on the sockets: what a packet's arrival wakes is charged to whoever sent it, and a phone is another machine. */
static void wait_until(int poll, int64_t until_ns) {
    struct epoll_event events[BATCH];
    struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    int found;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
    do {
        found = epoll_wait(poll, events, BATCH, 0);
        for (int i = 0; i < found; i++) receive(&calls[events[i].data.u32]);
    } while (found == BATCH);
}

static int open_all(int poll) {
    int local, remote, stream;
    while (count < MAX_CALLS && scanf("%d %d %d", &local, &remote, &stream) == 3) {
        struct call *call = &calls[count];
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)count};
        call->stream = stream;
        if ((call->fd = open_call(local, remote)) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, call->fd, &event)) {
            fprintf(stderr, "rtp_load: port %d: %s\n", local, strerror(errno));
            return -1;
        }
        if (stamped) setsockopt(call->fd, SOL_SOCKET, SO_TIMESTAMPNS, &stamped, sizeof stamped);
        count++;
    }
    return 0;
}

static void print_figures(void) {
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
    printf("%d %llu %llu %.4f %.1f %.2f %.2f %.2f %.2f\n", count, (unsigned long long)sent, (unsigned long long)received, worst,
           (double)longest_gap_ns / 1e6, cpu, delay_ms(0.5), delay_ms(0.99), (double)longest_delay_ns / 1e6);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    struct rlimit files = {MAX_CALLS + 64, MAX_CALLS + 64};
    int poll = epoll_create1(0), file_count = 0;
    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-t") == 0) {
            stamped = 1;
        } else if (file_count == MAX_FILES || read_stream(argv[i], &streams[file_count++])) {
            fprintf(stderr, "rtp_load: %s can't be read\n", argv[i]);
            return 1;
        }
    }
    if (open_all(poll)) return 1;
    int64_t start_ns = now_ns(), ticks = (int64_t)(seconds * 1000);
    for (int64_t tick = 0; tick < ticks; tick++) {
        for (int i = (int)(tick % SLOTS); i < count; i += SLOTS) send_packet(&calls[i], 0x1000u + (uint32_t)i);
        wait_until(poll, start_ns + (tick + 1) * 1000000);
    }
    wait_until(poll, now_ns() + DRAIN_MS * 1000000ll);
    print_figures();
    return 0;
}
