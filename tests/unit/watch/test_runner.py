"""The runner with real threads and sockets, and with time that passes faster than it does."""

from __future__ import annotations

import gc
import json
import os
import re
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest

from tests.support import sockets
from tests.support.command import BUILD, OTHER_BUILD
from tests.support.fasttime import Event, FastRunner, close_fetchers, watch
from tests.support.moments import until
from tests.support.sockets import (
    Connection,
    Gone,
    Handler,
    Server,
    answering,
    deaf,
    endless,
    good,
    http,
    silent,
    trickling,
)
from tests.support.twilio import Twilio, build_body, error, status_body
from twbuild import signals
from twbuild.api.models import BuildStatus, Request, Status
from twbuild.errors import FetchError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.watch.events import Details, Finished

pytestmark = pytest.mark.measured


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def test_a_wait_continues_over_one_connection_to_the_end() -> None:
    with Server(answering(*[good()] * 8, good("completed"))) as server:
        watched = watch(server.url, times=20)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert (server.accepted, len(server.requests), watched.finished.polls) == (1, 9, 9)
        assert watched.problems == []


def test_an_error_ends_only_the_build_that_met_it(twilio: Twilio) -> None:
    twilio.says("building", error(401), build=OTHER_BUILD)
    twilio.says("building", "building", "building", "completed")

    watched = watch(twilio.url, (BUILD, OTHER_BUILD))

    assert [finished.outcome for finished in watched.endings] == [
        Outcome.COMPLETED,
        Outcome.UNAUTHORIZED,
    ]


@pytest.mark.filterwarnings("error")  # a socket left open
def test_a_signal_before_the_run_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals._State, "signum", 15)

    watched = watch("", make_fetcher=Offline)
    gc.collect()

    assert (watched.events, watched.endings) == ([], [])


class Offline:
    """A client without a network."""

    def fetch(self, _: Request) -> BuildStatus:
        raise NotImplementedError

    def cancel(self) -> None:
        raise AssertionError

    def overdue(self, _: Request, seconds: float) -> FetchError:
        raise AssertionError(seconds)

    def url(self, _: Request) -> str:
        return "http://127.0.0.1"


def test_credentials_that_die_in_mid_wait_end_it_at_once() -> None:
    refused = http(b'{"code": 20003, "message": "Authenticate", "status": 401}', "401 Nope")
    with Server(answering(good(), good(), good(), refused)) as server:
        watched = watch(server.url)

    assert (watched.finished.outcome, watched.finished.polls) == (Outcome.UNAUTHORIZED, 4)
    assert isinstance(watched.finished.error, UnauthorizedError)
    assert watched.finished.answer


def test_a_server_that_comes_up_late_is_waited_for() -> None:
    port = sockets.unused_port()
    came: list[Server] = []

    def come() -> None:
        came.append(Server(answering(good("completed")), port=port))

    threading.Timer(0.15, come).start()
    watched = watch(f"http://127.0.0.1:{port}", times=20)
    came[0].ending.set()

    assert watched.finished.outcome is Outcome.COMPLETED
    assert set(watched.problems) == {f"connection refused by 127.0.0.1:{port}"}


def test_a_bug_in_a_thread_reaches_the_caller() -> None:
    class Broken(Offline):
        def fetch(self, _: Request) -> BuildStatus:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch("", make_fetcher=Broken)


def test_nothing_but_a_fetch_error_is_problem() -> None:
    class Refusing(Offline):
        def fetch(self, _: Request) -> BuildStatus:
            raise FetchError("odd", "odd")

    watched = watch("", make_fetcher=Refusing, times=100)

    assert watched.finished.outcome is Outcome.UNAVAILABLE


