from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from pbx.call import events
from pbx.sip.hop import Hop
from pbx.trace.ladder import MAX_COLUMNS, MAX_ROWS, Ladder
from pbx.trace.reader import LadderReader
from pbx.trace.svg import CSS, ladder_svg
from pbx.trace.terminal import ladder_lines, message_line
from tests.trace.conftest import CARRIER, PHONE, START, Recorder, ours, request, response

SVG = "{http://www.w3.org/2000/svg}"


def ladder(recorder: Recorder, call: str = "c1") -> Ladder:
    reader = LadderReader(recorder.ring, ours, call)
    while reader.step():
        pass
    return reader.ladder()


def lines(drawn: Ladder, width: int = 110) -> list[str]:
    return [line.plain for line in ladder_lines(drawn, width)]


def test_a_call(recorded: Recorder) -> None:
    drawn = ladder(recorded)
    assert [(column.title, column.address) for column in drawn.columns] == [
        ("+33612345678", "udp 198.51.100.7:5060"), ("Plateau", ""), ("alice", "tls 192.0.2.44:40123"),
    ]  # fmt: skip
    assert [(row.source, row.target, row.label) for row in drawn.rows] == [
        (0, 1, "INVITE"), (1, 0, "100 Trying"), (1, 1, "call to +33180000000: queue asia"), (1, 2, "INVITE"),
        (2, 1, "180 Ringing"), (2, 1, "200 OK"), (1, 2, "ACK"), (1, 0, "200 OK"),
        (1, 1, "caller and alice hear each other"), (0, 1, "ACK"), (0, 1, "BYE"), (1, 0, "200 OK (BYE)"),
        (1, 1, "call ended: caller hung up"),
    ]  # fmt: skip
    assert drawn.rows[0].repeats == 2 and drawn.rows[0].detail == "PCMA/PCMU" and drawn.rows[0].sequence == 0
    assert [row.kind for row in drawn.rows[:5]] == ["request", "provisional", "note", "request", "provisional"]
    assert Ladder.of_view(json.loads(json.dumps(drawn.view()))) == drawn


def test_only_its_own_messages(recorded: Recorder) -> None:
    recorded.got(request("OPTIONS", "other"))
    recorded.ring.event(events.CallAnswered(recorded.now, "c2"))
    assert len(ladder(recorded).rows) == 13
    assert ladder(recorded, "c2").rows == ()


def test_in_the_terminal(recorded: Recorder) -> None:
    text = lines(ladder(recorded))
    assert text[0].split() == ["+33612345678", "Plateau", "alice"]
    assert "│─ INVITE ×2 PCMA/PCMU ─▶│" in text[2] and text[2].split()[:2] == ["0.000", "+0.000"]
    assert "│◀───── 100 Trying ──────│" in text[3] and text[3].split()[:2] == ["0.501", "+0.501"]
    assert "◆ call to +33180000000: queue asia" in text[4]
    assert len({line.index("│") for line in text[2:]}) == 1, "lifelines are straight"


@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_any_width(recorded: Recorder, width: int) -> None:
    text = lines(ladder(recorded), width)
    assert len(text) == 15 and all("│" in line for line in text[2:])
    if width >= 80:
        assert max(map(len, text)) <= width


def test_as_a_picture(recorded: Recorder) -> None:
    drawn = ElementTree.fromstring(ladder_svg(ladder(recorded)))
    assert [t.text for t in drawn.iter(f"{SVG}text") if t.get("class") == "title"] == [
        "+33612345678", "Plateau", "alice",
    ]  # fmt: skip
    arrows = [group for group in drawn.iter(f"{SVG}g") if group.get("data-sequence") is not None]
    assert [group.findtext(f"{SVG}title") for group in arrows][:2] == ["INVITE ×2 PCMA/PCMU", "100 Trying"]
    assert "prefers-color-scheme: dark" in CSS and drawn.findtext(f"{SVG}style") == CSS


