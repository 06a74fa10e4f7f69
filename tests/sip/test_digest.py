"""Digest authentication: the RFCs' own vectors, the server's verdicts, the client against the server."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.digest import (
    Challenge,
    DigestClient,
    DigestServer,
    NonceCounts,
    Outcome,
    choose_challenge,
    digest_ha1,
    digest_response,
    read_params,
)
from pbx.sip.errors import BadCredentials

URI = "sip:pbx.example.com"
NOW = 1_700_000_000.0
USERS = {"101": "secret", 'o"brien\\': 'p"w', "müller": "pässwort"}


def server(**options: object) -> DigestServer:
    return DigestServer("plateau", b"key", USERS.get, **options)  # type: ignore[arg-type]


def client(challenges: list[str], user: str = "101", password: str = "secret") -> DigestClient:
    challenge = choose_challenge(challenges)
    assert challenge is not None
    return DigestClient(challenge, user, password)


def test_rfc_7616_vectors() -> None:
    """RFC 7616 3.9.1, both algorithms."""
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, expected in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        ha1 = digest_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
        response = digest_response(algorithm, ha1, "GET", "/dir/index.html", nonce, "00000001", cnonce, "auth")
        assert response == expected


def test_rfc_2617_and_2069_vectors() -> None:
    """RFC 2617 3.5; RFC 2069 2.4 as corrected by its erratum 749."""
    nonce, uri = "dcd98b7102dd2f0e8b11d0f600bfb0c093", "/dir/index.html"
    ha1 = digest_ha1("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life")
    assert digest_response("MD5", ha1, "GET", uri, nonce, "00000001", "0a4f113b", "auth") == (
        "6629fae49393a05397450978507c4ef1"
    )
    ha1 = digest_ha1("MD5", "Mufasa", "testrealm@host.com", "CircleOfLife")
    assert digest_response("MD5", ha1, "GET", uri, nonce) == "1949323746fe6a43ef61f9606e7febea"


def test_both_algorithms_are_offered_md5_first() -> None:
    lines = server().challenge_lines(NOW, stale=True)
    first, second, end = lines.split("\r\n")
    assert first.startswith('WWW-Authenticate: Digest realm="plateau", nonce="') and end == ""
    assert "algorithm=MD5" in first and "algorithm=SHA-256" in second
    assert first.endswith("stale=true") and second.endswith("stale=true")
    assert server().challenge_lines(NOW, proxy=True).startswith("Proxy-Authenticate: Digest ")
    assert "stale" not in server().challenge_lines(NOW)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("user", list(USERS))
def test_client_and_server_agree(algorithm: str, user: str) -> None:
    judge = server(algorithms=(algorithm,))
    answer = client(judge.challenges(NOW), user, USERS[user])
    for _ in range(3):
        credentials = answer.credentials("REGISTER", URI, "c0ffee")
        assert f"algorithm={algorithm}" in credentials
        verdict = judge.verify("REGISTER", [credentials], NOW + 10)
        assert (verdict.outcome, verdict.username) == (Outcome.ACCEPTED, user)


def test_auth_int_covers_the_body() -> None:
    judge = server()
    offered = judge.challenges(NOW)[1].replace('qop="auth"', 'qop="auth-int"')
    answer = client([offered])
    good = answer.credentials("INVITE", URI, "c", b"v=0")
    assert "qop=auth-int" in good
    assert judge.verify("INVITE", [good], NOW, b"v=1").outcome is Outcome.WRONG
    assert judge.verify("INVITE", [good], NOW, b"v=0").outcome is Outcome.ACCEPTED


def test_wrong_password_wrong_method_and_unknown_user_look_alike() -> None:
    judge = server()
    nonces = judge.challenges(NOW)
    wrong = client(nonces, "101", "guess").credentials("REGISTER", URI, "c")
    unknown = client(nonces, "999", "secret").credentials("REGISTER", URI, "c")
    right = client(nonces).credentials("INVITE", URI, "c")
    for credentials in (wrong, unknown, right):
        assert judge.verify("REGISTER", [credentials], NOW).outcome is Outcome.WRONG
    assert judge.verify("REGISTER", [unknown], NOW).username == "999"


def test_nonce_dies_of_age() -> None:
    judge = server(nonce_valid_s=60)
    nonces = judge.challenges(NOW)
    good, bad = client(nonces), client(nonces, password="guess")
    assert judge.verify("REGISTER", [good.credentials("REGISTER", URI, "c")], NOW + 59).outcome is Outcome.ACCEPTED
    assert judge.verify("REGISTER", [good.credentials("REGISTER", URI, "c")], NOW + 61).outcome is Outcome.STALE
    assert judge.verify("REGISTER", [bad.credentials("REGISTER", URI, "c")], NOW + 61).outcome is Outcome.STALE


def test_nonce_of_another_realm_secret_or_invention_is_not_ours() -> None:
    others = [
        DigestServer("plateau", b"other key", USERS.get).challenges(NOW),
        [one.replace("elsewhere", "plateau") for one in DigestServer("elsewhere", b"key", USERS.get).challenges(NOW)],
        ['Digest realm="plateau", nonce="abc", algorithm=MD5, qop="auth"'],
        ['Digest realm="plateau", nonce="' + "0" * 52 + '", algorithm=MD5, qop="auth"'],
    ]
    for challenges in others:
        answer = client(challenges).credentials("REGISTER", URI, "c")
        assert server().verify("REGISTER", [answer], NOW).outcome is Outcome.STALE


@pytest.mark.parametrize("password", ["secret", "guess"])
def test_a_nonce_is_good_for_whom_it_was_made_alone(password: str) -> None:
    """A forger of addresses gets his own, and can't have another banned; what came of the guess stays untold."""
    judge = server(source_of=lambda host: host.rpartition(".")[0])
    text = client(judge.challenges(NOW, "192.0.2.1"), password=password).credentials("REGISTER", URI, "c")
    for host in ("198.51.100.7", ""):
        assert judge.verify("REGISTER", [text], NOW, host=host).outcome is Outcome.STALE
    there = judge.verify("REGISTER", [text], NOW, host="192.0.2.99").outcome
    assert there is (Outcome.ACCEPTED if password == "secret" else Outcome.WRONG)


