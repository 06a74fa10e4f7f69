# SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714) at the edge of the socket, over OpenSSL's AES and SHA-1, which are opened at run
# time: nothing of them is needed to build. Not libsrtp2: Debian's is built on NSS, whose cost of a packet grows with the number
# of sessions, to 58 us for AES-GCM with 400 of them, where this takes 2.

cdef extern from *:
    """
    #include <dlfcn.h>
    #include <stdio.h>
    #include <stdlib.h>

    #define SRTP_PROFILES 7
    #define SRTP_WINDOW 512  /* packets, RFC 3711 3.3.2; up to 63 fewer, since it moves by words */
    #define SRTP_STREAMS 16  /* sources of one key with a window */
    #define SRTP_PAST 1024  /* earlier ones, of which is known how far they came */
    enum { SRTP_AUTH_FAIL = 7, SRTP_REPLAY_FAIL = 9, SRTP_SOURCES_FAIL = 10 };

    static struct {
        void *library;
        void *(*context_new)(void);
        void (*context_free)(void *);
        int (*init)(void *, const void *, void *, const uint8_t *, const uint8_t *, int);
        int (*update)(void *, uint8_t *, int *, const uint8_t *, int);
        int (*final)(void *, uint8_t *, int *);
        int (*control)(void *, int, int, void *);
        void *(*hmac_new)(void);
        void (*hmac_free)(void *);
        int (*hmac_init)(void *, const void *, int, const void *, void *);
        int (*hmac_update)(void *, const uint8_t *, size_t);
        int (*hmac_final)(void *, uint8_t *, unsigned int *);
        const void *(*ctr_128)(void), *(*ctr_256)(void), *(*gcm_128)(void), *(*gcm_256)(void), *(*sha1)(void);
    } crypto;

    /* NULL, or why there is no SRTP. */
    static const char *srtp_open(void) {
        static char why[256];
        static const char *const names[] = {
            "EVP_CIPHER_CTX_new", "EVP_CIPHER_CTX_free", "EVP_CipherInit_ex", "EVP_CipherUpdate", "EVP_CipherFinal_ex",
            "EVP_CIPHER_CTX_ctrl", "HMAC_CTX_new", "HMAC_CTX_free", "HMAC_Init_ex", "HMAC_Update", "HMAC_Final",
            "EVP_aes_128_ctr", "EVP_aes_256_ctr", "EVP_aes_128_gcm", "EVP_aes_256_gcm", "EVP_sha1",
        };
        if (crypto.library) return NULL;
        void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
        if (!library) { snprintf(why, sizeof why, "%s", dlerror()); return why; }
        void **slot = (void **)&crypto.context_new;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!(slot[i] = dlsym(library, names[i]))) {
                snprintf(why, sizeof why, "libcrypto.so.3 has no %s", names[i]);
                return why;
            }
        crypto.library = library;
        return NULL;
    }

    /* By profile number, which media/security.py has too; 0 is none. The SRTCP tag of a _32 suite has 80 bits. */
    static const struct { int key, salt, tag, gcm; } srtp_profiles[SRTP_PROFILES] = {
        { 0 }, { 16, 14, 10, 0 }, { 16, 14, 4, 0 }, { 32, 14, 10, 0 }, { 32, 14, 4, 0 }, { 16, 12, 16, 1 }, { 32, 12, 16, 1 },
    };

    typedef struct { uint64_t highest, seen[SRTP_WINDOW / 64]; int begun; } srtp_window;
    typedef struct { uint32_t ssrc; srtp_window rtp, rtcp; } srtp_stream;
    typedef struct { uint64_t rtp; uint32_t rtcp, ssrc; } srtp_past;  /* indices from which a packet is new */
    typedef struct {
        int profile, outbound, count, past_count, past_room;
        void *cipher[2], *mac[2];  /* of RTP, of RTCP */
        uint8_t salt[2][16];
        uint32_t rtcp_index;
        srtp_past *past;
        srtp_stream streams[SRTP_STREAMS + 1];  /* whose packet came last is first; the one after them is on trial */
    } srtp_state;

    static void srtp_put32(uint8_t *p, uint32_t value) {
        p[0] = value >> 24; p[1] = value >> 16; p[2] = value >> 8; p[3] = value;
    }
    static uint32_t srtp_get32(const uint8_t *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }

    static void srtp_end(void *session) {
        srtp_state *s = session;
        if (!s) return;
        for (int i = 0; i < 2; i++) {
            if (s->cipher[i]) crypto.context_free(s->cipher[i]);
            if (s->mac[i]) crypto.hmac_free(s->mac[i]);
        }
        free(s->past);
        explicit_bzero(s, sizeof *s);  /* a memset before free is left out by the compiler */
        free(s);
    }

    /* RFC 3711 4.3.1 with a key derivation rate of 0; a salt of 12 bytes is padded (RFC 7714 11). */
    static int srtp_derive(void *kdf, const uint8_t *salt, int salt_size, int label, uint8_t *out, int size) {
        uint8_t iv[16] = { 0 };
        int n;
        memcpy(iv, salt, salt_size);
        iv[7] ^= label;
        memset(out, 0, size);
        return crypto.init(kdf, NULL, NULL, NULL, iv, 1) == 1 && crypto.update(kdf, out, &n, out, size) == 1;
    }

    /* One direction of one key; NULL if it can't be. */
    static void *srtp_session(int profile, const uint8_t *master, int outbound) {
        if (srtp_open() || profile <= 0 || profile >= SRTP_PROFILES) return NULL;
        int key_size = srtp_profiles[profile].key, salt_size = srtp_profiles[profile].salt, gcm = srtp_profiles[profile].gcm;
        const void *ctr = key_size == 16 ? crypto.ctr_128() : crypto.ctr_256();
        const void *cipher = !gcm ? ctr : key_size == 16 ? crypto.gcm_128() : crypto.gcm_256();
        uint8_t key[32], auth[20];
        srtp_state *s = calloc(1, sizeof *s);
        void *kdf = crypto.context_new();
        int fine = s && kdf && crypto.init(kdf, ctr, NULL, master, NULL, 1) == 1;
        for (int i = 0; fine && i < 2; i++) {
            fine = srtp_derive(kdf, master + key_size, salt_size, 3 * i, key, key_size)
                && srtp_derive(kdf, master + key_size, salt_size, 3 * i + 1, auth, sizeof auth)
                && srtp_derive(kdf, master + key_size, salt_size, 3 * i + 2, s->salt[i], salt_size)
                && (s->cipher[i] = crypto.context_new())
                && crypto.init(s->cipher[i], cipher, NULL, key, NULL, gcm ? outbound : 1) == 1
                && (gcm || ((s->mac[i] = crypto.hmac_new())
                            && crypto.hmac_init(s->mac[i], auth, sizeof auth, crypto.sha1(), NULL) == 1));
        }
        explicit_bzero(key, sizeof key);
        explicit_bzero(auth, sizeof auth);
        if (kdf) crypto.context_free(kdf);
        if (!fine) { srtp_end(s); return NULL; }
        s->profile = profile;
        s->outbound = outbound;
        return s;
    }

    /* RFC 3711 3.3.2: 0 if the index is new and not too old. */
    static int srtp_check(const srtp_window *w, uint64_t index) {
        if (!w->begun || index > w->highest) return 0;
        if (w->highest / 64 - index / 64 >= SRTP_WINDOW / 64) return SRTP_REPLAY_FAIL;
        return w->seen[index / 64 % (SRTP_WINDOW / 64)] >> index % 64 & 1 ? SRTP_REPLAY_FAIL : 0;
    }

    static void srtp_mark(srtp_window *w, uint64_t index) {
        uint64_t words = SRTP_WINDOW / 64;
        if (!w->begun || index > w->highest) {
            uint64_t first = w->begun ? w->highest / 64 + 1 : index / 64, last = index / 64;
            if (!w->begun || last >= first + words) memset(w->seen, 0, sizeof w->seen);
            else for (; first <= last; first++) w->seen[first % words] = 0;
            w->highest = index;
            w->begun = 1;
        }
        w->seen[index / 64 % words] |= (uint64_t)1 << index % 64;
    }

    /* RFC 3711 3.3.1: the packet's index that is nearest to the highest one. */
    static uint64_t srtp_guess(const srtp_window *w, uint16_t seq) {
        if (!w->begun) return seq;
        uint64_t roc = w->highest >> 16;
        uint16_t last = (uint16_t)w->highest;
        if (last < 0x8000) { if (seq - last > 0x8000 && roc) roc--; }
        else if (seq < last - 0x8000) roc++;
        return roc << 16 | seq;
    }

    static int srtp_gcm(void *context, const uint8_t *iv, const uint8_t *aad, int aad_size, const uint8_t *more, uint8_t *data,
                        int size, uint8_t *tag, int outbound) {
        int n;
        if (crypto.init(context, NULL, NULL, NULL, iv, outbound) != 1) return -1;
        if (crypto.update(context, NULL, &n, aad, aad_size) != 1) return -1;
        if (more && crypto.update(context, NULL, &n, more, 4) != 1) return -1;
        if (!outbound && crypto.control(context, 0x11 /* SET_TAG */, 16, tag) != 1) return -1;
        if (size && crypto.update(context, data, &n, data, size) != 1) return -1;
        if (crypto.final(context, data + size, &n) != 1) return outbound ? -1 : SRTP_AUTH_FAIL;
        if (outbound && crypto.control(context, 0x10 /* GET_TAG */, 16, tag) != 1) return -1;
        return 0;
    }

    static int srtp_ctr(void *context, const uint8_t *iv, uint8_t *data, int size) {
        int n;
        return crypto.init(context, NULL, NULL, NULL, iv, -1) == 1 && (!size || crypto.update(context, data, &n, data, size) == 1)
            ? 0 : -1;
    }

    static int srtp_mac(void *context, const uint8_t *data, int size, const uint8_t *more, uint8_t *out) {
        unsigned int n;
        return crypto.hmac_init(context, NULL, 0, NULL, NULL) == 1 && crypto.hmac_update(context, data, size) == 1
            && (!more || crypto.hmac_update(context, more, 4) == 1) && crypto.hmac_final(context, out, &n) == 1 ? 0 : -1;
    }

    static int srtp_differs(const uint8_t *a, const uint8_t *b, int size) {
        uint8_t differs = 0;
        while (size--) differs |= *a++ ^ *b++;
        return differs;
    }

    /* `rest` is where the encrypted part begins, `after` what stands in the tag's reach but not in the packet, or NULL. */
    static int srtp_apply(srtp_state *s, int rtcp, uint8_t *packet, int rest, int end, uint32_t ssrc, uint64_t index,
                          const uint8_t *after, uint8_t *tag, int tag_size) {
        uint8_t iv[16] = { 0 }, mac[20];
        int gcm = srtp_profiles[s->profile].gcm, at = gcm ? 2 : 4, error = 0;
        srtp_put32(iv + at, ssrc);
        if (!gcm || !rtcp) { iv[at + 4] = index >> 40; iv[at + 5] = index >> 32; }
        for (int i = 0; i < 4; i++) iv[at + 6 + i] = index >> (24 - 8 * i);
        for (int i = 0; i < srtp_profiles[s->profile].salt; i++) iv[i] ^= s->salt[rtcp][i];
        if (gcm) return srtp_gcm(s->cipher[rtcp], iv, packet, rest, rtcp ? after : NULL, packet + rest, end - rest, tag, s->outbound);
        if (s->outbound) error = srtp_ctr(s->cipher[rtcp], iv, packet + rest, end - rest);
        if (error || (error = srtp_mac(s->mac[rtcp], packet, end, after, mac))) return error;
        if (s->outbound) { memcpy(tag, mac, tag_size); return 0; }
        return srtp_differs(mac, tag, tag_size) ? SRTP_AUTH_FAIL : srtp_ctr(s->cipher[rtcp], iv, packet + rest, end - rest);
    }

    /* All before `next` counts as seen. */
    static void srtp_go_on(srtp_window *w, uint64_t next) {
        if (!next) return;
        memset(w->seen, 0xFF, sizeof w->seen);
        w->highest = next - 1;
        w->seen[w->highest / 64 % (SRTP_WINDOW / 64)] = ((uint64_t)2 << w->highest % 64) - 1;
        w->begun = 1;
    }

    static srtp_past *srtp_past_of(srtp_state *s, uint32_t ssrc) {
        for (int i = 0; i < s->past_count; i++) if (s->past[i].ssrc == ssrc) return &s->past[i];
        return NULL;
    }

    /* The source's, or one on trial until a packet of it proves right. */
    static srtp_stream *srtp_stream_of(srtp_state *s, uint32_t ssrc) {
        for (int i = 0; i < s->count; i++) if (s->streams[i].ssrc == ssrc) return &s->streams[i];
        srtp_stream *fresh = &s->streams[s->count];
        srtp_past *past = srtp_past_of(s, ssrc);
        memset(fresh, 0, sizeof *fresh);
        fresh->ssrc = ssrc;
        if (past) {
            srtp_go_on(&fresh->rtp, past->rtp);
            srtp_go_on(&fresh->rtcp, past->rtcp);
        }
        return fresh;
    }

    /* A right packet came of a stream that is not the first: it becomes that. If it is new and there are too many, the one unheard
       for longest gives up its window, but not its indices: nothing of it is ever taken twice (RFC 3711 3.3.2). 0: no room for them. */
    static int srtp_to_front(srtp_state *s, srtp_stream *stream) {
        srtp_stream first = *stream, *last = &s->streams[SRTP_STREAMS - 1];
        if (stream == &s->streams[s->count]) {
            srtp_past *past = srtp_past_of(s, first.ssrc);
            if (s->count < SRTP_STREAMS) s->count++;
            else {
                if (!past && s->past_count == s->past_room) {
                    int room = s->past_room ? 2 * s->past_room : 16;
                    srtp_past *more = room > SRTP_PAST ? NULL : realloc(s->past, room * sizeof *more);
                    if (!more) return 0;
                    s->past = more;
                    s->past_room = room;
                }
                if (!past) past = &s->past[s->past_count++];
                past->ssrc = last->ssrc;
                past->rtp = last->rtp.begun ? last->rtp.highest + 1 : 0;
                past->rtcp = last->rtcp.begun ? last->rtcp.highest + 1 : 0;
                stream = last;
            }
        }
        memmove(s->streams + 1, s->streams, (char *)stream - (char *)s->streams);
        s->streams[0] = first;
        return 1;
    }

    /* Where an RTP packet's payload begins; -1: it is none. */
    static int srtp_payload(const uint8_t *p, int size) {
        int at = 12 + 4 * (p[0] & 15);
        if (size < 12 || p[0] >> 6 != 2 || size < at) return -1;
        if (p[0] & 16) {
            if (size < at + 4) return -1;
            at += 4 + 4 * (p[at + 2] << 8 | p[at + 3]);
        }
        return at <= size ? at : -1;
    }

    /* In place; the packet must have room for the tag and, in RTCP, the index. 0, or an error. */
    static int srtp_packet(void *session, int rtcp, uint8_t *packet, int *size, int outbound) {
        srtp_state *s = session;
        int tag = srtp_profiles[s->profile].tag, gcm = srtp_profiles[s->profile].gcm, end, rest, error;
        uint8_t word[4];
        uint64_t index;
        if (rtcp && tag < 10) tag = 10;
        end = outbound ? *size : *size - tag - (rtcp ? 4 : 0);
        rest = rtcp ? 8 : srtp_payload(packet, end);
        if (rest < 0 || end < rest) return SRTP_AUTH_FAIL;
        uint32_t ssrc = srtp_get32(packet + (rtcp ? 4 : 8));
        srtp_stream *stream = srtp_stream_of(s, ssrc);
        srtp_window *window = rtcp ? &stream->rtcp : &stream->rtp;
        if (!rtcp) {
            index = srtp_guess(window, packet[2] << 8 | packet[3]);
            srtp_put32(word, (uint32_t)(index >> 16));
            if ((error = srtp_check(window, index))) return error;
            error = srtp_apply(s, 0, packet, rest, end, ssrc, index, gcm ? NULL : word, packet + end, tag);
        } else {
            /* AES-CM: packet, index, tag, and the tag is over the index; AES-GCM: packet, tag, index (RFC 7714 9.2) */
            uint8_t *at = packet + end + (gcm ? tag : 0);
            if (outbound) srtp_put32(at, 0x80000000 | (index = s->rtcp_index));
            else {
                uint32_t sent = srtp_get32(at);
                if (!(sent & 0x80000000)) return SRTP_AUTH_FAIL;  /* not encrypted: we never agree to that */
                index = sent & 0x7FFFFFFF;
            }
            memcpy(word, at, 4);
            if ((error = srtp_check(window, index))) return error;
            error = srtp_apply(s, 1, packet, rest, end, ssrc, index, word, packet + end + (gcm ? 0 : 4), tag);
            if (outbound && !error) s->rtcp_index = (s->rtcp_index + 1) & 0x7FFFFFFF;
        }
        if (error) return error;
        srtp_mark(window, index);
        if ((stream != s->streams || !s->count) && !srtp_to_front(s, stream)) return SRTP_SOURCES_FAIL;
        *size = outbound ? end + tag + (rtcp ? 4 : 0) : end;
        return 0;
    }
    static int srtp_protect_packet(void *session, int rtcp, uint8_t *packet, int *size) {
        return srtp_packet(session, rtcp, packet, size, 1);
    }
    static int srtp_unprotect_packet(void *session, int rtcp, uint8_t *packet, int *size) {
        return srtp_packet(session, rtcp, packet, size, 0);
    }
    """
    enum:
        SRTP_REPLAY_FAIL
        SRTP_SOURCES_FAIL
    const char *srtp_open() nogil
    void *srtp_session(int profile, const uint8_t *key, int outbound) nogil
    void srtp_end(void *session) nogil
    int srtp_protect_packet(void *session, int rtcp, uint8_t *packet, int *size) nogil
    int srtp_unprotect_packet(void *session, int rtcp, uint8_t *packet, int *size) nogil


