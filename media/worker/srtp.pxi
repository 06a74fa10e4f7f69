# SRTP and SRTCP (RFC 3711, RFC 7714) at the edge of the socket, by libsrtp2, which is opened at run time: nothing of it is
# needed to build, and a site without SRTP needs none of it.

cdef extern from *:
    """
    #include <dlfcn.h>
    #include <stdio.h>

    /* The interface of libsrtp 2.x, whose structures are the same in all its versions. */
    typedef struct { uint32_t cipher; int cipher_key; uint32_t auth; int auth_key; int auth_tag; int services; } srtp_suite_t;
    typedef struct srtp_policy {
        struct { int kind; unsigned int value; } ssrc;
        srtp_suite_t rtp, rtcp;
        unsigned char *key;
        void **keys;
        unsigned long key_count;
        void *ekt;
        unsigned long window;
        int repeat;
        int *encrypted_extensions;
        int encrypted_extension_count;
        struct srtp_policy *next;
    } srtp_policy;

    #define SRTP_PROFILES 7

    static struct {
        void *library;
        int (*create)(void **, const srtp_policy *);
        int (*dealloc)(void *);
        int (*protect)(void *, void *, int *);
        int (*unprotect)(void *, void *, int *);
        int (*protect_rtcp)(void *, void *, int *);
        int (*unprotect_rtcp)(void *, void *, int *);
        void (*suite[SRTP_PROFILES])(srtp_suite_t *);
    } srtp;

    /* By profile number, which media/security.py has too; 0 is none. The SRTCP tag of a _32 suite has 80 bits. */
    static const char *const srtp_suites[SRTP_PROFILES] = {
        NULL, "rtp_default", "aes_cm_128_hmac_sha1_32", "aes_cm_256_hmac_sha1_80", "aes_cm_256_hmac_sha1_32",
        "aes_gcm_128_16_auth", "aes_gcm_256_16_auth",
    };
    static const int srtp_rtcp_suite[SRTP_PROFILES] = { 0, 1, 1, 3, 3, 5, 6 };

    /* NULL, or why there is no SRTP. */
    static const char *srtp_open(void) {
        static char why[256];
        char name[96];
        const char *(*version)(void);
        int (*init)(void);
        int i;
        if (srtp.library) return NULL;
        void *library = dlopen("libsrtp2.so.1", RTLD_NOW | RTLD_LOCAL);
        if (!library) { snprintf(why, sizeof why, "%s", dlerror()); return why; }
        version = (const char *(*)(void))dlsym(library, "srtp_get_version_string");
        if (!version || strncmp(version(), "libsrtp2 2.", 11)) {
            snprintf(why, sizeof why, "version 2 expected, found %s", version ? version() : "none");
            return why;
        }
        *(void **)&init = dlsym(library, "srtp_init");
        *(void **)&srtp.create = dlsym(library, "srtp_create");
        *(void **)&srtp.dealloc = dlsym(library, "srtp_dealloc");
        *(void **)&srtp.protect = dlsym(library, "srtp_protect");
        *(void **)&srtp.unprotect = dlsym(library, "srtp_unprotect");
        *(void **)&srtp.protect_rtcp = dlsym(library, "srtp_protect_rtcp");
        *(void **)&srtp.unprotect_rtcp = dlsym(library, "srtp_unprotect_rtcp");
        for (i = 1; i < SRTP_PROFILES; i++) {
            snprintf(name, sizeof name, "srtp_crypto_policy_set_%s", srtp_suites[i]);
            *(void **)&srtp.suite[i] = dlsym(library, name);
        }
        if (!init || !srtp.create || !srtp.dealloc || !srtp.protect || !srtp.unprotect || !srtp.protect_rtcp
                || !srtp.unprotect_rtcp || init()) {
            snprintf(why, sizeof why, "libsrtp2 can't be used");
            return why;
        }
        srtp.library = library;
        return NULL;
    }

    /* One direction of one key; NULL if the library lacks the suite. */
    static void *srtp_session(int profile, unsigned char *key, int outbound) {
        srtp_policy policy;
        void *session = NULL;
        memset(&policy, 0, sizeof policy);
        if (srtp_open() || profile <= 0 || profile >= SRTP_PROFILES || !srtp.suite[profile]) return NULL;
        srtp.suite[profile](&policy.rtp);
        srtp.suite[srtp_rtcp_suite[profile]](&policy.rtcp);
        policy.ssrc.kind = outbound ? 3 : 2;  /* any */
        policy.key = key;
        policy.window = 1024;
        return srtp.create(&session, &policy) ? NULL : session;
    }
    static void srtp_end(void *session) { if (session) srtp.dealloc(session); }
    static int srtp_protect_packet(void *session, int rtcp, void *packet, int *size) {
        return rtcp ? srtp.protect_rtcp(session, packet, size) : srtp.protect(session, packet, size);
    }
    static int srtp_unprotect_packet(void *session, int rtcp, void *packet, int *size) {
        return rtcp ? srtp.unprotect_rtcp(session, packet, size) : srtp.unprotect(session, packet, size);
    }
    """
    enum:
        SRTP_PROFILES
    const char *srtp_open() nogil
    void *srtp_session(int profile, unsigned char *key, int outbound) nogil
    void srtp_end(void *session) nogil
    int srtp_protect_packet(void *session, int rtcp, void *packet, int *size) nogil
    int srtp_unprotect_packet(void *session, int rtcp, void *packet, int *size) nogil


