"""The runner with real threads and sockets, and with time that passes faster than it does."""

from __future__ import annotations

import gc
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from tests.support.command import BUILD
from tests.support.fasttime import FastRunner, close_fetchers, watch
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
from tests.support.twilio import build_body, page, status_body
from twbuild import signals
from twbuild.api.fetcher import Fetcher
from twbuild.outcome import Outcome
from twbuild.watch.events import Details, Finished, Usual

pytestmark = pytest.mark.measured

MANY = [f"ZB{number:032x}" for number in range(40)]
SOON = 8.0  # sooner than a request that is not cancelled ends by itself


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def requested(connection: Connection) -> tuple[str, bool]:
    """The build that the next request is about, none for the list; and whether it is a poll."""
    path = connection.request().split()[1].decode()
    sid = re.search(r"/Builds/(\w+)", path)
    return sid[1] if sid else "", path.endswith("/Status")


def reply(connection: Connection, body: dict[str, Any]) -> None:
    connection.send(http(json.dumps(body).encode()))


def test_a_signal_before_the_run_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals._State, "signum", 15)
    watched = watch("http://127.0.0.1:9")
    gc.collect()  # a socket left open would warn

    assert (watched.events, watched.endings) == ([], [])


def test_a_bug_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fetcher, "fetch", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        watch("http://127.0.0.1:9")


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_thread_that_cannot_be_started_is_transient(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors: list[Exception | None] = [None, error, None]
    real = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name == "request" and (found := errors.pop(0)):
            raise found
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
    "100 Continue without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.002),
    "trailers without end": endless(
        http(b"0\r\n", "200 OK", "Transfer-Encoding: chunked"), b"X: y\r\n", 0.01
    ),
}


@pytest.mark.parametrize(("row", "kept"), [*((row, False) for row in HANGS), ("silent", True)])
def test_a_request_takes_15_seconds_at_most(row: str, kept: bool) -> None:
    script: list[bytes | Handler] = [*([good()] if kept else []), HANGS[row], good("completed")]
    with Server(answering(*script)) as server:
        watched = watch(server.url, times=15)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.problems == ["no answer within 15s"]
        assert 15 < watched.seconds < 28
        assert server.accepted == 2
        until(lambda: server.open_now <= 1, "the end of the cancelled", SOON)


def test_threads_and_descriptors_stay_flat_though_every_other_request_hangs() -> None:
    def counts() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/dev/fd"))

    script = [step for _ in range(20) for step in (good(), silent)]
    with Server(answering(*script, good("completed"))) as server:
        before = counts()
        watched = watch(server.url, times=100)
        until(lambda: server.open_now <= 1, "the end of the cancelled", SOON)
        close_fetchers()

        assert watched.finished.outcome is Outcome.COMPLETED
        assert len(watched.problems) >= 20
        until(lambda: gc.collect() >= 0 and counts() <= before, f"{before}, as before")


@pytest.mark.parametrize("where", ["in a sleep", "in a request", "in the connecting"])
def test_the_deadline_takes_effect_within_a_fifth_of_a_second(where: str) -> None:
    def late() -> float:
        with deaf() as port, Server(answering(good(), good() if "sleep" in where else silent)) as s:
            url = f"http://127.0.0.1:{port}" if "connecting" in where else s.url
            watched = watch(url, times=1, interval_seconds=0.3, timeout=0.7)
        assert watched.finished.outcome is Outcome.TIMEOUT
        return watched.seconds - 0.7

    assert any(0 <= late() < 0.2 for _ in range(3))  # a busy machine may be late, but not always


def slow(seconds: float) -> Handler:
    """Takes its time, with one request on a connection at once."""

    def handle(connection: Connection) -> None:
        while True:
            sid, _ = requested(connection)
            connection.pause(seconds)
            reply(connection, status_body(sid))

    return handle


def test_25_builds_are_polled_ten_at_a_time() -> None:
    with Server(slow(0.05)) as server:
        watched = watch(server.url, MANY[:25], times=5, timeout=5)

        assert server.accepted == 10
        assert {finished.outcome for finished in watched.endings} == {Outcome.TIMEOUT}
        assert all(finished.polls >= 2 for finished in watched.endings)


def test_nothing_wakes_the_wait_while_all_requests_are_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    real = FastRunner._wait

    def wait(self: FastRunner, seconds: float) -> None:
        waits.append(seconds)
        real(self, seconds)

    monkeypatch.setattr(FastRunner, "_wait", wait)
    with Server(slow(0.5)) as server:
        watch(server.url, MANY[:25], times=5, timeout=10, interval_seconds=5)

    # An answer and a frame each; and a few more that meet nothing.
    assert len(waits) < 2 * 25 + 10 + 20


