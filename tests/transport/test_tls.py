"""SIP over TLS by real sockets: certificates, names, clients' certificates, reload, and what goes wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pbx.sip.hop import Hop
from pbx.sip.message import MAX_BODY_BYTES, Response
from pbx.transport import stream
from pbx.transport.driver import ListenError
from pbx.transport.tls import BadFile, Tls, TlsChannel, TlsError, TlsFiles, covers, names_of

from .certificates import Authority
from .conftest import PATIENCE_S, Rig, Run, connected, request, rig, trusting

PAST = dt.timedelta(days=-1)


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        self.heard.append(response.status)

    def on_failure(self, status: int, now: float) -> None:
        self.heard.append(-status)


def call(made: Rig, hop: Hop, number: int = 1) -> Listener:
    """Send a request of ours to `hop`."""
    listener = Listener()
    data = request("MESSAGE", number, "TLS")
    made.driver.layer.request(data, f"z9hG4bK{number}", "MESSAGE", hop, listener, made.driver.now())
    return listener


@asynccontextmanager
async def carrier(
    certificate: tuple[str, str], authority: Authority | None = None
) -> AsyncIterator[tuple[Hop, list[str]]]:
    """A server that answers all with 200, and the subjects of those who showed a certificate to it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file if authority else None)
    context.load_cert_chain(*certificate)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subject = (writer.get_extra_info("peercert") or {}).get("subject", ())
        seen.extend(value for part in subject for _, value in part)
        try:
            while True:
                data = await reader.readuntil(b"\r\n\r\n")
                writer.write(data.replace(b"MESSAGE sip:x@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK"))
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield Hop("tls", "127.0.0.1", server.sockets[0].getsockname()[1]), seen
    finally:
        server.close()


# --- who calls us ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_messages(run: Run, authority: Authority, files: TlsFiles, host: str) -> None:
    async def main() -> None:
        async with rig("tls", host=host, tls=files) as made:
            async with connected(made.port("tls"), host, trusting(authority)) as peer:
                peer.writer.write(b"".join(request(number=n, transport="TLS", body=b"x" * 50 * n) for n in range(200)))
                for number in range(200):
                    assert f"branch=z9hG4bK{number};".encode() in await peer.message()
                assert made.core.requests[0][1] == peer.hop
                peer.writer.write(b"\r\n\r\n")
                assert await peer.read(2) == b"\r\n"
                assert made.driver.connected(peer.hop) and made.driver.peer_names(peer.hop) == ()
            await made.until(lambda: len(made.driver._streams) == 0)
            assert not made.counters

    run(main)


def test_the_name_asked_for_chooses_the_certificate(run: Run, authority: Authority, files: TlsFiles) -> None:
    async def main() -> None:
        names = {"Shop.example.com": authority.issue("shop", "shop.example.com")}
        async with rig("tls", tls=replace(files, names=names)) as made:
            for name in ("shop.example.com", "pbx.example.com"):  # each is verified by this peer
                async with connected(made.port("tls"), tls=trusting(authority), name=name) as peer:
                    peer.writer.write(request(transport="TLS"))
                    await peer.message()
            careless = trusting(authority)
            careless.check_hostname = False
            async with connected(made.port("tls"), tls=careless, name="other.example.com") as peer:
                alternatives = peer.writer.get_extra_info("peercert")["subjectAltName"]
                assert ("DNS", "pbx.example.com") in alternatives

    run(main)