def test_replay_is_stale() -> None:
    judge = server()
    answer = client(judge.challenges(NOW))
    first = answer.credentials("REGISTER", URI, "c")
    second = answer.credentials("REGISTER", URI, "c")
    outcomes = [judge.verify("REGISTER", [one], NOW).outcome for one in (second, first, second)]
    assert outcomes == [Outcome.ACCEPTED, Outcome.STALE, Outcome.STALE]


def test_credentials_of_rfc_2069_use_a_nonce_up() -> None:
    judge = server()
    offered = judge.challenges(NOW)[0].replace(', qop="auth"', "").replace(", algorithm=MD5", "")
    answer = client([offered])
    credentials = answer.credentials("REGISTER", URI, "c")
    assert "qop" not in credentials and "algorithm" not in credentials
    assert judge.verify("REGISTER", [credentials], NOW).outcome is Outcome.ACCEPTED
    assert judge.verify("REGISTER", [credentials], NOW).outcome is Outcome.STALE


def test_what_is_no_credential_for_us() -> None:
    judge = server()
    good = client(judge.challenges(NOW)).credentials("REGISTER", URI, "c")
    for text in (
        "NoOneKnowsThisScheme opaque-data=here",  # RFC 4475 regaut01
        "Basic dXNlcjpwdw==",
        "Digest",
        "",
        good.replace('realm="plateau"', 'realm="other"'),
        good.replace("algorithm=MD5", "algorithm=AKAv1-MD5"),
    ):
        assert judge.verify("REGISTER", [text], NOW).outcome is Outcome.MISSING
    assert judge.verify("REGISTER", [], NOW).outcome is Outcome.MISSING