cdef enum:
    SRTP_AUTH_FAIL = 7  # of libsrtp's errors
    SRTP_REPLAY_FAIL = 9
    SRTP_REPLAY_OLD = 10
    SRTP_OVERHEAD = 160  # more than any tag, index and identifier


def srtp_missing() -> str | None:
    """Why there is no SRTP on this machine; None: it can be had."""
    cdef const char *why = srtp_open()
    return None if why == NULL else why.decode("utf-8", "replace")


cdef bint set_keys(Loop *loop, Port *port, int profile, const uint8_t *key, bint outbound) noexcept nogil:
    """One direction's master key and salt. The same key again changes nothing: its index goes on (RFC 3711 3.3.1: a key
    must never be used with an index twice). False if it can't be used."""
    cdef Guard *guard = port.guard
    cdef Keys *keys
    cdef void *session
    if guard == NULL:
        return False
    keys = &guard.sending if outbound else &guard.receiving
    if keys.session != NULL and keys.profile == profile and memcmp(keys.key, key, KEY_BYTES) == 0:
        return True
    srtp_end(keys.session)
    memcpy(keys.key, key, KEY_BYTES)
    keys.profile = profile
    keys.session = srtp_session(profile, keys.key, outbound)
    if not outbound:
        guard.ssrc_count = 0
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
    return size


cdef int unprotect(Loop *loop, Port *port, uint8_t *packet, int size, bint rtcp) noexcept nogil:
    """Check and decrypt in place: the size of the packet in the clear; 0: forged, replayed, or no key yet."""
    cdef Guard *guard = port.guard
    cdef uint32_t ssrc
    cdef int error, i
    if not guard.secured:
        return size
    if guard.receiving.session == NULL or size < 12 or packet[0] >> 6 != 2:
        return 0
    ssrc = get32(packet + (4 if rtcp else 8))
    for i in range(guard.ssrc_count):
        if guard.ssrcs[i] == ssrc:
            break
    else:
        i = guard.ssrc_count
    if i == MAX_SSRCS:
        return 0  # each source costs memory: a peer that never stops inventing new ones is heard no more
    error = srtp_unprotect_packet(guard.receiving.session, rtcp, packet, &size)
    if error:
        if error == SRTP_REPLAY_FAIL or error == SRTP_REPLAY_OLD:
            loop.srtp_replayed += 1
        else:
            loop.srtp_forged += 1
        return 0
    if i == guard.ssrc_count:
        guard.ssrcs[i] = ssrc
        guard.ssrc_count += 1
    return size
