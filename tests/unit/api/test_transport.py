"""One kept connection: a request out, a whole answer back, and nothing of another's."""

from __future__ import annotations

import gc
import gzip
import select
import socket
import threading
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import sockets
from tests.support.authority import Authority
from tests.support.fasttime import fetcher
from tests.support.secrets import PROXY_PASSWORD
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
    socks5,
)
from tests.unit.api.fetching import MIB, STATUS, anonymous, body, refusal
from twbuild.api.connector import Connector
from twbuild.api.models import BuildStatus, Status
from twbuild.errors import FetchError, TransientError

# What may come in place of a whole answer.
BROKEN: Mapping[str, tuple[Handler, str]] = {
    "reset before the header": (resetting(), "connection lost"),
    "reset after the header": (resetting(http(b"", length=99)), "connection lost"),
    "reset in the body": (resetting(http(b'{"status', length=99)), "connection lost"),
    "closed in the header": (closing(good()[:40]), "empty"),
    "closed in the body": (closing(http(b'{"status', length=99)), "the answer was cut short"),
    "Content-Length too large": (closing(http(body(), length=9999)), "the answer was cut short"),
    "Content-Length too small": (closing(http(body(), length=9)), "not JSON"),
    "Content-Length no number": (
        closing(b"HTTP/1.1 200 OK\r\nContent-Length: soon\r\n\r\nx"),
        "text came instead of JSON",
    ),
    "chunked and cut": (
        closing(
            http(chunked(body(status="completed"), end=b""), "200 OK", "Transfer-Encoding: chunked")
        ),
        "the answer was cut short",
    ),
    "chunked and cut in the last chunk's size": (
        closing(
            http(
                chunked(body(status="completed"), end=b"0"), "200 OK", "Transfer-Encoding: chunked"
            )
        ),
        "the answer was cut short",
    ),
    "a chunk of no length": (
        closing(http(b"zz\r\n{}\r\n", "200 OK", "Transfer-Encoding: chunked")),
        "the answer was cut short",
    ),
    "broken gzip": (
        closing(http(b"no gzip", "200 OK", "Content-Encoding: gzip")),
        "the answer is badly compressed",
    ),
    "gzip of another checksum": (
        closing(http(gzip.compress(body())[:-8] + b"\0" * 8, "200 OK", "Content-Encoding: gzip")),
        "the answer is badly compressed",
    ),
    "gzip in gzip in gzip": (
        closing(http(b"x", "200 OK", "Content-Encoding: " + ", ".join(["gzip"] * 3))),
        "encoded in a way that was not",
    ),
    "a gzip bomb": (
        closing(http(gzip.compress(b" " * 64 * MIB), "200 OK", "Content-Encoding: gzip")),
        "the answer is larger than any",
    ),
    "a body without end": (
        endless(http(length=1 << 40), b" " * 65536),
        "the answer is larger than any",
    ),
    "chunks without end": (
        endless(http(b"", "200 OK", "Transfer-Encoding: chunked"), chunked(b" " * 4096, end=b"")),
        "the answer is larger than any",
    ),
    "two lengths": (
        closing(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        "the answer has headers that contradict each other",
    ),
    "no HTTP": (closing(b"SSH-2.0-OpenSSH_9.9\r\n"), "the answer is not HTTP"),
    "a header of 100,000 bytes": (
        closing(http(body(), "200 OK", "X: " + "y" * 100_000)),
        "a head of over 64 KiB",
    ),
    "204": (closing(http(b"", "204 No Content")), "HTTP 204"),
    "202 with a good body": (closing(http(body(status="completed"), "202 Accepted")), "HTTP 202"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_an_answer_that_does_not_arrive_whole_is_transient(row: str) -> None:
    handler, reason = BROKEN[row]
    with Server(answering(handler)) as server:
        refused = refusal(server)

    assert type(refused) is TransientError
    assert reason in refused.reason


@pytest.mark.parametrize(
    "handler",
    [
        BROKEN["a gzip bomb"][0],
        BROKEN["a body without end"][0],
        endless(http(b"", "503 Service Unavailable", length=1 << 40), b" " * 65536),
        endless(http(b"", "302 Found", "Location: /x", length=1 << 40), b" " * 65536),
    ],
    ids=["bomb", "endless", "endless error", "endless redirect"],
)
def test_memory_stays_bounded_whatever_is_sent(handler: Handler) -> None:
    with Server(answering(handler)) as server:
        fetch = fetcher(server.url).fetch

        def refused() -> None:
            with pytest.raises(FetchError):
                fetch(STATUS)

        tracemalloc.start()
        thread = threading.Thread(target=refused, daemon=True)
        thread.start()
        thread.join(10)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert not thread.is_alive()
        assert most < 80 * MIB


@pytest.mark.parametrize(
    "first", [good(), http(b"", "503 Service Unavailable")], ids=["200", "503"]
)
@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_a_kept_connection_that_ended_is_opened_again(first: bytes, ends: str) -> None:
    """A kept connection that was ended in between is opened again without a word."""

    def handle(connection: sockets.Connection) -> None:
        connection.request()
        connection.send(first if connection.number == 1 else good("completed"))
        if ends == "reset":
            connection.request()  # so that the client cannot see it coming
            connection.reset()

    with Server(handle) as server:
        client = fetcher(server.url)
        with suppress(TransientError):  # of the 503
            client.fetch(STATUS)
        answer = client.fetch(STATUS)

        assert isinstance(answer, BuildStatus)
        assert answer.status is Status.COMPLETED
        assert server.accepted == 2


def test_twilios_habits_are_no_problem() -> None:
    """Twilio's habits of closing and of saying things twice are no problem."""
    habits = (
        "Connection: close",
        "Content-Type: application/json; charset=utf-8; charset=utf-8",
        "Twilio-Request-Id: RQ1",
        "Twilio-Request-Id: RQ1",
    )
    with Server(answering(good("building", *habits), close=True)) as server:
        client = fetcher(server.url)
        answers = [client.fetch(STATUS) for _ in range(5)]

        assert {answer.request_id for answer in answers} == {"RQ1"}
        assert (server.accepted, len(server.requests)) == (5, 5)


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

INTERIM: Mapping[str, bytes] = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "103": EARLY,
    "103 that closes": b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n",
    "103 with a length": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n",
    "several": EARLY * 150,
}


@pytest.mark.parametrize("row", INTERIM)
@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_interim_answers_are_passed_over_and_the_final_one_counts(row: str, seconds: float) -> None:
    def answer(connection: sockets.Connection) -> None:
        connection.send(INTERIM[row])
        connection.pause(seconds)
        connection.send(good("completed"))

    with Server(answering(answer)) as server:
        client = fetcher(server.url)
        found = [client.fetch(STATUS) for _ in range(3)]

        assert [answer.status for answer in found if isinstance(answer, BuildStatus)] == [
            Status.COMPLETED
        ] * 3
        assert server.accepted == 1


# Sent in one piece with an answer: what else would be taken for the answer to a later request.
LEFTOVERS: Mapping[str, bytes] = {
    "a second answer": anonymous("completed"),
    "a blank line": b"\r\n",
    "an interim answer": EARLY,
}


@pytest.mark.parametrize("row", LEFTOVERS)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
def test_a_connection_with_anything_behind_is_not_used_again(row: str, late: bool) -> None:
    sent = threading.Event()

    def handle(connection: sockets.Connection) -> None:
        connection.request()
        if connection.number > 1:
            connection.send(anonymous("building"))
        elif late:
            connection.send(anonymous("building"))
            connection.pause(0.05)
            connection.send(LEFTOVERS[row])
        else:
            connection.send(anonymous("building") + LEFTOVERS[row])
        sent.set()
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        found = [client.fetch(STATUS)]
        assert sent.wait(10)
        found.append(client.fetch(STATUS))

        assert [a.status for a in found if isinstance(a, BuildStatus)] == [Status.BUILDING] * 2
        assert server.accepted == len(server.requests) == 2


# Answers after which it is in doubt where the next one begins.
UNFRAMED: Mapping[str, bytes] = {
    "two lengths": good("building", f"Content-Length: {len(body())}"),
    "a length with a sign": good().replace(b"Content-Length: ", b"Content-Length: +"),
    "length and chunks": http(
        chunked(body()), "200 OK", "Content-Length: 9", "Transfer-Encoding: chunked"
    ),
    "closing said second": good("building", "Connection: keep-alive", "Connection: close"),
    "HTTP/1.0": good().replace(b"HTTP/1.1", b"HTTP/1.0"),
}


@pytest.mark.parametrize("row", UNFRAMED)
def test_a_connection_in_doubt_is_not_used_again(row: str) -> None:
    """A connection is not used again where the end of an answer is in doubt."""
    with Server(answering(UNFRAMED[row])) as server:
        client = fetcher(server.url)
        for _ in range(2):
            with suppress(TransientError):
                client.fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("size", [b"-1", b"+5", b"0x5", b"5_0", b"", b"g", b"f" * 400])
def test_a_bad_chunk_size_is_refused_and_reading_stops(size: bytes) -> None:
    head = http(b"", "200 OK", "Transfer-Encoding: chunked") + size + b"\r\n"
    tracemalloc.start()
    try:
        with Server(endless(head, b" " * (1 << 16))) as server:
            assert type(refusal(server)) is TransientError
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


def test_no_cookie_is_kept() -> None:
    setting = [f"Set-Cookie: c{n}={'x' * 400}; Path=/" for n in range(50)]
    with Server(answering(good("building", *setting))) as server:
        client = fetcher(server.url)
        for _ in range(5):
            client.fetch(STATUS)

        assert not any(b"cookie" in head.lower() for head in server.requests)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda content: zlib.compress(content)[2:-4]),
        ("identity", bytes),
    ],
)
def test_plain_gzip_and_deflate_are_read_though_not_requested(
    encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    content = http(compress(body()), "200 OK", f"Content-Encoding: {encoding}")
    with Server(answering(content)) as server:
        assert fetcher(server.url).fetch(STATUS)
        assert b"\r\nAccept-Encoding: identity\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("br", body()),
        ("zstd", body()),
        ("gzip, gzip", gzip.compress(gzip.compress(body()))),
        ("gzip", gzip.compress(body()) * 2),
        ("gzip", body()),
        ("deflate", b""),
    ],
)
def test_any_other_encoding_is_nonsense(encoding: str, content: bytes) -> None:
    with Server(answering(http(content, "200 OK", f"Content-Encoding: {encoding}"))) as server:
        assert type(refusal(server)) is TransientError


