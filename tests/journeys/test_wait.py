"""Waits with real threads and sockets, at their real pace or faster; and the installed command."""

from __future__ import annotations

import gc
import json
import os
import re
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, NoReturn

import pytest

from tests.support.command import BUILD, SERVICE, run, run_words
from tests.support.fasttime import Event, FastRunner, close_fetchers, watch
from tests.support.sockets import (
    Connection,
    Gone,
    Handler,
    Server,
    answering,
    closing,
    deaf,
    endless,
    good,
    http,
    resetting,
    silent,
    slow,
    trickling,
)
from tests.support.twilio import Twilio, build_body, status_body
from twbuild.api.models import BuildStatus, Request, Status
from twbuild.outcome import Outcome
from twbuild.watch.events import Building, Details, Finished

pytestmark = pytest.mark.measured

MISSING = http(b'{"code": 20404, "message": "no", "status": 404}', "404 Not Found")
DOWN = http(b"", "503 Service Unavailable")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def until(found: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + seconds
    while not found() and time.monotonic() < end:
        time.sleep(0.01)
    return found()


def lasting(trouble: bytes, seconds: float, times: float, then: bytes) -> Handler:
    """The first answer is good; then `trouble` for these seconds of a fast clock."""
    since: list[float] = []

    def answer(connection: Connection) -> None:
        if not since:
            since.append(time.monotonic())
            connection.send(good("building"))
        elif (time.monotonic() - since[0]) * times < seconds:
            connection.send(trouble)
        else:
            connection.send(then)

    return answering(answer)


def test_patience_is_20_seconds_where_no_good_answer_has_come() -> None:
    with Server(answering(DOWN)) as server:
        watched = watch(server.url)

    assert watched.finished.outcome is Outcome.UNAVAILABLE
    assert 20 <= watched.seconds < 30
    assert watched.finished.polls >= 3
    assert watched.finished.error
    assert "HTTP 503" in watched.finished.error.message


def test_a_captive_portal_uses_patience_up_and_is_named() -> None:
    page = http(b"<html>Log in to the guest Wi-Fi</html>", "200 OK", "Content-Type: text/html")
    with Server(answering(page)) as server:
        watched = watch(server.url)

    assert watched.finished.outcome is Outcome.UNAVAILABLE
    assert 20 <= watched.seconds < 30
    assert watched.finished.error
    assert "HTML came instead of JSON" in watched.finished.error.message
    assert "captive portal" in " ".join(watched.finished.error.hints)
    assert "guest" not in repr(watched.finished)


def test_patience_is_2_minutes_after_a_good_answer() -> None:
    with Server(answering(good(), DOWN)) as server:
        watched = watch(server.url, times=80)

    assert watched.finished.outcome is Outcome.UNAVAILABLE
    assert 120 <= watched.seconds < 148
    assert watched.finished.answer


def test_trouble_that_ends_within_patience_is_ridden_out() -> None:
    with Server(lasting(DOWN, 110, 80, good("completed"))) as server:
        watched = watch(server.url, times=80)

    assert watched.finished.outcome is Outcome.COMPLETED
    assert 110 < watched.seconds < 140


def test_a_good_answer_resets_patience() -> None:
    script = [good(), *[DOWN] * 6, good(), *[DOWN] * 6, good(), *[DOWN] * 6, good("failed")]
    with Server(answering(*script)) as server:
        watched = watch(server.url, times=120, details=False)

    assert watched.finished.outcome is Outcome.FAILED
    assert watched.seconds > 150
    assert len(watched.troubles) == 18
    assert len(watched.of(Building)) == 3


# A server that never ends its answer, and what each question to it comes to: 15 s of trouble.
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


@pytest.mark.parametrize("row", HANGS)
@pytest.mark.parametrize("kept", [False, True], ids=["at first", "on a kept connection"])
def test_a_question_takes_15_seconds_at_most_and_the_next_one_a_new_connection(
    row: str, kept: bool
) -> None:
    script: list[bytes | Handler] = [*([good()] if kept else []), HANGS[row], good("completed")]
    with Server(answering(*script)) as server:
        watched = watch(server.url, times=25)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.troubles == ["no answer within 15s"]
        assert 15 < watched.seconds < 28
        assert server.accepted == 2
        assert until(lambda: server.open_now <= 1), "the connection left behind stays open"


def test_an_answer_after_14_seconds_counts() -> None:
    with Server(answering(slow(14 / 5, good("completed")))) as server:
        watched = watch(server.url, times=5)

    assert (watched.finished.outcome, watched.finished.polls) == (Outcome.COMPLETED, 1)


def test_a_slow_answer_does_not_shift_the_beat() -> None:
    with Server(answering(*[slow(0.06, good())] * 20, good("completed"))) as server:
        watch(server.url, times=10)

        took = server.times[-1] - server.times[0]
        assert 1.9 < took < 2.9, "20 beats of 0.1 s, not of 0.16 s"


def test_a_poll_longer_than_the_interval_skips_beats_and_overlaps_with_none() -> None:
    busy = Busy(0.12)
    with Server(busy.handle) as server:
        watch(server.url, times=10, timeout=20.5)

        assert busy.most == 1
        assert 4 <= len(server.times) <= 11, "every second beat of 20"


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


def test_25_builds_are_asked_about_ten_at_a_time_over_ten_connections() -> None:
    busy = Busy(0.05)
    sids = [f"ZB{number:032x}" for number in range(25)]
    with Server(busy.handle) as server:
        watched = watch(server.url, sids, times=5, timeout=5)

        assert busy.most == 10
        assert server.accepted <= 10
        assert {finished.outcome for finished in watched.endings} == {Outcome.TIMEOUT}
        assert all(finished.polls >= 2 for finished in watched.endings)


def test_nothing_wakes_the_wait_while_all_requests_are_under_way_and_more_are_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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

        assert until(lambda: server.open_now <= 1, 5), "a question that was given up goes on"
        close_fetchers()

        assert watched.finished.outcome is Outcome.COMPLETED
        assert len(watched.troubles) >= 20
        assert until(lambda: gc.collect() >= 0 and counts() <= before), (before, counts())


class Steady:
    """Answers without a network, so that 4,000 polls take a moment."""

    def __init__(self) -> None:
        self.polls = 0
        self.sizes: list[int] = []

    def fetch(self, _: Request) -> BuildStatus:
        self.polls += 1
        if self.polls in (1_000, 4_000):
            self.sizes.append(tracemalloc.get_traced_memory()[0])
        finished = self.polls > 4_000
        return BuildStatus(Status.COMPLETED if finished else Status.BUILDING, BUILD)

    def cancel(self) -> None:
        raise AssertionError

    def overdue(self, _: Request, seconds: float) -> NoReturn:
        raise AssertionError(seconds)

    def url(self, _: Request) -> str:
        return "http://127.0.0.1"


def test_memory_stays_flat_over_4_000_polls() -> None:
    steady = Steady()
    happened = 0

    def count(_: Event) -> None:
        nonlocal happened
        happened += 1

    tracemalloc.start()
    watched = watch("", make_fetcher=lambda: steady, times=25, interval_seconds=0.01, on=count)
    tracemalloc.stop()

    assert watched.finished.outcome is Outcome.COMPLETED
    assert watched.finished.polls == 4_001
    assert happened >= 4_001
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


def test_an_interval_longer_than_the_timeout_gets_a_last_try_a_second_before_the_end() -> None:
    with Server(answering(good())) as server:
        watched = watch(server.url, times=4, interval_seconds=60, timeout=4)

        assert (watched.finished.outcome, watched.finished.polls) == (Outcome.TIMEOUT, 2)
        assert 4 <= watched.seconds < 5
        assert 0.7 < server.times[1] - server.times[0] < 1


def test_trouble_in_the_very_last_poll_is_a_timeout_that_tells_the_trouble() -> None:
    with Server(answering(good(), DOWN)) as server:
        watched = watch(server.url, times=4, interval_seconds=60, timeout=4)

    assert watched.finished.outcome is Outcome.TIMEOUT
    assert watched.finished.answer
    assert watched.finished.error
    assert watched.finished.error.message == "HTTP 503"


def test_a_verdict_in_the_very_last_poll_counts() -> None:
    with Server(answering(good(), good("completed"))) as server:
        watched = watch(server.url, times=4, interval_seconds=60, timeout=4)

    assert watched.finished.outcome is Outcome.COMPLETED


def test_nothing_is_asked_before_a_retry_after_that_is_longer_than_the_time_left() -> None:
    busy = http(b"", "429 Too Many Requests", "Retry-After: 60")
    with Server(answering(busy)) as server:
        watched = watch(server.url, times=5, timeout=3)

        assert (watched.finished.outcome, watched.finished.polls) == (Outcome.TIMEOUT, 1)
        assert 3 <= watched.seconds < 4.5


def test_a_retry_after_is_waited_for() -> None:
    busy = http(b"", "503 Service Unavailable", "Retry-After: 12")
    with Server(answering(good(), busy, good("completed"))) as server:
        watched = watch(server.url)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert server.times[2] - server.times[1] >= 12 / 20


def test_40_failed_builds_whose_details_hang_take_5_seconds_together_and_delay_no_poll() -> None:
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


def test_details_that_a_poll_needs_the_place_of_are_cancelled_and_asked_for_again() -> None:
    others = [f"ZB{number:032x}" for number in range(10)]
    all_at_once = threading.Barrier(10)
    asked, cancelled = threading.Event(), threading.Event()

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split()[1].decode()
            sid, status = path.split("/")[5], "failed"
            if not path.endswith("/Status"):
                if not asked.is_set():
                    asked.set()
                    with suppress(Gone):
                        connection.stay_silent()
                    cancelled.set()
                    raise Gone
                connection.send(http(json.dumps(build_body(sid)).encode()))
                continue
            if sid != BUILD:
                status = "building"
                if asked.is_set():
                    all_at_once.wait(10)
                    status = "completed"
            connection.send(http(json.dumps(status_body(sid, status)).encode()))

    with Server(handle) as server:
        watched = watch(server.url, [BUILD, *others], times=1, interval_seconds=0.2)
        assert until(cancelled.is_set)

    assert [made.build is not None for made in watched.of(Details)] == [True]


NO_PAIR = """
import errno, socket
def socketpair(*_):
    raise OSError(errno.EMFILE, "too many")
socket.socketpair = socketpair
"""


def test_a_system_without_descriptors_left_leaves_the_status_unknown(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("completed")
    sids = " ".join(f"ZB{number:032x}" for number in range(12))
    script = f"ulimit -n 8; exec twbuild wait -i 200ms -t 1s {SERVICE} {sids}"
    few = run_words(["bash", "-c", script], env=environ)
    none = run("status", SERVICE, BUILD, env=environ, first=NO_PAIR)

    assert few.code == 124, few
    assert "Last error: could not reach 127.0.0.1:" in few.stderr
    assert "too many open files" in few.stderr
    assert (none.code, none.stdout) == (3, "")
    assert none.stderr.endswith("error: could not open a pair of sockets: too many open files\n")


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("building", 8)])
def test_status_prints_the_status_and_exits_with_its_code(
    twilio: Twilio, environ: dict[str, str], status: str, code: int
) -> None:
    twilio.says(status)
    twilio.describes("failed")

    ended = run("status", SERVICE, BUILD, env=environ)

    assert (ended.code, ended.stdout) == (code, f"{status}\n")


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
def test_wait_goes_on_until_the_build_is_over(
    twilio: Twilio, environ: dict[str, str], status: str, code: int
) -> None:
    twilio.says("building", "building", status)
    twilio.describes("failed")

    ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=environ)

    assert (ended.code, ended.stdout) == (code, f"{status}\n")
    assert len(twilio.polls()) == 3


