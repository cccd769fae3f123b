"""Pure decisions about one build: when to ask, what an answer means, when it is over.

Holds no thread, no screen, no HTTP and no clock: `now` is handed in, in seconds of any clock that
never jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from twbuild.api.models import Build, BuildStatus, Kind, Page, Question, Status
from twbuild.errors import (
    FatalError,
    FetchError,
    NotFoundError,
    PassingError,
    TwbuildError,
    UnauthorizedError,
)
from twbuild.outcome import Outcome
from twbuild.text import duration
from twbuild.watch.events import Building, Made, Picked, Trouble
from twbuild.watch.newest import Listing
from twbuild.watch.retry import ANSWERED, MISSING, ONCE, ONCE_MISSING, UNANSWERED, Streak, pause

QUESTION_SECONDS = 15.0  # for one request as a whole, whatever the server does
DETAILS_SECONDS = 5.0  # from the verdict; what a failed build was made of is worth no more
LAST_TRY_SECONDS = 1.0  # before the deadline
STATUS_SECONDS = 30.0  # for one look as a whole


class Rules(NamedTuple):
    """How a build is watched. `deadline` is in the watch's seconds, None for none.

    `once` is for `status`: one look, with less patience. `details` asks what a failed build was
    made of.
    """

    interval_seconds: float = 1.0
    deadline: float | None = None
    once: bool = False
    details: bool = True


class Ask(NamedTuple):
    """Ask this now, and give up at `until`."""

    question: Question
    until: float


class Sleep(NamedTuple):
    """Nothing to do before `until`."""

    until: float


class Over(NamedTuple):
    """What it came to: the outcome, the last good answer, and the trouble at the end, if any."""

    sid: str | None
    outcome: Outcome
    answer: BuildStatus | None
    waited_seconds: float
    polls: int
    error: TwbuildError | None = None


Event = Building | Made | Over | Picked | Trouble
Given = Build | BuildStatus | Page | FetchError


class Watch:
    """One build, from the first question to the outcome. Without a `sid` it picks the newest."""

    def __init__(
        self, sid: str | None, rules: Rules, now: float, jitter: Callable[[], float]
    ) -> None:
        self.sid = sid
        self.over: Over | None = None
        self._rules = rules
        self._jitter = jitter
        self._limit = now + STATUS_SECONDS if rules.once else rules.deadline
        self._start = self._first_beat = self._asked = self._due = now
        self._answer: BuildStatus | None = None
        self._error: FetchError | None = None
        self._polls = 0
        self._bad = Streak(ONCE if rules.once else UNANSWERED, now)
        self._missing = Streak(ONCE_MISSING if rules.once else MISSING, now)
        self._listing = Listing()
        self._question = Question(Kind.STATUS, sid) if sid else Question(Kind.PAGE)
        self._details_due = False
        self.details_until = now

    def next(self, now: float) -> Ask | Made | Sleep | Over:
        """What to do at `now`; the outcome where nothing is left to do.

        Once the build has failed, its details may be asked for until `details_until`; from then on
        they are unknown.
        """
        if self.over and not self._details_due:
            return self.over
        if self.over and now >= self.details_until:
            self._details_due = False
            return Made(self._question.sid, None)
        if self.over is None and self._limit is not None and now >= self._limit:
            return self._expire(now)
        if now < self._due:
            return Sleep(self._due)
        if self.over:
            return Ask(self._question, self.details_until)
        self._asked = now
        if self._question.kind is Kind.STATUS:
            self._first_beat = now if self._polls == 0 else self._first_beat
            self._polls += 1
        until = now + QUESTION_SECONDS
        return Ask(self._question, until if self._limit is None else min(until, self._limit))

    def take(self, given: Given, now: float) -> Iterator[Event]:
        """What the answer to the last question brings about."""
        if self._details_due:
            self._details_due = False
            yield Made(self._question.sid, given if isinstance(given, Build) else None)
        elif isinstance(given, Page):
            yield from self._take_page(given, now)
        elif isinstance(given, BuildStatus):
            yield from self._take_status(given, now)
        elif isinstance(given, FetchError) and (self._limit is None or now < self._limit):
            yield from self._take_error(given, now)  # after the deadline, next() says so

    def interrupt(self, now: float) -> Over:
        """The outcome of a watch that a signal ended."""
        return self.over or self._end(Outcome.INTERRUPTED, now, self._error)

    def _take_status(self, answer: BuildStatus, now: float) -> Iterator[Event]:
        news = self._answer is None or self._bad.tries > 0
        self._answer = answer
        self._calm(now)
        if answer.status is not Status.BUILDING or self._rules.once:
            yield self._end(Outcome(answer.status.value), now)
            return
        self._due = self._before_limit(now, self._next_beat(now))
        if news:
            yield Building(self._question.sid)

    def _take_page(self, page: Page, now: float) -> Iterator[Event]:
        self._calm(now)
        self._due = now
        try:
            self._listing.add(page)
            if page.next_query is not None:
                self._question = Question(Kind.PAGE, query=page.next_query)
                return
            picked = self._listing.pick(page.asked, in_progress=not self._rules.once)
        except FetchError as error:
            yield self._end(error.outcome, now, error)
            return
        self.sid = picked.sid
        self._question = Question(Kind.STATUS, picked.sid)
        yield picked

    def _take_error(self, error: FetchError, now: float) -> Iterator[Event]:
        self._error = error
        self._bad.tries += 1
        if isinstance(error, NotFoundError):
            if self._missing.tries == 0:
                self._missing.reset(now)
            self._missing.tries += 1
        else:
            self._missing.reset(now)
        if isinstance(error, (UnauthorizedError, FatalError)) or self._missing.used_up(now):
            yield self._end(error.outcome, now, error)
            return
        earliest = now + error.retry_after
        due = max(now + self._pause(now), earliest)
        hopeless = self._rules.once and self._limit is not None and due >= self._limit
        if hopeless or self._bad.used_up(now):
            yield self._end(Outcome.UNAVAILABLE, now, error)
            return
        self._due = self._before_limit(now, due, earliest)
        if self._due != self._limit:
            yield Trouble(self.sid, error.reason, self._due)

    def _pause(self, now: float) -> float:
        """Seconds to the next try; a shorter backoff where patience ends with that try."""
        backoff = min(
            pause(self._bad.tries) * self._jitter(), self._bad.left(now), self._missing.left(now)
        )
        return max(self._rules.interval_seconds, backoff)

    def _next_beat(self, now: float) -> float:
        """The first beat not yet missed; from a late question to it at least half an interval."""
        interval = self._rules.interval_seconds
        beat = max(
            math.floor((self._asked - self._first_beat) / interval + 0.5) + 1,
            math.ceil((now - self._first_beat) / interval),
        )
        return self._first_beat + beat * interval

    def _before_limit(self, now: float, due: float, earliest: float = 0.0) -> float:
        """`due`; where that is not before the deadline, one last try shortly before it."""
        if self._limit is None or due < self._limit:
            return due
        last = self._limit - LAST_TRY_SECONDS
        return last if last > now and last >= earliest else self._limit

    def _calm(self, now: float) -> None:
        self._error = None
        self._bad.reset(now)
        self._missing.reset(now)
        if not self._rules.once:
            self._bad.patience = ANSWERED

    def _expire(self, now: float) -> Over:
        if not self._rules.once:
            return self._end(Outcome.TIMEOUT, now, self._error)
        silence = f"no answer within {duration(STATUS_SECONDS)}"
        return self._end(Outcome.UNAVAILABLE, now, self._error or PassingError(silence, silence))

    def _end(self, outcome: Outcome, now: float, error: FetchError | None = None) -> Over:
        waited = max(0.0, now - self._start)
        self.over = Over(self.sid, outcome, self._answer, waited, self._polls, error)
        if outcome is Outcome.FAILED and self._rules.details:
            self._details_due = True
            self.details_until = min(now + DETAILS_SECONDS, self._limit or math.inf)
            self._question = Question(Kind.BUILD, self._question.sid)
            self._due = now
        return self.over
