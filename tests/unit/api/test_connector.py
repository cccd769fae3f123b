"""How a connection comes about: to which address, how long each step may take, what is said."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.support import sockets
from tests.support.authority import Authority
from tests.support.fasttime import fetcher, watch
from tests.support.moments import until
from tests.support.sockets import (
    Connection,
    Handler,
    Server,
    answering,
    deaf,
    good,
    proxying,
    silent,
    socks5,
)
from tests.unit.api.fetching import STATUS, anonymous
from twbuild.api import connector
from twbuild.api.models import BuildStatus, Status
from twbuild.errors import FetchError, TransientError
from twbuild.outcome import Outcome

pytestmark = pytest.mark.usefixtures("trusted")

HOST = "api.example.test"
PROXY = "proxy.example.test"
Look = Callable[[], None]


class Names:
    """What the names of this module resolve to, and the look-ups of them."""

    def __init__(self) -> None:
        self.addresses = ["127.0.0.1"]
        self.requested: list[str] = []
        self.first: Look = lambda: None
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: str, *more: Any, **named: Any) -> Any:
        if not host.endswith(".test"):
            return self._real(host, *more, **named)
        self.requested.append(host)
        self.first()
        return [found for one in self.addresses for found in self._real(one, *more, **named)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return authority.context(HOST)


class TestNames:
    def test_a_look_up_that_fails_twice_is_ridden_out(
        self, names: Names, tls: ssl.SSLContext
    ) -> None:
        def fail() -> None:
            if len(names.requested) <= 2:
                raise socket.gaierror(socket.EAI_AGAIN, "try again")

        names.first = fail
        with Server(answering(good("completed")), tls) as server:
            watched = watch(f"https://{HOST}:{server.port}")

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.problems == [f"could not resolve {HOST}"] * 2

    def test_a_look_up_of_20_seconds_serves_the_next_try(
        self, names: Names, tls: ssl.SSLContext
    ) -> None:
        """A look up that takes 20 seconds is one look up and the next try is served."""
        names.first = lambda: time.sleep(2)  # 20 s of the fast clock
        with Server(answering(good("completed")), tls) as server:
            watched = watch(f"https://{HOST}:{server.port}", times=10)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.problems == [f"could not resolve {HOST} (no answer from DNS)"]
        assert names.requested == [HOST]

    @pytest.mark.parametrize("once", [False, True], ids=["wait", "status"])
    def test_a_look_up_that_never_ends_exhausts_the_tries(self, names: Names, once: bool) -> None:
        """A look up that never ends exhausts the tries and is the only one."""
        released = threading.Event()

        def hang() -> None:
            released.wait(20)

        names.first = hang
        watched = watch(f"https://{HOST}", once=once, times=40)
        released.set()

        assert watched.finished.outcome is Outcome.UNAVAILABLE
        assert set(watched.problems) <= {f"could not resolve {HOST} (no answer from DNS)"}
        assert 30 <= watched.seconds < (45 if once else 75)
        assert names.requested == [HOST]


class TestAddresses:
    @pytest.mark.parametrize("dead", ["refusing", "deaf"])
    def test_a_dead_first_address_is_passed_over(
        self, names: Names, tls: ssl.SSLContext, environ: pytest.MonkeyPatch, dead: str
    ) -> None:
        environ.setattr(connector, "CONNECT_SECONDS", 0.2)
        names.addresses = ["127.0.0.1", "127.0.0.2"]
        with deaf() as silent_port:
            port = sockets.unused_port() if dead == "refusing" else silent_port
            with Server(answering(good("completed")), tls, host="127.0.0.2", port=port):
                watched = watch(f"https://{HOST}:{port}", times=10)

        assert (watched.finished.outcome, watched.finished.polls) == (Outcome.COMPLETED, 1)

    def test_a_good_address_behind_five_silent_ones_is_reached(
        self, names: Names, tls: ssl.SSLContext, environ: pytest.MonkeyPatch
    ) -> None:
        """A good one behind five that are silent is reached by the next request."""
        environ.setattr(connector, "CONNECT_SECONDS", 0.4)  # 4 s of the fast clock
        dead = [f"127.0.0.{number}" for number in range(10, 15)]
        names.addresses = [*dead, "127.0.0.2"]
        with ExitStack() as stack:
            port = stack.enter_context(deaf(dead[0]))
            for host in dead[1:]:
                stack.enter_context(deaf(host, port))
            server = Server(answering(good("completed")), tls, host="127.0.0.2", port=port)
            stack.enter_context(server)
            watched = watch(f"https://{HOST}:{port}", times=10)

        assert watched.finished.outcome is Outcome.COMPLETED
        assert watched.problems == [f"connection to {HOST}:{port} timed out"]
        assert watched.seconds < 40

    def test_the_next_connection_stays_with_the_address_that_was_good(
        self, names: Names, tls: ssl.SSLContext
    ) -> None:
        names.addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        port = sockets.unused_port()
        with (
            Server(answering(good(), close=True), tls, host="127.0.0.2", port=port) as second,
            Server(answering(good(), close=True), tls, host="127.0.0.3", port=port) as third,
        ):
            client = fetcher(f"https://{HOST}:{port}")
            for _ in range(3):
                client.fetch(STATUS)

            assert (second.accepted, third.accepted) == (3, 0)

    def test_one_address_takes_4_seconds_at_most(self, environ: pytest.MonkeyPatch) -> None:
        assert connector.CONNECT_SECONDS == 4
        environ.setattr(connector, "CONNECT_SECONDS", 0.2)
        with deaf() as port:
            watched = watch(f"http://127.0.0.1:{port}", times=20)

        assert watched.finished.outcome is Outcome.UNAVAILABLE
        assert set(watched.problems) == {f"connection to 127.0.0.1:{port} timed out"}


# What each step of connecting waits for: who is silent, and what is said. {} is the silent server.

STEPS: Mapping[str, tuple[str, Handler, str]] = {
    "TLS": ("", silent, "the TLS handshake with {} timed out"),
    "CONNECT": ("http", silent, "no answer from proxy {} (HTTPS_PROXY)"),
    "SOCKS5": ("socks5h", silent, "no answer from proxy {} (HTTPS_PROXY)"),
    "SOCKS4": ("socks4a", silent, "no answer from proxy {} (HTTPS_PROXY)"),
    "TLS of the proxy": (
        "https",
        silent,
        "the TLS handshake with proxy {} (HTTPS_PROXY) timed out",
    ),
}


def tunnelling(then: Handler) -> Handler:
    """A proxy that makes a tunnel at once and does `then` at its other end."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 Established\r\n\r\n")
        then(connection)

    return handle


