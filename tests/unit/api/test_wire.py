"""What goes over the wire when requests are cancelled: never a byte of them in the clear."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.authority import Authority
from tests.support.command import BUILD
from tests.support.fasttime import fetcher
from tests.support.sockets import Connection, Server, answering, good, proxying, recording
from twbuild.api import network
from twbuild.api.fetcher import Fetcher
from twbuild.api.models import Request, Resource
from twbuild.api.resolver import Resolver
from twbuild.errors import FetchError

STATUS = Request(Resource.STATUS, BUILD)
CANCELLED = 60
# What a request has and a handshake or a CONNECT has not.
CLEAR = (b"GET /", b"/Builds/", b"Accept", b"\r\nAuthorization", b"Cache-Control", b"no-cache")


@pytest.fixture(autouse=True)
def switching_often() -> Iterator[None]:
    """Threads that take turns so often that every step of one may fall into another's."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("way", ["direct", "tunnel", "tunnel through an HTTPS proxy"])
def test_nothing_of_a_cancelled_request_goes_in_the_clear(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, way: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
    wire = bytearray()
    tls_proxy = authority.context("127.0.0.1") if "HTTPS" in way else None
    api_context = authority.context("api.example.test")
    with (
        Server(answering(good()), api_context) as api,
        Server(recording(("127.0.0.1", api.port), wire)) as to_api,
        Server(proxying(("127.0.0.1", api.port)), tls_proxy) as proxy,
        Server(recording(("127.0.0.1", proxy.port), wire)) as to_proxy,
    ):
        if way == "direct":
            monkeypatch.setattr(Resolver, "addresses", lambda *_: ["127.0.0.1"])
            url = f"https://api.example.test:{to_api.port}"
        else:
            monkeypatch.setenv("HTTPS_PROXY", f"http{'s' if tls_proxy else ''}://{to_proxy.netloc}")
            url = "https://api.example.test"
        road = network.network_for(url)
        for number in range(CANCELLED):
            client = fetcher(url, way=road)
            longest = 0.02
            if number % 5:  # else it is cancelled while it connects
                client.fetch(STATUS)
                since = time.perf_counter()
                client.fetch(STATUS)
                longest = time.perf_counter() - since
            cancel_after(random.uniform(0, longest), client)

    assert len(wire) > 12_000
    assert [*api.unreadable, *proxy.unreadable] == []  # TLS within TLS has no clear text to find
    assert [clear for clear in CLEAR if clear in bytes(wire)] == []


def cancel_after(seconds: float, client: Fetcher) -> None:
    """Cancel a request that long after its thread was started."""
    thread = threading.Thread(target=swallow, args=(client,))
    end = time.perf_counter() + seconds
    thread.start()
    while time.perf_counter() < end:
        pass  # a sleep would be too coarse, and leave the other thread undisturbed
    client.cancel()
    thread.join(20)
    assert not thread.is_alive()


def swallow(client: Fetcher) -> None:
    with suppress(FetchError):
        client.fetch(STATUS)
    client._session.drop()


# What begins to be said, and what is said on and on: a header, a handshake, a bound name.
DRIPS = {
    "http": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "socks5h": (b"\5\0\5\0\0\3\xff", b"x"),
    "socks4a": (b"\0", b""),
    "": (b"\x16\x03\x03\x40\x00", b"\x02"),
}


@pytest.mark.parametrize("scheme", DRIPS)
def test_cancelling_ends_the_thread_of_an_unfinished_connection(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    begin, drip = DRIPS[scheme]

    def handle(connection: Connection) -> None:
        connection.send(begin)
        while True:
            connection.send(drip)
            connection.pause(0.05)

    with Server(handle) as server:
        if scheme:
            monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://{server.netloc}")
        else:
            monkeypatch.setattr(Resolver, "addresses", lambda *_: ["127.0.0.1"])
        client = fetcher(f"https://api.example.test:{server.port}")
        thread = threading.Thread(target=swallow, args=(client,))
        thread.start()
        time.sleep(0.3)
        assert thread.is_alive()
        client.cancel()
        thread.join(2)

        assert not thread.is_alive()


def test_a_connection_after_the_cancel_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that comes after the cancel is closed and nothing is sent."""
    resolved, closed = threading.Event(), threading.Event()

    def resolve(*_: object) -> list[str]:
        resolved.wait(10)
        return ["127.0.0.1"]

    def handle(connection: Connection) -> None:
        connection.socket.settimeout(10)
        if connection.socket.recv(1) == b"":
            closed.set()

    monkeypatch.setattr(Resolver, "addresses", resolve)
    with Server(handle) as server:
        client = fetcher(server.url)
        thread = threading.Thread(target=swallow_without_closing, args=(client,))
        thread.start()
        client.cancel()
        resolved.set()

        assert closed.wait(5)
        thread.join(5)
        client._session.drop()


def swallow_without_closing(client: Fetcher) -> None:
    with suppress(FetchError):
        client.fetch(STATUS)