def test_clients_certificates(run: Run, authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    phone = authority.issue("phone", "Phone.example.com", "sip:example.com", "sip:someone@example.com")
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("stranger", "phone.example.com")

    async def refused(made: Rig, *certificate: str) -> bool:
        try:
            async with connected(made.port("tls"), tls=trusting(authority, *certificate)) as peer:
                peer.writer.write(request(transport="TLS"))
                return await peer.is_cut_off()
        except (ssl.SSLError, ConnectionError):
            return True

    async def main() -> None:
        async with rig("tls", tls=replace(files, client_certificates="required")) as made:
            async with connected(made.port("tls"), tls=trusting(authority, *phone)) as peer:
                peer.writer.write(request(transport="TLS"))
                await peer.message()
                assert made.driver.peer_names(peer.hop) == ("phone.example.com", "example.com")
            assert await refused(made) and await refused(made, *stranger)
            assert made.counters["tls_handshake_failures"] == 2 and len(made.core.requests) == 1
        async with rig("tls", tls=replace(files, client_certificates="optional")) as made:
            for certificate in ((), phone):
                async with connected(made.port("tls"), tls=trusting(authority, *certificate)) as peer:
                    peer.writer.write(request(transport="TLS"))
                    await peer.message()
            assert await refused(made, *stranger)

    run(main)


def test_new_certificates_under_a_live_connection(
    run: Run, authority: Authority, files: TlsFiles, tmp_path: Path
) -> None:
    async def main() -> None:
        async with rig("tls", tls=files) as made:
            async with connected(made.port("tls"), tls=trusting(authority)) as old:
                old.writer.write(request(transport="TLS"))
                await old.message()
                (tmp_path / "new").mkdir()
                other = Authority(tmp_path / "new")
                certificate, key = other.issue("server", "127.0.0.1")
                shutil.copy(certificate, files.certificate or "")
                with pytest.raises(BadFile, match=r"key: expected the key of .*server\.pem, found .*server\.key"):
                    made.driver.reload_tls(files)
                async with connected(made.port("tls"), tls=trusting(authority)):
                    pass  # nothing has changed
                shutil.copy(key, files.key or "")
                made.driver.reload_tls(files)
                async with connected(made.port("tls"), tls=trusting(other)) as new:
                    for number, peer in enumerate((old, new), 2):
                        peer.writer.write(request(number=number, transport="TLS"))
                        await peer.message()

    run(main)


@pytest.mark.parametrize("first", [b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\r\n\r\n"])
def test_no_handshake(run: Run, files: TlsFiles, first: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Counted each time, told once a second."""

    async def main() -> None:
        async with rig("tls", tls=files) as made:
            for _ in range(5):
                async with connected(made.port("tls")) as peer:
                    peer.writer.write(first)
                    if first == b"\r\n\r\n":
                        peer.writer.write_eof()  # gives up
                    assert await peer.is_cut_off()
            await made.until(lambda: made.counters["tls_handshake_failures"] == 5)
            assert not made.core.requests

    run(main)
    assert capsys.readouterr().out.count("TLS handshake failed") == 1


def test_who_only_connects_is_no_failure(run: Run, files: TlsFiles) -> None:
    async def main() -> None:
        async with rig("tls", tls=files) as made:
            async with connected(made.port("tls")):
                await made.until(lambda: len(made.driver._streams) == 1)
            await made.until(lambda: len(made.driver._streams) == 0)
            assert not made.counters

    run(main)


def test_a_slow_handshake(run: Run, files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HANDSHAKE_S", 0.05)

    async def main() -> None:
        async with rig("tls", tls=files) as made, connected(made.port("tls")) as peer:
            peer.writer.write(b"\x16")
            assert await peer.is_cut_off()
            assert made.counters["tls_handshake_failures"] == 1

    run(main)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"x" * 10_000_000,
        b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * 1_000_000,
        request(transport="TLS").replace(b"Length: 0", f"Length: {MAX_BODY_BYTES + 1}".encode()),
    ],
)
def test_what_cant_be_framed_is_cut_off(run: Run, authority: Authority, files: TlsFiles, rubbish: bytes) -> None:
    async def main() -> None:
        async with rig("tls", tls=files) as made:
            async with connected(made.port("tls"), tls=trusting(authority)) as peer:
                peer.writer.write(rubbish)
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await peer.reader.read()
                except (ConnectionError, ssl.SSLError):
                    pass
                assert made.counters["tcp_unframeable"] == 1 and not made.core.requests
                assert len(made.driver._streams) == 0

    run(main)


# --- whom we call ---------------------------------------------------------------------------------------------------


def test_a_server_is_verified(run: Run, authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    strange = Authority(tmp_path / "other")
    good = authority.issue("carrier", "sip.carrier.example", "127.0.0.1")

    async def outcome(certificate: tuple[str, str], name: str) -> list[int]:
        async with rig("tls", tls=files) as made, carrier(certificate) as (hop, _):
            listener = call(made, hop._replace(name=name))
            await made.until(lambda: bool(listener.heard))
            assert made.counters["tls_handshake_failures"] == (listener.heard == [-503])
            return listener.heard

    async def main() -> None:
        assert await outcome(good, "sip.carrier.example") == [200]
        assert await outcome(good, "") == [200]  # by its address
        assert await outcome(good, "sip.other.example") == [-503]
        assert await outcome(authority.issue("nameless", "sip.carrier.example"), "") == [-503]
        assert await outcome(strange.issue("strange", "sip.carrier.example"), "sip.carrier.example") == [-503]
        over = authority.issue("over", "sip.carrier.example", valid=PAST)
        assert await outcome(over, "sip.carrier.example") == [-503]
        assert await outcome(good, "x" * 70 + ".example") == [-503]  # a name that can be nobody's

    run(main)


def test_we_show_who_we_are(run: Run, authority: Authority, files: TlsFiles) -> None:
    async def main() -> None:
        async with carrier(authority.issue("carrier", "127.0.0.1"), authority) as (hop, seen):
            async with rig("tls", tls=files) as made:
                listener = call(made, hop)
                await made.until(lambda: listener.heard == [200])
                assert seen == ["server"] and made.driver.peer_names(hop) == ("carrier",)

    run(main)


def test_without_a_word_about_tls(run: Run, authority: Authority) -> None:
    """The system's authorities decide; a test's are none of them."""

    async def main() -> None:
        async with rig("udp") as made, carrier(authority.issue("carrier", "127.0.0.1")) as (hop, _):
            listener = call(made, hop)
            await made.until(lambda: listener.heard == [-503])

    run(main)


def test_a_connection_is_used_by_its_name_only(run: Run, authority: Authority, files: TlsFiles) -> None:
    async def main() -> None:
        certificate = authority.issue("carrier", "one.example", "*.two.example")
        async with rig("tls", tls=files) as made, carrier(certificate) as (hop, _):
            heard = []
            for number, name in enumerate(("one.example", "one.example", "x.two.example", "three.example", "")):
                listener = call(made, hop._replace(name=name), number)
                await made.until(lambda listener=listener: bool(listener.heard))  # type: ignore[misc]
                heard += listener.heard
            assert heard == [200, 200, 200, -503, 200] and len(made.driver._streams) == 1
            assert made.counters["tls_wrong_names"] == 1

    run(main)


# --- files ----------------------------------------------------------------------------------------------------------


def wrong_files(authority: Authority, files: TlsFiles, folder: Path) -> dict[str, tuple[TlsFiles, str]]:
    (folder / "text").write_text("hello\n")
    text, gone = str(folder / "text"), str(folder / "gone")
    other = authority.issue("other", "x.example")
    encrypted = folder / "encrypted.key"
    encrypted.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    certificate, key = "expected a certificate in PEM, found", "expected an unencrypted private key in PEM, found"
    return {
        "absent": (replace(files, certificate=gone), f"certificate: {certificate} .*gone .No such"),
        "key absent": (replace(files, key=gone), f"key: {key} .*gone .No such"),
        "text": (replace(files, certificate=text), f"certificate: {certificate} .*text .something"),
        "key text": (replace(files, key=text), f"key: {key} .*text .something"),
        "encrypted": (replace(files, key=str(encrypted)), f"key: {key}"),
        "mismatch": (replace(files, key=other[1]), "key: expected the key of .*server.pem, found .*other.key .another"),
        "no key": (replace(files, key=None), "certificate: expected a certificate and its key, or key, found .*server"),
        "ca absent": (replace(files, ca=gone), "ca: expected certificates in PEM, found .*gone .No such"),
        "ca text": (replace(files, ca=text), "ca: expected certificates in PEM, found .*text .something"),
        "client_ca": (replace(files, client_ca=text), "client_ca: expected certificates in PEM"),
        "names": (
            replace(files, names={"x.example": (other[0], files.key)}),
            "names.x.example.key: expected the key of .*other.pem, found .*server.key",
        ),
    }


def test_wrong_files(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    for name, (wrong, told) in wrong_files(authority, files, tmp_path).items():
        with pytest.raises(BadFile, match=told) as error:
            Tls(wrong)
        assert "\n" not in str(error.value), name


def test_key_and_certificate_in_one_file(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(Path(one or "").read_bytes() for one in (files.certificate, files.key)))
    assert Tls(TlsFiles(str(both))).server is not None


def test_a_listener_without_a_certificate(run: Run, files: TlsFiles) -> None:
    async def main() -> None:
        for transport in ("tls", "wss"):
            with pytest.raises(ListenError, match=rf"{transport}:127.0.0.1:0: needs a certificate \(listen.tls\)"):
                async with rig(transport):
                    pass
        with pytest.raises(ListenError, match=r"listen\.tls\.certificate: expected a certificate in PEM, found /gone"):
            async with rig("tls", tls=replace(files, certificate="/gone")):
                pass

    run(main)


# --- the core -------------------------------------------------------------------------------------------------------


def test_old_versions_are_refused(files: TlsFiles) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.options &= ~ssl.OP_NO_TLSv1_1
    server = Tls(files).server
    assert server is not None and server.minimum_version is ssl.TLSVersion.TLSv1_2
    hello = bytes.fromhex("160301002d010000290302" + "00" * 32 + "000002c01301000000")  # TLS 1.1, one cipher
    channel = TlsChannel(server, server_side=True)
    with pytest.raises(TlsError):
        list(channel.receive(hello))
    assert channel.outgoing()[:1] == b"\x15"  # an alert


def test_bytes_one_by_one(authority: Authority, files: TlsFiles) -> None:
    tls = Tls(files)
    assert tls.server is not None
    ours = TlsChannel(tls.server, server_side=True)
    theirs = TlsChannel(tls.client, server_side=False, name="pbx.example.com")
    heard: dict[int, bytes] = {0: b"", 1: b""}

    def carry(data: bytes, to: TlsChannel, index: int) -> bytes:
        out = b""
        for octet in data:
            heard[index] += b"".join(to.receive(bytes((octet,))))
            out += to.outgoing()
        return out

    data = theirs.outgoing()
    while data:
        data = carry(carry(data, ours, 0), theirs, 1)
    assert ours.established and theirs.established and theirs.peer_names == ("pbx.example.com",)
    carry(theirs.send(b"hello" * 100), ours, 0)
    carry(ours.send(b"world"), theirs, 1)
    assert heard == {0: b"hello" * 100, 1: b"world"}
    carry(ours.close(), theirs, 1)
    assert theirs.ended


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        ({}, ()),
        ({"subject": ((("commonName", "A.example"),),)}, ("a.example",)),
        ({"subject": ((("commonName", "a"),),), "subjectAltName": (("DNS", "b"), ("IP Address", "1.2.3.4"))}, ("b",)),
        ({"subjectAltName": (("URI", "sip:b"), ("URI", "sip:u@c"), ("URI", "https://d"), ("DNS", "B"))}, ("b",)),
    ],
)
def test_names(certificate: dict[str, object], names: tuple[str, ...]) -> None:
    assert names_of(certificate) == names


@pytest.mark.parametrize(
    ("names", "host", "is_one"),
    [
        (("a.example",), "A.example.", True),
        (("*.example",), "a.example", True),
        (("*.example",), "a.b.example", False),
        (("*.example",), "example", False),
        ((), "", False),
    ],
)
def test_covers(names: tuple[str, ...], host: str, is_one: bool) -> None:
    assert covers(names, host) is is_one

