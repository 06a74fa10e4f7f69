# Opus (RFC 6716, RTP: RFC 7587) through libopus, which is looked for when the worker starts: nothing to link, no headers.
# It codes at 16 kHz itself.

cdef extern from *:
    """
    #include <dlfcn.h>
    static struct {
        void *library;
        int (*encoder_size)(int channels);
        int (*encoder_init)(void *state, int rate_hz, int channels, int application);
        int (*encode)(void *state, const int16_t *samples, int count, unsigned char *data, int room);
        int (*encoder_ctl)(void *state, int request, ...);
        int (*decoder_size)(int channels);
        int (*decoder_init)(void *state, int rate_hz, int channels);
        int (*decode)(void *state, const unsigned char *data, int size, int16_t *samples, int room, int fec);
        int (*packet_samples)(const unsigned char *data, int size, int rate_hz);
        const char *(*version)(void);
    } opus;

    static int opus_load(const char *path) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library) return 0;
        #define TAKE(field, name) if (!(*(void **)&opus.field = dlsym(library, name))) { dlclose(library); return 0; }
        TAKE(encoder_size, "opus_encoder_get_size") TAKE(encoder_init, "opus_encoder_init")
        TAKE(encode, "opus_encode") TAKE(encoder_ctl, "opus_encoder_ctl")
        TAKE(decoder_size, "opus_decoder_get_size") TAKE(decoder_init, "opus_decoder_init")
        TAKE(decode, "opus_decode") TAKE(packet_samples, "opus_packet_get_nb_samples")
        TAKE(version, "opus_get_version_string")
        #undef TAKE
        opus.library = library;
        return 1;
    }

    /* Speech at a low cost; with in-band FEC the encoder counts on one packet in twenty being lost. */
    static void opus_tune(void *encoder, int bitrate, int fec) {
        opus.encoder_ctl(encoder, 4002, bitrate);  /* OPUS_SET_BITRATE */
        opus.encoder_ctl(encoder, 4010, 5);        /* OPUS_SET_COMPLEXITY */
        opus.encoder_ctl(encoder, 4024, 3001);     /* OPUS_SET_SIGNAL: voice */
        opus.encoder_ctl(encoder, 4012, fec);      /* OPUS_SET_INBAND_FEC */
        opus.encoder_ctl(encoder, 4014, fec ? 5 : 0);  /* OPUS_SET_PACKET_LOSS_PERC */
    }
    """
    bint opus_load(const char *path) nogil
    void opus_tune(void *encoder, int bitrate, int fec) nogil
    void *opus_library "opus.library"
    int opus_encoder_size "opus.encoder_size"(int) nogil
    int opus_encoder_init "opus.encoder_init"(void *, int, int, int) nogil
    int opus_encode "opus.encode"(void *, const int16_t *, int, unsigned char *, int) nogil
    int opus_decoder_size "opus.decoder_size"(int) nogil
    int opus_decoder_init "opus.decoder_init"(void *, int, int) nogil
    int opus_decode "opus.decode"(void *, const unsigned char *, int, int16_t *, int, int) nogil
    int opus_packet_samples "opus.packet_samples"(const unsigned char *, int, int) nogil
    const char *opus_version "opus.version"() nogil

cdef enum:
    OPUS_VOIP = 2048
    OPUS_BITRATE = 24000


def load_opus(paths: Sequence[str]) -> str | None:
    """Take libopus from the first of `paths` (names for the dynamic loader) that has it; its version, or None."""
    cdef bytes path
    if opus_library == NULL:
        for one in paths:
            path = one.encode()
            if opus_load(path):
                break
    return None if opus_library == NULL else opus_version().decode()