def test_details_of_many_failed_builds_all_come() -> None:
    failing = [f"ZB{number:032x}" for number in range(40)]

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split()[1].decode()
            sid = path.split("/")[5]
            found = status_body(sid, "failed") if "/Status" in path else build_body(sid)
            connection.send(http(json.dumps(found).encode()))

    with Server(handle) as server:
        watched = watch(server.url, failing, times=1)

    assert {made.sid for made in watched.of(Details) if made.build} == set(failing)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_thread_that_cannot_be_started_is_transient(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    starts: list[float] = []
    real = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name.startswith("request"):
            starts.append(1)
            if len(starts) == 2:
                raise error
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    with Server(answering(good(), good("completed"))) as server:
        watched = watch(server.url)

    assert watched.finished.outcome is Outcome.COMPLETED
    assert ["no thread could be started" in problem for problem in watched.problems] == [True]


# A server that never ends its answer, and what each request to it comes to: 15 s of waiting.
HANGS: dict[str, Handler] = {
    "silent": silent,
    "a byte now and then in the header": trickling(good("completed"), 0.06),
    "a byte now and then in the body": trickling(b" " * 10_000, 0.06, http(length=10_000)),
    "a header line now and then": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.2),
    "100 Continue without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.002),
    "trailers without end": endless(
        http(b"0\r\n", "200 OK", "Transfer-Encoding: chunked"), b"X: y\r\n", 0.01
    ),
}


@pytest.mark.parametrize(
    ("row", "kept"), [*((row, False) for row in HANGS), ("silent", True)], ids=str
)
def test_a_request_takes_15_seconds_at_most(row: str, kept: bool) -> None:
    """A question takes 15 seconds at most and the next one a new connection."""
    script: list[bytes | Handler] = [*([good()] if kept else []), HANGS[row], good("completed")]
    with Server(answering(*script)) as server:
        watched = watch(server.url, times=25)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.problems == ["no answer within 15s"]
        assert 15 < watched.seconds < 28
        assert server.accepted == 2
        until(lambda: server.open_now <= 1, "the end of the cancelled connection")


class Busy:
    """A server that takes its time and counts the questions it has at once."""

    def __init__(self, seconds: float) -> None:
        self.most = self._now = 0
        self._seconds = seconds
        self._lock = threading.Lock()

    def handle(self, connection: Connection) -> None:
        while True:
            sid = re.findall(rb"/Builds/(\w+)/", connection.request())[0].decode()
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            connection.pause(self._seconds)
            with self._lock:
                self._now -= 1
            connection.send(http(json.dumps({"sid": sid, "status": "building"}).encode()))


def test_25_builds_are_polled_ten_at_a_time() -> None:
    busy = Busy(0.05)
    sids = [f"ZB{number:032x}" for number in range(25)]
    with Server(busy.handle) as server:
        watched = watch(server.url, sids, times=5, timeout=5)

        assert busy.most == 10
        assert server.accepted <= 10
        assert {finished.outcome for finished in watched.endings} == {Outcome.TIMEOUT}
        assert all(finished.polls >= 2 for finished in watched.endings)


