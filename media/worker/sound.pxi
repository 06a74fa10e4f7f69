# Which ports need an ear, to be decoded, and a mouth, to be fed with sound; and how sound crosses a bridge. What two peers agree
# on passes undecoded: then a port has neither, and pays one test of a pointer for each packet.

cdef inline bint is_g711(int codec) noexcept nogil:
    return codec == PCMU or codec == PCMA


cdef bint needs_sound(Port *source, Port *to) noexcept nogil:
    """Packets of one can't simply be sent to the other."""
    cdef int sent_ms = source.heard_ms or source.ptime_ms
    if source.codec != to.codec and not (is_g711(source.codec) and is_g711(to.codec)):
        return True
    if to.max_ptime_ms and sent_ms > to.max_ptime_ms:
        return True  # RFC 8866 6.4: a=maxptime is no wish
    if to.wished_ms and sent_ms != to.wished_ms and to.codec != OPUS:
        return True
    return source.in_band != to.in_band  # both: their keys cross with the sound


cdef void arrange(Loop *loop, Port *port) noexcept nogil:
    """Give a port the ear and the mouth it needs as it stands, take those it does not. After every change of its source or codec."""
    cdef bint bridged = port.source == PARTNER
    cdef bint fed = bridged and needs_sound(port.partner, port)
    cdef bint mixed = port.source == MIXED
    cdef bint keys = port.in_band and not (bridged and port.partner.in_band)  # somebody is to be told
    cdef bint heard = mixed or keys or bridged and needs_sound(port, port.partner)
    cdef bint speaks = mixed or fed or not is_g711(port.codec) or port.ptime_ms != FRAME_MS or port.in_band
    wake(loop, port)
    if heard:
        if port.ear == NULL or port.ear.decoder.codec != port.codec:
            drop_ear(loop, port)
            port.ear = take_ear(loop, port.codec)
    else:
        drop_ear(loop, port)
    if speaks and port.may_send:
        if port.mouth == NULL or port.mouth.encoder.codec != port.codec:
            drop_mouth(loop, port)
            port.mouth = take_mouth(loop, port)
        if port.mouth != NULL:
            port.mouth.size = 0
    elif not speaks:
        drop_mouth(loop, port)
    if port.fed != fed:
        port.fed = fed
        port.out.resync = True
    pace(loop, port)


cdef void arrange_both(Loop *loop, Port *port) noexcept nogil:
    """The port and whom it is bridged to."""
    arrange(loop, port)
    if port.source == PARTNER:
        arrange(loop, port.partner)


# --- ears and mouths are taken from pools, by command only ----------------------------------------------------------------------

cdef Ear *take_ear(Loop *loop, int codec) noexcept nogil:
    cdef Ear *ear = loop.ears
    if ear != NULL:
        loop.ears = ear.next
    else:
        ear = <Ear *>calloc(1, sizeof(Ear))
        if ear == NULL:
            return NULL
    if not ear_open(ear, codec):
        ear.next = loop.ears
        loop.ears = ear
        loop.stale_commands += 1
        return NULL
    return ear


cdef void drop_ear(Loop *loop, Port *port) noexcept nogil:
    if port.ear == NULL:
        return
    port.concealed_ms += port.ear.concealed // SOUND_MS
    port.decode_errors += port.ear.decode_errors
    port.late += port.ear.late
    port.ear.next = loop.ears
    loop.ears = port.ear
    port.ear = NULL


cdef Mouth *take_mouth(Loop *loop, Port *port) noexcept nogil:
    cdef Mouth *mouth = loop.mouths
    if mouth != NULL:
        loop.mouths = mouth.next
    else:
        mouth = <Mouth *>calloc(1, sizeof(Mouth))
        if mouth == NULL:
            return NULL
    if not encoder_open(&mouth.encoder, port.codec, port.bitrate, port.fec):
        mouth.next = loop.mouths
        loop.mouths = mouth
        loop.stale_commands += 1
        return NULL
    return mouth


cdef void drop_mouth(Loop *loop, Port *port) noexcept nogil:
    if port.mouth != NULL:
        port.mouth.next = loop.mouths
        loop.mouths = port.mouth
        port.mouth = NULL


cdef void end_sound(Loop *loop, Port *port) noexcept nogil:
    drop_ear(loop, port)
    drop_mouth(loop, port)
    port.fed = False