@pytest.mark.parametrize("script", [[MISSING], [good(), MISSING]], ids=["from the first", "later"])
def test_a_404_for_5_seconds_and_3_polls_is_the_answer(script: Sequence[bytes]) -> None:
    with Server(answering(*script)) as server:
        watched = watch(server.url, times=10)

    assert watched.finished.outcome is Outcome.NOT_FOUND
    assert 5 <= watched.seconds < 12
    assert watched.finished.polls >= 3


@pytest.mark.parametrize("details", [silent, resetting(), DOWN, closing(http(b"[")), MISSING])
def test_a_failed_build_that_tells_nothing_more_has_failed_all_the_same(details: Any) -> None:
    with Server(answering(good(), good("failed"), details)) as server:
        watched = watch(server.url, times=5)

    assert watched.finished.outcome is Outcome.FAILED
    assert watched.of(Details) == [Details(BUILD, None)]
    assert watched.events[-1][0] < 12


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
        assert watched.troubles == []


@pytest.mark.parametrize("after", [0.0, 0.03], ids=["at once", "between polls"])
def test_a_server_that_closes_after_each_answer_is_no_trouble(after: float) -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(good("completed" if connection.number == 5 else "building"))
        connection.pause(after)

    with Server(handle) as server:
        watched = watch(server.url, times=10)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.troubles == []
        assert (server.accepted, len(server.requests)) == (5, 5)
        assert 0.3 < server.times[-1] - server.times[0] < 1  # the first may come late


@pytest.mark.parametrize(
    "script",
    [
        [MISSING] * 3 + [good(), good("completed")],
        [good(), MISSING, good("completed")],
        [good(), *[MISSING] * 2, good(), *[MISSING] * 2, good("completed")],
    ],
    ids=["before", "between", "again and again"],
)
def test_a_404_among_good_answers_is_ridden_out(script: Sequence[bytes]) -> None:
    with Server(answering(*script)) as server:
        watched = watch(server.url, times=4, interval_seconds=0.2)

    assert watched.finished.outcome is Outcome.COMPLETED