def test_a_request_to_this_machine_is_sent_past_every_proxy(environ: pytest.MonkeyPatch) -> None:
    with Server(answering(good("completed"))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            environ.setenv(name, "http://127.0.0.1:9")

        assert fetcher(server.url).fetch(STATUS)


def test_one_tls_connection_serves_many_questions(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: Authority
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
    with Server(answering(good()), authority.context("127.0.0.1")) as server:
        fetch = fetcher(server.url).fetch
        for _ in range(5):
            fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (1, 5)


@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_a_kept_tls_connection_that_ended_is_opened_again(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: Authority, ends: str
) -> None:
    """A kept TLS connection that was ended is opened again without a word."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(good("building" if connection.number == 1 else "completed"))
        if ends == "reset":
            connection.request()
            connection.reset()

    environ.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
    with Server(handle, authority.context("127.0.0.1")) as server:
        fetch = fetcher(server.url).fetch
        fetch(STATUS)
        answer = fetch(STATUS)

    assert isinstance(answer, BuildStatus)
    assert answer.status is Status.COMPLETED


@pytest.mark.usefixtures("trusted")
def test_a_connection_that_is_reset_before_its_handshake_is_closed(
    environ: pytest.MonkeyPatch,
) -> None:
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


@pytest.mark.parametrize("scheme", ["socks5h", "socks5"])
@pytest.mark.parametrize("user", [None, (b"svc", PROXY_PASSWORD.encode())])
def test_a_socks_proxy_leads_to_the_api(
    environ: pytest.MonkeyPatch,
    tmp_path: Path,
    authority: Authority,
    scheme: str,
    user: tuple[bytes, bytes] | None,
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
    name = "api.example.test"
    if scheme == "socks5":  # the name is resolved here
        real = socket.getaddrinfo
        environ.setattr(
            socket,
            "getaddrinfo",
            lambda host, *more, **named: real(
                "127.0.0.1" if host == "api.example.test" else host, *more, **named
            ),
        )
    with (
        Server(answering(good()), authority.context("api.example.test")) as api,
        Server(socks5(("127.0.0.1", api.port), user=user)) as proxy,
    ):
        who = f"svc:{quote(PROXY_PASSWORD, safe='')}@" if user else ""
        environ.setenv("ALL_PROXY", f"{scheme}://{who}{proxy.netloc}")
        fetch = fetcher("https://api.example.test").fetch
        for _ in range(3):
            fetch(STATUS)

        requested = proxy.requests[0].decode("latin-1")
        assert requested == (f"{name}:443" if scheme == "socks5h" else "\x7f\0\0\1:443")
        assert (proxy.accepted, len(api.requests)) == (1, 3)
