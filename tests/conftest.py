"""Fixtures that most tests share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_httpserver import HTTPServer

from tests.support import processes
from tests.support.authority import Authority
from tests.support.command import SCRIPTS, TWBUILD
from tests.support.run import base_environ
from tests.support.twilio import Twilio

# What runs the tests may ignore signals, as nohup does, and everything they start would too.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, default)


# A busy machine is no reason for a test to fail.
settings.register_profile("twbuild", deadline=None)
settings.load_profile("twbuild")


class Server(HTTPServer):
    """Ends at once: werkzeug looks every half second whether it is to."""

    def thread_target(self) -> None:
        assert self.server
        self.server.serve_forever(poll_interval=0.01)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a program that is not installed; CI installs all of them.

    A test that needs a package registry gets the time for it.
    """
    missing = {name for name in ("jq", "tmux", "zsh") if not shutil.which(name)}
    left_out = [item for item in items if missing & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        if item.get_closest_marker("registry"):
            item.add_marker(pytest.mark.timeout(600))


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of each collection of garbage."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_at_the_end() -> Iterator[None]:
    """Kill what the fixtures of modules leave running."""
    if "MUTANT_UNDER_TEST" not in os.environ:  # mutmut knows no children but its own
        processes.adopt_orphans()
    kept = processes.children()
    yield
    processes.kill_all_but(kept)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Collect what a module leaves open, for the warning to name that module."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Kill what a test leaves running, also where it fails."""
    kept = processes.children()
    yield
    processes.kill_all_but(kept)


@pytest.fixture(autouse=True)
def started_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in messages begin with `twbuild`, as for a user whose PATH leads to it."""
    monkeypatch.setattr(sys, "argv", [TWBUILD, "wait"])
    monkeypatch.setenv("PATH", f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("UV", raising=False)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority, the same for all tests."""
    return Authority(tmp_path_factory.mktemp("authority"))


# Programs that tests need; see `pytest_collection_modifyitems`.
jq = pytest.fixture(lambda: "jq", name="jq")
zsh = pytest.fixture(lambda: "zsh", name="zsh")


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    """An environment without credentials, with an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    return base_environ(home)


@pytest.fixture
def twilio(base: dict[str, str]) -> Iterator[Twilio]:
    """A scripted API."""
    with Server(host="127.0.0.1", threaded=True) as server:
        yield Twilio(server, base)


@pytest.fixture
def environ(twilio: Twilio) -> dict[str, str]:
    """An environment with good credentials that leads to the scripted API."""
    return twilio.environ
