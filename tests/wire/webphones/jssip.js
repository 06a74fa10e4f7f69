// JsSIP phones in a web page. A test starts them and tells them what to do; `seen` is what happened at each, in order.
import JsSIP from 'jssip'

const SOUND = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } }
const context = new AudioContext({ sampleRate: 48000 })

// What a call sounds like: the peer is listened to, and gets its own sound back or the fake microphone's beeps.
class Sound {
  constructor(connection) {
    this.connection = connection
    this.analyser = context.createAnalyser()
    this.analyser.fftSize = 8192
    this.analyser.smoothingTimeConstant = 0
    this.echo = context.createMediaStreamDestination()
    connection.addEventListener('track', ({ track, streams }) => {
      const stream = streams[0] ?? new MediaStream([track])
      this.player = new Audio() // Chromium decodes a remote stream only for an element that plays it
      this.player.muted = true
      this.player.srcObject = stream
      this.player.play()
      const source = context.createMediaStreamSource(stream)
      source.connect(this.analyser)
      source.connect(this.echo)
    })
  }

  async send(what) {
    const sender = this.connection.getSenders()[0]
    this.microphone ??= sender.track
    await sender.replaceTrack(what === 'beeps' ? this.microphone : this.echo.stream.getAudioTracks()[0])
  }

  // How far a tone stands out of everything else, in dB.
  level(hz) {
    let bins = new Float32Array(this.analyser.frequencyBinCount)
    this.analyser.getFloatFrequencyData(bins)
    bins = bins.map((level) => Math.max(level, -120)) // silence is -Infinity
    const at = Math.round((hz * this.analyser.fftSize) / context.sampleRate)
    const rest = bins.filter((_, bin) => Math.abs(bin - at) > 12 && bin > 10 && bin < 600)
    return Math.max(...bins.slice(at - 2, at + 3)) - Math.max(...rest)
  }

  async statistics() {
    const found = {}
    for (const one of (await this.connection.getStats()).values()) {
      if (one.type === 'transport') Object.assign(found, { dtls: one.dtlsState, srtp: one.srtpCipher, tls: one.tlsVersion })
      if (one.type === 'inbound-rtp') Object.assign(found, { received: one.packetsReceived, lost: one.packetsLost })
      if (one.type === 'remote-inbound-rtp') Object.assign(found, { roundTrip: one.roundTripTime })
    }
    return found
  }
}

class Phone {
  seen = []
  session = null

  constructor(user, password, server) {
    this.ua = new JsSIP.UA({
      uri: `sip:${user}@127.0.0.1`, password, sockets: [new JsSIP.WebSocketInterface(server)], register: false,
    })
    for (const event of ['connected', 'disconnected', 'registered', 'unregistered']) this.#note(this.ua, event)
    this.ua.on('registrationFailed', ({ cause }) => this.seen.push(`registration failed: ${cause}`))
    this.ua.on('newRTCSession', ({ session, originator, request }) => this.#follow(session, originator, request))
    this.ua.on('newMessage', ({ originator, request }) => {
      if (originator === 'remote') this.seen.push(`message ${request.from.uri.user}: ${request.body}`)
    })
    this.ua.start()
  }

  #note(emitter, event) {
    emitter.on(event, () => this.seen.push(event))
  }

  #follow(session, originator, request) {
    this.session = session
    if (session.connection) this.#hear(session.connection)
    session.on('peerconnection', ({ peerconnection }) => this.#hear(peerconnection))
    session.on('confirmed', () => this.sound?.send('echo'))
    if (originator === 'remote') this.seen.push(`call from ${request.from.uri.user}`)
    for (const event of ['accepted', 'confirmed', 'reinvite', 'update']) this.#note(session, event)
    session.on('progress', ({ response }) => response && this.seen.push(`progress ${response.status_code}`))
    for (const event of ['ended', 'failed']) {
      session.on(event, ({ originator, cause }) => this.seen.push(`${event} ${originator} ${cause}`))
    }
  }

  #hear(connection) {
    if (this.sound?.connection !== connection) this.sound = new Sound(connection)
  }

  send(what) {
    this.sound.send(what)
  }

  register() {
    this.ua.register()
  }

  unregister() {
    this.ua.unregister()
  }

  stop() {
    this.ua.stop()
  }

  call(number) {
    this.ua.call(number, SOUND)
  }

  answer() {
    this.session.answer(SOUND)
  }

  hangUp(status) {
    this.session.terminate(status && { status_code: status })
  }

  hold() {
    this.session.hold({}, () => this.seen.push('held'))
  }

  resume() {
    this.session.unhold({}, () => this.seen.push('resumed'))
  }

  press(keys) {
    this.session.sendDTMF(keys)
  }

  transfer(number) {
    const events = ['requestSucceeded', 'requestFailed', 'trying', 'progress', 'accepted', 'failed']
    const eventHandlers = Object.fromEntries(events.map((name) => [name, () => this.seen.push(`transfer ${name}`)]))
    this.session.refer(number, { eventHandlers })
  }

  message(number, text) {
    const eventHandlers = {
      succeeded: ({ response }) => this.seen.push(`sent ${response.status_code}`),
      failed: ({ cause }) => this.seen.push(`not sent: ${cause}`),
    }
    this.ua.sendMessage(number, text, { eventHandlers })
  }
}

const phones = {}

window.startPhone = (user, password, server) => {
  phones[user] = new Phone(user, password, server)
}
window.tell = (user, verb, ...rest) => void phones[user][verb](...rest)
window.seenBy = (user) => phones[user].seen
window.level = (user, hz) => phones[user].sound.level(hz)
window.statistics = (user) => phones[user].sound.statistics()
window.version = JsSIP.version
document.body.textContent = `JsSIP ${JsSIP.version}`
