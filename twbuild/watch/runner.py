"""The runner: the only place that waits. It owns all time; each question has a thread of its own.

A thread that outlives its question is left behind with its connection: requests limits no answer
as a whole, so that a look-up that hangs or a byte a second needs no case of its own.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from typing import NamedTuple, Protocol

from twbuild import signals
from twbuild.api.models import Build, BuildStatus, Kind, Page, Question
from twbuild.errors import FetchError, PassingError
from twbuild.text import duration, printable
from twbuild.watch.events import Asked, Made, Tick
from twbuild.watch.state import Ask, Event, Sleep, Watch

_NO_THREAD = "no thread could be started: the system's limit is reached"

MOST_LANES = 10  # Twilio answers 429 to too many requests at once


class Asks(Protocol):
    """What answers questions: the Fetcher."""

    def ask(self, question: Question) -> Build | BuildStatus | Page:
        """The answer; raises FetchError."""

    def abandon(self) -> None:
        """Give up the question under way."""

    def url(self, question: Question) -> str:
        """Where it is asked."""


class Lane(NamedTuple):
    """A question on its way."""

    number: int
    fetcher: Asks
    question: Question
    since: float
    until: float


Given = Build | BuildStatus | Page | BaseException


class Runner:
    """Runs watches side by side. `frame_seconds` is the time from one Tick to the next."""

    def __init__(
        self,
        watches: Sequence[Watch],
        make_fetcher: Callable[[], Asks],
        frame_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watches = watches
        self._make_fetcher = make_fetcher
        self._frame_seconds = frame_seconds
        self._clock = clock
        self._idle: list[Asks] = []
        self._lanes: list[Lane] = []
        self._due = [(clock(), number) for number in range(len(watches))]
        self._details: list[int] = []  # failed builds, asked about when no poll is due
        # No SimpleQueue: stopped in a signal's handler past its timeout, it waits for ever.
        self._answers = _Answers()

    def run(self) -> Iterator[Event | Asked | Tick]:
        """What happens, until every build is over."""
        frame = self._clock()
        while True:
            yield from self._start_due(self._clock())
            if not self._due and not self._details and not self._lanes:
                return
            if self._clock() >= frame:
                frame = self._clock() + self._frame_seconds
                yield Tick()
            wakes = [frame, *(lane.until for lane in self._lanes)]
            wakes += [self._watches[number].details_until for number in self._details]
            if self._due and self._has_room():
                wakes.append(self._due[0][0])
            try:
                lane, given = self._answers.get(timeout=max(0.0, min(wakes) - self._clock()))
            except Empty:
                yield from self._leave_behind(self._clock())
            except signals.Signalled:
                for lane, given in self._answers.rest():
                    yield from self._take(lane, given)
                raise
            else:
                yield from self._take(lane, given)

    def _take(self, lane: Lane, given: Given) -> Iterator[Event | Asked]:
        if lane in self._lanes:
            self._idle.append(lane.fetcher)
            yield from self._end(lane, given, self._clock())

    def _start_due(self, now: float) -> Iterator[Event]:
        while self._due and self._due[0][0] <= now and self._has_room():
            _, number = heapq.heappop(self._due)
            step = self._watches[number].next(now)
            if isinstance(step, Sleep):
                heapq.heappush(self._due, (step.until, number))
            elif isinstance(step, Ask):
                self._postpone_details()
                self._start(number, step, now)
            else:
                yield step
        yield from self._start_details(now)

    def _start_details(self, now: float) -> Iterator[Event]:
        for number in tuple(self._details):
            step = self._watches[number].next(now)
            if isinstance(step, Ask) and len(self._lanes) == MOST_LANES:
                continue
            self._details.remove(number)
            if isinstance(step, Ask):
                self._start(number, step, now)
            elif isinstance(step, Made):
                yield step

    def _has_room(self) -> bool:
        """Whether a poll can start: details of failed builds are never in its way."""
        return len(self._lanes) < MOST_LANES or any(map(_is_about_details, self._lanes))

    def _postpone_details(self) -> None:
        """Make room for a poll; the details are asked for again, on a new connection."""
        if len(self._lanes) == MOST_LANES:
            lane = next(filter(_is_about_details, self._lanes))
            lane.fetcher.abandon()
            self._lanes.remove(lane)
            self._details.append(lane.number)

    def _start(self, number: int, step: Ask, now: float) -> None:
        fetcher = self._idle.pop() if self._idle else self._make_fetcher()
        lane = Lane(number, fetcher, step.question, now, step.until)
        self._lanes.append(lane)
        try:
            threading.Thread(
                target=_ask, args=(lane, self._answers), name="request", daemon=True
            ).start()
        except (RuntimeError, MemoryError):
            # A limit on processes or memory, which others may have reached and will leave again.
            self._answers.put((lane, PassingError(_NO_THREAD, _NO_THREAD)))

    def _leave_behind(self, now: float) -> Iterator[Event | Asked]:
        for lane in [lane for lane in self._lanes if now >= lane.until]:
            reason = f"no answer within {duration(lane.until - lane.since)}"
            url = printable(lane.fetcher.url(lane.question))
            lane.fetcher.abandon()
            silence = PassingError(reason, reason, f"asked: GET {url}")
            yield from self._end(lane, silence, now)

    def _end(self, lane: Lane, given: Given, now: float) -> Iterator[Event | Asked]:
        self._lanes.remove(lane)
        if isinstance(given, BaseException) and not isinstance(given, FetchError):
            raise given
        url, seconds = lane.fetcher.url(lane.question), now - lane.since
        if isinstance(given, FetchError):
            came = f"HTTP {given.http_status}" if given.http_status else given.reason
            yield Asked(url, came, seconds, given.request_id)
        else:
            yield Asked(url, "HTTP 200", seconds, given.request_id)
        yield from self._watches[lane.number].take(given, now)
        if self._watches[lane.number].over is None:
            heapq.heappush(self._due, (now, lane.number))
        elif not _is_about_details(lane):
            self._details.append(lane.number)


def _is_about_details(lane: Lane) -> bool:
    return lane.question.kind is Kind.BUILD


class _Answers(Queue[tuple[Lane, Given]]):
    """A signal cuts the wait for an answer short, but never loses one."""

    def get(self, block: bool = True, timeout: float | None = None) -> tuple[Lane, Given]:
        with signals.let_through():
            return super().get(block, timeout)

    def _get(self) -> tuple[Lane, Given]:
        signals.hold()
        return super()._get()

    def rest(self) -> Iterator[tuple[Lane, Given]]:
        """What has come already; without the lock, which a signal may have left taken."""
        while self.queue:
            yield self.queue.popleft()


def _ask(lane: Lane, answers: Queue[tuple[Lane, Given]]) -> None:
    given: Given
    try:
        given = lane.fetcher.ask(lane.question)
    except BaseException as error:  # noqa: BLE001 - whatever happened is the main thread's to judge
        given = error
    answers.put((lane, given))
