"""Pure decisions about one build: when to ask, what an answer means, when it is over.

Holds no thread, no screen, no HTTP and no clock: `now` is handed in, in seconds of any clock that
never jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twbuild.errors import (
    FatalError,
    FetchError,
    NotFoundError,
    PassingError,
    TwbuildError,
    UnauthorizedError,
)
from twbuild.events import (
    Build,
    Building,
    BuildStatus,
    Kind,
    Made,
    Outcome,
    Page,
    Picked,
    Question,
    Status,
    Trouble,
)
from twbuild.newest import Listing
from twbuild.text import duration

QUESTION_SECONDS = 15.0  # for one request as a whole, whatever the server does
DETAILS_SECONDS = 5.0  # what a failed build was made of is worth no longer wait
LAST_TRY_SECONDS = 1.0  # before the deadline
STATUS_SECONDS = 30.0  # for one look as a whole
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 30.0


@dataclass(frozen=True)
class Patience:
    """How long trouble is ridden out: as many seconds as tries, whichever takes longer."""

    seconds: float
    tries: int = 3


ONCE = Patience(0)
UNANSWERED = Patience(20)  # a wrong address is known soon
ANSWERED = Patience(120)
MISSING = Patience(5)  # a build just created may not be visible yet


@dataclass(frozen=True)
class Rules:
    """How a build is watched. `deadline` is in the watch's seconds, None for none.

    `once` is for `status`: one look, with less patience. `details` asks what a failed build was
    made of.
    """

    interval_seconds: float = 1.0
    deadline: float | None = None
    once: bool = False
    details: bool = True


@dataclass(frozen=True)
class Ask:
    """Ask this now, and give up at `until`."""

    question: Question
    until: float


@dataclass(frozen=True)
class Sleep:
    """Nothing to do before `until`."""

    until: float


@dataclass(frozen=True)
class Over:
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
        self._start = self._asked = self._due = self._good = now
        self._patience = ONCE if rules.once else UNANSWERED
        self._answer: BuildStatus | None = None
        self._error: FetchError | None = None
        self._polls = 0
        self._bad_tries = 0
        self._missing_tries = 0
        self._missing_since = now
        self._listing = Listing()
        self._question = Question(Kind.STATUS, sid) if sid else Question(Kind.PAGE)
        self._done = False

    def next(self, now: float) -> Ask | Sleep | Over:
        """What to do at `now`; the outcome where nothing is left to do."""
        if self.over and self._done:
            return self.over
        if self.over is None and self._limit is not None and now >= self._limit:
            return self._expire(now)
        if now < self._due:
            return Sleep(self._due)
        seconds = DETAILS_SECONDS if self._question.kind is Kind.BUILD else QUESTION_SECONDS
        self._asked = now
        self._polls += self._question.kind is Kind.STATUS
        return Ask(self._question, min(now + seconds, self._limit or math.inf))

    def take(self, given: Given, now: float) -> Iterator[Event]:
        """What the answer to the last question brings about."""
        if self._question.kind is Kind.BUILD:
            self._done = True
            if self.sid:
                yield Made(self.sid, given if isinstance(given, Build) else None)
        elif isinstance(given, FetchError):
            if self._limit is not None and now >= self._limit:
                return  # cut off by the deadline: next() says so
            yield from self._take_error(given, now)
        elif isinstance(given, Page):
            yield from self._take_page(given, now)
        elif isinstance(given, BuildStatus):
            yield from self._take_status(given, now)

    def interrupt(self, now: float) -> Over:
        """The outcome of a watch that a signal ended."""
        return self.over or self._end(Outcome.INTERRUPTED, now, self._error)

    def _take_status(self, answer: BuildStatus, now: float) -> Iterator[Event]:
        news = self._answer is None or self._bad_tries > 0
        self._answer = answer
        self._calm(now)
        if answer.status is not Status.BUILDING or self._rules.once:
            yield self._end(Outcome(answer.status.value), now)
            return
        self._due = self._before_limit(now, self._next_beat(now), now)
        if news and self.sid:
            yield Building(self.sid)

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
        self._bad_tries += 1
        missing = isinstance(error, NotFoundError)
        if missing and self._missing_tries == 0:
            self._missing_since = now
        self._missing_tries = self._missing_tries + 1 if missing else 0
        if isinstance(error, (UnauthorizedError, FatalError)):
            yield self._end(error.outcome, now, error)
            return
        if missing and (
            self._rules.once
            or self._missing_tries >= MISSING.tries
            and now >= self._missing_since + MISSING.seconds
        ):
            yield self._end(Outcome.NOT_FOUND, now, error)
            return
        patience = self._patience
        if self._bad_tries >= patience.tries and now >= self._good + patience.seconds:
            yield self._end(Outcome.UNAVAILABLE, now, error)
            return
        earliest = now + error.retry_after
        natural = max(now + self._pause(now), earliest)
        if self._rules.once and self._limit is not None and natural >= self._limit:
            yield self._end(Outcome.UNAVAILABLE, now, error)
            return
        self._due = self._before_limit(now, natural, earliest)
        if self._limit is None or self._due < self._limit:
            yield Trouble(self.sid, error.reason, self._due)

    def _pause(self, now: float) -> float:
        """The interval or a growing backoff, which is larger; but one try at patience's end."""
        exponent = min(self._bad_tries - 1, 10)  # long past LONGEST_BACKOFF
        backoff = min(FIRST_BACKOFF * 2.0**exponent, LONGEST_BACKOFF) * self._jitter()
        ends = [(self._bad_tries, self._good, self._patience)]
        if self._missing_tries:
            ends.append((self._missing_tries, self._missing_since, MISSING))
        for tries, since, patience in ends:
            left = since + patience.seconds - now
            if tries + 1 >= patience.tries and left > 0:
                backoff = min(backoff, left)
        return max(self._rules.interval_seconds, backoff)

    def _next_beat(self, now: float) -> float:
        """The first beat not yet missed; from a late question to it at least half an interval."""
        interval = self._rules.interval_seconds
        beat = max(
            math.floor((self._asked - self._start) / interval + 0.5) + 1,
            math.ceil((now - self._start) / interval),
        )
        return self._start + beat * interval

    def _before_limit(self, now: float, natural: float, earliest: float) -> float:
        """`natural`, or where that is after the deadline one last try shortly before it."""
        if self._limit is None or natural < self._limit:
            return natural
        last = self._limit - LAST_TRY_SECONDS
        return last if last > now and last >= earliest else self._limit

    def _calm(self, now: float) -> None:
        self._good = now
        self._bad_tries = self._missing_tries = 0
        self._error = None
        if not self._rules.once:
            self._patience = ANSWERED

    def _expire(self, now: float) -> Over:
        if not self._rules.once:
            return self._end(Outcome.TIMEOUT, now, self._error)
        seconds = duration(STATUS_SECONDS)
        silence = PassingError("no answer", f"no answer within {seconds}")
        return self._end(Outcome.UNAVAILABLE, now, self._error or silence)

    def _end(self, outcome: Outcome, now: float, error: FetchError | None = None) -> Over:
        waited = max(0.0, now - self._start)
        self.over = Over(self.sid, outcome, self._answer, waited, self._polls, error)
        self._done = not (outcome is Outcome.FAILED and self._rules.details)
        if not self._done and self.sid:
            self._question = Question(Kind.BUILD, self.sid)
            self._due = now
        return self.over
