"""Histories of answers, faults, times and deadlines: the contract's sentences hold in each.

TWBUILD_HISTORIES says how many are tried.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import cycle, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.command import BUILD
from tests.support.play import (
    BUILDING,
    COMPLETED,
    FAILED,
    START,
    Play,
    Requested,
    Scripted,
    Took,
    fatal,
    missing,
    passing,
    play,
    unauthorized,
    wait,
)
from twbuild.api.models import Build, BuildPage, BuildStatus, Request, Resource
from twbuild.errors import FetchError, NotFoundError, PermanentError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.watch.events import Details, Problem, Selected, Usual

HISTORIES = int(os.environ.get("TWBUILD_HISTORIES", "300"))

NOON, DAY = datetime(2026, 11, 24, 12, tzinfo=timezone.utc), timedelta(days=1)
# Builds that took a minute, before the one that is watched, which is the first.
EARLIER = (
    Build(BUILD, "building", NOON),
    *(
        Build(f"ZB{n:032x}", "completed", NOON - n * DAY, NOON - n * DAY + timedelta(minutes=1))
        for n in range(1, 4)
    ),
)
BIT = 1e-6  # what floating point may lose

ANSWERS: tuple[Callable[[], BuildStatus | FetchError], ...] = (
    *[lambda: BUILDING] * 12,
    *[passing] * 8,
    lambda: passing(retry_after=3),
    lambda: passing(retry_after=45),
    lambda: passing(retry_after=300),
    *[missing] * 5,
    lambda: COMPLETED,
    lambda: FAILED,
    fatal,
    unauthorized,
)
# Seconds that an answer takes, and for which the machine is then suspended in the sleep after it.
TIMES = (
    *[(0.0, 0.0)] * 3,
    *[(0.05, 0.0)] * 3,
    *[(seconds, 0.0) for seconds in (0.3, 1.0, 1.7, 6.0, 14.9, 60.0)],
    *[(0.05, seconds) for seconds in (0.3, 0.7, 8.0, 150.0)],
)
ENDINGS: tuple[Callable[[], BuildStatus | FetchError], ...] = (
    lambda: COMPLETED,
    lambda: FAILED,
    lambda: BUILDING,
    passing,
    missing,
)


class History:
    """One history, played through."""

    def __init__(
        self,
        *,
        interval: float,
        timeout: float | None,
        once: bool,
        details: bool,
        earlier: bool,
        beside: bytes,
        named: bool,
        jitters: tuple[float, ...],
        steps: bytes,
        ending: int,
        interrupted_at: float,
    ) -> None:
        self.interval = interval
        self.once = once
        self.details = details
        self.earlier = earlier
        self._beside = cycle(beside)
        limit = 30.0 if once else math.inf if timeout is None else timeout
        self.limit = START + limit - START  # rounded as the watch's own
        self.stops: dict[float, float] = {}
        self._steps = iter(steps)
        endless = ENDINGS[ending] is ENDINGS[2] and self.limit == math.inf
        self._ending = ENDINGS[0] if endless else ENDINGS[ending]
        self._stop = 0.0
        self.played: Play = play(
            self._answer,
            wait(interval, timeout, once=once),
            BUILD if named else None,
            jitter=cycle(jitters).__next__,
            stops=self._stopped,
            interrupted_at=interrupted_at,
            beside=self._answer_beside,
            details=details,
            earlier=earlier,
        )
        assert self.played.finished is not None
        self.finished = self.played.finished
        self.finished_at = self.played.finished_at
        self.interrupted = self.played.interrupted
        self.tries = self.played.requested
        self.polls = [a for a in self.tries if a.request.resource is Resource.STATUS]
        self.last = self.tries[-1]
        # What comes with the deadline or after it decides nothing more, unless it is good.
        self.errors = [
            a for a in self.tries if isinstance(a.result, FetchError) and a.ended < self.limit
        ]

    def _answer(self, request: Request) -> Scripted:
        step = next(self._steps, None)
        made = self._ending if step is None else ANSWERS[step % len(ANSWERS)]
        seconds, self._stop = (0.0, 0.0) if step is None else TIMES[step * 7 // 11 % len(TIMES)]
        answer = made()
        if isinstance(answer, FetchError) or request.resource is Resource.STATUS:
            return Took(answer, seconds)
        build = Build(BUILD, answer.status.value, NOON)
        more = "Page=2" if answer is FAILED and step is not None else None
        return Took(BuildPage((build,), more, NOON), seconds)

    def _answer_beside(self, request: Request) -> Scripted:
        step = next(self._beside)
        seconds, _ = TIMES[step // 2 % len(TIMES)]
        if step % 5 == 0:
            return Took((passing, missing, fatal, unauthorized)[step % 4](), seconds)
        if request.resource is Resource.BUILD:
            return Took(Build(request.sid, "failed", NOON), seconds)
        return Took(BuildPage(EARLIER, "Page=2", NOON), seconds)

    def _stopped(self, at: float) -> float:
        stop, self._stop = self._stop, 0.0
        if stop:
            self.stops[round(at + stop, 6)] = stop
        return stop

    def late(self, requested: Requested) -> bool:
        """Whether it was sent late because the machine was suspended."""
        return round(requested.at, 6) in self.stops

    def is_last_try(self, requested: Requested) -> bool:
        """Whether it is the one that comes 1 s before the deadline."""
        planned = requested.at - self.stops.get(round(requested.at, 6), 0.0)
        return not self.once and abs(planned - (self.limit - 1)) < BIT

    def rows(self, kind: type[FetchError]) -> Iterator[tuple[Requested, int, float]]:
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

    def policy(self, requested: Requested) -> float:
        good = any(
            a.result is not None
            and not isinstance(a.result, FetchError)
            and a.ended <= requested.at
            for a in self.tries
        )
        return 0.0 if self.once else 120.0 if good else 20.0


def never_0_unless_the_api_itself_said_completed_of_this_build(history: History) -> None:
    said = history.last.result == COMPLETED
    assert (history.finished.outcome is Outcome.COMPLETED) == said


def never_1_unless_the_api_itself_said_failed(history: History) -> None:
    said = history.last.result == FAILED
    assert (history.finished.outcome is Outcome.FAILED) == said


def building_is_an_outcome_of_status_only(history: History) -> None:
    said = history.once and history.last.result == BUILDING
    assert (history.finished.outcome is Outcome.BUILDING) == said


def the_last_status_is_reported_however_it_ends(history: History) -> None:
    good = [a.result for a in history.tries if isinstance(a.result, BuildStatus)]
    assert history.finished.answer == (good[-1] if good else None)


def no_sleep_outlasts_timeout_and_at_the_deadline_it_is_over(history: History) -> None:
    assert all(until <= history.limit + BIT for _, until in history.played.sleeps)
    assert all(requested.until <= history.limit + BIT for requested in history.played.requested)
    assert history.finished_at <= history.limit + sum(history.stops.values()) + BIT


def it_is_not_over_by_timeout_before_the_deadline(history: History) -> None:
    if history.finished.outcome is Outcome.TIMEOUT:
        assert history.finished_at >= history.limit - BIT
        assert not history.once


def where_the_next_try_would_come_after_the_deadline_one_last_try_comes_1_s_before_it(
    history: History,
) -> None:
    if history.finished.outcome is not Outcome.TIMEOUT or any(
        at >= history.limit - 1 for at in history.stops
    ):
        return
    last = history.last
    retry_after = last.result.retry_after if isinstance(last.result, FetchError) else 0.0
    requested_in_time = last.at >= history.limit - 1 - BIT
    too_late = last.ended >= history.limit - 1 - BIT
    forbidden = retry_after and last.ended + retry_after > history.limit - 1 - BIT
    assert requested_in_time or too_late or forbidden


def never_before_a_retry_after(history: History) -> None:
    for requested, following in pairwise(history.tries):
        if isinstance(requested.result, FetchError):
            assert following.at >= requested.ended + requested.result.retry_after - BIT


def a_poll_starts_at_once_then_every_interval_on_a_fixed_beat(history: History) -> None:
    assert history.tries[0].at == 0
    for requested, following in pairwise(history.polls):
        if (
            requested.result != BUILDING
            or history.is_last_try(following)
            or history.late(following)
        ):
            continue
        beats = (following.at - history.polls[0].at) / history.interval
        assert abs(beats - round(beats)) < BIT
        missed = max(requested.ended, requested.at + history.interval / 2)
        assert following.at < missed + history.interval + BIT, "a beat was left out"


def polls_are_never_closer_than_the_interval_but_after_a_late_one(history: History) -> None:
    for requested, following in pairwise(history.polls):
        if history.is_last_try(following):
            continue
        beats = (requested.at - history.polls[0].at) / history.interval
        on_the_beat = abs(beats - round(beats)) < BIT
        least = history.interval if on_the_beat else history.interval / 2
        assert following.at - requested.at >= least - BIT


def each_next_try_comes_after_the_larger_of_the_interval_and_a_backoff_with_jitter(
    history: History,
) -> None:
    following = dict(zip(map(id, history.tries), history.tries[1:], strict=False))
    since_missing = {
        id(requested): seconds for requested, _, seconds in history.rows(NotFoundError)
    }
    for requested, count, seconds in history.rows(FetchError):
        after = following.get(id(requested))
        if after is None or history.is_last_try(after) or history.late(after):
            continue
        assert isinstance(requested.result, FetchError)
        least = max(history.interval, requested.result.retry_after)
        backoff = min(2.0 ** (count - 1), 30.0)
        pause = after.at - requested.ended
        assert least - BIT <= pause <= max(least, 1.25 * backoff) + BIT
        ends = [history.policy(requested) - seconds, 5 - since_missing.get(id(requested), math.inf)]
        if not any(abs(pause - max(least, end)) < BIT for end in ends if end > 0):
            assert pause >= 0.75 * backoff - BIT


def the_retry_limit_is_2_minutes_after_an_answer_else_20_seconds(
    history: History,
) -> None:
    for requested, count, seconds in history.rows(FetchError):
        policy = history.policy(requested)
        if count >= 3 and seconds >= policy + BIT:
            assert requested is history.last, "the retry limit was reached"
    error = history.finished.error
    if history.finished.outcome is Outcome.UNAVAILABLE and history.last in history.errors:
        assert error is history.last.result, "with the last reason"
        if not isinstance(error, PermanentError) and not history.once:
            *_, (_, count, seconds) = history.rows(FetchError)
            assert count >= 3
            assert seconds >= history.policy(history.last) - BIT


def not_found_once_it_has_been_the_answer_for_5_s_and_3_polls_in_a_row(history: History) -> None:
    for requested, count, seconds in history.rows(NotFoundError):
        enough = history.once or (count >= 3 and seconds >= 5 - BIT)
        if history.once or (count >= 3 and seconds >= 5 + BIT):
            assert requested is history.last
        if requested is history.last and history.finished.outcome is Outcome.NOT_FOUND:
            assert enough


def one_request_takes_at_most_15_s(history: History) -> None:
    for requested in history.tries:
        assert requested.until == pytest.approx(min(requested.at + 15, history.limit))


def fatal_at_once(history: History) -> None:
    outcomes = {UnauthorizedError: Outcome.UNAUTHORIZED, PermanentError: Outcome.UNAVAILABLE}
    for requested in history.errors:
        if outcome := outcomes.get(type(requested.result)):  # type: ignore[arg-type]
            assert requested is history.last
            assert (history.finished.outcome, history.finished.error) == (outcome, requested.result)
    if history.finished.outcome is Outcome.UNAUTHORIZED:
        assert isinstance(history.last.result, UnauthorizedError)


def status_3_tries_at_most_30_s_in_all(history: History) -> None:
    if history.once:
        assert all(count <= 3 for _, count, _ in history.rows(FetchError))
        assert len([a for a in history.polls if isinstance(a.result, FetchError)]) <= 3
        assert len(history.polls) <= 3
        assert history.finished_at <= 30 + sum(history.stops.values()) + BIT


def an_incomplete_list_never_yields_a_newest_build(history: History) -> None:
    pages = [a.result for a in history.tries if isinstance(a.result, BuildPage)]
    if pages and history.polls:
        assert pages[-1].next_query is None
    if len(history.tries) > len(history.polls):
        assert history.finished.sid == (BUILD if history.polls or _picked(pages) else None)


def _picked(pages: list[BuildPage]) -> bool:
    complete = bool(pages) and pages[-1].next_query is None
    return complete and any(build.status == "building" for page in pages for build in page.builds)


def what_a_failed_build_was_made_of_is_tried_once_for_at_most_5_s_and_changes_nothing(
    history: History,
) -> None:
    requested = [a for a in history.played.beside if a.request.resource is Resource.BUILD]
    wanted = history.finished.outcome is Outcome.FAILED and history.details
    assert len(requested) == (wanted and history.finished_at < history.limit)
    for one in requested:
        assert one.at == history.finished_at, "they delay nothing, and nothing delays them"
        assert one.until == pytest.approx(min(history.finished_at + 5, history.limit))
    assert history.played.watch.finished is history.finished
    reported = [event for event in history.played.events if isinstance(event, Details)]
    assert len(reported) == (wanted and not history.interrupted)
    listed = any(isinstance(a.result, BuildPage) for a in history.played.beside)
    for event in reported:
        assert (event.build is not None) == any(isinstance(a.result, Build) for a in requested)
        assert (event.changes is not None) == (listed and event.build is not None)


def earlier_builds_are_requested_once_at_the_first_building_or_failure_for_at_most_5_s(
    history: History,
) -> None:
    requested = [a for a in history.played.beside if a.request.resource is Resource.PAGE]
    failed = history.finished.outcome is Outcome.FAILED and history.details
    building = [a.ended for a in history.polls if a.result == BUILDING and not history.once]
    selected = any(isinstance(event, Selected) for event in history.played.events)
    wanted = history.earlier and not selected and (failed or bool(building))
    at = building[0] if building else history.finished_at
    assert [a.at for a in requested] == ([at] if wanted and at < history.limit else [])
    for one in requested:
        assert one.until == pytest.approx(min(one.at + 5, history.limit))
    reported = [event for event in history.played.events if isinstance(event, Usual)]
    assert set(reported) <= {Usual(60)}
    assert len(reported) <= sum(isinstance(a.result, BuildPage) for a in requested)


def every_run_is_over_with_its_verdict_or_5_s_after_a_failure(history: History) -> None:
    assert not history.played.background.holds_end or history.interrupted
    assert not history.played.background.waiting


def every_problem_is_shown_with_its_next_try(history: History) -> None:
    reported = [e.next_at - START for e in history.played.events if isinstance(e, Problem)]
    followed = [
        following.at
        for requested, following in pairwise(history.tries)
        if requested in history.errors and not history.late(following)
    ]
    assert all(any(abs(at - one) < BIT for one in reported) for at in followed)


def polls_and_time_are_counted(history: History) -> None:
    assert history.finished.polls == len(history.polls)
    assert history.finished.waited_seconds == pytest.approx(history.finished_at)


def over_is_final(history: History) -> None:
    watch = history.played.watch
    later = START + history.finished_at + 1000
    assert watch.finished is history.finished
    assert watch.ending(later) is history.finished
    assert watch.next(later) is history.finished


SENTENCES = (
    never_0_unless_the_api_itself_said_completed_of_this_build,
    never_1_unless_the_api_itself_said_failed,
    building_is_an_outcome_of_status_only,
    the_last_status_is_reported_however_it_ends,
    no_sleep_outlasts_timeout_and_at_the_deadline_it_is_over,
    it_is_not_over_by_timeout_before_the_deadline,
    where_the_next_try_would_come_after_the_deadline_one_last_try_comes_1_s_before_it,
    never_before_a_retry_after,
    a_poll_starts_at_once_then_every_interval_on_a_fixed_beat,
    polls_are_never_closer_than_the_interval_but_after_a_late_one,
    each_next_try_comes_after_the_larger_of_the_interval_and_a_backoff_with_jitter,
    the_retry_limit_is_2_minutes_after_an_answer_else_20_seconds,
    not_found_once_it_has_been_the_answer_for_5_s_and_3_polls_in_a_row,
    one_request_takes_at_most_15_s,
    fatal_at_once,
    status_3_tries_at_most_30_s_in_all,
    an_incomplete_list_never_yields_a_newest_build,
    what_a_failed_build_was_made_of_is_tried_once_for_at_most_5_s_and_changes_nothing,
    earlier_builds_are_requested_once_at_the_first_building_or_failure_for_at_most_5_s,
    every_run_is_over_with_its_verdict_or_5_s_after_a_failure,
    every_problem_is_shown_with_its_next_try,
    polls_and_time_are_counted,
    over_is_final,
)


@pytest.mark.timeout(900)
@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    interval=st.sampled_from([1.0, 0.2, 2.5] * 3 + [30.0, 3600.0]),
    timeout=st.sampled_from([None, 300.0, 45.0, 12.0] * 3 + [3.0, 1.0, 0.05]),
    once=st.sampled_from([False] * 6 + [True]),
    details=st.booleans(),
    earlier=st.booleans(),
    beside=st.binary(min_size=2, max_size=3),
    named=st.sampled_from([True, True, False]),
    jitters=st.sampled_from([(1.0,), (0.75,), (1.25,), (0.75, 1.25, 0.9)]),
    steps=st.binary(min_size=10, max_size=60),
    ending=st.integers(0, len(ENDINGS) - 1),
    interrupted_at=st.sampled_from([math.inf] * 12 + [0.02, 2.2, 40.0]),
)
def test_in_every_history_each_sentence_of_the_contract_holds(
    *,
    interval: float,
    timeout: float | None,
    once: bool,
    details: bool,
    earlier: bool,
    beside: bytes,
    named: bool,
    jitters: tuple[float, ...],
    steps: bytes,
    ending: int,
    interrupted_at: float,
) -> None:
    history = History(
        interval=interval,
        timeout=timeout,
        once=once,
        details=details,
        earlier=earlier,
        beside=beside,
        named=named,
        jitters=jitters,
        steps=steps,
        ending=ending,
        interrupted_at=interrupted_at,
    )
    for holds in SENTENCES:
        holds(history)
