"""Live rows: the picture of one build, and a frame of many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO, TextIOWrapper

import pytest

from tests.support.command import BUILD
from twbuild.durations import clock
from twbuild.outcome import Outcome
from twbuild.output import rendering
from twbuild.output.live import HIDE_CURSOR, SHOW_CURSOR, Live, Row
from twbuild.output.stderr import Stderr
from twbuild.watch.events import Building, Finished, Problem, Tick

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


def picture(row: Row, now: float, width: int = 100, usual: float | None = None) -> str:
    """The row without colours."""
    return "".join(cell for cell, _ in rendering.rows(row.picture(now, usual, width), width)[0])


def test_a_build_that_was_not_answered_for_yet_is_asking() -> None:
    assert picture(Row(BUILD, START), START)[2:] == f"asking     0:00  {BUILD}"
    assert picture(Row(None, START), START + 61)[2:] == "asking     1:01  the newest build"


def test_a_building_row_shows_time_problem_and_next_try() -> None:
    """A building row shows its time and the problem with the next try."""
    row = Row(BUILD, START, Outcome.BUILDING)
    assert picture(row, START + 46)[2:] == f"building   0:46  {BUILD}"

    row.problem = Problem(BUILD, "HTTP 503", START + 50)

    assert picture(row, START + 46)[2:].endswith(f"  {BUILD}  HTTP 503, retrying in 4s")
    assert picture(row, START + 51)[2:].endswith(f"  {BUILD}  HTTP 503, retrying")


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
    shown = picture(Row(BUILD, START, Outcome.BUILDING), START + seconds, width, usual)

    whole = f"building   {clock(seconds)}  {BUILD}  {note}"
    assert shown[2:].rstrip() == whole[: width - 2].rstrip()


def test_only_a_building_row_is_compared() -> None:
    """Only a row that is building is compared and a problem takes the place."""
    building = Row(BUILD, START, Outcome.BUILDING)
    building.problem = Problem(BUILD, "HTTP 503", START + 50)

    assert picture(building, START + 46, usual=70.0).endswith("  HTTP 503, retrying in 4s")
    for row in (Row(BUILD, START), Row(BUILD, START, Outcome.COMPLETED, START + 46)):
        assert picture(row, START + 46, usual=70.0).endswith(BUILD)


@pytest.mark.parametrize("name", ["ascii", "latin-1"])
def test_the_bar_has_only_characters_of_the_streams_encoding(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("sys.stderr", TextIOWrapper(BytesIO(), encoding=name))
    shown = picture(Row(BUILD, START, Outcome.BUILDING), START + 46, 80, 70.0)

    assert shown.isascii()
    assert shown.endswith(f"{BUILD}  ------- ---- about 1m 10s")


def test_without_colour_what_is_left_of_the_bar_is_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = picture(Row(BUILD, START, Outcome.BUILDING), START + 46, 80, 70.0)

    assert shown.endswith(f"{BUILD}  {'━' * 7}╸     about 1m 10s")


def test_the_spinner_turns() -> None:
    row = Row(BUILD, START, Outcome.BUILDING)

    assert len({picture(row, START + tenth / 10)[0] for tenth in range(10)}) > 4


def test_a_finished_row_has_a_mark_and_fixed_time() -> None:
    row = Row(BUILD, START, Outcome.COMPLETED, START + 72)

    assert picture(row, START + 500) == f"✓ completed  1:12  {BUILD}"


def test_a_narrow_window_crops_a_row_and_never_wraps_it() -> None:
    row = Row(BUILD, START, Outcome.FAILED, START + 1)

    assert picture(row, START + 1, width=20) == f"✗ failed     0:01  {BUILD}"[:20]


@pytest.fixture
def live() -> Iterator[Live]:
    """Rows of 30 builds, drawn where no terminal is, in a window of 24 rows."""
    with closing(Live(Stderr("live"), MANY, lambda _: True, clock=lambda: START)) as screen:
        yield screen


def test_of_many_builds_those_building_are_drawn(
    live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of more builds than rows those building are drawn and the others counted."""
    live.show(Building(MANY[0]))
    live.show(Finished(MANY[1], Outcome.COMPLETED, None, 5.0, 5))
    live.show(Tick())

    frame = capfd.readouterr().err
    assert frame.startswith(HIDE_CURSOR)
    assert MANY[0] in frame
    assert MANY[1] not in frame
    assert frame.count("ZB") == 22
    assert "7 more building; 1 of 30 finished" in frame


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
    """A frame is what has changed and now and then a row that may be written on."""
    monkeypatch.setattr(Stderr, "is_ready_to_draw", lambda *_, **__: True)
    live.show(Tick())
    assert capfd.readouterr().err.count("asking") == 22
    for _ in range(2 * 23):
        live.show(Tick())

    frames = capfd.readouterr().err.split(HIDE_CURSOR)[1:]
    assert {frame.count("asking") for frame in frames} == {0, 1}
    assert all("".join(frames).count(sid) == 1 for sid in MANY[:22])
