"""A watch played through with a clock that the test moves: nothing waits, nothing asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.support.command import BUILD
from twbuild.errors import (
    FatalError,
    NotFoundError,
    PassingError,
    UnauthorizedError,
)
from twbuild.events import BuildStatus, Question, Status
from twbuild.watch import Ask, Event, Given, Over, Rules, Sleep, Watch

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


def play(
    answers: Iterable[Given | Took],
    rules: Rules | None = None,
    sid: str | None = BUILD,
    jitter: Callable[[], float] = lambda: 1.0,
    stops: Callable[[float], float] = lambda _: 0.0,
) -> Play:
    """Run a watch as the runner does, through these answers, until it is over.

    `stops` gives the seconds for which the machine is suspended in the sleep that ends at a time.
    """
    played = Play()
    now = START
    watch = Watch(sid, rules or wait(), now, jitter)
    script = iter(answers)
    while True:
        step = watch.next(now)
        if watch.over and played.over is None:
            played.over, played.over_at = watch.over, now - START
        if isinstance(step, Over):
            return played
        if isinstance(step, Sleep):
            assert step.until > now, "a sleep that does not end in the future"
            played.sleeps.append((now - START, step.until - START))
            now = step.until + stops(step.until - START)
            continue
        now = _answer(played, watch, step, now, next(script))


def _answer(played: Play, watch: Watch, ask: Ask, now: float, answer: Given | Took) -> float:
    took = answer if isinstance(answer, Took) else Took(answer, 0.0)
    late = now + took.seconds > ask.until
    ended = ask.until if late else now + took.seconds
    given = silence() if late else took.given
    times = (now - START, ask.until - START, ended - START)
    played.asked.append(Asked(ask.question, *times, given))
    played.events += watch.take(given, ended)
    if watch.over and played.over is None:
        played.over, played.over_at = watch.over, ended - START
    return ended


def forever(*answers: Given | Took) -> Iterable[Given | Took]:
    """These answers in order, the last one for ever."""
    yield from answers
    while True:
        yield answers[-1]
