"""The runner: the only place that waits. It owns all time; each request has a thread of its own.

A request that takes too long is cancelled and its thread left to end by itself: requests has no
limit for an answer as a whole. So DNS that hangs and a byte a second need no code of their own.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from typing import NamedTuple, Protocol

from twbuild import signals
from twbuild.api.models import Answer, Request, Resource
from twbuild.errors import FetchError, TransientError
from twbuild.text import duration, printable
from twbuild.watch.events import BuildEvent, Details, RequestEnded, Tick
from twbuild.watch.state import Fetch, Sleep, Watch

MAX_IN_FLIGHT = 10  # Twilio answers 429 to too many requests at once

_NO_THREAD = "no thread could be started: the system's limit is reached"


class Client(Protocol):
    """What sends requests, one at a time: the Fetcher."""

    def fetch(self, request: Request) -> Answer:
        """The answer; raises FetchError."""

    def cancel(self) -> None:
        """End the request in flight, from another thread."""

    def url(self, request: Request) -> str:
        """The request's URL, to be shown."""


class InFlight(NamedTuple):
    """A request that has not ended, of the watch `number`; times in the runner's seconds."""

    number: int
    client: Client
    request: Request
    since: float
    until: float


Result = Answer | BaseException


class Runner:
    """Runs watches side by side. `frame_seconds` is the time from one Tick to the next."""

    def __init__(
        self,
        watches: Sequence[Watch],
        make_client: Callable[[], Client],
        frame_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watches = watches
        self._make_client = make_client
        self._frame_seconds = frame_seconds
        self._clock = clock
        self._idle: list[Client] = []
        self._in_flight: list[InFlight] = []
        self._due = [(clock(), number) for number in range(len(watches))]
        self._details: list[int] = []  # failed builds whose details are fetched after due polls
        self._results = _Results()

    def run(self) -> Iterator[BuildEvent | RequestEnded | Tick]:
        """What happens, until every watch has ended."""
        frame = self._clock()
        while True:
            yield from self._start_due(self._clock())
            if not self._due and not self._details and not self._in_flight:
                return
            if self._clock() >= frame:
                frame = self._clock() + self._frame_seconds
                yield Tick()
            seconds = max(0.0, self._next_wake(frame) - self._clock())
            try:
                sent, result = self._results.get(timeout=seconds)
            except Empty:
                yield from self._cancel_overdue(self._clock())
            except signals.SignalReceived:
                for sent, result in self._results.rest():
                    yield from self._take(sent, result)
                raise
            else:
                yield from self._take(sent, result)

    def _next_wake(self, frame: float) -> float:
        wakes = [frame, *(sent.until for sent in self._in_flight)]
        wakes += [self._watches[number].details_until for number in self._details]
        if self._due and self._can_poll():
            wakes.append(self._due[0][0])
        return min(wakes)

    def _take(self, sent: InFlight, result: Result) -> Iterator[BuildEvent | RequestEnded]:
        if sent in self._in_flight:
            self._idle.append(sent.client)
            yield from self._end(sent, result, self._clock())

    def _start_due(self, now: float) -> Iterator[BuildEvent]:
        while self._due and self._due[0][0] <= now and self._can_poll():
            _, number = heapq.heappop(self._due)
            step = self._watches[number].next(now)
            if isinstance(step, Sleep):
                heapq.heappush(self._due, (step.until, number))
            elif isinstance(step, Fetch):
                self._postpone_details()
                self._start(number, step, now)
            else:
                yield step
        yield from self._start_details(now)

    def _start_details(self, now: float) -> Iterator[BuildEvent]:
        for number in tuple(self._details):
            step = self._watches[number].next(now)
            if isinstance(step, Fetch) and len(self._in_flight) == MAX_IN_FLIGHT:
                continue
            self._details.remove(number)
            if isinstance(step, Fetch):
                self._start(number, step, now)
            elif isinstance(step, Details):
                yield step

    def _can_poll(self) -> bool:
        """Whether a poll can start; requests for details give way to it."""
        return len(self._in_flight) < MAX_IN_FLIGHT or any(map(_is_for_details, self._in_flight))

    def _postpone_details(self) -> None:
        """Cancel a request for details if a poll needs its place; it is sent again later."""
        if len(self._in_flight) == MAX_IN_FLIGHT:
            sent = next(filter(_is_for_details, self._in_flight))
            sent.client.cancel()
            self._in_flight.remove(sent)
            self._details.append(sent.number)

    def _start(self, number: int, step: Fetch, now: float) -> None:
        client = self._idle.pop() if self._idle else self._make_client()
        sent = InFlight(number, client, step.request, now, step.until)
        self._in_flight.append(sent)
        try:
            threading.Thread(
                target=_fetch, args=(sent, self._results), name="request", daemon=True
            ).start()
        except (RuntimeError, MemoryError):
            # A limit on processes or memory that others may have reached, and may leave again.
            self._results.put((sent, TransientError(_NO_THREAD, _NO_THREAD)))

    def _cancel_overdue(self, now: float) -> Iterator[BuildEvent | RequestEnded]:
        for sent in [sent for sent in self._in_flight if now >= sent.until]:
            reason = f"no answer within {duration(sent.until - sent.since)}"
            url = printable(sent.client.url(sent.request))
            sent.client.cancel()
            yield from self._end(sent, TransientError(reason, reason, details=[f"GET {url}"]), now)

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
        watch = self._watches[sent.number]
        yield from watch.take(result, now)
        if watch.finished is None:
            heapq.heappush(self._due, (now, sent.number))
        elif not _is_for_details(sent):
            self._details.append(sent.number)


def _is_for_details(sent: InFlight) -> bool:
    return sent.request.resource is Resource.BUILD


class _Results(Queue[tuple[InFlight, Result]]):
    """A signal ends the wait for a result, but never loses one.

    SimpleQueue would not do: stopped by a signal past its timeout, it waits without end.
    """

    def get(self, block: bool = True, timeout: float | None = None) -> tuple[InFlight, Result]:
        with signals.raised_inside():
            return super().get(block, timeout)

    def _get(self) -> tuple[InFlight, Result]:
        signals.hold()
        return super()._get()

    def rest(self) -> Iterator[tuple[InFlight, Result]]:
        """What has come already; without the lock, which a signal may have left acquired."""
        while self.queue:
            yield self.queue.popleft()


def _fetch(sent: InFlight, results: Queue[tuple[InFlight, Result]]) -> None:
    result: Result
    try:
        result = sent.client.fetch(sent.request)
    except BaseException as error:  # noqa: BLE001 - the main thread decides what it means
        result = error
    results.put((sent, result))