@pytest.mark.parametrize("gone", ["username", "nonce", "uri", "response", "nc"])
def test_credentials_that_lack_something(gone: str) -> None:
    judge = server()
    good = client(judge.challenges(NOW)).credentials("REGISTER", URI, "c")
    with pytest.raises(BadCredentials) as caught:
        judge.verify("REGISTER", [good.replace(f"{gone}=", f"x{gone}=")], NOW)
    assert caught.value.status == 400


@pytest.mark.parametrize("change", [("nc=00000001", "nc=1"), ("nc=00000001", "nc=0000000g"), ("qop=auth", "qop=other")])
def test_credentials_with_nonsense(change: tuple[str, str]) -> None:
    judge = server()
    good = client(judge.challenges(NOW)).credentials("REGISTER", URI, "c")
    with pytest.raises(BadCredentials):
        judge.verify("REGISTER", [good.replace(*change)], NOW)


def test_of_several_credentials_the_good_one_counts_and_few_are_tried() -> None:
    judge = server()
    nonces = judge.challenges(NOW)
    bad = client(nonces, password="guess")
    good = client(nonces[1:]).credentials("REGISTER", URI, "c")
    assert judge.verify("REGISTER", [bad.credentials("REGISTER", URI, "c"), good], NOW).outcome is Outcome.ACCEPTED
    many = [bad.credentials("REGISTER", URI, "c") for _ in range(50)]
    assert judge.verify("REGISTER", [*many, good], NOW).outcome is Outcome.WRONG


def test_a_changed_password_counts_at_once() -> None:
    users = {"101": "old"}
    judge = DigestServer("plateau", b"key", users.get)
    nonces = judge.challenges(NOW)
    old, new = client(nonces, password="old"), client(nonces, password="new")
    assert judge.verify("REGISTER", [old.credentials("REGISTER", URI, "c")], NOW).outcome is Outcome.ACCEPTED
    users["101"] = "new"
    assert judge.verify("REGISTER", [old.credentials("REGISTER", URI, "c")], NOW).outcome is Outcome.WRONG
    new.credentials("REGISTER", URI, "c")
    assert judge.verify("REGISTER", [new.credentials("REGISTER", URI, "c")], NOW).outcome is Outcome.ACCEPTED
    del users["101"]
    assert judge.verify("REGISTER", [new.credentials("REGISTER", URI, "c")], NOW).outcome is Outcome.WRONG


def test_no_two_nonces_are_the_same() -> None:
    judge = server()
    nonces = {one.nonce for _ in range(100) for one in [Challenge.parse(judge.challenges(NOW)[0])] if one}
    assert len(nonces) == 100


def test_nonce_counts_are_bounded_and_never_let_a_replay_pass() -> None:
    judge = server(max_nonces=10)
    used: list[str] = []
    for second in range(100):
        answer = client(judge.challenges(NOW + second))
        used.append(answer.credentials("REGISTER", URI, "c"))
        assert judge.verify("REGISTER", [used[-1]], NOW + second).outcome is Outcome.ACCEPTED
        for replay in used:
            assert judge.verify("REGISTER", [replay], NOW + second).outcome is Outcome.STALE
    counts = judge._counts
    assert len(counts.current) + len(counts.previous) <= 20


def test_nonce_counts_forget_what_expired() -> None:
    counts = NonceCounts(period_s=60, limit=1000)
    assert counts.take("a", 1, NOW) and not counts.take("a", 1, NOW) and counts.take("a", 2, NOW)
    assert not counts.take("a", 2, NOW + 61)  # the older generation still knows
    assert counts.take("b", 1, NOW + 61)
    assert counts.take("c", 1, NOW + 130)
    assert "a" not in counts.previous and counts.floor_s <= NOW + 61


