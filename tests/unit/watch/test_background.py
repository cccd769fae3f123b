"""Which requests a run sends beside its polls, and what it learns from them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

import pytest

from tests.support.command import BUILD, OTHER_BUILD
from twbuild.api.models import Build, BuildPage, Request, Resource
from twbuild.outcome import Outcome
from twbuild.watch.background import PAGE, Background, BackgroundRequest
from twbuild.watch.earlier import changes
from twbuild.watch.events import BuildEvent, Building, Details, Finished, Problem, Selected, Usual

NOON = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
OLD, NEW = (Build(BUILD, "failed", runtime=runtime) for runtime in ("node20", "node22"))
LISTED = (
    OLD._replace(created=NOON),
    *(
        Build(f"ZB{n:032x}", "completed", at, at + timedelta(seconds=60 + n), "node20")
        for n, at in enumerate(NOON - timedelta(days=day) for day in (1, 2, 3))
    ),
)
LIST = BuildPage(LISTED, "Page=2", NOON)
SELECTED = Selected(BUILD, "building", NOON, 9, 0, LISTED)
BUILDING = Building(BUILD)
ENDED = {outcome: Finished(BUILD, outcome, None, 9, 9) for outcome in Outcome}
FAILED = ENDED[Outcome.FAILED]
OTHER_FAILED = FAILED._replace(sid=OTHER_BUILD)


def details(sid: str = BUILD) -> Request:
    return Request(Resource.BUILD, sid)


def background(
    *events: BuildEvent, details: bool = True, earlier: bool = True, deadline: float = math.inf
) -> Background:
    """One that was shown these events at 100."""
    made = Background(details=details, earlier=earlier, deadline=deadline)
    for event in events:
        list(made.on(event, 100))
    return made


def requests(made: Background) -> list[Request]:
    return [waiting.request for waiting in made.waiting]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([BUILDING, BUILDING, Building(OTHER_BUILD)], [PAGE]),
        ([SELECTED, BUILDING], []),
        ([BUILDING, FAILED], [PAGE, details()]),
        ([FAILED], [details(), PAGE]),
        ([SELECTED, FAILED], [details()]),
        ([FAILED, OTHER_FAILED], [details(), PAGE, details(OTHER_BUILD)]),
        *(([ENDED[outcome]], []) for outcome in Outcome if outcome is not Outcome.FAILED),
        ([Problem(BUILD, "HTTP 503", "HTTP 503", 9)], []),
    ],
    ids=str,
)
def test_earlier_builds_are_requested_once_after_building_or_failure(
    events: list[BuildEvent], wanted: list[Request]
) -> None:
    assert requests(background(*events)) == wanted
    assert requests(background(*events, earlier=False)) == [r for r in wanted if r != PAGE]
    no_details = background(*events, details=False)
    assert requests(no_details) == [PAGE] * (BUILDING in events and SELECTED not in events)


@pytest.mark.parametrize(("deadline", "until"), [(math.inf, 105), (103, 103)])
def test_a_request_ends_after_5_seconds_or_at_the_deadline(deadline: float, until: float) -> None:
    waiting = background(BUILDING, FAILED, deadline=deadline).waiting

    assert waiting == [BackgroundRequest(sent, until) for sent in (PAGE, details())]


def reported(
    made: Background, answers: Iterable[tuple[Request, Build | BuildPage | None]]
) -> list[BuildEvent]:
    return [event for request, answer in answers for event in made.take(request, answer)]


def test_the_usual_time_is_reported_once_it_is_known() -> None:
    assert reported(background(BUILDING), [(PAGE, LIST)]) == [Usual(61)]
    assert reported(background(BUILDING), [(PAGE, LIST._replace(builds=LISTED[:3]))]) == []
    assert reported(background(BUILDING), [(PAGE, None)]) == []


def test_the_list_behind_the_newest_build_says_the_same() -> None:
    made = background()

    assert list(made.on(SELECTED, 100)) == [Usual(61)]
    assert list(made.on(FAILED, 101)) == []
    assert reported(made, [(details(), NEW)]) == [Details(BUILD, NEW, changes(NEW, LISTED[1]))]
    assert list(background(earlier=False).on(SELECTED, 100)) == []


@pytest.mark.parametrize("is_list_first", [True, False])
def test_only_details_after_build_and_list_hold_up_the_end(is_list_first: bool) -> None:
    assert not background(BUILDING).holds_end
    answers: list[tuple[Request, Build | BuildPage]] = [(PAGE, LIST), (details(), NEW)]
    first, last = answers if is_list_first else answers[::-1]
    made = background(FAILED)

    assert reported(made, [first]) == [Usual(61)] * is_list_first
    assert made.holds_end
    assert reported(made, [last])[-1] == Details(BUILD, NEW, changes(NEW, LISTED[1]))
    assert not made.holds_end


def test_no_change_is_reported_that_is_not_known() -> None:
    not_listed = LIST._replace(builds=LISTED[1:])
    for page, build in [(None, NEW), (not_listed, NEW), (LIST, None), (None, None)]:
        events = reported(background(FAILED), [(PAGE, page), (details(), build)])
        assert events[-1] == Details(BUILD, build, None)


def test_each_failed_build_has_details_of_its_own() -> None:
    made = background(FAILED, OTHER_FAILED)
    other = Build(OTHER_BUILD, "failed")

    events = reported(made, [(details(OTHER_BUILD), other), (details(), None), (PAGE, None)])

    assert events == [Details(OTHER_BUILD, other), Details(BUILD, None)]
