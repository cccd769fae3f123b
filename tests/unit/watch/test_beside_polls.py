"""What is requested beside polls, with real sockets: it costs a wait nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.support.command import BUILD
from tests.support.fasttime import close_fetchers, watch
from tests.support.sockets import (
    Connection,
    Handler,
    Server,
    closing,
    good,
    http,
    resetting,
    silent,
)
from tests.support.twilio import build_body, page
from twbuild.outcome import Outcome
from twbuild.watch.events import Details, Finished, Usual

pytestmark = pytest.mark.measured


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def completed(day: int, seconds: int = 60, **facts: Any) -> dict[str, Any]:
    """A build of an earlier day of the month."""
    day_and_hour = f"2026-11-{day:02}T14:0"
    dates = {"date_created": f"{day_and_hour}0:00Z", "date_updated": f"{day_and_hour}1:{seconds}Z"}
    return {**build_body(f"ZB{day:032x}", "completed"), **dates, **facts}


EARLIER = page(
    completed(19, 11),
    build_body(),
    completed(21, 10, runtime="node16"),
    completed(20, 12),
    next_page_url="https://serverless.twilio.com/v1/Services/x/Builds?PageSize=20&Page=1",
)


def beside_polls(answer: bytes | Handler, *statuses: str) -> Handler:
    """Answers polls at once, over all connections, and the list as given."""
    left = list(statuses)

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split()[1].decode()
            if path.endswith("/Status"):
                connection.send(good(left.pop(0)))
            elif path.endswith(BUILD):
                connection.send(http(json.dumps(build_body()).encode()))
            elif callable(answer):
                answer(connection)
            else:
                connection.send(answer)

    return handle


def trickled(connection: Connection) -> None:
    connection.trickle(http(b"x" * 99), 0.05)


BAD: dict[str, bytes | Handler] = {
    "silence": silent,
    "a byte at a time": trickled,
    "401": http(b'{"code": 20003, "message": "Authenticate", "status": 401}', "401 Nope"),
    "404": http(b'{"code": 20404, "message": "Not found", "status": 404}', "404 Nope"),
    "429": http(b"", "429 Busy", "Retry-After: 60"),
    "500": http(b"", "500 Oops"),
    "HTML": http(b"<html>Log in</html>"),
    "a redirect": http(b"", "302 Found", "Location: /"),
    "a reset": resetting(),
    "cut short": closing(http(json.dumps(EARLIER).encode())[:-9]),
    "over 8 MiB": http(b'{"builds": "' + b"x" * (9 << 20) + b'"}'),
    "another list": http(b'{"services": [], "meta": {}}'),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_no_poll_and_no_verdict_waits_for_the_list(answer: bytes | Handler) -> None:
    statuses = ["building"] * 3 + ["completed"]
    with Server(beside_polls(answer, *statuses)) as server:
        watched = watch(server.url, times=2, earlier=True)

        polls = [
            at
            for at, request in zip(server.times, server.requests, strict=True)
            if b"/Status" in request
        ]
    gaps = [(after - before) * 2 for before, after in pairwise(polls)]
    assert watched.finished.outcome is Outcome.COMPLETED
    assert watched.events[-1][0] == pytest.approx(watched.seconds, abs=0.4)
    assert len(polls) == 4
    assert len(server.requests) == 5, "it is requested once"
    assert max(gaps) < 2.5, "no poll is late"
    assert (watched.problems, watched.of(Usual)) == ([], [])


def test_polls_keep_their_connection_and_the_list_has_another() -> None:
    polls, lists = set(), set()
    inner = beside_polls(http(json.dumps(EARLIER).encode()), *["building"] * 5, "failed")

    def handle(connection: Connection) -> None:
        real = connection.request

        def request() -> bytes:
            head = real()
            if b"/Status" in head:
                polls.add(connection.number)
            elif b"?" in head:
                lists.add(connection.number)
            return head

        connection.request = request  # type: ignore[method-assign]
        inner(connection)

    with Server(handle) as server:
        watched = watch(server.url, times=10, earlier=True)

    assert (polls, lists) == ({1}, {2})
    assert watched.of(Usual) == [Usual(71)]
    (found,) = watched.of(Details)
    assert found.changes
    assert found.changes.runtime == ("node18", "node16")


@pytest.mark.parametrize("after", [0.0, 3.0], ids=["at once", "after 3 seconds"])
def test_a_list_that_hangs_delays_details_by_5_seconds(after: float) -> None:
    statuses = ["building"] * round(after) + ["failed"]
    with Server(beside_polls(silent, *statuses)) as server:
        watched = watch(server.url, times=10, earlier=True)

    (finished,) = [at for at, event in watched.events if isinstance(event, Finished)]
    (reported,) = [(at, event) for at, event in watched.events if isinstance(event, Details)]
    requested_at = 0.0 if statuses[0] == "building" else finished
    assert reported[0] == pytest.approx(requested_at + 5, abs=0.9)
    assert (reported[1].build is not None, reported[1].changes) == (True, None)