STEPS = {
    **STEPS,
    "TLS behind a proxy": ("http", tunnelling(silent), f"the TLS handshake with {HOST} timed out"),
}


@pytest.mark.parametrize("row", STEPS)
@pytest.mark.parametrize("by", ["its own limit", "the runner"])
def test_a_step_that_takes_all_the_time_is_named(
    environ: pytest.MonkeyPatch, names: Names, row: str, by: str
) -> None:
    scheme, handler, words = STEPS[row]
    with Server(handler) as server:
        url = f"https://{server.netloc}"
        if scheme:
            environ.setenv("HTTPS_PROXY", f"{scheme}://{server.netloc}")
            url = f"https://{HOST}"
        if by == "its own limit":
            environ.setattr(connector, "REQUEST_SECONDS", 0.2)
            with pytest.raises(TransientError) as refused:
                fetcher(url).fetch(STATUS)
            error: FetchError = refused.value
        else:
            error = overdue(url, server)

    assert error.reason == words.format(server.netloc)
    assert error.hints
    assert "GET /v1/" in error.details[0]


def overdue(url: str, server: Server) -> FetchError:
    """What a request that the runner gives up comes to; its thread and descriptors end."""
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    client = fetcher(url)

    def fetch() -> None:
        with suppress(FetchError):
            client.fetch(STATUS)

    thread = threading.Thread(target=fetch)
    thread.start()
    until(lambda: server.accepted == 1, "the connection")
    time.sleep(0.1)  # for the request to go as far as it can
    error = client.overdue(STATUS, 15)
    client.cancel()
    thread.join(2)
    assert not thread.is_alive()
    if descriptors is not None:
        until(
            lambda: server.open_now == 0 and len(os.listdir("/proc/self/fd")) <= descriptors,
            "every descriptor closed",
        )
    return error


