// JsSIP phones in a web page. A test starts them and tells them what to do; `seen` is what happened at each, in order.
import JsSIP from 'jssip'

// WebRTC's media needs ICE and DTLS. In its place: a description of plain RTP, sent to and from one port of the test.
class PlainPeerConnection extends EventTarget {
  static rtpPort = 0
  static versions = 0
  iceGatheringState = 'complete'
  iceConnectionState = 'connected'
  signalingState = 'stable'
  localDescription = null
  remoteDescription = null

  async createOffer() {
    return this.#description('offer')
  }

  async createAnswer() {
    if (this.remoteDescription?.type !== 'offer') throw new Error('no offer to answer')
    return this.#description('answer')
  }

  async setLocalDescription(description) {
    this.localDescription = description
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable'
  }

  async setRemoteDescription(description) {
    if (!/^m=audio [1-9]\d* RTP\/AVP /m.test(description.sdp)) throw new Error('no audio in ' + description.sdp)
    this.remoteDescription = description
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable'
  }

  #description(type) {
    const version = ++PlainPeerConnection.versions
    const lines = [
      'v=0', `o=- 1 ${version} IN IP4 127.0.0.1`, 's=-', 'c=IN IP4 127.0.0.1', 't=0 0',
      `m=audio ${PlainPeerConnection.rtpPort} RTP/AVP 0 101`, 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000',
      'a=sendrecv',
    ]
    return { type, sdp: lines.map((line) => line + '\r\n').join('') }
  }

  getSenders() {
    return []
  }

  close() {
    this.signalingState = 'closed'
  }
}

window.RTCPeerConnection = PlainPeerConnection

const NO_DEVICES = { mediaConstraints: { audio: false, video: false } }

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
    if (originator === 'remote') this.seen.push(`call from ${request.from.uri.user}`)
    for (const event of ['accepted', 'confirmed', 'reinvite', 'update']) this.#note(session, event)
    session.on('progress', ({ response }) => response && this.seen.push(`progress ${response.status_code}`))
    for (const event of ['ended', 'failed']) {
      session.on(event, ({ originator, cause }) => this.seen.push(`${event} ${originator} ${cause}`))
    }
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
    this.ua.call(number, NO_DEVICES)
  }

  answer() {
    this.session.answer(NO_DEVICES)
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

window.startPhone = (user, password, server, rtpPort) => {
  PlainPeerConnection.rtpPort = rtpPort
  phones[user] = new Phone(user, password, server)
}
window.tell = (user, verb, ...rest) => void phones[user][verb](...rest)
window.seenBy = (user) => phones[user].seen
window.version = JsSIP.version
document.body.textContent = `JsSIP ${JsSIP.version}`
