"""The runner: the only place that waits. It owns all time; each request has a thread of its own.

It sleeps on a socket, to which whatever is to wake it writes a byte: a thread that has a result, or
a signal. No thread holds a lock, so that a signal may come at any moment.

A request that takes too long is cancelled and its thread left to end by itself: requests has no
limit for an answer as a whole. So DNS that hangs and a byte a second need no code of their own.
"""

from __future__ import annotations

import contextlib
import heapq
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from twbuild import signals
from twbuild.api.models import Answer, Request
from twbuild.errors import FetchError, TransientError, TwbuildError
from twbuild.text import strerror
from twbuild.watch.background import Background
from twbuild.watch.events import BuildEvent, RequestEnded, Tick
from twbuild.watch.state import Fetch, Sleep, Watch

MAX_IN_FLIGHT = 10  # Twilio answers 429 to too many requests at once

_NO_THREAD = "no thread could be started: the system's limit is reached"


class Client(Protocol):
    """What sends requests, one at a time: the Fetcher."""

    def fetch(self, request: Request) -> Answer:
        """The answer; raises FetchError."""

    def cancel(self) -> None:
        """End the request in flight, from another thread."""

    def overdue(self, request: Request, seconds: float) -> FetchError:
        """The error for the request in flight, which did not end within `seconds`."""

    def url(self, request: Request) -> str:
        """The request's URL, to be shown."""


class InFlight(NamedTuple):
    """A request that has not ended, and whose it is; times in the runner's seconds.

    A watch is known by its number.
    """

    owner: int | Background
    client: Client
    request: Request
    since: float
    until: float


Result = Answer | BaseException


