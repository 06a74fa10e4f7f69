# A door for tests, benchmarks and fuzzing: the loop's sound as Python sees it. Samples are bytes of int16 in host order.

cdef class SoundDecoder:
    """Payloads of one stream to sound. ValueError: the codec can't be had."""
    cdef Decoder decoder

    def __cinit__(self, codec: int) -> None:
        make_sound()
        if not decoder_open(&self.decoder, codec):
            raise ValueError(f"codec {codec} can't be decoded")

    def __dealloc__(self) -> None:
        decoder_close(&self.decoder)

    def decode(self, payload: bytes) -> bytes:
        """ValueError: it does not decode."""
        cdef int16_t out[DECODED_MOST]
        cdef const uint8_t *data = payload
        cdef int count, size = len(payload)
        with nogil:
            count = decode(&self.decoder, self.decoder.codec, data, size, out)
        if count < 0:
            raise ValueError(f"{size} bytes that do not decode")
        return (<char *>out)[: 2 * count]


cdef class SoundEncoder:
    """Sound to payloads of one stream. ValueError: the codec can't be had."""
    cdef Encoder encoder

    def __cinit__(self, codec: int, bitrate: int = 0, fec: bool = False) -> None:
        make_sound()
        if not encoder_open(&self.encoder, codec, bitrate, fec):
            raise ValueError(f"codec {codec} can't be encoded")

    def __dealloc__(self) -> None:
        encoder_close(&self.encoder)

    def encode(self, samples: bytes) -> bytes:
        """At most 60 ms, a multiple of two samples. ValueError: not so, or not with this codec."""
        cdef uint8_t out[ENCODED_MOST]
        cdef const char *data = samples
        cdef int size = -1, count = len(samples) // 2
        if count % 2 == 0 and 0 < count <= ENCODED_MOST // 2:
            with nogil:
                size = encode(&self.encoder, <const int16_t *>data, count, out)
        if size < 0:
            raise ValueError(f"{count} samples can't be encoded at once")
        return (<char *>out)[:size]


def make_sound() -> None:
    """The tables and filters: `run` does the same."""
    make_tables()
    make_half_band()
    make_tones()


cdef class SoundEar:
    """A jitter buffer in virtual time: `now_ms` is given. ValueError: the codec can't be had."""
    cdef Ear *ear

    def __cinit__(self, codec: int) -> None:
        make_sound()
        self.ear = <Ear *>calloc(1, sizeof(Ear))
        if self.ear == NULL:
            raise MemoryError
        if not ear_open(self.ear, codec):
            raise ValueError(f"codec {codec} can't be decoded")

    def __dealloc__(self) -> None:
        if self.ear != NULL:
            decoder_close(&self.ear.decoder)
            free(self.ear)

    def put(self, now_ms: float, seq: int, timestamp: int, payload: bytes, codec: int = -1) -> None:
        cdef const uint8_t *data = payload
        cdef int kind = self.ear.decoder.codec if codec < 0 else codec
        ear_put(self.ear, <int64_t>(now_ms * 16), <uint16_t>seq, <uint32_t>timestamp, kind, data, len(payload))

    def pull(self, now_ms: float) -> bytes:
        """20 ms of sound."""
        cdef int16_t frame[SOUND_FRAME]
        ear_pull(self.ear, <int64_t>(now_ms * 16), frame)
        return (<char *>frame)[: sizeof(frame)]

    def restart(self) -> None:
        ear_restart(self.ear, self.ear.decoder.codec)

    def figures(self, now_ms: float) -> dict[str, float]:
        """`delay_ms` of the frame just pulled (0: nothing is heard yet) and `target_ms`; sums of `concealed_ms`, `decode_errors` and `late`."""
        cdef int64_t delay = ear_delay(self.ear, <int64_t>(now_ms * 16)) + self.ear.count - self.ear.read + SOUND_FRAME
        return {
            "delay_ms": delay / 16.0 if self.ear.playing else 0.0,
            "target_ms": ear_target(self.ear) / 16.0,
            "concealed_ms": self.ear.concealed / 16.0,
            "decode_errors": self.ear.decode_errors,
            "late": self.ear.late,
        }


cdef class KeyDetector:
    """What finds keys in sound."""
    cdef KeyEar ear

    def __cinit__(self) -> None:
        make_sound()
        keys_reset(&self.ear)

    def hear(self, samples: bytes) -> list[tuple[int, int]]:
        """What began (the event code and 0) or ended (and its length in ms) in some sound, in order."""
        cdef const char *data = samples
        cdef int at = 0, change, count = len(samples) // 2
        cdef uint8_t key
        found = []
        while at < count:
            change = keys_hear(&self.ear, <const int16_t *>data + at, min(80, count - at), &key)
            at += 80
            if change:
                found.append((key, 0 if change > 0 else key_ms(&self.ear)))
        return found


def tone_of(event: int, duration_ms: int) -> bytes:
    """A key as the loop makes it."""
    cdef int16_t sound[16000]
    if not 0 <= event <= 15 or not 0 < duration_ms <= 1000:
        raise ValueError(f"no key {event} of {duration_ms} ms")
    make_tone(event, 0, 16 * duration_ms, 16 * duration_ms, sound)
    return (<char *>sound)[: 32 * duration_ms]
