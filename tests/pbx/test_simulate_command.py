"""`plateau simulate`: what it prints, the report it writes, what it says of options and files it can't use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from acd.simulate.demand import Demand, Habits, Span
from acd.simulate.distributions import Exponential, Streams
from acd.simulate.experiment import Skills
from acd.simulate.staff import Shift, site_with
from acd.simulate.tally import Tally
from acd.simulate.world import Conduct, World
from pbx.__main__ import app
from pbx.console import read_site
from pbx.simulation import A_MONDAY, midnight_of
from pbx.store.journal import Journal

RUNNER = CliRunner()
TRAVEL = "config/sites/travel.yaml"


def asked(*words: str, site: str = TRAVEL) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["simulate", site, *words], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def found(*words: str, site: str = TRAVEL) -> dict[str, Any]:
    status, text = asked(*words, "--json", site=site)
    assert status == 0, text
    values: dict[str, Any] = json.loads(text)
    return values


@pytest.fixture
def site(tmp_path: Path) -> str:
    """One queue, one agent, no wrap-up."""
    file = tmp_path / "site.yaml"
    file.write_text(
        "site: test\nlisten: {sip: udp:127.0.0.1:5060}\nextensions: {101: {password: secret}}\n"
        "agents: {ann: {extension: 101, skills: {french: 8}}}\n"
        "queues: {sales: {wrap_up_s: 0, service_level: {within_s: 20, target: 0.8}}}\n"
    )
    return str(file)


def test_tables_of_a_day() -> None:
    status, text = asked("--rate", "60", "--to", "11:00", "--seeds", "2")
    assert status == 0
    assert "by queue" in text and "by skill" in text and "by hour" in text
    assert all(name in text for name in ("asia", "cruise", "french", "09:00", "10:00"))
    assert "means of 2 days" in text


def test_the_same_seed_the_same_day() -> None:
    words = ("--rate", "60", "--to", "11:00", "--seeds", "1")
    assert found(*words) == found(*words) != found(*words, "--seed", "2")


def test_a_page_with_plots(tmp_path: Path) -> None:
    status, text = asked("--rate", "60", "--to", "11:00", "--seeds", "2", "--report", str(tmp_path / "report"))
    assert status == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Horizon Travel" in page and "by queue" in page
    pictures = sorted(path.name for path in (tmp_path / "report").glob("*.png"))
    assert pictures == ["load.png", "occupancy.png", "service-level.png", "waits.png"]
    assert all(name in page for name in pictures)
    assert (tmp_path / "report" / "load.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "report" / "results.json").read_text())["runs"] == 2
    assert f"wrote {tmp_path}/report/index.html" in text


def test_callbacks_and_calls_again(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "site: test\nlisten: {sip: udp:127.0.0.1:5060}\nextensions: {101: {password: secret}}\n"
        "agents: {ann: {extension: 101}}\nqueues:\n"
        "  sales: {resume_s: 300, callback: {offer: [{text: press one}], offer_after_s: 15, retries: 0}}\n  other: {}\n"
    )
    words = ("--rate", "80", "--to", "11:00", "--agents", "4", "--patience", "exponential 1m", "--seeds", "2",
             "--reached", "50 %")  # fmt: skip
    status, text = asked(*words, "--calls-again", "50 %", "--report", str(tmp_path / "report"), site=str(file))
    assert status == 0 and "callbacks, and who called again" in text
    assert (tmp_path / "report" / "callbacks.png").exists()
    figures = found(*words, "--calls-again", "50 %", site=str(file))["queues"]
    sales, other = ({name: value and value["mean"] for name, value in figures[queue].items()
                     if name not in ("target", "within_s")} for queue in ("sales", "other"))  # fmt: skip
    assert sales["called_back"] == sales["callbacks_asked"] >= sales["callbacks_made"] > sales["callbacks_reached"] > 0
    assert sales["service_level_with_callbacks"] < sales["service_level"]
    assert sales["resumed"] > 0 and sales["callback_wait_s"] > 0
    assert other["called_back"] == other["resumed"] == 0
    assert found(*words, "--callbacks", "0", site=str(file))["all"]["called_back"]["mean"] == 0
    status, text = asked(*words, "--callbacks", "0", site=str(file))
    assert status == 0 and "called again" not in text


def test_calls_of_a_file(site: str, tmp_path: Path) -> None:
    calls = tmp_path / "calls.csv"
    calls.write_text("time,queue,talk_s,patience_s\n09:00,sales,60,\n09:00:10,sales,60,\n09:00:20,sales,60,15\n")
    figures = found("--arrivals", str(calls), "--seeds", "1", site=site)["all"]
    assert figures["offered"]["mean"] == 3
    assert figures["abandoned"]["mean"] == 1
    assert figures["longest_s"]["mean"] == pytest.approx(50.0, abs=1e-5)
    assert figures["offered"]["margin"] is None  # one run


def test_a_day_by_intervals_and_shifts(site: str, tmp_path: Path) -> None:
    day, shifts = tmp_path / "day.csv", tmp_path / "shifts.csv"
    day.write_text("time,sales\n08:00,100\n09:00,300\n")
    shifts.write_text("agent,from,to,count\nann,08:00,10:00,4\nann,09:00,10:00,12\nann,08:00,09:00,\n")
    figures = found("--day", str(day), "--shifts", str(shifts), "--seeds", "3", site=site)
    assert [hour["from"] for hour in figures["hours"]] == ["08:00", "09:00"]
    assert [round(hour["on_duty"]) for hour in figures["hours"]] == [5, 16]
    assert figures["agents"] == 17


def test_agents_of_several_kinds(site: str) -> None:
    few = found("--rate", "200", "--agents", "10", "--seeds", "2", site=site)
    more = found("--rate", "200", "--agents", "10 like ann", "--agents", "best=4: french 9", "--seeds", "2", site=site)
    assert (few["agents"], more["agents"]) == (10, 14)
    assert few["all"]["occupancy"]["mean"] > more["all"]["occupancy"]["mean"]
    assert more["all"]["service_level"]["mean"] > few["all"]["service_level"]["mean"]


def test_the_attributes_of_calls_are_those_the_flows_set() -> None:
    assert found("--rate", "asia=30", "--to", "10:00", "--seeds", "1")["queues"]["asia"]["answered"]["mean"] > 0


def test_callers_for_whom_nobody_is_there_are_told(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "site: test\nlisten: {sip: udp:127.0.0.1:5060}\nextensions: {101: {password: secret}}\n"
        "agents: {ann: {extension: 101, skills: {asia: 8}}}\n"
        "queues: {sales: {needs: asia >= 5 and call.language == 'french'}}\n"
    )
    status, text = asked("--rate", "6", "--to", "10:00", "--seeds", "1", site=str(file))
    assert status == 0 and "callers a day were never answered" in text
    french = ("--attribute", "language=french")
    status, text = asked("--rate", "6", "--to", "10:00", "--seeds", "1", *french, site=str(file))
    assert status == 0 and "never answered" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected one of --arrivals FILE, --rate CALLS, --day FILE, --replay DATABASE --day DATE, found none"),
        (("--rate", "1", "--arrivals", "x"), "found --arrivals and --rate"),
        (("--rate", "asai=30"), "--rate: expected a queue of the site, found asai - did you mean asia?"),
        (("--rate", "many"), "--rate: expected calls an hour, as 120 or asia=30, found many"),
        (("--rate", "-5"), "--rate: expected calls an hour, found -5"),
        (("--rate", "1e9"), "expected at most 5,000,000 calls, found 8,000,000,000"),
        (("--rate", "9", "--to", "08:00"), "--to: expected a time after 09:00, found 08:00"),
        (("--rate", "9", "--to", "8pm"), "--to: expected a time of day as 08:30 or 08:30:15, found 8pm"),
        (("--rate", "9", "--agents", "many"), "--agents: expected agents as 12, 12 like NAME"),
        (("--rate", "9", "--agents", "5 like alise"), "an agent of the site, found alise - did you mean alice?"),
        (("--rate", "9", "--agents", "5: asia 11"), "a skill and its level, 1 to 10, as asia 7, found asia 11"),
        (("--rate", "9", "--agents", "5: asai 7"), "expected a skill of the site, found asai - did you mean asia?"),
        (("--rate", "9", "--agents", "a=1", "--agents", "a=2"), "--agents: expected each name once, found a twice"),
        (("--rate", "9", "--agents", "99999"), "--agents: expected at most 20,000 agents, found 99,999"),
        (("--rate", "9", "--talk", "never"), "--talk: expected conversations that end, found never"),
        (("--rate", "9", "--talk", "asai=constant 3m"), "--talk: expected a queue of the site, found asai"),
        (("--rate", "9", "--patience", "long"), "--patience: expected a distribution as exponential 4m"),
        (("--rate", "9", "--missed", "2"), "--missed: expected a share as 80 % or 0.8, found 2"),
        (("--rate", "9", "--callbacks", "2"), "--callbacks: expected a share as 80 % or 0.8, found 2"),
        (("--rate", "9", "--callbacks", "30 %"), "--callbacks: no queue of the site tells callers of callbacks"),
        (("--rate", "9", "--calls-again", "30 %"), "--calls-again: no queue of the site keeps places"),
        (("--rate", "9", "--customer-rings", "long"), "--customer-rings: expected a time as 90, 90s, 3m or 1h30m"),
        (("--rate", "9", "--date", "tomorrow"), "--date: expected a date as 2026-11-21, found tomorrow"),
        (("--rate", "9", "--attribute", "asia"), "--attribute: expected NAME=VALUE as destination=asia, found asia"),
    ],
)
def test_what_is_wrong_with_an_option_is_said(words: tuple[str, ...], said: str) -> None:
    status, text = asked(*words)
    assert status == 2
    assert said in text


def test_mistakes_of_a_file_are_told_with_their_lines(tmp_path: Path) -> None:
    calls = tmp_path / "calls.csv"
    calls.write_text("time,queue\nnine,asia\n09:00,asai\n")
    status, text = asked("--arrivals", str(calls))
    assert status == 1
    assert f"{calls}:2:1: expected a time of day" in text
    assert f"{calls}:3:7: expected a queue of the site, found asai - did you mean asia?" in text
    assert f"{calls}: 2 mistakes" in text
    status, text = asked("--arrivals", str(tmp_path / "none.csv"))
    assert status == 1 and "expected a readable file, found No such file or directory" in text
    calls.write_bytes(b"time,queue\n09:00,\xff\n")
    status, text = asked("--arrivals", str(calls))
    assert status == 1 and f"{calls}:2:1: expected text in UTF-8, found the byte 0xFF" in text


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, text = asked("--rate", "6", "--to", "10:00", "--seeds", "1", "--report", str(tmp_path / "file"))
    assert status == 2 and "File exists" in text


# --- the cheapest staff ---------------------------------------------------------------------------------------------


def test_the_cheapest_staff(site: str) -> None:
    words = ("--rate", "100", "--to", "12:00", "--find-staff", "--seeds", "2", "--cost", "ann=20")
    status, text = asked(*words, site=site)
    assert status == 0
    assert "cheapest staff found: " in text and "ann" in text and "french 8" in text and "by queue" in text
    values = found(*words, site=site)
    (ann,) = values["staff"]
    assert 6 <= ann["number"] <= 9 and values["cost"] == ann["number"] * 60  # 3 hours at 20
    assert values["queues"]["sales"]["service_level"]["mean"] > 0.7


def test_the_cheapest_staff_in_shifts(site: str, tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    day.write_text("time,sales\n08:00,20\n09:00,20\n10:00,120\n11:00,120\n")
    words = ("--day", str(day), "--find-staff", "--seeds", "2", "--every-hour",
             "--shift", "08:00-12:00", "--shift", "10:00-12:00")  # fmt: skip
    whole, late = found(*words, site=site)["staff"]
    assert (whole["type"], late["type"]) == ("ann 08:00-12:00", "ann 10:00-12:00")
    assert whole["number"] < late["number"]
    assert (whole["cost_each"], late["cost_each"]) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--cost", "alice=9"), 2, "--cost, --shift and --every-hour belong to --find-staff"),
        (("--find-staff", "--cost", "alise=9"), 2, "--cost: expected TYPE=COST of an hour, as alice=25, found alise=9"),
        (("--find-staff", "--cost", "alice=0"), 2, "--cost: expected a cost above 0, found alice=0"),
        (("--find-staff", "--cost", "alice=x"), 2, "--cost: expected a cost, found x"),
        (("--find-staff", "--shift", "8-12"), 2, "--shift: expected a time of day as 08:30 or 08:30:15, found 8"),
        (("--find-staff", "--shift", "12:00-08:00"), 2, "--shift: expected a shift that ends after it begins"),
        (("--find-staff", "--agents", "9 like alice"), 1, "nobody of these types can take calls of queue americas"),
    ],
)
def test_what_is_wrong_with_a_search(words: tuple[str, ...], status: int, said: str) -> None:
    code, text = asked("--rate", "30", "--to", "10:00", "--seeds", "1", *words)
    assert (code, said in text) == (status, True), text


# --- a recorded day -------------------------------------------------------------------------------------------------


@pytest.fixture
async def database(site: str, tmp_path: Path) -> str:
    """The journal of 12 January 2026, of 200 calls for one agent."""
    read = read_site(Path(site))
    staffed = site_with(read, read.agents)
    demand = Demand({"sales": [Span(32_400, 32_400 + 36_000, 200 / 36_000)]},
                    others=Habits(Exponential(120.0), Exponential(60.0)))  # fmt: skip
    journal = Journal(f"sqlite:///{tmp_path}/records.db", 100_000, Counter())
    await journal.open()

    class Listening(Tally):
        def note(self, event: Any) -> None:
            journal.append(event)

    tally = Listening(midnight_of(read, A_MONDAY), demand.window, ["sales"], Skills(staffed))
    World(staffed, demand.callers(Streams(3)), [Shift("ann", 32_400, 72_000)], tally, Conduct(), Streams(3)).run()
    await journal.close()
    return f"{tmp_path}/records.db"


def test_a_recorded_day_is_played_again(database: str, site: str) -> None:
    """Under the same site it is the same day but for what was never seen; with three agents it is another."""
    def played(*more: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "pbx", "simulate", site, "--replay", database, "--day", "2026-01-12"]
        done = subprocess.run([*command, "--seeds", "1", *more], capture_output=True, text=True, check=True, timeout=60)
        values: dict[str, Any] = json.loads(done.stdout)
        return values

    again = played("--json")
    recorded, now = again["recorded"]["sales"], again["queues"]["sales"]
    assert recorded["offered"] == now["offered"]["mean"] > 150
    assert recorded["answered"] == now["answered"]["mean"]
    assert recorded["asa_s"] == pytest.approx(now["asa_s"]["mean"], abs=1e-3)
    assert recorded["service_level"] == pytest.approx(now["service_level"]["mean"])
    better = played("--json", "--agents", "3 like ann")["queues"]["sales"]
    assert better["answered"]["mean"] > now["answered"]["mean"]
    assert better["service_level"]["mean"] > now["service_level"]["mean"] + 0.2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--replay", "x.db"), "--replay: expected --day DATE beside it, as --day 2026-11-21, found none"),
        (("--replay", "x.db", "--day", "21.11."), "--day: expected a date as 2026-11-21, found 21.11."),
        (("--replay", "x.db", "--day", "2026-11-21"), "--replay: records: sqlite:///x.db: no such file"),
    ],
)
def test_what_is_wrong_with_a_replay(words: tuple[str, ...], said: str) -> None:
    status, text = asked(*words)
    assert status == 2
    assert said in text