def test_nothing_in_a_picture_is_taken_for_markup(recorder: Recorder) -> None:
    bad = '"><script>alert(1)</script>\x1b[31m'
    started = (START, "c1", "inbound", bad, bad, "carrier", bad, "in@carrier")
    recorder.ring.event(events.CallStarted(*started))
    recorder.got(request("INVITE", "in@carrier", caller="a"))
    recorder.sent(response("404 <b>&amp;\x1b[2J", request("INVITE", "in@carrier")))
    drawn = ladder(recorder)
    picture = ladder_svg(drawn)
    assert "<script" not in picture and "<b>" not in picture and "\x1b" not in picture + "".join(lines(drawn))
    ElementTree.fromstring(picture)


def test_a_phone_that_moves_is_named(recorded: Recorder) -> None:
    recorded.got(request("BYE", "out@plateau", caller="101", cseq=7), PHONE._replace(port=40999))
    assert ladder(recorded).rows[-1].detail == "(tls 192.0.2.44:40999)"


def test_a_call_whose_start_is_forgotten(recorded: Recorder) -> None:
    """A long call: the ring holds no more than its end."""
    recorded.now += 590
    recorded.ring.trim()
    drawn = ladder(recorded)
    assert [row.label for row in drawn.rows] == ["BYE", "200 OK (BYE)", "call ended: caller hung up"]
    assert [column.title for column in drawn.columns] == ["+33612345678", "Plateau"]
    assert lines(drawn) and ladder_svg(drawn)


def test_time_goes_one_way(recorded: Recorder) -> None:
    """`CallEnded` waits for the last counters of the audio and has the time of the end."""
    recorded.ring.event(events.CallEnded(recorded.now - 1, "c1", "caller hung up", 200, 0, 0, 0, 0.0))
    times = [row.at for row in ladder(recorded).rows]
    assert times == sorted(times)


def test_an_empty_ladder_can_be_drawn() -> None:
    empty = ladder(Recorder())
    assert empty.rows == () and lines(empty) and ladder_svg(empty)


def test_endless_calls_are_cut(recorder: Recorder) -> None:
    for leg in range(2, MAX_COLUMNS + 10):
        recorder.ring.event(events.LegStarted(START, "c1", leg, "sip:x@192.0.2.9", None, f"{leg}"))
        recorder.sent(request("INVITE", str(leg)), Hop("udp", "192.0.2.9", 5060))
    for number in range(MAX_ROWS + 50):
        recorder.sent(request("OPTIONS", "2", cseq=number + 1))
    drawn = ladder(recorder)
    assert len(drawn.columns) == MAX_COLUMNS and len(drawn.rows) == MAX_ROWS and drawn.left_off > 50
    assert "more that are not shown" in lines(drawn)[-1] and "more not shown" in ladder_svg(drawn)


def test_every_event_of_a_call_can_be_a_note() -> None:
    """The lines of `notes` speak of fields that the events have."""
    import acd.events
    import cti.domain_events
    import ivr.events
    from pbx.trace.notes import SAYS, note_of

    kinds = {k: v for m in (events, acd.events, ivr.events, cti.domain_events) for k, v in vars(m).items()}
    values = {"str": "x", "int": 1, "float": 1.0, "bool": True}
    for name in SAYS:
        kind = kinds[name]
        fields = [values.get(text.partition(" ")[0], {"a": 1}) for text in kind.__annotations__.values()]
        assert note_of(kind(*fields), {}), name
    assert note_of(events.CallAnswered(START, "c1"), {}) is None


def test_a_line_of_a_trace(recorded: Recorder) -> None:
    import datetime as dt

    first = message_line(recorded.all()[0].view(), dt.UTC).plain
    assert first.startswith(f"{dt.datetime.fromtimestamp(START, dt.UTC):%H:%M:%S}.010  ← udp 198.51.100.7:5060")
    assert first.endswith(" INVITE                     +33612345678 → +33180000000  PCMA/PCMU  c1")
    assert "→ tls" in message_line(recorded.all()[3].view(), dt.UTC).plain
    assert CARRIER.transport == "udp"
