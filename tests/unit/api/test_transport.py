"""One kept connection: a request out, a whole answer back, and nothing of another's."""

from __future__ import annotations

import gc
import gzip
import select
import threading
import tracemalloc
import warnings
import zlib
from contextlib import suppress
from typing import Any

import pytest

from tests.support.authority import Authority
from tests.support.fasttime import fetcher
from tests.support.moments import until
from tests.support.sockets import (
    Connection,
    Handler,
    Server,
    answering,
    chunked,
    closing,
    endless,
    good,
    http,
    resetting,
)
from tests.unit.api.fetching import MIB, STATUS, anonymous, body, refused_by
from twbuild.api.connector import Connector
from twbuild.api.fetcher import Fetcher
from twbuild.api.models import BuildStatus, Status
from twbuild.errors import TransientError


def encoded(encoding: str, content: bytes) -> Handler:
    return closing(http(content, "200 OK", f"Content-Encoding: {encoding}"))


CHUNKS = "Transfer-Encoding: chunked"
LOST = "connection lost"
CUT = "the answer was cut short"
LARGE = "the answer is larger than any that Twilio gives"
BAD = "the answer is badly compressed"
UNWANTED = "the answer is encoded in a way that was not "
IN_CHUNKS = http(chunked(body()[:9], body()[9:], end=b""), "200 OK", CHUNKS)
BOMB = encoded("gzip", gzip.compress(b" " * 64 * MIB))
SPACES = b" " * 65536
TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"


def status_of(client: Fetcher) -> Status:
    answer = client.fetch(STATUS)
    assert isinstance(answer, BuildStatus)
    return answer.status


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (resetting(), LOST),
        (resetting(http(b"", length=99)), LOST),
        (resetting(http(b'{"status', length=99)), LOST),
        (closing(good()[:40]), "the answer is empty"),
        (closing(http(b'{"status', length=99)), CUT),
        (closing(http(body(), length=9)), "the answer is not JSON"),
        (closing(IN_CHUNKS), CUT),
        (closing(IN_CHUNKS + b"0"), CUT),
        (encoded("gzip", body()), BAD),
        (encoded("gzip", gzip.compress(body())[:-8] + b"\0" * 8), BAD),
        (encoded("gzip", gzip.compress(body()) * 2), BAD),
        (encoded("deflate", b""), BAD),
        (encoded("gzip, gzip", gzip.compress(gzip.compress(body()))), UNWANTED),
        (encoded("br", body()), UNWANTED),
        (BOMB, LARGE),
        (endless(http(length=1 << 40), SPACES), LARGE),
        (endless(http(b"", "302 Found", "Location: /x", length=1 << 40), SPACES), "HTTP 302"),
        (endless(http(b"", "200 OK", CHUNKS), chunked(b" " * 4096, end=b"")), LARGE),
        (endless(IN_CHUNKS + b"-1\r\n", SPACES), CUT),
        (endless(IN_CHUNKS + b"f" * 400 + b"\r\n", SPACES), CUT),
        (closing(TWO_LENGTHS), "the answer has headers that contradict each other"),
        (closing(http(b"", "200 OK", "X: ".ljust(99_999, "y"))), "the answer has a head of over"),
        (closing(http(b"", "200 OK", *["X: y"] * 101)), "the answer has over 100 header lines"),
    ],
)
def test_what_is_not_whole_is_no_answer(handler: Handler, reason: str) -> None:
    """Nor does it take much memory, whatever is sent."""
    tracemalloc.start()
    try:
        with Server(answering(handler)) as server:
            refused = refused_by(server.url)
        assert tracemalloc.get_traced_memory()[1] < 80 * MIB
    finally:
        tracemalloc.stop()

    assert isinstance(refused, TransientError) == ("302" not in reason)
    assert refused.reason.startswith(reason)


