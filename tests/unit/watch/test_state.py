"""When a build is polled, what an answer means and when it is over, with a moved clock.

What `schedule` decides shows in these times, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.support.command import BUILD, OTHER_BUILD
from tests.support.play import (
    BUILDING,
    COMPLETED,
    FAILED,
    START,
    Scripted,
    Took,
    fatal,
    forever,
    missing,
    passing,
    play,
    unauthorized,
    wait,
)
from twbuild.api.models import Build, BuildPage, Request, Resource
from twbuild.errors import FetchError
from twbuild.outcome import Outcome
from twbuild.watch.events import Building, Finished, Problem, Selected
from twbuild.watch.state import Policy, Watch

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
B, C = BUILDING, COMPLETED


def build(sid: str, status: str = "building", minutes_ago: float = 0) -> Build:
    return Build(sid, status, NOON - timedelta(minutes=minutes_ago))


def page(*builds: Build, more: str | None = None) -> BuildPage:
    return BuildPage(builds, more, NOON)


def watch(policy: Policy) -> Watch:
    return Watch(BUILD, policy, START, lambda: 1.0)


def slow(*seconds: float) -> list[Scripted]:
    return [Took(BUILDING, each) for each in seconds]


# The answers, the last one for ever; and when each request is sent.
TIMES: list[tuple[list[Scripted], Policy, list[float]]] = [
    # Every interval, from start to start; beats missed by a slow answer are skipped.
    ([B, B, B, B, C], wait(), [0, 1, 2, 3, 4]),
    ([B, B, B, C], wait(0.2), [0, 0.2, 0.4, 0.6]),
    ([*slow(0.9, 0.1, 0.999, 0.5), C], wait(), [0, 1, 2, 3, 4]),
    ([*slow(1.0), B, C], wait(), [0, 1, 2]),
    ([*slow(1.01), B, C], wait(), [0, 2, 3]),
    ([*slow(2.0), B, C], wait(), [0, 2, 3]),
    # A problem leaves the beat; its delays double from 1 to 30 s, none below the interval.
    ([B, Took(passing(), 0.2), Took(B, 0.1), B, C], wait(), [0, 1, 2.2, 3, 4]),
    ([B, *[passing()] * 6, C], wait(), [0, 1, 2, 4, 8, 16, 32, 62]),
    ([B, *[passing()] * 4, C], wait(5), [0, 5, 10, 15, 20, 28]),
    ([B, Took(passing(0.5), 0.25), C], wait(), [0, 1, 2.25]),
    ([B, Took(passing(7), 0.25), C], wait(), [0, 1, 8.25]),
    # One last try comes a second before the deadline, where the next would come after it.
    ([B], wait(4, 10), [0, 4, 8, 9]),
    ([B], wait(5, 10), [0, 5, 9]),
    ([B], wait(1, 4), [0, 1, 2, 3]),
    ([B], wait(4, 9), [0, 4, 8]),
    ([B], wait(10, 1), [0]),
    # But never before a Retry-After.
    ([passing()], wait(60, 10), [0, 9]),
    ([passing(9)], wait(60, 10), [0, 9]),
    ([passing(9.1)], wait(60, 10), [0]),
]


@pytest.mark.parametrize(("answers", "policy", "times"), TIMES)
def test_each_request_has_its_time(
    answers: list[Scripted], policy: Policy, times: list[float]
) -> None:
    played = play(forever(*answers), policy)

    assert played.times == times
    if answers[-1] is not COMPLETED:
        assert played.outcome == "timeout"
        assert START + played.finished_at == pytest.approx(policy.deadline)


STOPS = [(0.4, [0, 1, 2.4, 3, 4]), (0.6, [0, 1, 2.6, 4, 5]), (3600.6, [0, 1, 3602.6, 3604, 3605])]


@pytest.mark.parametrize(("stopped", "times"), STOPS)
def test_beats_missed_by_a_suspended_machine_are_not_made_up(
    stopped: float, times: list[float]
) -> None:
    assert play([B, B, B, B, C], stops=lambda at: stopped if at == 2 else 0).times == times


def test_each_delay_is_within_its_jitter() -> None:
    played = play([B, *[passing()] * 6, C], jitter=lambda: 1.25)

    assert played.times == [0, 1, 2.25, 4.75, 9.75, 19.75, 39.75, 77.25]


# The first answers, the error after them, the policy (None: of `status`), and when each request is
# sent until the error ends it.
GIVEN_UP: list[tuple[list[Scripted], Scripted, Policy | None, list[float]]] = [
    ([B], passing(), wait(), [0, 1, 2, 4, 8, 16, 32, 62, 92, 120]),
    ([], passing(), wait(), [0, 1, 3, 7, 15, 20]),
    ([passing(19.5)], passing(), wait(0.2), [0, 19.5, 20]),
    ([], passing(25), wait(), [0, 25, 50]),
    ([], Took(BUILDING, 60), wait(), [0, 16, 33]),
    ([], missing(), wait(), [0, 1, 3, 5]),
    ([], missing(), wait(60), [0, 60, 120]),
    ([B], missing(), wait(), [0, 1, 2, 4, 6]),
    ([B, missing(), passing(), passing()], missing(), wait(), [0, 1, 2, 4, 8, 16, 32]),
    ([], passing(), None, [0, 1, 3]),
    ([], passing(29.9), None, [0, 29.9]),
    ([], passing(30), None, [0]),
    ([], missing(), None, [0]),
    ([], fatal(), wait(), [0]),
    ([], unauthorized(), wait(), [0]),
]


@pytest.mark.parametrize(("first", "error", "policy", "times"), GIVEN_UP)
def test_an_error_ends_it_at_its_limit_and_not_before(
    first: list[Scripted], error: Scripted, policy: Policy | None, times: list[float]
) -> None:
    policy = policy or wait(once=True)
    played = play(forever(*first, error), policy)

    assert played.times == times
    assert played.finished
    assert played.finished.waited_seconds == played.requested[-1].ended
    if isinstance(error, FetchError):
        assert (played.finished.outcome, played.finished.error) == (error.outcome, error)
    before = len(times) - len(first) - 1
    assert play([*first, *[error] * before, COMPLETED], policy).outcome == "completed"


def test_an_end_slept_through_hurries_no_other_try() -> None:
    played = play(forever(B, passing()), wait(0.2), stops=lambda at: 119.3 if at < 0.5 else 0)

    assert played.times == [0, 119.5, 120.5, 122.5]


def test_progress_is_reported_first_and_after_a_problem() -> None:
    played = play([B, B, Took(passing(7), 0.25), B, B, C])

    building, problem, again, finished = played.events
    assert building == again == Building(BUILD)
    assert problem == Problem(BUILD, "HTTP 503", "HTTP 503", START + 9.25)
    assert isinstance(finished, Finished)


def test_the_deadline_ends_it_with_what_is_known() -> None:
    last = passing(reason="the last")
    finished = Finished(BUILD, Outcome.TIMEOUT, BUILDING, 4, 4, None)

    assert play(forever(B), wait(timeout=4)).finished == finished
    assert play(forever(B, passing(), B), wait(timeout=4)).finished == finished
    ended = play(forever(B, passing(), last), wait(timeout=4)).finished
    assert ended
    assert (ended.answer, ended.error) == (BUILDING, last)


def test_a_problem_without_a_retry_is_not_shown() -> None:
    played = play(forever(B, passing(60)), wait(timeout=10))

    assert [type(event) for event in played.events] == [Building]


def test_what_comes_after_the_deadline_decides_no_more() -> None:
    for error in (passing(), missing(), fatal(), unauthorized()):
        watched = watch(wait(timeout=10))
        watched.next(START)
        assert list(watched.take(error, START + 10)) == []
        assert watched.next(START + 10) == Finished(BUILD, Outcome.TIMEOUT, None, 10, 1, None)


def test_a_verdict_that_comes_with_the_deadline_still_counts() -> None:
    watched = watch(wait(timeout=10))
    watched.next(START + 9)
    list(watched.take(COMPLETED, START + 10.01))

    assert watched.next(START + 10.01) == watched.finished
    assert watched.finished
    assert watched.finished.outcome is Outcome.COMPLETED


def test_silence_from_beginning_to_end_of_status_is_reported() -> None:
    watched = watch(wait(once=True))
    watched.next(START)
    watched.next(START + 30)

    assert watched.finished
    assert isinstance(error := watched.finished.error, FetchError)
    assert watched.finished.outcome is Outcome.UNAVAILABLE
    assert error.message == error.reason == "no answer within 30s"


def test_an_interrupt_reports_the_last_status_and_the_time() -> None:
    error = passing(9)
    played = play(forever(B, error), interrupted_at=7.5)

    assert played.finished == Finished(BUILD, Outcome.INTERRUPTED, B, 7.5, 2, error)
    assert played.watch.next(START + 8) is played.finished


def test_the_newest_build_is_selected_and_watched_at_once() -> None:
    listed = page(build(OTHER_BUILD, minutes_ago=9), build(BUILD, minutes_ago=1))
    played = play([Took(listed, 0.4), B, C], sid=None)

    requests = [requested.request for requested in played.requested]
    assert requests == [Request(Resource.PAGE), *[Request(Resource.STATUS, BUILD)] * 2]
    newest_first, created = listed.builds[::-1], NOON - timedelta(minutes=1)
    assert played.events[0] == Selected(BUILD, "building", created, 60, 1, newest_first)
    assert played.finished
    assert (played.finished.sid, played.finished.polls) == (BUILD, 2)
    assert played.times == [0, 0.4, 1.4]


def test_all_pages_are_read_each_again_after_a_problem() -> None:
    older = page(build(OTHER_BUILD, minutes_ago=5), more="Page=1&PageToken=a")
    played = play([older, page(more="Page=2"), passing(), page(build(BUILD)), C], sid=None)

    *pages, last = [requested.request for requested in played.requested]
    queries = ["", "Page=1&PageToken=a", "Page=2", "Page=2"]
    assert pages == [Request(Resource.PAGE, query=query) for query in queries]
    assert last == Request(Resource.STATUS, BUILD)
    assert played.events[0] == Problem(None, "HTTP 503", "HTTP 503", START + 1)


def test_wait_selects_the_newest_in_progress_and_status_the_newest() -> None:
    listed = page(build(OTHER_BUILD, "failed", 1), build(BUILD, "building", 5))

    assert play([listed, C], sid=None).requested[-1].request.sid == BUILD
    checked = play([listed, FAILED], wait(once=True), sid=None)
    assert checked.requested[-1].request.sid == OTHER_BUILD


def test_a_list_without_a_newest_build_is_no_verdict() -> None:
    finished = play([page(build(OTHER_BUILD, "completed", 3 * 24 * 60))], sid=None).finished
    incomplete = play(forever(page(build(BUILD), more="Page=1")), sid=None)

    assert finished
    assert finished.error
    assert f"{OTHER_BUILD} (completed, created 3d ago)" in finished.error.message
    assert finished[:3] == (None, Outcome.NOT_FOUND, None)
    assert (incomplete.outcome, len(incomplete.requested)) == ("unavailable", 50)


def test_requests_for_the_list_have_the_same_limits() -> None:
    listed, more = page(build(BUILD)), page(more="Page=1")

    assert play([passing(), passing(), listed, C], sid=None).outcome == "completed"
    assert play(forever(passing()), sid=None).finished_at == 20
    assert play(forever(more, passing()), sid=None).finished_at == 120
    assert play(forever(missing()), sid=None).outcome == "not_found"
    for pages in ([], [more], [listed]):
        checked = play(forever(*pages, passing()), wait(once=True), sid=None)
        assert len(checked.requested) == len(pages) + 3
    late = play([Took(listed, 9)], wait(timeout=5), sid=None)
    assert late.finished == Finished(None, Outcome.TIMEOUT, None, 5, 0)
