"""A watch played through with a clock that the test moves: nothing waits, nothing asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.support.command import BUILD
from twbuild.api.models import BuildStatus, Question, Status
from twbuild.errors import (
    FatalError,
    NotFoundError,
    PassingError,
    UnauthorizedError,
)
from twbuild.watch.events import Made
from twbuild.watch.state import Event, Given, Over, Rules, Sleep, Watch

START = 1000.0  # of the clock: no code may take it to begin at 0

BUILDING, COMPLETED, FAILED = (BuildStatus(status, BUILD) for status in Status)


def passing(retry_after: float = 0, reason: str = "HTTP 503") -> PassingError:
    """Trouble that may pass."""
    return PassingError(reason, reason, retry_after=retry_after)


def missing() -> NotFoundError:
    """A 404."""
    return NotFoundError("HTTP 404", "HTTP 404", http_status=404)


def fatal() -> FatalError:
    """Trouble that no further try would mend."""
    return FatalError("HTTP 400", "HTTP 400", http_status=400)


def unauthorized() -> UnauthorizedError:
    """Credentials that Twilio refused."""
    return UnauthorizedError("HTTP 401", "HTTP 401", http_status=401)


def silence() -> PassingError:
    """What the runner makes of a question that nobody answered in time."""
    return PassingError("no answer", "no answer")


@dataclass
class Took:
    """An answer that takes its time, in seconds."""

    given: Given
    seconds: float


@dataclass
class Asked:
    """One question, its times in seconds since the start."""

    question: Question
    at: float
    until: float
    ended: float = 0.0
    given: Given | None = None


@dataclass
class Play:
    """What happened, times in seconds since the start."""

    watch: Watch
    asked: list[Asked] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sleeps: list[tuple[float, float]] = field(default_factory=list)
    over: Over | None = None
    over_at: float = 0.0

    @property
    def times(self) -> list[float]:
        """When each question was asked."""
        return [round(asked.at, 6) for asked in self.asked]

    @property
    def outcome(self) -> str | None:
        """What it came to."""
        return self.over and self.over.outcome.value


def wait(
    interval: float = 1.0,
    timeout: float | None = None,
    *,
    details: bool = False,
    once: bool = False,
) -> Rules:
    """Rules with a deadline counted from the start."""
    deadline = None if timeout is None else START + timeout
    return Rules(interval, deadline, once, details)


Answer = Given | Took


def play(
    answers: Iterable[Answer] | Callable[[Question], Answer],
    rules: Rules | None = None,
    sid: str | None = BUILD,
    jitter: Callable[[], float] = lambda: 1.0,
    stops: Callable[[float], float] = lambda _: 0.0,
    interrupted_at: float = math.inf,
) -> Play:
    """Run a watch as the runner does, through these answers, until it is over.

    `stops` gives the seconds for which the machine is suspended in the sleep that ends at a time.
    """
    now, end = START, START + interrupted_at
    watch = Watch(sid, rules or wait(), now, jitter)
    played = Play(watch)
    script = None if callable(answers) else iter(answers)
    while True:
        step = watch.next(now)
        _note_end(played, now)
        if isinstance(step, Over):
            return played
        if isinstance(step, Sleep):
            assert step.until > now, "a sleep that does not end in the future"
            played.sleeps.append((now - START, step.until - START))
            now = step.until + stops(step.until - START)
        elif isinstance(step, Made):
            played.events.append(step)
        else:
            played.asked.append(Asked(step.question, now - START, step.until - START))
            answer = next(script) if script else answers(step.question)  # type: ignore[operator]
            took = answer if isinstance(answer, Took) else Took(answer, 0.0)
            late = now + took.seconds > step.until
            now = step.until if late else now + took.seconds
            given = silence() if late else took.given
            if now < end:
                played.asked[-1].ended, played.asked[-1].given = now - START, given
                played.events += watch.take(given, now)
                _note_end(played, now)
        if now >= end:
            watch.interrupt(end)
            _note_end(played, end)
            return played


def _note_end(played: Play, now: float) -> None:
    if played.over is None and played.watch.over is not None:
        played.over, played.over_at = played.watch.over, now - START


def forever(*answers: Answer) -> Iterable[Answer]:
    """These answers in order, the last one for ever."""
    yield from answers
    while True:
        yield answers[-1]
