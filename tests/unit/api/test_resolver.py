"""Names to addresses: localhost is known, and a look-up outlives the request that began it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.moments import until
from tests.unit.api.fetching import HOST, Names
from twbuild.api.resolver import Resolver, _LookUp


@pytest.fixture
def answered(names: Names) -> Iterator[threading.Event]:
    """Look-ups end once it is set."""
    event = threading.Event()
    names.before = lambda _: event.wait(20)
    yield event
    event.set()


def look_up(resolver: Resolver, name: str = HOST, seconds: float = 10) -> list[str]:
    return resolver.addresses(name, socket.AF_UNSPEC, seconds)


@pytest.mark.parametrize("name", ["localhost", "LocalHost"])
def test_localhost_needs_no_look_up(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delattr(socket, "getaddrinfo")

    assert look_up(Resolver(), name) == ["127.0.0.1", "::1"]
    assert Resolver().addresses(name, socket.AF_INET, 1) == ["127.0.0.1"]


def test_a_late_look_up_is_not_wasted(names: Names, answered: threading.Event) -> None:
    resolver = Resolver()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            look_up(resolver, seconds=0.02)
    answered.set()
    threads = threading.enumerate
    until(lambda: "look-up" not in [each.name for each in threads()], "the end of the look-up")

    assert look_up(resolver) == ["127.0.0.1"]
    assert len(names.requested) == 1
    assert look_up(resolver) == ["127.0.0.1"]
    assert len(names.requested) == 2, "an answer is used once"


@pytest.mark.parametrize(("seconds", "error"), [(10, socket.gaierror), (0.02, TimeoutError)])
def test_a_look_up_that_failed_is_made_again(
    names: Names, seconds: float, error: type[Exception]
) -> None:
    """Also where nothing waited for it any more."""

    def fail(_: str) -> None:
        if len(names.requested) == 1:
            time.sleep(0.2)
            raise socket.gaierror(socket.EAI_AGAIN, "again")

    names.before = fail
    resolver = Resolver()
    with pytest.raises(error):
        look_up(resolver, seconds=seconds)
    until(lambda: "look-up" not in [each.name for each in threading.enumerate()], "its end")

    assert look_up(resolver) == ["127.0.0.1"]


def test_a_thread_that_cannot_be_started_is_a_system_error(environ: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    environ.setattr(_LookUp, "start", start)
    with pytest.raises(BlockingIOError):
        look_up(Resolver())


def test_the_next_try_begins_with_the_noted_address() -> None:
    resolver = Resolver()
    resolver.begin_with("localhost", "::1")
    assert look_up(resolver, "localhost") == ["::1", "127.0.0.1"]

    resolver.begin_with("localhost", "192.0.2.1")  # which it has no longer
    assert look_up(resolver, "localhost") == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo"])
def test_an_address_is_its_own_zone_and_all(host: str) -> None:
    assert look_up(Resolver(), host) == [host]
