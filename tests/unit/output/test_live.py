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
from twbuild.output.live import HIDE_CURSOR, SHOW_CURSOR, WHOLE_ROW_FRAMES, Live, Row
from twbuild.output.stderr import Stderr
from twbuild.watch.events import Building, Event, Finished, Problem, Started, Tick

START = 100.0
MANY = [f"ZB{number:032x}" for number in range(30)]


@pytest.fixture(autouse=True)
def coloured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A terminal with colours, whose console is made when a test first needs it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rendering._console.cache_clear()
    yield
    rendering._console.cache_clear()


def picture(
    row: Row, now: float, width: int = 80, usual: float | None = None, limit: str = ""
) -> str:
    """The row without colours."""
    cells = rendering.rows(row.picture(now, usual, width, limit), width)[0]
    return "".join(cell for cell, _ in cells)


def finished(sid: str, outcome: Outcome, seconds: float = 5.0) -> Finished:
    return Finished(sid, outcome, None, seconds, 5)


def building() -> Row:
    row = Row(BUILD, START)
    row.status = "building"
    return row


def test_a_build_that_was_not_answered_for_yet_is_asking() -> None:
    assert picture(Row(BUILD, START), START)[2:] == f"asking     0:00  {BUILD}"
    assert picture(Row(None, START), START + 61)[2:] == "asking     1:01  the newest build"


@pytest.mark.parametrize(
    ("short", "seconds", "note"),
    [
        ("HTTP 503", 4, "retry in 4s: HTTP 503"),
        ("DNS", 4.4, "retry in 4s: DNS"),
        ("HTTP 429", 270, "retry in 4m 30s: HTTP 429"),
        ("refused", 0, "retrying: refused"),
    ],
)
def test_a_problem_has_a_mark_at_any_width(short: str, seconds: float, note: str) -> None:
    row = building()
    row.problem = Problem(BUILD, "reason", short, START + seconds)
    whole = f"! building   0:00  {BUILD}  {note}"

    for columns in (20, 40, 60, 80, 200):
        assert picture(row, START, columns, limit="time limit 10m") == whole[:columns]
    assert len(whole) <= 80


def test_a_request_unanswered_for_5_seconds_is_a_problem() -> None:
    row = building()
    row.problem = Problem(BUILD, "reason", "DNS", START + 1)
    row.unanswered_since = START + 1

    assert picture(row, START + 5.9).endswith(f"{BUILD}  retrying: DNS")
    assert picture(row, START + 6.5) == f"! building   0:06  {BUILD}  no answer for 5s"


def test_a_row_says_the_time_limit_where_it_fits() -> None:
    row = building()

    assert picture(row, START, limit="time limit 10m")[2:].endswith(f"{BUILD}  time limit 10m")
    row.finished = finished(BUILD, Outcome.COMPLETED)
    assert picture(row, START, limit="time limit 10m").endswith(BUILD)


@pytest.mark.parametrize(
    ("seconds", "usual", "width", "note"),
    [
        (46, 70.0, 80, f"{'━' * 7}╸{'━' * 4} about 1m 10s"),
        (0, 70.0, 80, f"{'━' * 12} about 1m 10s"),
        (70, 70.0, 80, f"{'━' * 12} about 1m 10s"),
        (700, 3599.0, 80, f"{'━' * 1}╸{'━' * 8} about 59m 59s"),
        (46, 70.0, 76, f"{'━' * 5}╺{'━' * 2} about 1m 10s"),
        (46, 70.0, 70, f"{'━' * 3}╸{'━' * 2} about 1m"),
        (46, 70.0, 50, ""),
        (71, 70.0, 100, "longer than usual (about 1m 10s)"),
        (71, 70.0, 87, "longer than usual (about 1m 10s)"),
        (71, 70.0, 86, "longer than usual"),
        (71, 70.0, 80, "longer than usual"),
        (71, 70.0, 60, "longe"),
        (46, None, 80, ""),
    ],
)
def test_a_building_row_is_compared_with_the_usual_time(
    seconds: float, usual: float | None, width: int, note: str
) -> None:
    shown = picture(building(), START + seconds, width, usual)

    whole = f"building   {clock(seconds)}  {BUILD}  {note}"
    assert shown[2:].rstrip() == whole[: width - 2].rstrip()


def test_only_a_building_row_is_compared() -> None:
    """Only a row that is building is compared and a problem takes the place."""
    row = building()
    row.problem = Problem(BUILD, "HTTP 503", "HTTP 503", START + 50)
    assert picture(row, START + 46, usual=70.0).endswith("  retry in 4s: HTTP 503")

    row.finished, row.status = finished(BUILD, Outcome.COMPLETED), "completed"
    for other in (Row(BUILD, START), row):
        assert picture(other, START + 46, usual=70.0).endswith(BUILD)


