"""What goes over the wire when requests are cancelled: never a byte of them in the clear."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.authority import Authority
from tests.support.fasttime import fetcher
from tests.support.sockets import Server, answering, good, proxying, recording
from tests.unit.api.fetching import STATUS, in_thread
from twbuild.api import network
from twbuild.api.fetcher import Fetcher
from twbuild.api.resolver import Resolver

CANCELLED = 60
# What a request has and a handshake or a CONNECT has not.
CLEAR = (b"GET /", b"/Builds/", b"Accept", b"\r\nAuthorization", b"Cache-Control", b"no-cache")


@pytest.fixture(autouse=True)
def switching_often() -> Iterator[None]:
    """Threads take turns so often that every step of one may fall into another's."""
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
    end = time.perf_counter() + seconds
    thread = in_thread(client)
    while time.perf_counter() < end:
        pass  # a sleep would be too coarse, and leave the other thread undisturbed
    client.cancel()
    thread.join(20)
    assert not thread.is_alive()
    client._session.drop()