class Runner:
    """Runs watches side by side, and beside them the requests of `background`.

    `frame_seconds` is the time from one Tick to the next.

    Raises TwbuildError where the system has no descriptors left.
    """

    def __init__(
        self,
        watches: Sequence[Watch],
        background: Background,
        make_client: Callable[[], Client],
        frame_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watches = watches
        self._background = background
        self._make_client = make_client
        self._frame_seconds = frame_seconds
        self._clock = clock
        self._idle: list[Client] = []  # polls take the last one, which they used before
        self._in_flight: list[InFlight] = []
        self._due = [(clock(), number) for number in range(len(watches))]
        self._results: deque[tuple[InFlight, Result]] = deque()
        self._wakeups, self._waker = _socket_pair()  # before requests need descriptors

    def run(self) -> Iterator[BuildEvent | RequestEnded | Tick]:
        """What happens, until every watch has ended or a signal has come."""
        with self._wakeups, self._waker, signals.waking(self._waker.fileno()):
            frame = self._clock()
            while not signals.came():
                yield from self._cancel_overdue(self._clock())
                yield from self._start_due(self._clock())
                yield from self._start_background(self._clock())
                if not self._due and not self._polls and not self._background.holds_end:
                    return
                if self._clock() >= frame:
                    frame = self._clock() + self._frame_seconds
                    yield Tick(tuple(self._unanswered()))
                self._wait(max(0.0, self._next_wake(frame) - self._clock()))
                while self._results:  # before a signal: a verdict that was reached counts
                    yield from self._take(*self._results.popleft())

    def _unanswered(self) -> Iterator[tuple[str | None, float]]:
        for sent in self._in_flight:
            if not isinstance(sent.owner, Background):
                yield self._watches[sent.owner].sid, sent.since

    def _wait(self, seconds: float) -> None:
        """Wait for a result or a signal, or so many seconds."""
        self._wakeups.settimeout(seconds)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            self._wakeups.recv(1 << 12)

    def _next_wake(self, frame: float) -> float:
        wakes = [frame, *(sent.until for sent in self._in_flight)]
        wakes += [waiting.until for waiting in self._background.waiting]
        if self._due and self._can_poll():
            wakes.append(self._due[0][0])
        return min(wakes)

    @property
    def _polls(self) -> list[InFlight]:
        """The requests in flight of watches."""
        return [sent for sent in self._in_flight if sent.owner is not self._background]

    def _take(self, sent: InFlight, result: Result) -> Iterator[BuildEvent | RequestEnded]:
        if sent in self._in_flight:
            is_poll = sent.owner is not self._background
            self._idle.insert(len(self._idle) if is_poll else 0, sent.client)
            yield from self._end(sent, result, self._clock())

    def _start_due(self, now: float) -> Iterator[BuildEvent]:
        while self._due and self._due[0][0] <= now and self._can_poll():
            _, number = heapq.heappop(self._due)
            step = self._watches[number].next(now)
            if isinstance(step, Sleep):
                heapq.heappush(self._due, (step.until, number))
            elif isinstance(step, Fetch):
                yield from self._free_place()
                client = self._idle.pop() if self._idle else self._make_client()
                self._start(InFlight(number, client, step.request, now, step.until))
            else:
                yield step

    def _start_background(self, now: float) -> Iterator[BuildEvent]:
        waiting = self._background.waiting
        for overdue in [step for step in waiting if now >= step.until]:
            waiting.remove(overdue)
            yield from self._background.take(overdue.request, None)
        while waiting and len(self._in_flight) < MAX_IN_FLIGHT:
            step = waiting.pop(0)
            needed = min(len(self._due), MAX_IN_FLIGHT - len(self._polls))
            spare = len(self._idle) > needed
            client = self._idle.pop(0) if spare else self._make_client()
            self._start(InFlight(self._background, client, step.request, now, step.until))

    def _can_poll(self) -> bool:
        """Whether a poll can start; background requests give way to it."""
        return len(self._polls) < MAX_IN_FLIGHT

    def _free_place(self) -> Iterator[BuildEvent]:
        """Give a background request up if a poll needs its place."""
        if len(self._in_flight) == MAX_IN_FLIGHT:
            sent = next(sent for sent in self._in_flight if sent.owner is self._background)
            sent.client.cancel()
            self._in_flight.remove(sent)
            yield from self._background.take(sent.request, None)

    def _start(self, sent: InFlight) -> None:
        self._in_flight.append(sent)
        try:
            threading.Thread(target=self._fetch, args=(sent,), name="request", daemon=True).start()
        except (RuntimeError, MemoryError):
            # A limit on processes or memory that others may have reached, and may leave again.
            self._deliver(sent, TransientError(_NO_THREAD, _NO_THREAD, short="no thread"))

    def _fetch(self, sent: InFlight) -> None:
        """What a request's thread does."""
        try:
            self._deliver(sent, sent.client.fetch(sent.request))
        except BaseException as error:  # noqa: BLE001 - the main thread decides what it means
            self._deliver(sent, error)

    def _deliver(self, sent: InFlight, result: Result) -> None:
        self._results.append((sent, result))
        with contextlib.suppress(OSError):  # it is full, and so wakes; or the run has ended
            self._waker.send(b"\0")

    def _cancel_overdue(self, now: float) -> Iterator[BuildEvent | RequestEnded]:
        for sent in [sent for sent in self._in_flight if now >= sent.until]:
            error = sent.client.overdue(sent.request, sent.until - sent.since)
            sent.client.cancel()
            yield from self._end(sent, error, now)

    def _end(
        self, sent: InFlight, result: Result, now: float
    ) -> Iterator[BuildEvent | RequestEnded]:
        self._in_flight.remove(sent)
        if isinstance(result, BaseException) and not isinstance(result, FetchError):
            raise result
        status = "HTTP 200"
        if isinstance(result, FetchError):
            status = f"HTTP {result.http_status}" if result.http_status else result.reason
        url = sent.client.url(sent.request)
        yield RequestEnded(url, status, now - sent.since, result.request_id)
        if isinstance(sent.owner, Background):
            answer = None if isinstance(result, FetchError) else result
            yield from self._background.take(sent.request, answer)
            return
        watch = self._watches[sent.owner]
        for event in watch.take(result, now):
            yield event
            yield from self._background.on(event, now)
        if watch.finished is None:
            heapq.heappush(self._due, (now, sent.owner))


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    """One end to wait on, and one that never blocks. Raises TwbuildError."""
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise TwbuildError(f"could not open a pair of sockets: {strerror(error.errno)}") from None
    theirs.settimeout(0)
    return ours, theirs