@pytest.mark.parametrize(
    "answer",
    [
        closing(http(chunked(body()[:9], body()[9:]), "200 OK", CHUNKS)),
        closing(http(chunked(body()), "200 OK", f"{CHUNKS} \t")),
        closing(http(body(), "200 ", "X:  ", " \r\n\t\r\n y")),
        closing(http(body(), "200 OK", *(f"X-{number}: y" for number in range(90)))),
        closing(http(body(), "200 OK", "Set-Cookie: a; domain=..; max-age=x")),
        encoded("gzip", gzip.compress(body())),
        encoded("X-GZIP", gzip.compress(body())),
        encoded("deflate", zlib.compress(body())),
        encoded("deflate", zlib.compress(body())[2:-4]),
        encoded("identity", body()),
    ],
)
def test_a_good_answer_is_read_whatever_surrounds_it(answer: Handler) -> None:
    """Plain gzip and deflate are read, though nothing wanted them."""
    with Server(answering(answer)) as server:
        assert fetcher(server.url).fetch(STATUS)


@pytest.mark.parametrize("ends", ["closed", "reset"])
@pytest.mark.parametrize(("is_secure", "http_status"), [(False, 200), (False, 503), (True, 200)])
@pytest.mark.usefixtures("trusted")
def test_a_kept_connection_that_ended_is_opened_again(
    authority: Authority, is_secure: bool, http_status: int, ends: str
) -> None:
    """Its first answer is no other request's."""
    first = good() if http_status == 200 else http(b"", "503 Service Unavailable")

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(first if connection.number == 1 else anonymous("completed"))
        if ends == "reset":
            connection.request()  # so that the client cannot see it coming
            connection.reset()

    with Server(handle, authority.context("127.0.0.1") if is_secure else None) as server:
        client = fetcher(server.url)
        with suppress(TransientError):  # of the 503
            client.fetch(STATUS)
        if ends == "closed":
            until(lambda: server.open_now == 0, "the end of the connection")

        assert status_of(client) is Status.COMPLETED
        assert server.accepted == 2


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n",
        EARLY * 150,
    ],
)
@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_interim_answers_are_passed_over(interim: bytes, seconds: float) -> None:
    def answer(connection: Connection) -> None:
        connection.send(interim)
        connection.pause(seconds)
        connection.send(good("completed"))

    with Server(answering(answer)) as server:
        client = fetcher(server.url)

        assert [status_of(client) for _ in range(3)] == [Status.COMPLETED] * 3
        assert server.accepted == 1


@pytest.mark.parametrize("behind", [good("completed"), b"\r\n", EARLY])
@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_connection_with_anything_behind_is_not_used_again(behind: bytes, seconds: float) -> None:
    """It would be taken for the answer to a later request."""
    sent = threading.Event()

    def handle(connection: Connection) -> None:
        connection.request()
        if connection.number > 1:
            connection.send(good())
        elif seconds:
            connection.send(good())
            connection.pause(seconds)
            connection.send(behind)
        else:
            connection.send(good() + behind)
        sent.set()
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        assert status_of(client) is Status.BUILDING
        assert sent.wait(10)
        assert status_of(client) is Status.BUILDING

        assert server.accepted == len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        good("building", f"Content-Length: {len(body())}"),
        good().replace(b"Content-Length: ", b"Content-Length: +"),
        http(chunked(body()), "200 OK", "Content-Length: 9", CHUNKS),
        good("building", "Connection: keep-alive", "Connection: close"),
        good().replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_a_connection_in_doubt_is_not_used_again(answer: bytes) -> None:
    """Where it is in doubt at which byte the answer ends, and the next one begins."""
    with Server(answering(answer)) as server:
        client = fetcher(server.url)
        for _ in range(2):
            with suppress(TransientError):
                client.fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (2, 2)


def test_no_cookie_is_kept() -> None:
    setting = [f"Set-Cookie: c{n}={'x' * 400}; Path=/" for n in range(50)]
    with Server(answering(good("building", *setting))) as server:
        client = fetcher(server.url)
        for _ in range(5):
            client.fetch(STATUS)

        assert not any(b"cookie" in head.lower() for head in server.requests)


@pytest.mark.usefixtures("trusted")
def test_a_connection_reset_before_its_handshake_is_closed(environ: pytest.MonkeyPatch) -> None:
    real = Connector.connect

    def connect(*given: Any) -> Any:
        made = real(*given)
        select.select([made], [], [], 10)  # until the reset has come
        return made

    environ.setattr(Connector, "connect", connect)
    with Server(lambda connection: connection.reset()) as server, pytest.raises(TransientError):
        fetcher(f"https://{server.netloc}").fetch(STATUS)

    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always")
        gc.collect()
    assert left_open == []
