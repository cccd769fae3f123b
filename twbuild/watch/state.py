"""The state machine of one build: when to send a request, what an answer means, when it ends.

It has no thread, screen, HTTP or clock: `now` is passed in, in seconds of any monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from twbuild.api.models import (
    REQUEST_SECONDS,
    Answer,
    BuildPage,
    BuildStatus,
    Request,
    Resource,
    Status,
)
from twbuild.durations import duration
from twbuild.errors import (
    FetchError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnauthorizedError,
)
from twbuild.outcome import Outcome
from twbuild.watch.events import BuildEvent, Building, Finished, Problem
from twbuild.watch.newest import BuildList
from twbuild.watch.schedule import (
    ANSWERED,
    NOT_FOUND,
    ONCE,
    ONCE_NOT_FOUND,
    UNANSWERED,
    Retries,
    RetryPolicy,
    backoff,
    next_beat,
)

LAST_TRY_SECONDS = 1.0  # before the deadline
STATUS_SECONDS = 30.0  # for `status` as a whole


class Policy(NamedTuple):
    """How a build is watched: as `wait` does, or as `status` does by `Policy.once`.

    `deadline` is in the watch's seconds, `at_deadline` the outcome then. Failures are retried as
    `unanswered` says before the first good answer, then as `answered` says.
    """

    interval_seconds: float = 1.0
    deadline: float = math.inf
    unanswered: RetryPolicy = UNANSWERED
    answered: RetryPolicy = ANSWERED
    not_found: RetryPolicy = NOT_FOUND
    first_answer_ends: bool = False
    at_deadline: Outcome = Outcome.TIMEOUT

    @classmethod
    def once(cls, now: float) -> Policy:
        """One answer, with few retries; its time limit only ends those."""
        return cls(
            deadline=now + STATUS_SECONDS,
            unanswered=ONCE,
            answered=ONCE,
            not_found=ONCE_NOT_FOUND,
            first_answer_ends=True,
            at_deadline=Outcome.UNAVAILABLE,
        )


class Fetch(NamedTuple):
    """Send this request now, and give it up at `until`."""

    request: Request
    until: float


class Sleep(NamedTuple):
    """There is nothing to do before `until`."""

    until: float


class Watch:
    """One build, from the first request to the outcome. Without a `sid` it selects the newest."""

    def __init__(
        self, sid: str | None, policy: Policy, now: float, jitter: Callable[[], float]
    ) -> None:
        self.sid = sid
        self.finished: Finished | None = None
        self._policy = policy
        self._jitter = jitter
        self._deadline = policy.deadline
        self._start = self._first_beat = self._sent_at = self._due = now
        self._answer: BuildStatus | None = None
        self._error: FetchError | None = None
        self._polls = 0
        self._failures = Retries(policy.unanswered, now)
        self._not_found = Retries(policy.not_found, now)
        self._builds = BuildList()
        self._request = Request(Resource.STATUS, sid) if sid else Request(Resource.PAGE)

    def next(self, now: float) -> Fetch | Sleep | Finished:
        """What to do at `now`; `Finished` where nothing is left to do."""
        if self.finished:
            return self.finished
        if now >= self._deadline:
            return self._expire(now)
        if now < self._due:
            return Sleep(self._due)
        self._sent_at = now
        if self._request.resource is Resource.STATUS:
            self._first_beat = now if self._polls == 0 else self._first_beat
            self._polls += 1
        return Fetch(self._request, min(now + REQUEST_SECONDS, self._deadline))

    def take(self, answer: Answer | FetchError, now: float) -> Iterator[BuildEvent]:
        """What the answer to the last request means."""
        if isinstance(answer, BuildPage):
            yield from self._take_page(answer, now)
        elif isinstance(answer, BuildStatus):
            yield from self._take_status(answer, now)
        elif isinstance(answer, FetchError) and now < self._deadline:
            yield from self._take_error(answer, now)  # after the deadline next() ends the watch

    def ending(self, now: float) -> Finished:
        """How the watch ended; `interrupted` where it had not by `now`."""
        return self.finished or self._finish(Outcome.INTERRUPTED, now, self._error)

    def _take_status(self, answer: BuildStatus, now: float) -> Iterator[BuildEvent]:
        is_news = self._answer is None or self._failures.tries > 0
        self._answer = answer
        self._reset_retries(now)
        if answer.status is not Status.BUILDING or self._policy.first_answer_ends:
            yield self._finish(Outcome[answer.status.name], now)
            return
        interval = self._policy.interval_seconds
        beat = next_beat(self._first_beat, self._sent_at, now, interval)
        self._due = self._within_deadline(now, beat)
        if is_news:
            yield Building(self._request.sid)

    def _take_page(self, page: BuildPage, now: float) -> Iterator[BuildEvent]:
        self._reset_retries(now)
        self._due = now
        try:
            self._builds.add(page)
            if page.next_query is not None:
                self._request = Request(Resource.PAGE, query=page.next_query)
                return
            in_progress = not self._policy.first_answer_ends
            selected = self._builds.newest(page.date, in_progress=in_progress)
        except FetchError as error:
            yield self._finish(error.outcome, now, error)
            return
        self.sid = selected.sid
        self._request = Request(Resource.STATUS, selected.sid)
        yield selected

    def _take_error(self, error: FetchError, now: float) -> Iterator[BuildEvent]:
        self._error = error
        self._failures.tries += 1
        if isinstance(error, NotFoundError):
            if self._not_found.tries == 0:
                self._not_found.reset(now)
            self._not_found.tries += 1
        else:
            self._not_found.reset(now)
        if isinstance(error, (UnauthorizedError, PermanentError)) or self._not_found.exhausted(now):
            yield self._finish(error.outcome, now, error)
            return
        earliest = now + error.retry_after
        due = max(now + self._retry_delay(now), earliest)
        is_timeout = self._policy.at_deadline is Outcome.TIMEOUT
        is_too_late = due >= self._deadline and not is_timeout
        if is_too_late or self._failures.exhausted(now):
            yield self._finish(Outcome.UNAVAILABLE, now, error)
            return
        self._due = self._within_deadline(now, due, earliest)
        if self._due != self._deadline:
            yield Problem(self.sid, error.reason, error.short, self._due)

    def _retry_delay(self, now: float) -> float:
        """Seconds to the next try; a shorter backoff where that try exhausts the policy."""
        delay = min(
            backoff(self._failures.tries) * self._jitter(),
            self._failures.seconds_left(now),
            self._not_found.seconds_left(now),
        )
        return max(self._policy.interval_seconds, delay)

    def _within_deadline(self, now: float, due: float, earliest: float = 0.0) -> float:
        """`due`; where that is not before the deadline, the time of one last try before it."""
        if due < self._deadline:
            return due
        last = self._deadline - LAST_TRY_SECONDS
        return last if last > now and last >= earliest else self._deadline

    def _reset_retries(self, now: float) -> None:
        self._error = None
        self._failures.reset(now)
        self._not_found.reset(now)
        self._failures.policy = self._policy.answered

    def _expire(self, now: float) -> Finished:
        error, outcome = self._error, self._policy.at_deadline
        if error is None and outcome is not Outcome.TIMEOUT:
            reason = f"no answer within {duration(self._deadline - self._start)}"
            error = TransientError(reason, reason)
        return self._finish(outcome, now, error)

    def _finish(self, outcome: Outcome, now: float, error: FetchError | None = None) -> Finished:
        waited = max(0.0, now - self._start)
        self.finished = Finished(self.sid, outcome, self._answer, waited, self._polls, error)
        return self.finished
