"""TLS: the site's certificates, and the encryption of one connection without its socket (RFC 3261 26.3, RFC 5922).

Certificates are read into contexts. A reload makes new contexts for new connections; those that stand keep theirs.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509

READ_BYTES = 65_536


class TlsError(Exception):
    """A certificate that can't be used, or a handshake that failed; says why in one line."""


class BadFile(TlsError):
    """A file of the site's that can't be used; `setting` names it as TlsFiles does ("names", NAME, "key")."""

    def __init__(self, setting: tuple[str, ...], expected: str, found: str) -> None:
        super().__init__(f"{'.'.join(setting)}: expected {expected}, found {found}")
        self.setting = setting
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the site says of TLS; every value names a PEM file."""

    certificate: str | None = None  # with the chain below it; needed to listen
    key: str | None = None  # None: it stands in the certificate's file
    names: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)  # SNI host name -> certificate, key
    ca: str | None = None  # who signs the servers we call; None: whoever the system trusts
    client_ca: str | None = None  # who signs those who call us; None: as `ca`
    client_certificates: Literal["none", "optional", "required"] = "none"


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that we show."""

    setting: tuple[str, ...]  # names it as TlsFiles does
    file: str
    ends_at: float  # seconds since 1970 (UTC)


class Tls:
    """The contexts of a site, and when its certificates end. Raises BadFile for what can't be used; one that is over
    can, some peers don't look."""

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self.client = _client_context(files)
        self.server = _server_context(files, (), files.certificate, files.key) if files.certificate else None
        self._named = {
            name.lower(): _server_context(files, ("names", name), certificate, key)
            for name, (certificate, key) in files.names.items()
        }
        if self.server is not None:
            named = self._named

            def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
                """RFC 6066 3; an unknown name gets the site's own certificate."""
                connection.context = named.get((name or "").lower().rstrip("."), connection.context)

            self.server.sni_callback = choose
        self.certificates = list(_shown(files))


_WANTED = {"certificate": "a certificate in PEM", "key": "an unencrypted private key in PEM"}


def _context(files: TlsFiles, protocol: int, ca: str | None, setting: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if ca is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca)
    except OSError as error:  # SSLError is one
        raise BadFile((setting,), "certificates in PEM", _found(error, ca)) from None
    return context


def _client_context(files: TlsFiles) -> ssl.SSLContext:
    context = _context(files, ssl.PROTOCOL_TLS_CLIENT, files.ca, "ca")
    if files.certificate is not None:  # some carriers want to know who calls
        _load(context, (), files.certificate, files.key)
    return context


def _server_context(files: TlsFiles, place: tuple[str, ...], certificate: str, key: str | None) -> ssl.SSLContext:
    ca, setting = (files.client_ca, "client_ca") if files.client_ca else (files.ca, "ca")
    context = _context(files, ssl.PROTOCOL_TLS_SERVER, ca, setting)
    context.verify_mode = {
        "none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED,
    }[files.client_certificates]  # fmt: skip
    _load(context, place, certificate, key)
    return context


def _load(context: ssl.SSLContext, place: tuple[str, ...], certificate: str, key: str | None) -> None:
    for setting, path in (("certificate", certificate), ("key", key)):
        if path is not None:
            try:
                with open(path, "rb"):
                    pass
            except OSError as error:
                raise BadFile((*place, setting), _WANTED[setting], _found(error, path)) from None
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except OSError as error:
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            setting = "key" if key else "certificate"
            raise BadFile((*place, setting), f"the key of {certificate}", f"{key or certificate} (another)") from None
        if not _is_certificate(certificate):
            raise BadFile((*place, "certificate"), _WANTED["certificate"], _found(error, certificate)) from None
        if key is None:
            wanted = f"a certificate and its key, or {'.'.join((*place, 'key'))}"
            raise BadFile((*place, "certificate"), wanted, f"{certificate} (no key)") from None
        raise BadFile((*place, "key"), _WANTED["key"], _found(error, key)) from None


def _shown(files: TlsFiles) -> Iterator[Certificate]:
    shown: dict[tuple[str, ...], str | None] = {("certificate",): files.certificate}
    shown |= {("names", name, "certificate"): certificate for name, (certificate, _) in files.names.items()}
    for setting, file in shown.items():
        if file is not None and (end := _end(file)) is not None:
            yield Certificate(setting, file, end)


def _end(path: str) -> float | None:
    """When the certificate is over, the first of its file; None when only OpenSSL can read it."""
    try:
        with open(path, "rb") as file:
            return x509.load_pem_x509_certificate(file.read()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None


def _no_password() -> str:
    raise ssl.SSLError("the key is encrypted")  # never asked for on the terminal


def _is_certificate(path: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError):
        return False
    return True


def _found(error: OSError, path: str) -> str:
    why = "something else" if isinstance(error, ssl.SSLError) or error.strerror is None else error.strerror
    return f"{path} ({why})"


class TlsChannel:
    """The encryption of one connection: bytes of the network in, plain bytes out, and the other way round. Raises
    TlsError for a name that can be nobody's."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str | None = None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._object = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=name)
        except ValueError as error:
            raise TlsError(str(error)) from None
        self.begun = not server_side  # something was heard, or said
        self.established = False
        self.ended = False  # the peer has said that nothing more comes
        self.peer_names: tuple[str, ...] = ()  # of its verified certificate
        if not server_side:
            self._handshake()

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Take what came; gives what it says. Raises TlsError; `outgoing` has the alert then."""
        self.begun = True
        self._in.write(data)
        if not self.established and not self._handshake():
            return
        try:
            while plain := self._object.read(READ_BYTES):
                yield plain
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.ended = True
        except ssl.SSLError as error:
            raise TlsError(_reason(error)) from None

    def send(self, data: bytes) -> bytes:
        """Encrypted, with whatever else has to go out. Raises TlsError."""
        try:
            self._object.write(data)
        except ssl.SSLError as error:
            raise TlsError(_reason(error)) from None
        return self._out.read()

    def outgoing(self) -> bytes:
        """What the handshake has to say."""
        return self._out.read()

    def close(self) -> bytes:
        """The words to end with (RFC 8446 6.1)."""
        if self.established:
            try:
                self._object.unwrap()
            except (ssl.SSLError, ValueError):  # the peer's own are not waited for
                pass
        return self._out.read()

    def _handshake(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(_reason(error)) from None
        self.established = True
        self.peer_names = names_of(self._object.getpeercert() or {})
        return True


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error)


def names_of(certificate: Mapping[str, object]) -> tuple[str, ...]:
    """Who a verified certificate says its holder is (RFC 5922 7.1): SIP URIs and DNS names of subjectAltName; the
    common name only when it has neither. In small letters."""
    alternatives = certificate.get("subjectAltName", ())
    assert isinstance(alternatives, tuple)
    names = [
        value[4:] if kind == "URI" else value
        for kind, value in alternatives
        if kind == "DNS" or (kind == "URI" and value[:4].lower() == "sip:" and "@" not in value)
    ]
    if not names:
        subject = certificate.get("subject", ())
        assert isinstance(subject, tuple)
        names = [value for part in subject for kind, value in part if kind == "commonName"]
    return tuple(dict.fromkeys(name.lower() for name in names))


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate of these names is one of `host`. A star stands for one label (RFC 6125 6.4.3)."""
    host = host.lower().rstrip(".")
    return host in names or f"*.{host.partition('.')[2]}" in names