@pytest.mark.parametrize("is_answered", [True, False])
def test_details_of_40_failed_builds_take_5_seconds_at_most(is_answered: bool) -> None:
    polls: list[float] = []

    def handle(connection: Connection) -> None:
        while True:
            sid, is_poll = requested(connection)
            if not is_poll:
                if not is_answered:
                    connection.stay_silent()
                reply(connection, build_body(sid))
                continue
            status = "failed"
            if sid == BUILD:
                polls.append(time.monotonic())
                status = "completed" if len(polls) == 25 else "building"
            reply(connection, status_body(sid, status))

    with Server(handle) as server:
        watched = watch(server.url, [*MANY, BUILD], times=5, interval_seconds=0.5)

    gaps = [(after - before) * 5 for before, after in pairwise(polls)]
    assert max(gaps) < 4, "polls waited for details"
    assert median(gaps) < 0.75
    *failed, completed = watched.endings
    assert {finished.outcome for finished in failed} == {Outcome.FAILED}
    assert completed.outcome is Outcome.COMPLETED
    ended = [at for at, event in watched.events if isinstance(event, Finished)]
    details = [at for at, event in watched.events if isinstance(event, Details)]
    assert max(details) < max(ended[:40]) + 6
    known = {found.sid for found in watched.of(Details) if found.build}
    assert known == (set(MANY) if is_answered else set())


def test_details_give_way_where_a_poll_needs_the_place() -> None:
    """Details that a poll needs the place of are given up: one extra request a build at most."""
    all_at_once = threading.Barrier(10)
    details: list[str] = []
    cancelled = threading.Event()

    def handle(connection: Connection) -> None:
        while True:
            sid, is_poll = requested(connection)
            if is_poll and sid == BUILD:
                reply(connection, status_body(sid, "failed"))
            elif is_poll and not details:
                reply(connection, status_body(sid))
            elif is_poll:
                all_at_once.wait(10)
                reply(connection, status_body(sid, "completed"))
            else:
                details.append(sid)
                with suppress(Gone):
                    connection.stay_silent()
                cancelled.set()
                raise Gone

    with Server(handle) as server:
        watched = watch(server.url, [BUILD, *MANY[:10]], times=1, interval_seconds=0.2)
        until(cancelled.is_set, "the cancel", SOON)

    assert [found.build for found in watched.of(Details)] == [None]
    assert details == [BUILD]


def test_details_without_a_place_are_given_up_after_5_seconds() -> None:
    def handle(connection: Connection) -> None:
        sid, _ = requested(connection)
        if sid == BUILD:
            reply(connection, status_body(sid, "failed"))
        connection.stay_silent()

    with Server(handle) as server:
        watched = watch(server.url, [BUILD, *MANY[:10]], times=10, timeout=8)

    (reported,) = [at for at, event in watched.events if isinstance(event, Details)]
    assert reported == pytest.approx(5, abs=0.9)


def beside_polls(answer: Handler, *statuses: str) -> Handler:
    """Answers polls at once, over the first connection only, and the list as given."""
    left = list(statuses)

    def handle(connection: Connection) -> None:
        while True:
            sid, is_poll = requested(connection)
            if is_poll:
                if connection.number > 1:
                    raise Gone
                reply(connection, status_body(sid, left.pop(0)))
            elif sid:
                reply(connection, build_body(sid))
            else:
                answer(connection)

    return handle


NOPE = b'{"code": 20003, "message": "Authenticate", "status": 401}'
BAD: dict[str, Handler] = {
    "silence": silent,
    "401": partial(Connection.send, content=http(NOPE, "401 Nope")),
    "429": partial(Connection.send, content=http(b"", "429 Busy", "Retry-After: 60")),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_no_poll_and_no_verdict_waits_for_the_list(answer: Handler) -> None:
    with Server(beside_polls(answer, *["building"] * 3, "completed")) as server:
        watched = watch(server.url, times=2, earlier=True)

    sent = zip(server.times, server.requests, strict=True)
    polls = [at for at, request in sent if b"/Status" in request]
    assert watched.finished.outcome is Outcome.COMPLETED
    assert watched.events[-1][0] == pytest.approx(watched.seconds, abs=0.4)
    assert (len(polls), len(server.requests)) == (4, 5), "the list is requested once"
    assert max(after - before for before, after in pairwise(polls)) < 1.25, "no poll is late"
    assert (watched.problems, watched.of(Usual)) == ([], [])


def test_polls_keep_their_connection_and_the_list_has_another() -> None:
    listed: list[int] = []
    builds = page(*(build_body(sid, "completed") for sid in MANY[:3]))

    def answer(connection: Connection) -> None:
        listed.append(connection.number)
        reply(connection, builds)

    with Server(beside_polls(answer, *["building"] * 5, "failed")) as server:
        watched = watch(server.url, times=10, earlier=True)

    assert (listed, server.accepted) == ([2], 2)
    assert watched.of(Usual) == [Usual(36)]
    assert len(watched.of(Details)) == 1


def test_a_list_that_hangs_delays_details_by_5_seconds() -> None:
    with Server(beside_polls(silent, *["building"] * 3, "failed")) as server:
        watched = watch(server.url, times=10, earlier=True)

    (reported,) = [at for at, event in watched.events if isinstance(event, Details)]
    assert reported == pytest.approx(5, abs=0.9)
    assert [(found.build is None, found.changes) for found in watched.of(Details)] == [
        (False, None)
    ]
