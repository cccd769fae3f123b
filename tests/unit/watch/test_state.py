"""When a build is polled, what an answer means and when it is over, with a moved clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.support.command import BUILD, OTHER_BUILD
from tests.support.play import (
    BUILDING,
    COMPLETED,
    FAILED,
    START,
    Result,
    Took,
    fatal,
    forever,
    missing,
    passing,
    play,
    unauthorized,
    wait,
)
from twbuild.api.models import Build, BuildPage, BuildStatus, Request, Resource, Status
from twbuild.errors import FetchError
from twbuild.outcome import Outcome
from twbuild.watch.events import Building, Finished, Problem, Selected
from twbuild.watch.state import Fetch, Policy, Sleep, Watch

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def build(sid: str, status: str = "building", minutes_ago: float | None = 0) -> Build:
    created = None if minutes_ago is None else NOON - timedelta(minutes=minutes_ago)
    return Build(sid, status, created)


def page(*builds: Build, more: str | None = None) -> BuildPage:
    return BuildPage(builds, more, NOON)


def watch(policy: Policy | None = None, sid: str | None = BUILD) -> Watch:
    return Watch(sid, policy or wait(), START, lambda: 1.0)


def problem(played_events: list[object]) -> list[Problem]:
    return [event for event in played_events if isinstance(event, Problem)]


class TestVerdict:
    def test_an_answer_that_comes_with_the_deadline_still_counts(self) -> None:
        watched = watch(wait(timeout=10))
        watched.next(START + 9)

        list(watched.take(COMPLETED, START + 10.01))

        assert watched.next(START + 10.01) == watched.finished
        assert watched.finished is not None
        assert watched.finished.outcome is Outcome.COMPLETED

    def test_progress_is_reported_first_and_after_a_problem(self) -> None:
        """Progress is reported with the first good answer and the first after problem."""
        played = play([BUILDING, BUILDING, passing(), BUILDING, BUILDING, COMPLETED])

        assert [type(event) for event in played.events] == [Building, Problem, Building, Finished]
        assert played.events[0] == played.events[2] == Building(BUILD)


class TestBeat:
    def test_the_first_poll_starts_at_once_then_one_every_interval(self) -> None:
        assert play([*[BUILDING] * 4, COMPLETED]).times == [0, 1, 2, 3, 4]
        assert play([*[BUILDING] * 3, COMPLETED], wait(0.2)).times == [0, 0.2, 0.4, 0.6]
        assert play([*[BUILDING] * 2, COMPLETED], wait(3600)).times == [0, 3600, 7200]

    def test_a_slow_answer_does_not_shift_it(self) -> None:
        slow = [Took(BUILDING, seconds) for seconds in (0.9, 0.1, 0.999, 0.5)]

        assert play([*slow, COMPLETED]).times == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("seconds", "following"), [(1.0, 1), (1.01, 2), (2.0, 2), (2.5, 3), (14.9, 15)]
    )
    def test_a_beat_missed_by_a_slow_answer_is_skipped(
        self, seconds: float, following: float
    ) -> None:
        played = play([Took(BUILDING, seconds), BUILDING, COMPLETED])

        assert played.times == [0, following, following + 1]

    @pytest.mark.parametrize(
        ("stopped", "times"),
        [
            (0.004, [0, 1, 2.004, 3, 4]),
            (0.4, [0, 1, 2.4, 3, 4]),
            (0.6, [0, 1, 2.6, 4, 5]),
            (8, [0, 1, 10, 11, 12]),
            (3600.25, [0, 1, 3602.25, 3603, 3604]),
        ],
    )
    def test_beats_missed_by_a_suspended_machine_are_not_made_up(
        self, stopped: float, times: list[float]
    ) -> None:
        played = play([*[BUILDING] * 4, COMPLETED], stops=lambda at: stopped if at == 2 else 0)

        assert played.times == times

    def test_problem_leaves_it_for_as_long_as_it_lasts(self) -> None:
        played = play([BUILDING, Took(passing(), 0.2), Took(BUILDING, 0.1), BUILDING, COMPLETED])

        assert played.times == [0, 1, 2.2, 3, 4]


class TestDeadline:
    def test_it_ends_there_with_the_last_answer(self) -> None:
        played = play(forever(BUILDING), wait(timeout=10))

        assert (played.outcome, played.finished_at) == ("timeout", 10)
        assert played.finished == Finished(BUILD, Outcome.TIMEOUT, BUILDING, 10, 10, None)

    @pytest.mark.parametrize(
        ("interval", "timeout", "times"),
        [
            (3600, 600, [0, 599]),
            (4, 10, [0, 4, 8, 9]),
            (5, 10, [0, 5, 9]),
            (1, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            (4, 9, [0, 4, 8]),
            (10, 1.5, [0, 0.5]),
            (10, 1, [0]),
            (10, 0.5, [0]),
            (0.4, 2, [0, 0.4, 0.8, 1.2, 1.6]),
        ],
    )
    def test_one_last_try_comes_a_second_before_it(
        self, interval: float, timeout: float, times: list[float]
    ) -> None:
        """One last try comes a second before it where the next would come after."""
        played = play(forever(BUILDING), wait(interval, timeout))

        assert played.times == times
        assert played.finished_at == pytest.approx(timeout)

    @pytest.mark.parametrize(
        ("retry_after", "times"), [(0, [0, 9]), (9, [0, 9]), (9.1, [0]), (300, [0])]
    )
    def test_the_last_try_never_comes_before_a_retry_after(
        self, retry_after: float, times: list[float]
    ) -> None:
        played = play(forever(passing(retry_after)), wait(interval=60, timeout=10))

        assert played.times == times
        assert (played.outcome, played.finished_at) == ("timeout", 10)

    def test_the_problem_at_the_end_is_remembered(self) -> None:
        last = passing(reason="the last")

        played = play(forever(BUILDING, passing(), last), wait(timeout=4))

        assert played.finished is not None
        assert (played.finished.answer, played.finished.error) == (BUILDING, last)

    def test_problem_that_a_good_answer_has_mended_is_forgotten(self) -> None:
        played = play(forever(BUILDING, passing(), BUILDING), wait(timeout=4))

        assert played.finished is not None
        assert played.finished.error is None

    def test_a_problem_without_a_retry_is_not_shown(self) -> None:
        played = play(forever(BUILDING, passing(60)), wait(timeout=10))

        assert not problem(list(played.events))

    @pytest.mark.parametrize("error", [passing(), missing(), fatal(), unauthorized()])
    def test_what_comes_after_it_decides_no_more(self, error: FetchError) -> None:
        watched = watch(wait(timeout=10))
        watched.next(START)

        assert list(watched.take(error, START + 10)) == []
        assert watched.next(START + 10) == Finished(BUILD, Outcome.TIMEOUT, None, 10, 1, None)


class TestTransientErrors:
    def test_the_pauses_double_from_1_to_30_seconds(self) -> None:
        played = play([BUILDING, *[passing()] * 6, COMPLETED])

        assert played.times == [0, 1, 2, 4, 8, 16, 32, 62]

    @pytest.mark.parametrize("jitter", [0.75, 1.25])
    def test_each_is_between_75_and_125_percent(self, jitter: float) -> None:
        played = play([BUILDING, *[passing()] * 6, COMPLETED], jitter=lambda: jitter)
        pauses = [b - a for a, b in zip(played.times[1:], played.times[2:], strict=False)]

        expected = [max(1, jitter * base) for base in (1, 2, 4, 8, 16, 30)]
        assert pauses == pytest.approx(expected)

    def test_none_is_shorter_than_the_interval(self) -> None:
        played = play([BUILDING, *[passing()] * 4, COMPLETED], wait(5))

        assert played.times == [0, 5, 10, 15, 20, 28]

    @pytest.mark.parametrize(
        ("retry_after", "pause"), [(0, 1), (0.5, 1), (1, 1), (7, 7), (300, 300)]
    )
    def test_a_longer_retry_after_is_waited_for(self, retry_after: float, pause: float) -> None:
        played = play([BUILDING, Took(passing(retry_after), 0.25), COMPLETED])

        assert played.times == [0, 1, 1.25 + pause]
        assert problem(list(played.events)) == [
            Problem(BUILD, "HTTP 503", "HTTP 503", START + 1.25 + pause)
        ]

    def test_its_last_try_comes_at_its_end(self) -> None:
        played = play(forever(passing(19.5), passing(), passing()), wait(0.2))

        assert played.times == [0, 19.5, 20]

    def test_an_end_slept_through_hurries_no_other_try(self) -> None:
        played = play(
            forever(BUILDING, passing()), wait(0.2), stops=lambda at: 119.3 if at < 0.5 else 0
        )

        assert played.times == [0, 119.5, 120.5, 122.5]

    @pytest.mark.parametrize(
        ("seconds", "outcome"), [(119, "completed"), (120, "completed"), (121, "unavailable")]
    )
    def test_a_problem_of_1_59_passes_2_01_does_not(self, seconds: float, outcome: str) -> None:
        played = play(until(seconds, passing(), BUILDING))

        assert played.outcome == outcome

    @pytest.mark.parametrize(("seconds", "outcome"), [(19, "completed"), (21, "unavailable")])
    def test_without_an_answer_0_19_passes_0_21_does_not(
        self, seconds: float, outcome: str
    ) -> None:
        assert play(until(seconds, passing())).outcome == outcome

    @pytest.mark.parametrize("retry_after", [25, 300])
    def test_at_least_three_tries_however_long_they_take(self, retry_after: float) -> None:
        played = play(forever(passing(retry_after)))

        assert played.times == [0, retry_after, 2 * retry_after]
        assert played.outcome == "unavailable"

    def test_three_slow_tries_are_enough(self) -> None:
        played = play(forever(Took(BUILDING, 60)))

        assert played.times == [0, 16, 33]
        assert played.outcome == "unavailable"


def until(seconds: float, error: FetchError, *first: Result) -> list[Result]:
    """`first`, then `error` for that long, then completed: the tries that fall into it are few."""
    played = play([*first, *[error] * 40, COMPLETED], wait(1))
    since = played.requested[0].ended if first else 0
    bad = sum(requested.at - since < seconds for requested in played.requested[len(first) :])
    return [*first, *[error] * bad, COMPLETED]


class TestNotFound:
    @pytest.mark.parametrize("first", [[], [BUILDING]])
    def test_five_seconds_and_three_polls_in_a_row_end_it(self, first: list[Result]) -> None:
        error = missing()

        played = play(forever(*first, error))

        begun = played.requested[len(first)].at
        assert [at - begun for at in played.times[len(first) :]] == [0, 1, 3, 5]
        assert played.outcome == "not_found"
        assert played.finished is not None
        assert played.finished.error is error

    @pytest.mark.parametrize(
        ("answers", "interval"),
        [
            ([BUILDING, missing(), COMPLETED], 1),
            ([missing(), missing(), missing(), BUILDING, COMPLETED], 0.2),
            ([missing(), missing(), missing(), COMPLETED], 1),
            ([BUILDING, missing(), COMPLETED], 60),
            ([missing(), missing(), COMPLETED], 60),
        ],
    )
    def test_shorter_is_ridden_out(self, answers: list[Result], interval: float) -> None:
        assert play(answers, wait(interval)).outcome == "completed"


class TestOneLook:
    @pytest.mark.parametrize(("retry_after", "tries"), [(29.9, 2), (30, 1), (300, 1)])
    def test_a_retry_after_that_leads_beyond_is_not_waited_for(
        self, retry_after: float, tries: int
    ) -> None:
        error = passing(retry_after)

        played = play(forever(error), wait(once=True))

        assert len(played.requested) == tries
        assert played.finished_at == pytest.approx(retry_after * (tries - 1))
        assert played.finished is not None
        assert (played.outcome, played.finished.error) == ("unavailable", error)

    def test_silence_from_beginning_to_end_is_reported(self) -> None:
        watched = watch(wait(once=True))
        watched.next(START)

        finished = watched.next(START + 30)

        assert isinstance(finished, Finished)
        assert isinstance(finished.error, FetchError)
        assert finished.error.message == finished.error.reason == "no answer within 30s"


class TestInterrupt:
    @pytest.mark.parametrize(
        ("answers", "answer"),
        [([], None), ([BUILDING], BUILDING), ([BUILDING, passing()], BUILDING)],
    )
    def test_the_last_status_and_the_time_are_reported(
        self, answers: list[Result], answer: BuildStatus | None
    ) -> None:
        watched = watch()
        for second, given in enumerate(answers):
            watched.next(START + second)
            list(watched.take(given, START + second))
        error = next((given for given in answers if isinstance(given, FetchError)), None)

        finished = watched.ending(START + 7.5)

        assert finished == Finished(BUILD, Outcome.INTERRUPTED, answer, 7.5, len(answers), error)
        assert watched.next(START + 8) is finished


class TestNewestBuild:
    def test_it_is_picked_and_then_watched_at_once(self) -> None:
        listed = page(build(OTHER_BUILD, minutes_ago=9), build(BUILD, minutes_ago=1))

        played = play([Took(listed, 0.4), BUILDING, COMPLETED], sid=None)

        assert [requested.request for requested in played.requested[:2]] == [
            Request(Resource.PAGE),
            Request(Resource.STATUS, BUILD),
        ]
        listed_by_age = tuple(reversed(listed.builds))
        created = NOON - timedelta(minutes=1)
        assert played.events[0] == Selected(BUILD, "building", created, 60, 1, listed_by_age)
        assert played.finished is not None
        assert (played.finished.sid, played.finished.polls) == (BUILD, 2)
        assert played.times == [0, 0.4, 1.4]

    def test_over_all_pages(self) -> None:
        pages = [
            page(build(OTHER_BUILD, minutes_ago=5), more="Page=1&PageToken=a"),
            page(more="Page=2"),
            page(build(BUILD, minutes_ago=1)),
        ]

        played = play([*pages, COMPLETED], sid=None)

        assert [requested.request for requested in played.requested[:3]] == [
            Request(Resource.PAGE),
            Request(Resource.PAGE, query="Page=1&PageToken=a"),
            Request(Resource.PAGE, query="Page=2"),
        ]
        assert played.finished is not None
        assert played.finished.sid == BUILD

    def test_wait_takes_the_newest_in_progress(self) -> None:
        """Wait takes the newest in progress and status the newest of all."""
        listed = page(build(OTHER_BUILD, "failed", 1), build(BUILD, "building", 5))

        assert play([listed, COMPLETED], sid=None).requested[-1].request.sid == BUILD
        looked = play([listed, FAILED], wait(once=True), sid=None)
        assert looked.requested[-1].request.sid == OTHER_BUILD

    @pytest.mark.parametrize("status", ["completed", "failed"])
    def test_none_in_progress_is_no_verdict(self, status: str) -> None:
        played = play([page(build(OTHER_BUILD, status, 3 * 24 * 60))], sid=None)

        assert played.outcome == "not_found"
        assert played.finished is not None
        assert played.finished.error is not None
        assert f"{OTHER_BUILD} ({status}, created 3d ago)" in played.finished.error.message
        assert (played.finished.sid, played.finished.answer) == (None, None)

    def test_an_incomplete_list_never_yields_one(self) -> None:
        endless = page(build(BUILD), more="Page=1")

        played = play(forever(endless), sid=None)

        assert played.outcome == "unavailable"
        assert len(played.requested) == 50

    def test_its_requests_have_the_same_retry_limit(self) -> None:
        listed = page(build(BUILD))

        assert play([passing(), passing(), listed, COMPLETED], sid=None).outcome == "completed"
        assert 20 <= play(forever(passing()), sid=None).finished_at <= 21
        assert play(forever(missing()), sid=None).outcome == "not_found"
        for listing in ([], [page(more="Page=1")], [listed]):
            looked = play(forever(*listing, passing()), wait(once=True), sid=None)
            assert len(looked.requested) == len(listing) + 3
        later = play(forever(page(more="Page=1"), passing()), sid=None)
        assert 120 <= later.finished_at <= 121

    def test_problem_with_a_page_asks_for_the_same_page_again(self) -> None:
        played = play([page(more="Page=1"), passing(), page(build(BUILD)), COMPLETED], sid=None)

        assert [requested.request.query for requested in played.requested] == [
            "",
            "Page=1",
            "Page=1",
            "",
        ]
        assert problem(list(played.events)) == [Problem(None, "HTTP 503", "HTTP 503", START + 1)]

    def test_its_requests_have_the_same_deadline(self) -> None:
        played = play([Took(page(build(BUILD)), 9)], wait(timeout=5), sid=None)

        assert (played.outcome, played.finished_at) == ("timeout", 5)
        assert played.finished is not None
        assert (played.finished.sid, played.finished.polls) == (None, 0)


def test_nothing_is_to_be_done_before_the_next_beat() -> None:
    watched = watch()
    watched.next(START)
    list(watched.take(BuildStatus(Status.BUILDING), START))

    assert watched.next(START + 0.1) == Sleep(START + 1)
    assert watched.next(START + 0.999) == Sleep(START + 1)
    assert isinstance(watched.next(START + 1), Fetch)