@pytest.mark.parametrize("name", ["ascii", "latin-1"])
def test_the_bar_has_only_characters_of_the_streams_encoding(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("sys.stderr", TextIOWrapper(BytesIO(), encoding=name))
    shown = picture(building(), START + 46, 80, 70.0)

    assert shown.isascii()
    assert shown.endswith(f"{BUILD}  ------- ---- about 1m 10s")


def test_without_colour_what_is_left_of_the_bar_is_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = picture(building(), START + 46, 80, 70.0)

    assert shown.endswith(f"{BUILD}  {'━' * 7}╸     about 1m 10s")


def test_the_spinner_turns() -> None:
    row = building()

    assert len({picture(row, START + tenth / 10)[0] for tenth in range(10)}) > 4


def test_a_finished_row_has_a_mark_and_fixed_time() -> None:
    row = building()
    row.problem = Problem(BUILD, "HTTP 503", "HTTP 503", START + 50)
    row.finished, row.status = finished(BUILD, Outcome.COMPLETED, 72.0), "completed"

    assert picture(row, START + 500) == f"✓ completed  1:12  {BUILD}"


def screen(capfd: pytest.CaptureFixture[str], *events: Event, once: bool = False) -> list[str]:
    """What a window of 24 rows shows of these events and a frame 0.9 s after the start."""
    times = iter([START])
    sids = [event.sid for event in events if isinstance(event, Building)]
    live = Live(
        Stderr("live"), sids, lambda _: False, once=once, clock=lambda: next(times, START + 0.9)
    )
    with closing(live):
        for event in events:
            live.show(event)
        live.show(Tick())
        terminal = pyte.Screen(80, 24)
        pyte.Stream(terminal).feed(capfd.readouterr().err)
    return [row.rstrip() for row in terminal.display if row.strip()]


STARTED = Started("my-service", (), 600.0)


def test_several_builds_have_a_last_row_that_counts(capfd: pytest.CaptureFixture[str]) -> None:
    begun: list[Event] = [STARTED, *map(Building, MANY[:3])]
    ended = [finished(MANY[0], Outcome.COMPLETED), finished(MANY[1], Outcome.FAILED)]

    assert screen(capfd, *begun)[3:] == ["  0 of 3 finished; time limit 10m"]
    assert screen(capfd, *begun, ended[0])[3:] == ["  1 of 3 finished; time limit 10m"]
    rows = screen(capfd, Started("my-service", (), 0.0), *begun[1:], *ended)
    assert [row[:11] for row in rows[:2]] == ["✓ completed", "✗ failed   "]
    assert rows[2][2:] == f"building   0:00  {MANY[2]}"
    assert rows[3] == "✗ 2 of 3 finished, 1 failed; no time limit"


def test_a_failed_build_is_not_hidden_by_one_that_builds(capfd: pytest.CaptureFixture[str]) -> None:
    ended = [
        finished(MANY[20], Outcome.COMPLETED),
        finished(MANY[28], Outcome.UNAVAILABLE),
        finished(MANY[29], Outcome.FAILED),
    ]
    *rows, count = screen(capfd, *map(Building, MANY), *ended)

    assert len(rows) == 22
    assert rows[:2] == [f"! unknown    0:05  {MANY[28]}", f"✗ failed     0:05  {MANY[29]}"]
    assert [row[19:] for row in rows[2:]] == MANY[:20]
    assert count == "✗ 3 of 30 finished, 1 failed, 1 unknown; 7 more building"


def test_more_builds_that_failed_than_rows_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    failed = [finished(sid, Outcome.FAILED) for sid in MANY[:25]]
    *rows, count = screen(capfd, *map(Building, MANY), *failed)

    assert len(rows) == 22
    assert count == "✗ 25 of 30 finished, 25 failed; 5 more building"


def test_status_draws_nothing_for_a_second(capfd: pytest.CaptureFixture[str]) -> None:
    assert len(screen(capfd, Building(BUILD))) == 1
    assert screen(capfd, Building(BUILD), once=True) == []


@pytest.fixture
def live() -> Iterator[Live]:
    """Rows of 30 builds, drawn where no terminal is, in a window of 24 rows."""
    with closing(Live(Stderr("live"), MANY, lambda _: True, clock=lambda: START)) as screen:
        yield screen


def test_closing_erases_the_rows_and_shows_the_cursor(
    live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    live.show(Tick())
    capfd.readouterr()
    live.close()

    assert capfd.readouterr().err == f"\r\x1b[K\x1b[C\x1b[J\r{SHOW_CURSOR}"


def test_a_frame_is_what_has_changed(
    live: Live, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stderr, "is_ready_to_draw", lambda *_, **__: True)
    live.show(Tick())
    assert capfd.readouterr().err.count("asking") == 22
    for _ in range(WHOLE_ROW_FRAMES * 23):
        live.show(Tick())

    frames = capfd.readouterr().err.split(HIDE_CURSOR)[1:]
    assert {frame.count("asking") for frame in frames} == {0, 1}
    assert all("".join(frames).count(sid) == 1 for sid in MANY[:22])
