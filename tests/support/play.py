"""A watch played through with a clock that the test moves: nothing waits, nothing asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from tests.support.command import BUILD
from twbuild.api.models import Answer, BuildStatus, Request, Status
from twbuild.errors import (
    FetchError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnauthorizedError,
)
from twbuild.watch.background import Background
from twbuild.watch.events import BuildEvent, Finished
from twbuild.watch.state import Policy, Sleep, Watch

Result = Answer | FetchError

START = 1000.0  # of the clock: no code may take it to begin at 0

BUILDING, COMPLETED, FAILED = (BuildStatus(status, BUILD) for status in Status)


def passing(retry_after: float = 0, reason: str = "HTTP 503") -> TransientError:
    """A transient error."""
    return TransientError(reason, reason, retry_after=retry_after)


missing = partial(NotFoundError, "HTTP 404", "HTTP 404", http_status=404)
fatal = partial(PermanentError, "HTTP 400", "HTTP 400", http_status=400)
unauthorized = partial(UnauthorizedError, "HTTP 401", "HTTP 401", http_status=401)
# What the runner makes of a request that was not answered in time.
silence = partial(TransientError, "no answer", "no answer")


@dataclass
class Took:
    """An answer that takes its time, in seconds."""

    result: Result
    seconds: float


@dataclass
class Requested:
    """One request, its times in seconds since the start."""

    request: Request
    at: float
    until: float
    ended: float = 0.0
    result: Result | None = None


@dataclass
class Play:
    """What happened, times in seconds since the start."""

    watch: Watch
    background: Background
    requested: list[Requested] = field(default_factory=list)
    beside: list[Requested] = field(default_factory=list)
    events: list[BuildEvent] = field(default_factory=list)
    sleeps: list[tuple[float, float]] = field(default_factory=list)
    open: list[Requested] = field(default_factory=list)
    finished: Finished | None = None
    finished_at: float = 0.0
    interrupted: bool = False

    @property
    def times(self) -> list[float]:
        """When each request was sent."""
        return [round(requested.at, 6) for requested in self.requested]

    @property
    def outcome(self) -> str | None:
        """What it came to."""
        return self.finished and self.finished.outcome.value


def wait(interval: float = 1.0, timeout: float | None = None, *, once: bool = False) -> Policy:
    """Rules with a deadline counted from the start."""
    if once:
        return Policy.once(START)._replace(interval_seconds=interval)
    return Policy(interval, math.inf if timeout is None else START + timeout)


Scripted = Result | Took


def play(
    answers: Iterable[Scripted] | Callable[[Request], Scripted],
    policy: Policy | None = None,
    sid: str | None = BUILD,
    jitter: Callable[[], float] = lambda: 1.0,
    stops: Callable[[float], float] = lambda _: 0.0,
    interrupted_at: float = math.inf,
    beside: Callable[[Request], Scripted] | None = None,
    details: bool = False,
    earlier: bool = False,
) -> Play:
    """Run a watch as the runner does, through these answers, until it is over.

    `stops` gives the seconds for which the machine is suspended in the sleep that ends at a time.
    `beside` answers the background requests, which are sent for `details` and `earlier`.
    """
    policy = policy or wait()
    now, end = START, START + interrupted_at
    watch = Watch(sid, policy, now, jitter)
    played = Play(watch, Background(details=details, earlier=earlier, deadline=policy.deadline))
    script = None if callable(answers) else iter(answers)
    while True:
        step = watch.next(now)
        _note_end(played, now)
        if isinstance(step, Finished):
            _pass_time(played, end)
            played.interrupted = end < math.inf and played.background.holds_end
            return played
        if isinstance(step, Sleep):
            assert step.until > now, "a sleep that does not end in the future"
            played.sleeps.append((now - START, step.until - START))
            now = step.until + stops(step.until - START)
        else:
            played.requested.append(Requested(step.request, now - START, step.until - START))
            answer = next(script) if script else answers(step.request)  # type: ignore[operator]
            took = answer if isinstance(answer, Took) else Took(answer, 0.0)
            late = now + took.seconds > step.until
            now = step.until if late else now + took.seconds
            _pass_time(played, min(now, end))
            result = silence() if late else took.result
            if now < end:
                played.requested[-1].ended, played.requested[-1].result = now - START, result
                for event in watch.take(result, now):
                    played.events.append(event)
                    played.events += played.background.on(event, now)
                _note_end(played, now)
                _send(played, beside, now)
        if now >= end:
            played.interrupted = True
            watch.ending(end)
            _note_end(played, end)
            return played
        _pass_time(played, now)


def _send(played: Play, beside: Callable[[Request], Scripted] | None, now: float) -> None:
    """Send the background requests at once, and note when each will end."""
    while played.background.waiting:
        step = played.background.waiting.pop(0)
        if now >= step.until:
            played.events += played.background.take(step.request, None)
            continue
        assert beside, "a background request that nothing answers"
        answer = beside(step.request)
        took = answer if isinstance(answer, Took) else Took(answer, 0.0)
        ends = min(now + took.seconds, step.until)
        result = silence() if now + took.seconds > step.until else took.result
        requested = Requested(step.request, now - START, step.until - START, ends - START, result)
        played.beside.append(requested)
        played.open.append(requested)


def _pass_time(played: Play, until: float) -> None:
    """End the background requests that have ended by then; after the end, those awaited."""
    for requested in sorted(played.open, key=lambda requested: requested.ended):
        is_over = played.finished is not None and not played.background.holds_end
        if requested.ended > until - START or is_over:
            return
        played.open.remove(requested)
        answer = None if isinstance(requested.result, FetchError) else requested.result
        played.events += played.background.take(requested.request, answer)


def _note_end(played: Play, now: float) -> None:
    if played.finished is None and played.watch.finished is not None:
        played.finished, played.finished_at = played.watch.finished, now - START


def forever(*answers: Scripted) -> Iterable[Scripted]:
    """These answers in order, the last one for ever."""
    yield from answers
    while True:
        yield answers[-1]
