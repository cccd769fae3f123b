"""Progress in plain lines: what each event says, and the line that comes while nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
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

Capture = pytest.CaptureFixture[str]

CREATED = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)
URL = "https://serverless.twilio.com/x"
COMPLETED = Finished(BUILD, Outcome.COMPLETED, None, 72.0, 9)
BUSY = Problem(BUILD, "HTTP 503", "busy", 0.0)
NEWEST = Selected(BUILD, "building", CREATED, 12.0, 0)
OLD = "(created 2026-11-24 14:02:11 UTC, 1d ago), 2 others in progress"

LINES: list[tuple[Event, str | None]] = [
    (Notice("credentials: profile dev"), "credentials: profile dev"),
    (RequestEnded(URL, "HTTP 200", 0.1234, "RQ1"), f"  200  123 ms  GET {URL}  RQ1"),
    (RequestEnded(URL, "timed out", 15, None), f"  timed out  15000 ms  GET {URL}"),
    (NEWEST, f"newest build: {BUILD} (created 14:02:11 UTC, 12s ago)"),
    (NEWEST._replace(age_seconds=86400.0, others_in_progress=2), f"newest build: {BUILD} {OLD}"),
    (Building(BUILD), f"building  {BUILD}"),
    (Started("s", (BUILD,), 90.0), f"waiting for {BUILD} in s, at most 1m 30s"),
    (Started("s", (BUILD, OTHER_BUILD), 0.0), "waiting for 2 builds in s, no time limit"),
    (BUSY._replace(next_at=104.0), f"HTTP 503, retrying in 4s  build {BUILD}"),
    (BUSY._replace(sid=None, next_at=99.0), "HTTP 503, retrying in 0s"),
    (COMPLETED, f"✓ completed  {BUILD}  ready to deploy (waited 1m 12s)"),
    *((event, None) for event in (Details(BUILD, None), Usual(70), Tick())),
]


@pytest.mark.parametrize(("event", "text"), LINES, ids=lambda value: str(value)[:20])
def test_each_event_has_its_line(event: Event, text: str | None) -> None:
    found = line(event, now=100.0)

    assert (found and plain(found)) == text


def lines(
    capfd: Capture, *events: Event, ticks: int, sids: Sequence[str] = (BUILD,), once: bool = False
) -> list[str]:
    """The lines of events, and of a tick each second after them."""
    now = 0.0
    progress = Plain(Stderr("plain"), sids, lambda _: True, once=once, clock=lambda: now)
    for event in events:
        progress.show(event)
    for _ in range(ticks):
        now += 1
        progress.show(Tick())
    return [line.removeprefix("twbuild: ") for line in capfd.readouterr().err.splitlines()]


def test_a_line_comes_every_30_seconds_while_nothing_changes(capfd: Capture) -> None:
    shown = [f"building  {BUILD}  ({waited})" for waited in ("30s", "1m")]

    assert lines(capfd, Building(BUILD), ticks=61) == [f"building  {BUILD}", *shown]


def test_building_after_a_problem_is_building_again(capfd: Capture) -> None:
    first, _, last = lines(capfd, Building(BUILD), BUSY, Building(BUILD), ticks=0)

    assert (first, last) == (f"building  {BUILD}", f"building again  {BUILD}")


def test_status_says_after_5_seconds_that_it_waits(capfd: Capture) -> None:
    assert lines(capfd, ticks=30, once=True) == [f"asking  {BUILD}  (5s)"]


ONE, TWO = (BUILD,), (BUILD, OTHER_BUILD)
STILL = f"still building after 30s (usually about 1m 10s)  {BUILD}"
USUALLY: list[tuple[list[Event], Sequence[str], str]] = [
    ([Building(BUILD), Usual(70)], ONE, STILL),
    ([Usual(70)], ONE, f"asking  {BUILD}  (30s)"),
    ([Building(BUILD), Usual(70), BUSY], ONE, f"HTTP 503  {BUILD}  (30s)"),
    ([COMPLETED], TWO, "waiting for 1 build  (30s)"),
    ([COMPLETED, Usual(70)], TWO, "waiting for 1 build  (30s, usually about 1m 10s)"),
]


@pytest.mark.parametrize(("events", "sids", "shown"), USUALLY)
def test_that_line_says_how_long_builds_usually_take(
    capfd: Capture, events: list[Event], sids: Sequence[str], shown: str
) -> None:
    assert lines(capfd, *events, ticks=30, sids=sids)[-1] == shown