def test_a_silent_server_behind_a_proxy_is_named_with_it(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    with Server(silent, tls) as api, Server(proxying(("127.0.0.1", api.port))) as proxy:
        environ.setenv("HTTPS_PROXY", f"http://{proxy.netloc}")
        error = overdue(f"https://{HOST}", proxy)

    assert error.reason == f"no answer within 15s through proxy {proxy.netloc} (HTTPS_PROXY)"


@pytest.mark.parametrize("step", ["CONNECT", "SOCKS", "TLS", "TLS of the proxy"])
def test_a_step_longer_than_tcp_has_the_requests_time(
    environ: pytest.MonkeyPatch, names: Names, tls: ssl.SSLContext, authority: Authority, step: str
) -> None:
    """A step that takes longer than TCP may has what is left of the request."""
    environ.setattr(connector, "CONNECT_SECONDS", 0.1)
    secure = authority.context("127.0.0.1")

    def late(then: Handler, own: ssl.SSLContext | None = None) -> Handler:
        def handle(connection: Connection) -> None:
            connection.pause(0.4)
            if own is None:
                then(connection)
            else:
                with own.wrap_socket(connection.socket, server_side=True) as secured:
                    then(replace(connection, socket=secured))

        return handle

    with ExitStack() as stack:
        if step == "TLS":
            server = stack.enter_context(Server(late(answering(good()), tls)))
            url = f"https://{HOST}:{server.port}"
        else:
            api = stack.enter_context(Server(answering(good()), tls))
            to = ("127.0.0.1", api.port)
            proxy = {
                "CONNECT": ("http", late(proxying(to))),
                "SOCKS": ("socks5h", late(socks5(to))),
                "TLS of the proxy": ("https", late(proxying(to), secure)),
            }[step]
            server = stack.enter_context(Server(proxy[1]))
            environ.setenv("HTTPS_PROXY", f"{proxy[0]}://{server.netloc}")
            url = f"https://{HOST}"

        assert fetcher(url).fetch(STATUS)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("s3[ret]Pw", "s3[ret]Pw"),
        ("]x[", "]x["),
        ("p@w", "p@w"),
        ("50%off", "50%off"),
        ("%5B%5C%5D", r"[\]"),
    ],
)
def test_a_proxys_password_arrives_as_it_was_meant(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext, scheme: str, typed: str, meant: str
) -> None:
    with Server(answering(good()), tls) as api:
        to = ("127.0.0.1", api.port)
        handler = proxying(to) if scheme == "http" else socks5(to, user=(b"jdoe", meant.encode()))
        with Server(handler) as proxy:
            environ.setenv("HTTPS_PROXY", f"{scheme}://jdoe:{typed}@{proxy.netloc}")
            assert fetcher(f"https://{HOST}").fetch(STATUS)

    if scheme == "http":
        assert b"Basic " + b64encode(f"jdoe:{meant}".encode()) in proxy.requests[0]


@pytest.mark.parametrize(("idle", "connections"), [(50, 1), (61, 2)])
def test_a_connection_idle_for_60_seconds_is_not_used_again(idle: int, connections: int) -> None:
    """A kept connection that was idle for over 60 seconds is not used again."""
    with Server(answering(good())) as server:
        client = fetcher(server.url)
        client.fetch(STATUS)
        client._session._last_used -= idle
        client.fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (connections, 2)


def test_a_connection_in_place_of_one_closed_is_new() -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(good() if connection.number == 1 else anonymous("completed"))

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(STATUS)
        until(lambda: server.open_now == 0, "the end of the connection")
        answer = client.fetch(STATUS)

        assert isinstance(answer, BuildStatus)
        assert answer.status is Status.COMPLETED
        assert len(server.requests) == 2, "requested again, as if it were another's answer"


def test_a_link_local_address_of_a_proxy_keeps_its_zone(
    environ: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    connected: list[Any] = []

    def connect(address: Any, *_: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    environ.setattr(socket, "create_connection", connect)
    environ.setenv("HTTPS_PROXY", "http://[fe80::1%25lo]:3128")
    with pytest.raises(TransientError, match="refused by proxy"):
        fetcher(f"https://{HOST}").fetch(STATUS)

    assert connected == [("fe80::1%lo", 3128)]