def test_nothing_wakes_the_wait_while_all_requests_are_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing wakes the wait while all requests are under way and more are due."""
    waits: list[float] = []
    real = FastRunner._wait

    def wait(self: FastRunner, seconds: float) -> None:
        waits.append(seconds)
        real(self, seconds)

    monkeypatch.setattr(FastRunner, "_wait", wait)
    sids = [f"ZB{number:032x}" for number in range(25)]
    with Server(Busy(0.5).handle) as server:
        watch(server.url, sids, times=5, timeout=10, interval_seconds=5)

    # An answer and a frame each; and a few more that meet nothing.
    assert len(waits) < 2 * 25 + 10 + 20


def test_threads_and_descriptors_stay_flat_though_every_other_question_hangs() -> None:
    def counts() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/dev/fd"))

    script = [step for _ in range(20) for step in (good(), silent)]
    with Server(answering(*script, good("completed"))) as server:
        before = counts()
        watched = watch(server.url, times=100)

        until(lambda: server.open_now <= 1, "the end of the questions that were given up")
        close_fetchers()

        assert watched.finished.outcome is Outcome.COMPLETED
        assert len(watched.problems) >= 20
        until(lambda: gc.collect() >= 0 and counts() <= before, f"{before}, as before")


class Steady(Offline):
    """Answers without a network, so that 1,500 polls take a moment."""

    def __init__(self) -> None:
        self.polls = 0
        self.sizes: list[int] = []

    def fetch(self, _: Request) -> BuildStatus:
        self.polls += 1
        if self.polls in (300, 1_500):
            self.sizes.append(tracemalloc.get_traced_memory()[0])
        finished = self.polls > 1_500
        return BuildStatus(Status.COMPLETED if finished else Status.BUILDING, BUILD)


def test_memory_stays_flat_over_1_500_polls() -> None:
    steady = Steady()
    happened = 0

    def count(_: Event) -> None:
        nonlocal happened
        happened += 1

    tracemalloc.start()
    watched = watch("", make_fetcher=lambda: steady, times=25, interval_seconds=0.01, on=count)
    tracemalloc.stop()

    assert watched.finished.outcome is Outcome.COMPLETED
    assert watched.finished.polls == 1_501
    assert happened >= 1_501
    before, after = steady.sizes
    assert after - before < 50_000


@pytest.mark.parametrize("where", ["in a sleep", "in a request", "in the connecting"])
def test_the_deadline_takes_effect_within_a_fifth_of_a_second(where: str) -> None:
    def late() -> float:
        with deaf() as port, Server(answering(good(), good() if "sleep" in where else silent)) as s:
            url = f"http://127.0.0.1:{port}" if "connecting" in where else s.url
            watched = watch(url, times=1, interval_seconds=0.3, timeout=0.7)
        assert watched.finished.outcome is Outcome.TIMEOUT
        return watched.seconds - 0.7

    assert 0 <= min(late() for _ in range(3)) < 0.2


def test_40_failed_builds_whose_details_hang_take_5_seconds() -> None:
    """40 failed builds whose details hang take 5 seconds together and delay no poll."""
    failing = [f"ZB{number:032x}" for number in range(40)]
    polls: list[float] = []

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split()[1].decode()
            if not path.endswith("/Status"):
                connection.stay_silent()
            if BUILD in path:
                polls.append(time.monotonic())
                status = "completed" if len(polls) == 60 else "building"
            else:
                status = "failed"
            connection.send(good(status).replace(BUILD.encode(), path.split("/")[5].encode()))

    with Server(handle) as server:
        watched = watch(server.url, [*failing, BUILD], times=5, interval_seconds=0.5)

    gaps = [(after - before) * 5 for before, after in pairwise(polls)]
    assert max(gaps) < 1.5
    assert sum(gap > 0.75 for gap in gaps) <= 6
    assert [finished.outcome for finished in watched.endings] == [Outcome.FAILED] * 40 + [
        Outcome.COMPLETED
    ]
    ended = [at for at, event in watched.events if isinstance(event, Finished)]
    made = [at for at, event in watched.events if isinstance(event, Details)]
    assert max(made) < max(at for at in ended[:40]) + 6


def test_details_give_way_where_a_poll_needs_the_place() -> None:
    """Details that a poll needs the place of are cancelled and requested again."""
    others = [f"ZB{number:032x}" for number in range(10)]
    all_at_once = threading.Barrier(10)
    requested, cancelled = threading.Event(), threading.Event()

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split()[1].decode()
            sid, status = path.split("/")[5], "failed"
            if not path.endswith("/Status"):
                if not requested.is_set():
                    requested.set()
                    with suppress(Gone):
                        connection.stay_silent()
                    cancelled.set()
                    raise Gone
                connection.send(http(json.dumps(build_body(sid)).encode()))
                continue
            if sid != BUILD:
                status = "building"
                if requested.is_set():
                    all_at_once.wait(10)
                    status = "completed"
            connection.send(http(json.dumps(status_body(sid, status)).encode()))

    with Server(handle) as server:
        watched = watch(server.url, [BUILD, *others], times=1, interval_seconds=0.2)
        until(cancelled.is_set, "the cancel")

    assert [made.build is not None for made in watched.of(Details)] == [True]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_that_jumps_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    real, calls = time.time, []

    def jumping() -> float:
        calls.append(0)
        return real() + (hours * 3600 if len(calls) > 5 else 0)

    monkeypatch.setattr(time, "time", jumping)
    with Server(answering(*[good()] * 10, good("completed"))) as server:
        watched = watch(server.url, times=20, timeout=60)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert 9 < watched.seconds < 25
        assert watched.problems == []
