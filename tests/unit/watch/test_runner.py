"""The runner with real threads and sockets, and with time that passes faster than it does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.support import sockets
from tests.support.command import BUILD, OTHER_BUILD
from tests.support.fasttime import close_fetchers, watch
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    closing,
    good,
    http,
    resetting,
    silent,
)
from tests.support.twilio import Twilio, build_body, error, status_body
from twbuild.api.models import BuildStatus, Request
from twbuild.errors import FetchError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.watch.events import Details

pytestmark = pytest.mark.measured

MISSING = http(b'{"code": 20404, "message": "no", "status": 404}', "404 Not Found")
DOWN = http(b"", "503 Service Unavailable")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def test_a_wait_goes_on_over_one_connection_until_the_build_is_over() -> None:
    with Server(answering(*[good()] * 15, good("completed"))) as server:
        watched = watch(server.url, times=50)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert (server.accepted, len(server.requests), watched.finished.polls) == (1, 16, 16)
        assert watched.troubles == []


def test_an_error_ends_only_the_build_that_met_it(twilio: Twilio) -> None:
    twilio.says("building", error(401), build=OTHER_BUILD)
    twilio.says("building", "building", "building", "completed")

    watched = watch(twilio.url, (BUILD, OTHER_BUILD))

    assert [finished.outcome for finished in watched.endings] == [
        Outcome.COMPLETED,
        Outcome.UNAUTHORIZED,
    ]


class Offline:
    """A client without a network."""

    def fetch(self, _: Request) -> BuildStatus:
        raise NotImplementedError

    def cancel(self) -> None:
        raise AssertionError

    def url(self, _: Request) -> str:
        return "http://127.0.0.1"


def test_credentials_that_die_in_mid_wait_end_it_at_once() -> None:
    refused = http(b'{"code": 20003, "message": "Authenticate", "status": 401}', "401 Nope")
    with Server(answering(good(), good(), good(), refused)) as server:
        watched = watch(server.url)

    assert (watched.finished.outcome, watched.finished.polls) == (Outcome.UNAUTHORIZED, 4)
    assert isinstance(watched.finished.error, UnauthorizedError)
    assert watched.finished.answer


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
        watched = watch(server.url, interval_seconds=0.2)

    assert watched.finished.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("script", [[MISSING], [good(), MISSING]], ids=["from the first", "later"])
def test_a_404_for_5_seconds_and_3_polls_is_the_answer(script: Sequence[bytes]) -> None:
    with Server(answering(*script)) as server:
        watched = watch(server.url)

    assert watched.finished.outcome is Outcome.NOT_FOUND
    assert 5 <= watched.seconds < 12
    assert watched.finished.polls >= 3


@pytest.mark.parametrize("details", [silent, resetting(), DOWN, closing(http(b"[")), MISSING])
def test_a_failed_build_that_tells_nothing_more_has_failed_all_the_same(details: Any) -> None:
    with Server(answering(good(), good("failed"), details)) as server:
        watched = watch(server.url)

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


def test_a_server_that_comes_up_late_is_waited_for() -> None:
    port = sockets.unused_port()
    came: list[Server] = []

    def come() -> None:
        came.append(Server(answering(good("completed")), port=port))

    threading.Timer(0.15, come).start()
    watched = watch(f"http://127.0.0.1:{port}", times=20)
    came[0].ending.set()

    assert watched.finished.outcome is Outcome.COMPLETED
    assert set(watched.troubles) == {f"connection refused by 127.0.0.1:{port}"}


def test_a_bug_in_a_thread_reaches_the_caller() -> None:
    class Broken(Offline):
        def fetch(self, _: Request) -> BuildStatus:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch("", make_fetcher=Broken)


def test_nothing_but_a_fetch_error_is_trouble() -> None:
    class Refusing(Offline):
        def fetch(self, _: Request) -> BuildStatus:
            raise FetchError("odd", "odd")

    watched = watch("", make_fetcher=Refusing, times=100)

    assert watched.finished.outcome is Outcome.UNAVAILABLE


def test_the_details_of_many_failed_builds_all_come_where_they_are_given() -> None:
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
def test_a_thread_that_cannot_be_started_is_trouble_that_may_pass(
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
    assert ["no thread could be started" in trouble for trouble in watched.troubles] == [True]
