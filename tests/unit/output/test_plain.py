"""Progress in plain lines: what each event says, and the line that comes while nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from tests.support.command import BUILD, OTHER_BUILD
from twbuild.outcome import Outcome
from twbuild.output.plain import Plain, line
from twbuild.output.stderr import Stderr
from twbuild.text import plain
from twbuild.watch.events import (
    Building,
    Details,
    Event,
    Finished,
    Notice,
    Problem,
    RequestEnded,
    Selected,
    Started,
    Tick,
    Usual,
)

CREATED = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)
URL = "https://serverless.twilio.com/x"
COMPLETED = Finished(BUILD, Outcome.COMPLETED, None, 72.0, 9)
BUSY = Problem(BUILD, "HTTP 503", "busy", 0.0)

LINES: list[tuple[Event, str | None]] = [
    (Notice("credentials: profile dev"), "credentials: profile dev"),
    (RequestEnded(URL, "HTTP 200", 0.1234, "RQ1"), f"  200  123 ms  GET {URL}  RQ1"),
    (RequestEnded(URL, "timed out", 15, None), f"  timed out  15000 ms  GET {URL}"),
    (
        Selected(BUILD, "building", CREATED, 12.0, 0),
        f"newest build: {BUILD} (created 14:02:11 UTC, 12s ago)",
    ),
    (
        Selected(BUILD, "building", CREATED, 86400.0, 2),
        f"newest build: {BUILD} (created 2026-11-24 14:02:11 UTC, 1d ago), 2 others in progress",
    ),
    (Building(BUILD), f"building  {BUILD}"),
    (Started("s", (BUILD,), 90.0), f"waiting for {BUILD} in s, at most 1m 30s"),
    (Started("s", (BUILD, OTHER_BUILD), 0.0), "waiting for 2 builds in s, no time limit"),
    (BUSY._replace(next_at=104.0), f"HTTP 503, retrying in 4s  build {BUILD}"),
    (BUSY._replace(sid=None, next_at=99.0), "HTTP 503, retrying in 0s"),
    (COMPLETED, f"✓ completed  {BUILD}  ready to deploy (waited 1m 12s)"),
    (Details(BUILD, None), None),
    (Usual(70), None),
    (Tick(), None),
]


@pytest.mark.parametrize(("event", "text"), LINES, ids=lambda value: str(value)[:20])
def test_each_event_has_its_line(event: Event, text: str | None) -> None:
    found = line(event, now=100.0)

    assert (found and plain(found)) == text


Lines = Callable[..., list[str]]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Lines:
    """The lines of events, and of a tick each second after them."""

    def shown(
        *events: Event, ticks: int = 0, sids: tuple[str, ...] = (BUILD,), once: bool = False
    ) -> list[str]:
        now = 0.0
        progress = Plain(Stderr("plain"), sids, lambda _: True, once=once, clock=lambda: now)
        for event in events:
            progress.show(event)
        for _ in range(ticks):
            now += 1
            progress.show(Tick())
        return capfd.readouterr().err.removeprefix("twbuild: ").splitlines()

    return shown


def test_a_line_comes_every_30_seconds_while_nothing_changes(lines: Lines) -> None:
    shown = [f"twbuild: building  {BUILD}  ({waited})" for waited in ("30s", "1m")]

    assert lines(Building(BUILD), ticks=61) == [f"building  {BUILD}", *shown]


def test_building_after_a_problem_is_building_again(lines: Lines) -> None:
    first, _, last = lines(Building(BUILD), BUSY, Building(BUILD))

    assert (first, last) == (f"building  {BUILD}", f"twbuild: building again  {BUILD}")


def test_status_says_after_5_seconds_that_it_waits(lines: Lines) -> None:
    assert lines(ticks=30, once=True) == [f"asking  {BUILD}  (5s)"]


TWO = (BUILD, OTHER_BUILD)


@pytest.mark.parametrize(
    ("events", "sids", "shown"),
    [
        ([Building(BUILD), Usual(70)], TWO[:1], "still building after 30s (usually about 1m 10s)"),
        ([Usual(70)], TWO[:1], f"asking  {BUILD}  (30s)"),
        ([Building(BUILD), Usual(70), BUSY], TWO[:1], f"HTTP 503  {BUILD}  (30s)"),
        ([COMPLETED], TWO, "waiting for 1 build  (30s)"),
        ([COMPLETED, Usual(70)], TWO, "waiting for 1 build  (30s, usually about 1m 10s)"),
    ],
)
def test_that_line_says_how_long_builds_usually_take(
    lines: Lines, events: list[Event], sids: tuple[str, ...], shown: str
) -> None:
    """That line says how long builds usually take and counts the unfinished of several."""
    *_, last = lines(*events, ticks=30, sids=sids)

    assert last.removeprefix("twbuild: ") == shown + (f"  {BUILD}" * shown.startswith("still"))