def srtp_missing() -> str | None:
    """Why there is no SRTP on this machine; None: it can be had."""
    cdef const char *why = srtp_open()
    return None if why == NULL else why.decode("utf-8", "replace")


cdef bint set_keys(Loop *loop, Port *port, int profile, const uint8_t *key, bint outbound) noexcept nogil:
    """One direction's master key and salt. The same key again changes nothing: its index goes on (RFC 3711 3.3.1: a key
    must never be used with an index twice). Nobody knows whether a key has been ours before, so after the first one each comes with
    a new stream, whose indices begin at zero for either side. False if it can't be used."""
    cdef Guard *guard = port.guard
    cdef Keys *keys
    cdef void *session
    if guard == NULL:
        return False
    keys = &guard.sending if outbound else &guard.receiving
    if keys.session != NULL and keys.profile == profile and memcmp(keys.key, key, KEY_BYTES) == 0:
        return True
    srtp_end(keys.session)
    if outbound and port.out.sealed:
        begin_stream(loop, port)
    memcpy(keys.key, key, KEY_BYTES)
    keys.profile = profile
    keys.session = srtp_session(profile, keys.key, outbound)
    return keys.session != NULL


cdef int protect(Loop *loop, Port *port, const uint8_t *packet, int size, bint rtcp) noexcept nogil:
    """Copy a packet to loop.sealed, protected if it has to be; its size there, or 0 if nothing may be sent."""
    cdef Guard *guard = port.guard
    if guard.silent or guard.ice and not port.latch.latched or size > MAX_PACKET:
        return 0
    memcpy(loop.sealed, packet, size)
    if guard.secured:
        if guard.sending.session == NULL:
            return 0
        if srtp_protect_packet(guard.sending.session, rtcp, loop.sealed, &size):
            loop.srtp_unsent += 1
            return 0
        port.out.sealed = True
    return size


cdef int unprotect(Loop *loop, Port *port, uint8_t *packet, int size, bint rtcp) noexcept nogil:
    """Check and decrypt in place: the size of the packet in the clear; 0: forged, replayed, or no key yet."""
    cdef Guard *guard = port.guard
    cdef int error
    if not guard.secured:
        return size
    if guard.receiving.session == NULL:
        return 0
    error = srtp_unprotect_packet(guard.receiving.session, rtcp, packet, &size)
    if error == SRTP_REPLAY_FAIL:
        loop.srtp_replayed += 1
    elif error == SRTP_SOURCES_FAIL:
        loop.srtp_sources_refused += 1
    elif error:
        loop.srtp_forged += 1
    return 0 if error else size
