"""Histories of answers, faults, times and deadlines: the contract's sentences hold in each.

TWBUILD_HISTORIES says how many are tried.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import cycle, pairwise
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import play
from tests.support.command import BUILD
from tests.support.play import BUILDING, COMPLETED, FAILED, START, Requested, Scripted, Took
from twbuild.api.models import Build, BuildPage, BuildStatus, Request, Resource
from twbuild.errors import FetchError, NotFoundError, PermanentError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.watch.events import Details, Problem, Selected, Usual

NOON, DAY, MINUTE = datetime(2026, 11, 24, 12, tzinfo=timezone.utc), timedelta(1), timedelta(0, 60)
# The build that is watched, and three before it, each of which took a minute.
DAYS = [NOON - n * DAY for n in range(1, 4)]
EARLIER = [Build(f"ZB{n:032x}", "completed", at, at + MINUTE) for n, at in enumerate(DAYS)]
LISTED = (Build(BUILD, "building", NOON), *EARLIER)
BIT = 1e-6  # what floating point may lose

Answering = Callable[[], BuildStatus | FetchError]
PASSING = [partial(play.passing, retry_after=seconds) for seconds in (*[0] * 8, 3, 45, 300)]
ENDINGS: tuple[Answering, ...] = (lambda: COMPLETED, lambda: FAILED)
FATAL = (play.fatal, play.unauthorized)
ANSWERS = (*[lambda: BUILDING] * 12, *PASSING, *[play.missing] * 5, *ENDINGS, *FATAL)
# Seconds that an answer takes, and for which the machine is then suspended in the sleep after it.
TIMES = (
    *[(0.0, 0.0), (0.05, 0.0)] * 3,
    *[(seconds, 0.0) for seconds in (0.3, 1.0, 1.7, 6.0, 14.9, 60.0)],
    *[(0.05, seconds) for seconds in (0.3, 0.7, 8.0, 150.0)],
)
# What a history is made of; bytes choose answers and their times.
GIVEN = st.builds(
    SimpleNamespace,
    interval=st.sampled_from([1.0, 0.2, 2.5] * 3 + [30.0, 3600.0]),
    timeout=st.sampled_from([None, 300.0, 45.0, 12.0] * 3 + [3.0, 1.0, 0.05]),
    once=st.sampled_from([False] * 6 + [True]),
    details=st.booleans(),
    earlier=st.booleans(),
    beside=st.binary(min_size=2, max_size=3),
    sid=st.sampled_from([BUILD, BUILD, None]),
    jitters=st.sampled_from([(1.0,), (0.75,), (1.25,), (0.75, 1.25, 0.9)]),
    steps=st.binary(min_size=10, max_size=60),
    ending=st.sampled_from([*ENDINGS, lambda: BUILDING, play.passing, play.missing]),
    interrupted_at=st.sampled_from([math.inf] * 12 + [0.02, 2.2, 40.0]),
)


class History:
    """One history, played through."""

    def __init__(self, given: SimpleNamespace) -> None:
        self.given = given
        self.once: bool = given.once
        self.interval: float = given.interval
        limit = 30.0 if given.once else math.inf if given.timeout is None else given.timeout
        self.limit = START + limit - START  # rounded as the watch's own
        self.stops: dict[float, float] = {}
        self._stop = 0.0
        self._steps, self._beside = iter(given.steps), cycle(given.beside)
        is_endless = given.ending() == BUILDING and self.limit == math.inf
        self._ending = ENDINGS[0] if is_endless else given.ending
        self.played = play.play(
            self._answer,
            play.wait(given.interval, given.timeout, once=given.once),
            given.sid,
            jitter=cycle(given.jitters).__next__,
            stops=self._stopped,
            interrupted_at=given.interrupted_at,
            beside=self._answer_beside,
            details=given.details,
            earlier=given.earlier,
        )
        assert self.played.finished is not None
        self.finished, self.finished_at = self.played.finished, self.played.finished_at
        self.outcome = self.finished.outcome
        self.tries = self.played.requested
        self.polls = [a for a in self.tries if a.request.resource is Resource.STATUS]
        self.last = self.tries[-1]
        # What comes with the deadline or after it decides nothing more, unless it is good.
        self.errors = [
            a for a in self.tries if isinstance(a.result, FetchError) and a.ended < self.limit
        ]

    def _answer(self, request: Request) -> Scripted:
        answer, seconds, step = self._ending(), 0.0, next(self._steps, None)
        if step is not None:
            answer = ANSWERS[step % len(ANSWERS)]()
            seconds, self._stop = TIMES[step * 7 // 11 % len(TIMES)]
        if isinstance(answer, FetchError) or request.resource is Resource.STATUS:
            return Took(answer, seconds)
        build = Build(BUILD, answer.status.value, NOON)
        more = "Page=2" if step is not None and step % 3 == 0 else None
        return Took(BuildPage((build,), more, NOON), seconds)

    def _answer_beside(self, request: Request) -> Scripted:
        step = next(self._beside)
        seconds, _ = TIMES[step // 2 % len(TIMES)]
        if step % 5 == 0:
            return Took((play.passing, play.missing, *FATAL)[step % 4](), seconds)
        if request.resource is Resource.BUILD:
            return Took(Build(request.sid, "failed", NOON), seconds)
        return Took(BuildPage(LISTED, "Page=2", NOON), seconds)

    def _stopped(self, at: float) -> float:
        stop, self._stop = self._stop, 0.0
        if stop:
            self.stops[round(at + stop, 6)] = stop
        return stop

    def _is_late(self, requested: Requested) -> bool:
        """Whether it was sent late because the machine was suspended."""
        return round(requested.at, 6) in self.stops

    def _is_last_try(self, requested: Requested) -> bool:
        """Whether it is the one that comes 1 s before the deadline."""
        planned = requested.at - self.stops.get(round(requested.at, 6), 0.0)
        return not self.once and abs(planned - (self.limit - 1)) < BIT

    def _is_on_beat(self, requested: Requested) -> bool:
        beats = (requested.at - self.polls[0].at) / self.interval
        return abs(beats - round(beats)) < BIT

    def _rows(self, kind: type[FetchError]) -> Iterator[tuple[Requested, int, float]]:
        """Each error of a row of such errors, how many they are by then, and since when."""
        count, since = 0, 0.0
        for requested in self.tries:
            if not isinstance(requested.result, kind):
                count = 0
                since = since if isinstance(requested.result, FetchError) else requested.ended
                continue
            count += 1
            if kind is NotFoundError and count == 1:
                since = requested.ended
            if requested.ended < self.limit and requested.result is not None:
                yield requested, count, requested.ended - since

    def _policy(self, requested: Requested) -> float:
        """For how many seconds failures are retried by then."""
        ended = [a for a in self.tries if a.result is not None and a.ended <= requested.at]
        is_answered = any(not isinstance(a.result, FetchError) for a in ended)
        return 0.0 if self.once else 120.0 if is_answered else 20.0

    def _is_sent_beside(self, resource: Resource, at: float | None) -> bool:
        """Whether it is requested once, at that time, for 5 s at most; else never."""
        sent: list[object] = [
            (a.at, a.until) for a in self.played.beside if a.request.resource is resource
        ]
        once = [(at, pytest.approx(min(at + 5, self.limit)))] if at is not None else []
        return sent == (once if at is not None and at < self.limit else [])


class Contract(History):
    """Its sentences, each of which holds in every history."""

    def a_verdict_is_what_the_api_itself_said_last_of_this_build(self) -> None:
        said = self.last.result
        assert (self.outcome is Outcome.COMPLETED) == (said == COMPLETED)
        assert (self.outcome is Outcome.FAILED) == (said == FAILED)
        assert (self.outcome is Outcome.BUILDING) == (self.once and said == BUILDING)

    def the_last_status_is_reported_however_it_ends(self) -> None:
        good = [a.result for a in self.tries if isinstance(a.result, BuildStatus)]
        assert self.finished.answer == (good[-1] if good else None)

    def no_sleep_outlasts_timeout_and_at_the_deadline_it_is_over(self) -> None:
        assert all(until <= self.limit + BIT for _, until in self.played.sleeps)
        assert self.finished_at <= self.limit + sum(self.stops.values()) + BIT
        if self.outcome is Outcome.TIMEOUT:
            assert self.finished_at >= self.limit - BIT, "and not before"
            assert not self.once

    def where_the_next_try_would_be_too_late_one_last_try_comes_1_s_before_it(self) -> None:
        if self.outcome is not Outcome.TIMEOUT or any(at >= self.limit - 1 for at in self.stops):
            return
        last = self.last
        retry_after = last.result.retry_after if isinstance(last.result, FetchError) else 0.0
        requested_in_time = last.at >= self.limit - 1 - BIT
        too_late = last.ended >= self.limit - 1 - BIT
        forbidden = retry_after and last.ended + retry_after > self.limit - 1 - BIT
        assert requested_in_time or too_late or forbidden

    def never_before_a_retry_after(self) -> None:
        for requested, following in pairwise(self.tries):
            if isinstance(requested.result, FetchError):
                assert following.at >= requested.ended + requested.result.retry_after - BIT

    def a_poll_starts_at_once_then_every_interval_on_a_fixed_beat(self) -> None:
        assert self.tries[0].at == 0
        for requested, following in pairwise(self.polls):
            is_moved = self._is_last_try(following) or self._is_late(following)
            if requested.result == BUILDING and not is_moved:
                assert self._is_on_beat(following)
                missed = max(requested.ended, requested.at + self.interval / 2)
                assert following.at < missed + self.interval + BIT, "a beat was left out"

    def polls_are_never_closer_than_the_interval_but_after_a_late_one(self) -> None:
        for requested, following in pairwise(self.polls):
            if not self._is_last_try(following):
                least = self.interval if self._is_on_beat(requested) else self.interval / 2
                assert following.at - requested.at >= least - BIT

    def a_retry_comes_after_the_larger_of_interval_and_backoff_with_jitter(self) -> None:
        following = dict(zip(map(id, self.tries), self.tries[1:], strict=False))
        missing = {id(requested): seconds for requested, _, seconds in self._rows(NotFoundError)}
        for requested, count, seconds in self._rows(FetchError):
            after = following.get(id(requested))
            if after is None or self._is_last_try(after) or self._is_late(after):
                continue
            assert isinstance(requested.result, FetchError)
            least = max(self.interval, requested.result.retry_after)
            backoff = min(2.0 ** (count - 1), 30.0)
            pause = after.at - requested.ended
            assert least - BIT <= pause <= max(least, 1.25 * backoff) + BIT
            ends = [self._policy(requested) - seconds, 5 - missing.get(id(requested), math.inf)]
            if not any(abs(pause - max(least, end)) < BIT for end in ends if end > 0):
                assert pause >= 0.75 * backoff - BIT

    def the_retry_limit_is_2_minutes_after_an_answer_else_20_seconds(self) -> None:
        for requested, count, seconds in self._rows(FetchError):
            if count >= 3 and seconds >= self._policy(requested) + BIT:
                assert requested is self.last, "the retry limit was reached"
        error = self.finished.error
        if self.outcome is Outcome.UNAVAILABLE and self.last in self.errors:
            assert error is self.last.result, "with the last reason"
            if not isinstance(error, PermanentError) and not self.once:
                *_, (_, count, seconds) = self._rows(FetchError)
                assert count >= 3
                assert seconds >= self._policy(self.last) - BIT

    def not_found_once_it_has_been_the_answer_for_5_s_and_3_polls_in_a_row(self) -> None:
        for requested, count, seconds in self._rows(NotFoundError):
            if self.once or (count >= 3 and seconds >= 5 + BIT):
                assert requested is self.last
            if requested is self.last and self.outcome is Outcome.NOT_FOUND:
                assert self.once or (count >= 3 and seconds >= 5 - BIT)

    def one_request_takes_at_most_15_s(self) -> None:
        for requested in self.tries:
            assert requested.until == pytest.approx(min(requested.at + 15, self.limit))

    def fatal_at_once(self) -> None:
        outcomes = {UnauthorizedError: Outcome.UNAUTHORIZED, PermanentError: Outcome.UNAVAILABLE}
        for requested in self.errors:
            if outcome := outcomes.get(type(requested.result)):  # type: ignore[arg-type]
                assert requested is self.last
                assert (self.outcome, self.finished.error) == (outcome, requested.result)
        if self.outcome is Outcome.UNAUTHORIZED:
            assert isinstance(self.last.result, UnauthorizedError)

    def status_3_tries_at_most_30_s_in_all(self) -> None:
        if self.once:
            assert all(count <= 3 for _, count, _ in self._rows(FetchError))
            assert len(self.polls) <= 3

    def an_incomplete_list_never_yields_a_newest_build(self) -> None:
        pages = [a.result for a in self.tries if isinstance(a.result, BuildPage)]
        is_complete = bool(pages) and pages[-1].next_query is None
        if pages and self.polls:
            assert is_complete
        if len(self.tries) > len(self.polls):
            is_listed = is_complete and (self.once or pages[-1].builds[0].status == "building")
            is_selected = bool(self.polls) or is_listed
            assert self.finished.sid == (BUILD if is_selected else None)

    def details_of_a_failed_build_are_tried_once_for_5_s_and_change_nothing(self) -> None:
        wanted = self.outcome is Outcome.FAILED and self.given.details
        assert self._is_sent_beside(Resource.BUILD, self.finished_at if wanted else None)
        reported = [event for event in self.played.events if isinstance(event, Details)]
        assert len(reported) == (wanted and not self.played.interrupted)
        learned = [type(a.result) for a in self.played.beside]
        for event in reported:
            assert (event.build is not None) == (Build in learned)
            assert (event.changes is not None) == ({Build, BuildPage} <= {*learned})

    def earlier_builds_are_tried_once_at_the_first_building_or_failure_for_5_s(self) -> None:
        failed = self.outcome is Outcome.FAILED and self.given.details
        building = [a.ended for a in self.polls if a.result == BUILDING and not self.once]
        selected = any(isinstance(event, Selected) for event in self.played.events)
        wanted = self.given.earlier and not selected and (failed or bool(building))
        at = building[0] if building else self.finished_at
        assert self._is_sent_beside(Resource.PAGE, at if wanted else None)
        reported = [event for event in self.played.events if isinstance(event, Usual)]
        assert set(reported) <= {Usual(60)}
        assert len(reported) <= sum(isinstance(a.result, BuildPage) for a in self.played.beside)

    def every_problem_is_shown_with_its_next_try(self) -> None:
        reported = [e.next_at - START for e in self.played.events if isinstance(e, Problem)]
        for requested, following in pairwise(self.tries):
            if requested in self.errors and not self._is_late(following):
                assert any(abs(following.at - at) < BIT for at in reported)

    def over_is_final_with_polls_and_time_counted(self) -> None:
        watch, later = self.played.watch, START + self.finished_at + 1000
        assert watch.finished is watch.ending(later) is watch.next(later) is self.finished
        assert self.finished.polls == len(self.polls)
        assert self.finished.waited_seconds == pytest.approx(self.finished_at)
        assert not self.played.background.holds_end or self.played.interrupted
        assert not self.played.background.waiting


@pytest.mark.timeout(900)
@settings(
    max_examples=int(os.environ.get("TWBUILD_HISTORIES", "300")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(GIVEN)
def test_in_every_history_each_sentence_of_the_contract_holds(given: SimpleNamespace) -> None:
    history = Contract(given)
    for sentence, holds in vars(Contract).items():
        if not sentence.startswith("_"):
            holds(history)
