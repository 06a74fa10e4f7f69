# What was agreed on with a peer, and what it makes of it: which codec it speaks, and how long its packets are.

cdef enum:
    LENGTH_RUN = 3  # packets of another length that are no odd rest of something


cdef void set_codec(Port *port, ConnectPayload *remote) noexcept nogil:
    cdef Spoken *first = &port.agreed[0]
    first.codec = remote.codec
    first.payload_type = remote.payload_type
    first.receive_type = remote.receive_type
    first.dtmf_type = remote.dtmf_payload_type
    first.dtmf_receive_type = remote.dtmf_receive_type
    first.dtmf_khz = remote.dtmf_khz
    first.flags = remote.sound_flags
    first.bitrate_kbps = remote.bitrate_kbps
    port.agreed_count = 1 + min(<int>remote.others_count, <int>OTHERS_MOST)
    memcpy(&port.agreed[1], remote.others, sizeof(remote.others))
    port.ptime_ms = max(<uint8_t>10, min(remote.ptime_ms, <uint8_t>60))
    port.wished_ms = port.ptime_ms if remote.sound_flags & PTIME_WISHED else 0
    port.max_ptime_ms = remote.max_ptime_ms
    port.in_band = remote.sound_flags & IN_BAND_KEYS
    speak(port, first)


cdef void speak(Port *port, Spoken *agreed) noexcept nogil:
    """This codec from here on, both ways."""
    cdef uint8_t khz = <uint8_t>clock_khz(agreed.codec)
    if khz != port.out.khz:  # RFC 7160: the stream's clock is another one from here on
        port.out.khz = khz
        port.out.span = FRAME_MS * khz
        port.out.resync = True
        port.inc.transit = port.inc.jitter = 0
    if agreed.codec != port.codec:
        port.packet_bytes = port.heard_ms = 0
    port.codec = agreed.codec
    port.payload_type = agreed.payload_type & 0x7F
    port.receive_type = agreed.receive_type & 0x7F
    port.dtmf_type = agreed.dtmf_type
    port.dtmf_receive_type = agreed.dtmf_receive_type
    port.dtmf_khz = max(<uint8_t>8, agreed.dtmf_khz)
    port.fec = (agreed.flags & FEC) != 0
    port.bitrate = agreed.bitrate_kbps * 1000


cdef int follow_codec(Loop *loop, Port *port, int kind) noexcept nogil:
    """What a packet is that is not of the codec in use. Of all that its answer named the peer may use any at any time
    (RFC 3264 6.1, 7): we go over to it too, but for a packet that is late. G.711's two laws need no such change."""
    cdef int i, payload_type = loop.packet[1] & 0x7F
    cdef Spoken *other
    if kind == OUR_DTMF_TYPE or kind == COMFORT_NOISE or is_g711(kind) and is_g711(port.codec) or not port.peer_sends:
        return kind
    for i in range(port.agreed_count):
        other = &port.agreed[i]
        if other.receive_type == payload_type:
            if get32(loop.packet + 8) == port.inc.ssrc and <int16_t>(get16(loop.packet + 2) - port.inc.max_seq) < 0:
                return NO_TYPE
            speak(port, other)
            arrange_both(loop, port)
            return other.codec
    return kind


cdef void note_length(Loop *loop, Port *port, int kind, int size) noexcept nogil:
    """A packet is not as long as those before it: if that is how the peer sends now, it may not suit whom it is bridged to."""
    cdef int a_ms = bytes_a_ms(port.codec)
    cdef uint16_t seq = get16(loop.packet + 2)
    if a_ms == 0 or kind != port.codec and not (is_g711(kind) and is_g711(port.codec)):
        return
    if port.packet_bytes:
        if size != port.odd_bytes or <uint16_t>(seq - port.odd_seq) != 1:
            port.odd_run = 0
        port.odd_bytes = <uint16_t>size
        port.odd_seq = seq
        port.odd_run += 1
        if port.odd_run < LENGTH_RUN:
            return
    port.packet_bytes = <uint16_t>size
    port.odd_run = 0
    port.heard_ms = <uint8_t>min(size // a_ms, 255)
    if port.source == PARTNER and needs_sound(port, port.partner) != port.partner.fed:
        arrange_both(loop, port)
