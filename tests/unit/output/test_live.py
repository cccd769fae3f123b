"""Live rows: the picture of one build, and a frame of many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO, TextIOWrapper

import pyte
import pytest

from tests.support.command import BUILD
from twbuild.durations import clock
from twbuild.outcome import Outcome
from twbuild.output import rendering
from twbuild.output.live import ERASE, HIDE_CURSOR, SHOW_CURSOR, WHOLE_ROW_FRAMES, Live, Row
from twbuild.output.stderr import Stderr
from twbuild.watch.events import Building, Event, Finished, Problem, Started, Tick

Capture = pytest.CaptureFixture[str]

START = 100.0
MANY = [f"ZB{number:032x}" for number in range(30)]
DNS = Problem(BUILD, "reason", "DNS", START + 4.4)
STARTED = Started("my-service", (), 600.0)


@pytest.fixture(autouse=True)
def coloured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A terminal with colours, whose console is made when a test first needs it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rendering._console.cache_clear()
    yield
    rendering._console.cache_clear()


def picture(
    row: Row, seconds: float, width: int = 80, usual: float | None = None, limit: str = ""
) -> str:
    """The row without colours, so many seconds after the start."""
    cells = rendering.rows(row.picture(START + seconds, usual, width, limit), width)[0]
    return "".join(cell for cell, _ in cells)


def finished(sid: str, outcome: Outcome, seconds: float = 5.0) -> Finished:
    return Finished(sid, outcome, None, seconds, 5)


def building(problem: Problem | None = None) -> Row:
    row = Row(BUILD, START)
    row.status, row.problem = "building", problem
    return row


def test_a_row_begins_with_a_spinner_or_a_mark() -> None:
    ended = building(DNS)
    ended.status, ended.finished = "completed", finished(BUILD, Outcome.COMPLETED, 72.0)

    assert picture(Row(BUILD, START), 0)[2:] == f"asking     0:00  {BUILD}"
    assert picture(Row(None, START), 61)[2:] == "asking     1:01  the newest build"
    assert picture(ended, 500, usual=70.0, limit="x") == f"✓ completed  1:12  {BUILD}"
    assert len({picture(building(), tenth / 10)[0] for tenth in range(10)}) > 4, "it turns"


@pytest.mark.parametrize(("seconds", "note"), [(270, "retry in 4m 30s: DNS"), (0, "retrying: DNS")])
def test_a_problem_has_a_mark_at_any_width(seconds: float, note: str) -> None:
    row = building(DNS._replace(next_at=START + seconds))
    whole = f"! building   0:00  {BUILD}  {note}"

    for columns in (20, 40, 60, 80, 200):
        assert picture(row, 0, columns, usual=70.0, limit="x") == whole[:columns]
    assert len(whole) <= 80


def test_a_request_unanswered_for_5_seconds_is_a_problem() -> None:
    row = building(DNS)
    row.unanswered_since = START + 1

    assert picture(row, 5.9).endswith(f"{BUILD}  retrying: DNS")
    assert picture(row, 6.5) == f"! building   0:06  {BUILD}  no answer for 5s"


def test_a_row_says_the_time_limit_where_it_fits() -> None:
    for row in (building(), Row(BUILD, START)):
        assert picture(row, 0, limit="time limit 10m")[19:] == f"{BUILD}  time limit 10m"


COMPARED = [
    (46, 70.0, 80, f"{'━' * 7}╸{'━' * 4} about 1m 10s"),
    (70, 70.0, 80, f"{'━' * 12} about 1m 10s"),
    (700, 3599.0, 80, f"{'━' * 1}╸{'━' * 8} about 59m 59s"),
    (46, 70.0, 70, f"{'━' * 3}╸{'━' * 2} about 1m"),
    (46, 70.0, 50, ""),
    (71, 70.0, 87, "longer than usual (about 1m 10s)"),
    (71, 70.0, 86, "longer than usual"),
    (46, None, 80, ""),
]


@pytest.mark.parametrize(("seconds", "usual", "width", "note"), COMPARED)
def test_a_building_row_is_compared_with_the_usual_time(
    seconds: float, usual: float | None, width: int, note: str
) -> None:
    whole = f"building   {clock(seconds)}  {BUILD}  {note}"

    assert picture(building(), seconds, width, usual)[2:].rstrip() == whole[: width - 2].rstrip()
    assert picture(Row(BUILD, START), seconds, 80, usual).endswith(BUILD), "asking"


# Without colours what is left of a bar does not show.
BARS = [("latin-1", "", "------- ----"), ("utf-8", "1", f"{'━' * 7}╸    ")]


@pytest.mark.parametrize(("encoding", "no_color", "bar"), BARS)
def test_the_bar_has_only_characters_of_the_streams_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, no_color: str, bar: str
) -> None:
    monkeypatch.setattr("sys.stderr", TextIOWrapper(BytesIO(), encoding=encoding))
    monkeypatch.setenv("NO_COLOR", no_color)
    shown = picture(building(), 46, 80, 70.0)

    assert shown[1:] == f" building   0:46  {BUILD}  {bar} about 1m 10s"
    assert shown.isascii() or encoding == "utf-8"


def screen(capfd: Capture, *events: Event, once: bool = False) -> list[str]:
    """What a window of 24 rows shows of these events and a frame 0.9 s after the start."""
    times = iter([START])
    sids = [event.sid for event in events if isinstance(event, Building)]
    with closing(
        Live(Stderr("live"), sids, lambda _: False, once=once, clock=lambda: next(times, 100.9))
    ) as live:
        for event in (*events, Tick()):
            live.show(event)
        terminal = pyte.Screen(80, 24)
        pyte.Stream(terminal).feed(capfd.readouterr().err)
    return [row.rstrip() for row in terminal.display if row.strip()]


def test_several_builds_have_a_last_row_that_counts(capfd: Capture) -> None:
    begun: list[Event] = [STARTED, *map(Building, MANY[:3])]
    ended = [finished(MANY[0], Outcome.COMPLETED), finished(MANY[1], Outcome.FAILED)]

    assert screen(capfd, *begun)[3:] == ["  0 of 3 finished; time limit 10m"]
    assert screen(capfd, *begun, ended[0])[3:] == ["  1 of 3 finished; time limit 10m"]
    rows = screen(capfd, STARTED._replace(limit_seconds=0.0), *begun[1:], *ended)
    assert [row[:11] for row in rows[:2]] == ["✓ completed", "✗ failed   "]
    assert rows[2][2:] == f"building   0:00  {MANY[2]}"
    assert rows[3] == "✗ 2 of 3 finished, 1 failed; no time limit"


def test_a_failed_build_is_not_hidden_by_one_that_builds(capfd: Capture) -> None:
    outcomes = {20: Outcome.COMPLETED, 28: Outcome.UNAVAILABLE, 29: Outcome.FAILED}
    ended = [finished(MANY[number], outcome) for number, outcome in outcomes.items()]
    *rows, count = screen(capfd, *map(Building, MANY), *ended)

    assert len(rows) == 22
    assert rows[:2] == [f"! unknown    0:05  {MANY[28]}", f"✗ failed     0:05  {MANY[29]}"]
    assert [row[19:] for row in rows[2:]] == MANY[:20]
    assert count == "✗ 3 of 30 finished, 1 failed, 1 unknown; 7 more building"


def test_more_builds_that_failed_than_rows_are_counted(capfd: Capture) -> None:
    failed = [finished(sid, Outcome.FAILED) for sid in MANY[:25]]
    *rows, count = screen(capfd, *map(Building, MANY), *failed)

    assert (len(rows), count) == (22, "✗ 25 of 30 finished, 25 failed; 5 more building")


def test_status_draws_nothing_for_a_second(capfd: Capture) -> None:
    assert len(screen(capfd, Building(BUILD))) == 1
    assert screen(capfd, Building(BUILD), once=True) == []


def test_where_a_build_ends_its_result_may_come_first(capfd: Capture) -> None:
    now = START
    with closing(Live(Stderr("live"), MANY[:2], lambda _: False, clock=lambda: now)) as live:
        live.show(Tick())
        capfd.readouterr()
        live.show(finished(MANY[0], Outcome.COMPLETED))
        live.show(Tick())
        assert capfd.readouterr().err == ERASE
        now += 1
        live.show(Tick())
        assert MANY[1] in capfd.readouterr().err


def test_a_frame_is_what_has_changed(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stderr, "is_ready_to_draw", lambda *_, **__: True)
    with closing(Live(Stderr("live"), MANY, lambda _: True, clock=lambda: START)) as live:
        live.show(Tick())
        assert capfd.readouterr().err.count("asking") == 22
        for _ in range(WHOLE_ROW_FRAMES * 23):
            live.show(Tick())
        frames = capfd.readouterr().err.split(HIDE_CURSOR)[1:]

    assert capfd.readouterr().err == f"\r\x1b[K\x1b[C\x1b[J\r{SHOW_CURSOR}"
    assert {frame.count("asking") for frame in frames} == {0, 1}
    assert all("".join(frames).count(sid) == 1 for sid in MANY[:22])
