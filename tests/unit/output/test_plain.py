"""Progress in plain lines: what each event says, and the line that comes while nothing changes."""

from __future__ import annotations

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
    (
        Problem(BUILD, "could not resolve x", "DNS", 104.0),
        f"could not resolve x, retrying in 4s  build {BUILD}",
    ),
    (Problem(None, "HTTP 503", "HTTP 503", 99.0), "HTTP 503, retrying in 0s"),
    (COMPLETED, f"✓ completed  {BUILD}  ready to deploy (waited 1m 12s)"),
    (Details(BUILD, None), None),
    (Usual(70), None),
    (Tick(), None),
]


@pytest.mark.parametrize(("event", "text"), LINES, ids=lambda value: str(value)[:20])
def test_each_event_has_its_line(event: Event, text: str | None) -> None:
    found = line(event, now=100.0)

    assert (found and plain(found)) == text


class Watched:
    """Plain progress whose clock the test moves."""

    def __init__(self, *sids: str, once: bool = False) -> None:
        self.now = 0.0
        self.progress = Plain(
            Stderr("plain"), sids, lambda _: True, once=once, clock=lambda: self.now
        )

    def show(self, *events: Event, after: float = 0.0) -> None:
        self.now += after
        for event in events:
            self.progress.show(event)


def test_a_line_comes_every_30_seconds_while_nothing_changes(
    capfd: pytest.CaptureFixture[str],
) -> None:
    watched = Watched(BUILD)
    watched.show(Building(BUILD))
    for _ in range(61):
        watched.show(Tick(), after=1)

    assert capfd.readouterr().err.splitlines() == [
        f"twbuild: building  {BUILD}",
        f"twbuild: building  {BUILD}  (30s)",
        f"twbuild: building  {BUILD}  (1m)",
    ]


def test_building_after_a_problem_is_building_again(capfd: pytest.CaptureFixture[str]) -> None:
    problem = Problem(BUILD, "HTTP 503", "HTTP 503", 0.0)
    Watched(BUILD).show(Building(BUILD), problem, Building(BUILD))

    lines = capfd.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == (
        f"twbuild: building  {BUILD}",
        f"twbuild: building again  {BUILD}",
    )


def test_status_says_after_5_seconds_that_it_waits(capfd: pytest.CaptureFixture[str]) -> None:
    watched = Watched(BUILD, once=True)
    for _ in range(30):
        watched.show(Tick(), after=1)

    assert capfd.readouterr().err == f"twbuild: asking  {BUILD}  (5s)\n"


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ([Building(BUILD), Usual(70)], f"still building after 30s (usually about 1m 10s)  {BUILD}"),
        ([Usual(70)], f"asking  {BUILD}  (30s)"),
        (
            [Building(BUILD), Usual(70), Problem(BUILD, "HTTP 503", "HTTP 503", 40)],
            f"HTTP 503  {BUILD}  (30s)",
        ),
    ],
    ids=["building", "asking", "a problem"],
)
def test_that_line_says_how_long_builds_usually_take(
    capfd: pytest.CaptureFixture[str], events: list[Event], shown: str
) -> None:
    watched = Watched(BUILD)
    watched.show(*events)
    watched.show(Tick(), after=30)

    assert capfd.readouterr().err.splitlines()[-1] == f"twbuild: {shown}"


def test_that_line_counts_the_unfinished_of_several_builds(
    capfd: pytest.CaptureFixture[str],
) -> None:
    watched = Watched(BUILD, OTHER_BUILD)
    watched.show(COMPLETED)
    watched.show(Tick(), after=30)

    assert capfd.readouterr().err.endswith("twbuild: waiting for 1 build  (30s)\n")
    watched.show(Usual(70))
    watched.show(Tick(), after=30)
    assert capfd.readouterr().err == ("twbuild: waiting for 1 build  (1m, usually about 1m 10s)\n")
