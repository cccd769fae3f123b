"""How a connection comes about: to which address, how long each step may take, what is said."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
import time
from base64 import b64encode
from contextlib import ExitStack
from typing import Any, NoReturn

import pytest

from tests.support.authority import Authority
from tests.support.fasttime import fetcher, watch
from tests.support.moments import until
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    deaf,
    endless,
    good,
    proxying,
    recording,
    silent,
    socks5,
)
from tests.unit.api.fetching import HOST, STATUS, Names, in_thread, refused_by
from twbuild.api import connector
from twbuild.errors import FetchError
from twbuild.outcome import Outcome

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return authority.context(HOST)


def test_a_good_address_behind_five_silent_ones_is_reached(
    names: Names, tls: ssl.SSLContext, environ: pytest.MonkeyPatch
) -> None:
    """It is reached by the next request, which begins where the last one ended."""
    environ.setattr(connector, "CONNECT_SECONDS", 0.4)  # 4 s of the fast clock
    dead = [f"127.0.0.{number}" for number in range(10, 15)]
    names.addresses = [*dead, "127.0.0.2"]
    with ExitStack() as stack:
        port = 0
        for host in dead:
            port = stack.enter_context(deaf(host, port))
        server = Server(answering(good("completed")), tls, host="127.0.0.2", port=port)
        watched = watch(f"https://{HOST}:{stack.enter_context(server).port}", times=10)

    assert watched.finished.outcome is Outcome.COMPLETED
    assert watched.problems == [f"connection to {HOST}:{port} timed out"]
    assert watched.seconds < 40


def test_the_next_connection_stays_with_the_good_address(
    names: Names, tls: ssl.SSLContext, environ: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    real = socket.create_connection

    def connect(address: tuple[str, int], *more: Any) -> socket.socket:
        tried.append(address[0])
        return real(address, *more)

    environ.setattr(socket, "create_connection", connect)
    names.addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    with Server(answering(good(), close=True), tls, host="127.0.0.2") as server:
        client = fetcher(f"https://{HOST}:{server.port}")
        for _ in range(3):
            client.fetch(STATUS)

    assert tried == ["127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.2"]


def test_an_address_without_a_route_hides_no_refusal(
    names: Names, environ: pytest.MonkeyPatch
) -> None:
    numbers = {"127.0.0.2": errno.ENETUNREACH, "127.0.0.3": errno.ECONNREFUSED}

    def connect(address: tuple[str, int], *_: object) -> NoReturn:
        raise OSError(numbers[address[0]], "no connection")

    environ.setattr(socket, "create_connection", connect)
    for names.addresses in (["127.0.0.2", "127.0.0.3"], ["127.0.0.3", "127.0.0.2"]):
        with pytest.raises(FetchError, match="connection refused by"):
            fetcher(f"https://{HOST}").fetch(STATUS)


def test_one_address_takes_4_seconds_at_most(environ: pytest.MonkeyPatch) -> None:
    assert connector.CONNECT_SECONDS == 4
    environ.setattr(connector, "CONNECT_SECONDS", 0.2)
    with deaf() as port:
        watched = watch(f"http://127.0.0.1:{port}", times=20)

    assert watched.finished.outcome is Outcome.UNAVAILABLE
    assert set(watched.problems) == {f"connection to 127.0.0.1:{port} timed out"}


ESTABLISHED = b"HTTP/1.1 200 Established\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
PROXY = "proxy {} (HTTPS_PROXY)"
# What begins to be said, and what is said on and on: a handshake, a header, a bound name.
RECORD = (b"\x16\3\3\x40\0", b"\2")
HEADER = (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
SILENCE = (b"", b"")
NAME = (b"\5\0\5\0\0\3\xff", b"x")


@pytest.mark.parametrize(
    ("scheme", "said", "reason"),
    [
        ("", RECORD, "the TLS handshake with {} timed out"),
        ("http", HEADER, f"no answer from {PROXY}"),
        ("socks5h", NAME, f"no answer from {PROXY}"),
        ("socks4a", SILENCE, f"no answer from {PROXY}"),
        ("https", RECORD, f"the TLS handshake with {PROXY} timed out"),
        ("http", (*RECORD, ESTABLISHED), f"the TLS handshake with {HOST} timed out"),
    ],
)
@pytest.mark.parametrize("by", ["its own limit", "the runner"])
def test_a_step_that_takes_all_the_time_is_named(
    environ: pytest.MonkeyPatch, scheme: str, said: tuple[bytes, ...], reason: str, by: str
) -> None:
    """By its own limit where the server is silent, by the runner where it drips."""

    def handle(connection: Connection) -> None:
        for established in said[2:]:
            connection.request()
            connection.send(established)
        if by == "its own limit" or said is SILENCE:
            connection.stay_silent()
        endless(said[0], said[1], seconds=0.05)(connection)

    with Server(handle) as server:
        url = f"https://{HOST if scheme else server.netloc}"
        if scheme:
            environ.setenv("HTTPS_PROXY", f"{scheme}://{server.netloc}")
        if by == "the runner":
            error = overdue(url, server)
        else:
            environ.setattr(connector, "REQUEST_SECONDS", 0.2)
            error = refused_by(url)

    assert error.reason == reason.format(server.netloc)
    assert error.hints
    assert "GET /v1/" in error.details[0]


@pytest.mark.parametrize(
    ("proxy", "name"), [("", HOST), ("http://proxy.example.test:1", f"{PROXY}")]
)
def test_a_silent_look_up_is_named(
    names: Names, environ: pytest.MonkeyPatch, proxy: str, name: str
) -> None:
    over = threading.Event()
    names.before = lambda _: over.wait(20)
    environ.setattr(connector, "REQUEST_SECONDS", 0.2)
    if proxy:
        environ.setenv("HTTPS_PROXY", proxy)
    error = refused_by(f"https://{HOST}")
    over.set()

    name = name.format(proxy.removeprefix("http://"))
    assert error.reason == f"could not resolve {name} (no answer from DNS)"


def overdue(url: str, server: Server) -> FetchError:
    """What a request that the runner gives up comes to; its thread and descriptors end."""
    descriptors = len(os.listdir("/dev/fd"))
    client = fetcher(url)
    thread = in_thread(client)
    until(lambda: server.accepted == 1, "the connection")
    time.sleep(0.1)  # for the request to go as far as it can
    error = client.overdue(STATUS, 15)
    assert thread.is_alive()
    client.cancel()
    thread.join(2)
    assert not thread.is_alive()
    until(lambda: server.open_now == 0, "the end of the connection")
    until(lambda: len(os.listdir("/dev/fd")) <= descriptors, "every descriptor closed")
    return error


def test_a_silent_server_behind_a_proxy_is_named_with_it(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    with Server(silent, tls) as api, Server(proxying(("127.0.0.1", api.port))) as proxy:
        environ.setenv("HTTPS_PROXY", f"http://{proxy.netloc}")
        error = overdue(f"https://{HOST}", proxy)

    way = f"through proxy {proxy.netloc} (HTTPS_PROXY)"
    assert error.reason == f"no answer within 15s {way}"
    assert error.details[0].endswith(f", {way}")


def test_nothing_is_sent_on_a_connection_after_the_cancel(names: Names) -> None:
    resolved = threading.Event()
    received: list[bytes] = []
    names.before = lambda _: resolved.wait(10)
    with Server(lambda connection: received.append(connection.socket.recv(1))) as server:
        client = fetcher(f"https://{HOST}:{server.port}")
        thread = in_thread(client)
        client.cancel()
        resolved.set()
        thread.join(5)
        until(lambda: received == [b""], "the end of the connection")


@pytest.mark.parametrize("scheme", ["", "http", "https", "socks5", "socks5h"])
@pytest.mark.usefixtures("names")
def test_a_step_longer_than_tcp_has_the_requests_time(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext, authority: Authority, scheme: str
) -> None:
    """For SOCKS5 the name is resolved here."""
    environ.setattr(connector, "CONNECT_SECONDS", 0.1)
    with Server(answering(good()), tls) as api:
        to = ("127.0.0.1", api.port)
        secure = Server(proxying(to), authority.context("127.0.0.1"))
        handlers = {
            "": recording(to, bytearray()),
            "http": proxying(to, INTERIM + ESTABLISHED),
            "https": recording(("127.0.0.1", secure.port), bytearray()),
            "socks5": socks5(to),
            "socks5h": socks5(to),
        }

        def handle(connection: Connection) -> None:
            connection.pause(0.4)
            handlers[scheme](connection)

        with secure, Server(handle) as server:
            if scheme:
                environ.setenv("HTTPS_PROXY", f"{scheme}://{server.netloc}")

            client = fetcher(f"https://{HOST}:{server.port}")
            assert [client.fetch(STATUS) for _ in range(2)]
            assert server.accepted == 1
            assert scheme != "socks5" or server.requests == [b"\x7f\0\0\1:%d" % server.port]


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize(
    ("typed", "meant"), [("s3[r]@w", "s3[r]@w"), ("50%off", "50%off"), ("%5B%5C%5D", r"[\]")]
)
def test_a_proxys_password_arrives_as_it_was_meant(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext, scheme: str, typed: str, meant: str
) -> None:
    with Server(answering(good()), tls) as api:
        to, login = ("127.0.0.1", api.port), f"jdoe:{meant}".encode()
        handler = proxying(to) if scheme == "http" else socks5(to, user=(b"jdoe", login[5:]))
        with Server(handler) as proxy:
            environ.setenv("HTTPS_PROXY", f"{scheme}://jdoe:{typed}@{proxy.netloc}")
            assert fetcher(f"https://{HOST}").fetch(STATUS)

    assert scheme == "socks5h" or b"Basic " + b64encode(login) in proxy.requests[0]


@pytest.mark.parametrize(("idle", "connections"), [(50, 1), (61, 2)])
def test_a_connection_idle_for_60_seconds_is_not_used_again(idle: int, connections: int) -> None:
    with Server(answering(good())) as server:
        client = fetcher(server.url)
        client.fetch(STATUS)
        client._session._last_used -= idle
        client.fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (connections, 2)


def test_a_link_local_address_of_a_proxy_keeps_its_zone(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    connected: list[Any] = []

    def connect(address: Any, *_: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    environ.setattr(socket, "create_connection", connect)
    environ.setenv("HTTPS_PROXY", "http://[fe80::1%25lo]:3128")

    assert refused_by(f"https://{HOST}").short == "refused"
    assert connected == [("fe80::1%lo", 3128)]
