// SIP.js phones in a web page, told and watched as those of jssip.js.
import { Inviter, Messager, Registerer, RegistererState, SessionState, UserAgent, version } from 'sip.js'

// In the place of WebRTC's media: a description of plain RTP, sent to and from one port of the test.
let rtpPort = 0
let versions = 0

class PlainMedia {
  close() {}

  hasDescription(contentType) {
    return contentType === 'application/sdp'
  }

  async getDescription(options) {
    const direction = options?.hold ? 'sendonly' : 'sendrecv'
    const lines = [
      'v=0', `o=- 1 ${++versions} IN IP4 127.0.0.1`, 's=-', 'c=IN IP4 127.0.0.1', 't=0 0',
      `m=audio ${rtpPort} RTP/AVP 0 101`, 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000', `a=${direction}`,
    ]
    return { body: lines.map((line) => line + '\r\n').join(''), contentType: 'application/sdp' }
  }

  async setDescription(sdp) {
    if (!/^m=audio [1-9]\d* RTP\/AVP /m.test(sdp)) throw new Error('no audio in ' + sdp)
  }

  async rollbackDescription() {}

  sendDtmf() {
    return false
  }
}

class Phone {
  seen = []
  session = null

  constructor(user, password, server) {
    this.ua = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@127.0.0.1`), authorizationUsername: user, authorizationPassword: password,
      transportOptions: { server }, logLevel: 'error', sessionDescriptionHandlerFactory: () => new PlainMedia(),
      delegate: {
        onInvite: (invitation) => {
          this.seen.push(`call from ${invitation.remoteIdentity.uri.user}`)
          this.#follow(invitation)
        },
        onMessage: (message) => {
          this.seen.push(`message ${message.request.from.uri.user}: ${message.request.body}`)
          message.accept()
        },
      },
    })
    this.registerer = new Registerer(this.ua)
    this.registerer.stateChange.addListener((state) => {
      if (state !== RegistererState.Terminated) this.seen.push(state.toLowerCase())
    })
    this.ua.start().then(() => this.seen.push('connected'))
  }

  #follow(session) {
    this.session = session
    session.stateChange.addListener((state) => this.seen.push(state.toLowerCase()))
  }

  #address(number) {
    return UserAgent.makeURI(`sip:${number}@127.0.0.1`)
  }

  register() {
    const onReject = ({ message }) => this.seen.push(`registration failed: ${message.statusCode}`)
    this.registerer.register({ requestDelegate: { onReject } })
  }

  unregister() {
    this.registerer.unregister()
  }

  stop() {
    this.ua.stop()
  }

  call(number) {
    const inviter = new Inviter(this.ua, this.#address(number))
    this.#follow(inviter)
    const note = ({ message }) => this.seen.push(`answer ${message.statusCode}`)
    inviter.invite({ requestDelegate: { onProgress: note, onAccept: note, onReject: note } })
  }

  answer() {
    this.session.accept()
  }

  hangUp(status) {
    if (this.session.state === SessionState.Established) this.session.bye()
    else if (this.session instanceof Inviter) this.session.cancel()
    else this.session.reject({ statusCode: status })
  }

  #change(hold, word) {
    this.session.sessionDescriptionHandlerOptionsReInvite = { hold }
    this.session.invite({ requestDelegate: { onAccept: () => this.seen.push(word) } })
  }

  hold() {
    this.#change(true, 'held')
  }

  resume() {
    this.#change(false, 'resumed')
  }

  press(keys) {
    const body = { contentDisposition: 'render', contentType: 'application/dtmf-relay', content: `Signal=${keys}\r\nDuration=160` }
    this.session.info({ requestOptions: { body } })
  }

  transfer(number) {
    const onNotify = (notification) => {
      notification.accept()
      this.seen.push(`transfer ${notification.request.body.trim()}`)
    }
    this.session.refer(this.#address(number), {
      onNotify, requestDelegate: { onAccept: () => this.seen.push('transfer accepted') },
    })
  }

  message(number, text) {
    const onAccept = ({ message }) => this.seen.push(`sent ${message.statusCode}`)
    new Messager(this.ua, this.#address(number), text).message({ requestDelegate: { onAccept } })
  }
}

const phones = {}

window.startPhone = (user, password, server, port) => {
  rtpPort = port
  phones[user] = new Phone(user, password, server)
}
window.tell = (user, verb, ...rest) => void phones[user][verb](...rest)
window.seenBy = (user) => phones[user].seen
window.version = version
document.body.textContent = `SIP.js ${version}`