def test_topmost_known_challenge_is_answered() -> None:
    """RFC 8760 2.4."""
    known = ['Digest realm="a", nonce="1", algorithm=SHA-256, qop="auth"', 'Digest realm="a", nonce="2", algorithm=MD5']
    unknown = 'Digest realm="a", nonce="3", algorithm=SHA-512-256, qop="auth"'
    chosen = choose_challenge(["Basic realm=x", unknown, *known])
    assert chosen is not None and (chosen.nonce, chosen.algorithm) == ("1", "SHA-256")
    assert choose_challenge([unknown, "Digest realm=x", 'Digest realm="x", nonce="n", qop="token"']) is None


def test_client_reads_and_repeats_what_it_must() -> None:
    challenge = Challenge.parse('digest Realm = "a \\"b\\"" ,nonce=abc, opaque="o", stale=TRUE, qop="auth-int,auth"')
    assert challenge is not None
    assert (challenge.realm, challenge.nonce, challenge.stale, challenge.qop) == ('a "b"', "abc", True, "auth")
    params = read_params(DigestClient(challenge, "u", "p").credentials("REGISTER", URI, "c"))
    assert params is not None and params["realm"] == 'a "b"' and params["opaque"] == "o"
    assert "algorithm" not in params and params["nc"] == "00000001"


def test_session_algorithm() -> None:
    """RFC 7616 3.4.2: HA1 is bound to nonce and cnonce."""
    challenge = Challenge.parse('Digest realm="r", nonce="n", algorithm=md5-SESS, qop="auth"')
    assert challenge is not None
    params = read_params(DigestClient(challenge, "u", "p").credentials("INVITE", URI, "cn"))
    ha1 = hashlib.md5(b"%s:n:cn" % hashlib.md5(b"u:r:p").hexdigest().encode()).hexdigest()
    assert params is not None and params["algorithm"] == "MD5-sess"
    assert params["response"] == digest_response("MD5", ha1, "INVITE", URI, "n", "00000001", "cn", "auth")


@pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_server_takes_session_algorithms_and_auth_int(algorithm: str, qop: str) -> None:
    """Offered is what every phone knows; what a phone chooses beyond it is judged as well."""
    judge = server()
    base = algorithm.removesuffix("-sess")
    [text] = [one for one in judge.challenges(NOW) if f"algorithm={base}," in one]
    challenge = Challenge.parse(text.replace(base, algorithm).replace('qop="auth"', f'qop="{qop}"'))
    assert challenge is not None and (challenge.algorithm, challenge.qop) == (algorithm, qop)
    answer = DigestClient(challenge, "101", "secret").credentials("REGISTER", URI, "c", b"body")
    if qop == "auth-int":
        assert judge.verify("REGISTER", [answer], NOW, b"other").outcome is Outcome.WRONG
    assert judge.verify("REGISTER", [answer], NOW, b"body").outcome is Outcome.ACCEPTED
    assert judge.verify("REGISTER", [answer], NOW, b"body").outcome is Outcome.STALE


def test_an_unknown_user_costs_the_same_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    real = hashlib.md5

    def counting(data: bytes, *, usedforsecurity: bool) -> object:
        hashed.append(len(data))
        return real(data, usedforsecurity=usedforsecurity)

    judge = server()
    answer = client(judge.challenges(NOW)).credentials("REGISTER", URI, "c")
    assert judge.verify("REGISTER", [answer], NOW).outcome is Outcome.ACCEPTED  # his HA1 is kept from now on
    attempts = [
        client(judge.challenges(NOW), user, "guess").credentials("REGISTER", URI, "c") for user in ("101", "999")
    ]
    monkeypatch.setattr("pbx.sip.digest.hashlib.md5", counting)
    costs = []
    for attempt in attempts:
        hashed.clear()
        assert judge.verify("REGISTER", [attempt], NOW).outcome is Outcome.WRONG
        costs.append(list(hashed))
    assert costs[0] == costs[1] and len(costs[0]) == 2


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    judge = server()
    whole = f'Digest realm="plateau", username="101", nonce="n", uri="u", response={text}'
    for value in (text, f"Digest {text}", whole):
        try:
            assert judge.verify("REGISTER", [value], NOW).outcome is not Outcome.ACCEPTED
        except BadCredentials:
            pass
        Challenge.parse(value)
