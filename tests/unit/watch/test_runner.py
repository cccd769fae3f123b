"""The runner with real threads and sockets, and with time that passes faster than it does."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator

import pytest

from tests.support import sockets
from tests.support.command import BUILD, OTHER_BUILD
from tests.support.fasttime import close_fetchers, watch
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    good,
    http,
)
from tests.support.twilio import Twilio, build_body, error, status_body
from twbuild import signals
from twbuild.api.models import BuildStatus, Request
from twbuild.errors import FetchError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.watch.events import Details

pytestmark = pytest.mark.measured


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def test_a_wait_goes_on_over_one_connection_until_the_build_is_over() -> None:
    with Server(answering(*[good()] * 8, good("completed"))) as server:
        watched = watch(server.url, times=20)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert (server.accepted, len(server.requests), watched.finished.polls) == (1, 9, 9)
        assert watched.troubles == []


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