cdef void free_sound(Loop *loop) noexcept nogil:
    cdef Ear *ear
    cdef Mouth *mouth
    while loop.ears != NULL:
        ear = loop.ears
        loop.ears = ear.next
        decoder_close(&ear.decoder)
        free(ear)
    while loop.mouths != NULL:
        mouth = loop.mouths
        loop.mouths = mouth.next
        encoder_close(&mouth.encoder)
        free(mouth)


cdef void tell_sound(Loop *loop, Port *port, uint32_t asked) noexcept nogil:
    """What became of the sound that was decoded; before the port's other figures, and only if there is something to tell."""
    cdef uint32_t concealed_ms = port.concealed_ms, errors = port.decode_errors, late = port.late
    cdef Event *event
    if port.ear != NULL:
        concealed_ms += port.ear.concealed // SOUND_MS
        errors += port.ear.decode_errors
        late += port.ear.late
    if not (concealed_ms or errors or late):
        return
    event = emit(loop, SOUND, port, asked)
    event.payload[0] = concealed_ms
    event.payload[1] = errors
    event.payload[2] = late


# --- sound from one port to another ---------------------------------------------------------------------------------------------

cdef bint put_in_ear(Loop *loop, Port *port, const uint8_t *payload, int size, int kind) noexcept nogil:
    """A packet, whose header is in loop.packet, for a port with an ear. False: it is to be relayed all the same."""
    cdef bint crosses = port.source == PARTNER and port.partner.fed
    if kind == OUR_DTMF_TYPE:
        if crosses:
            relay_key(loop, port, port.partner, payload)
        return crosses
    if kind != COMFORT_NOISE:
        ear_put(port.ear, loop.now_ns // SOUND_NS, get16(loop.packet + 2), get32(loop.packet + 4), kind, payload, size)
    return crosses


cdef inline bint pulled_here(Port *port) noexcept nogil:
    """Nobody else takes what the port's ear hears."""
    return port.ear != NULL and port.source != MIXED and not (port.source == PARTNER and port.partner.fed)


cdef inline void hear(Loop *loop, Port *port, int16_t *frame) noexcept nogil:
    """20 ms of what a port's peer says."""
    if port.ear != NULL:
        ear_pull(port.ear, loop.now_ns // SOUND_NS, frame)
        if port.in_band:
            hear_keys(loop, port, frame)
    else:
        memset(frame, 0, SOUND_FRAME * sizeof(int16_t))


cdef void relay_key(Loop *loop, Port *port, Port *to, const uint8_t *payload) noexcept nogil:
    """A packet of a key (RFC 4733) across a bridge of sound: it gets a place in the stream we make, which stops meanwhile."""
    cdef Outgoing *out = &to.out
    cdef uint8_t *packet = loop.scratch
    cdef uint32_t timestamp = get32(loop.packet + 4)
    cdef bint fresh = not out.key_seen or timestamp != out.key_source
    if not to.may_send:
        return
    if to.dtmf_type == NO_TYPE:
        relay_tone(loop, to, payload, timestamp, fresh)
        return
    if out.digit_active:
        return
    if fresh:
        if out.key_seen and <int32_t>(timestamp - out.key_source) < 0 and loop.now_ns < out.key_until_ns + 500_000_000:
            return  # a late packet of an earlier key
        out.key_seen = True
        out.key_source = timestamp
        out.key_timestamp = next_timestamp(loop, out)
        out.key_until_ns = 0
    elif out.key_until_ns < loop.now_ns - 500_000_000:
        return  # repeated without end
    header(packet, out, to.dtmf_type, fresh, out.seq + 1, out.key_timestamp)
    packet[12] = payload[0]
    packet[13] = payload[1]
    put16(packet + 14, min(get16(payload + 2) * to.dtmf_khz // port.dtmf_khz, 0xFFFF))
    transmit(loop, to, packet, 16)
    advance(loop, out, out.seq + 1, out.key_timestamp)
    out.key_until_ns = loop.now_ns + (0 if payload[1] & 0x80 else KEY_HOLD_NS)
    out.resync = True


cdef void relay_tone(Loop *loop, Port *to, const uint8_t *payload, uint32_t timestamp, bint fresh) noexcept nogil:
    """The same for a peer whose keys are tones."""
    cdef Outgoing *out = &to.out
    if not to.in_band or payload[0] > 15:
        return
    if fresh and not (out.key_seen and <int32_t>(timestamp - out.key_source) < 0):
        out.key_seen = True
        out.key_source = timestamp
        hold_key(loop, to, payload[0])
    if timestamp == out.key_source:
        out.key_until_ns = 0 if payload[1] & 0x80 else loop.now_ns + KEY_HOLD_NS
