"""What can be counted of speed: modules, files, connections, requests, threads."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.authority import Authority
from tests.support.command import STATUS, TWBUILD, WAIT
from tests.support.run import Env, run
from tests.support.sockets import Server, answering, good
from tests.support.twilio import CREDENTIALS

pytestmark = pytest.mark.measured

# Reported at the end by what ends the process: twbuild leaves without the interpreter's teardown.
# `opened` is what Python opens, not what OpenSSL does.
TELL = """
import json, os, sys
end, opened = os._exit, []
def note(event, values):
    if event == "open":
        opened.append(os.fsdecode(values[0]) if isinstance(values[0], (str, bytes)) else "")
def tell(code):
    found = {"modules": [*sys.modules], "opened": [*opened]}
    import gc, threading
    found |= {"threads": threading.active_count(), "collects": gc.isenabled()}
    with open(os.environ["REPORT"], "w") as file:
        json.dump(found, file)
    end(code)
os._exit = tell
sys.addaudithook(note)
"""

NOTHING_DRAWN = {"asyncio", "pydantic", "pygments", "rich"}
REQUESTING = {"requests", "urllib3", "ssl", "http", "email", "importlib.metadata"}
DECODING = {"charset_normalizer", "chardet"}
NOT_FOR_A_PLAIN_WAIT = {
    f"twbuild.{name}"
    for name in ("output.live", "output.rendering", "sandbox.command", "sandbox.server")
}
NOT_FOR_VERSION = NOT_FOR_A_PLAIN_WAIT | {
    f"twbuild.{name}" for name in ("api.fetcher", "api.network", "app", "watch.runner")
}
PLAIN = NOTHING_DRAWN | DECODING | NOT_FOR_A_PLAIN_WAIT
Reported = Callable[..., dict[str, Any]]


@pytest.fixture
def reported(base: Env, tmp_path: Path, authority: Authority) -> Reported:
    """Runs a command against a server over TLS: what it held when it ended."""
    (tmp_path / "sitecustomize.py").write_text(TELL)
    given = {"PYTHONPATH": str(tmp_path), "REPORT": str(tmp_path / "report")}
    env = {**base, **CREDENTIALS, **given, "REQUESTS_CA_BUNDLE": authority.bundle}

    def read(*words: str, code: int = 0, answers: tuple[bytes, ...]) -> dict[str, Any]:
        with Server(answering(*answers), authority.context("127.0.0.1")) as server:
            assert run(*words, env={**env, "TWBUILD_API_URL": server.url}).code == code
        found = json.loads((tmp_path / "report").read_text())
        return {**found, "counts": (server.accepted, len(server.requests))}

    return read


@pytest.mark.parametrize(
    ("words", "code", "never", "collects"),
    [
        (["--version"], 0, NOTHING_DRAWN | REQUESTING | NOT_FOR_VERSION, False),
        (["wait", "functions/a.js"], 2, {"requests"}, False),
        (["wait", "-i", "soon", "ok"], 2, {"requests"}, False),
        (["wait", "--help"], 0, {"requests", "pydantic", "asyncio"}, False),
        (STATUS, 0, PLAIN, False),
        (WAIT, 0, PLAIN, True),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(
    reported: Reported, words: list[str], code: int, never: set[str], collects: bool
) -> None:
    """And garbage is collected in a wait, and in nothing shorter."""
    assert all(map(importlib.util.find_spec, NOT_FOR_VERSION)), "the names are current"
    found = reported(*words, code=code, answers=(good("completed"),))

    assert never & {*found["modules"]} == set()
    assert found["collects"] is collects


def test_a_wait_uses_one_connection_and_one_request_a_poll(reported: Reported) -> None:
    found = reported(*WAIT, answers=(*[good()] * 4, good("completed")))

    assert found["counts"] == (2, 5 + 1), "earlier builds, on a connection of their own"
    assert found["threads"] <= 2, "the one that waits, and the last request's"


def test_a_status_opens_modules_alone_each_once(reported: Reported) -> None:
    """And no file is written."""
    found = reported(*STATUS, code=8, answers=(good(),))
    ours = (TWBUILD, "/proc/self/fd/1", "/proc/self/fd/2")  # and the streams, not to block on them
    opened = [path for path in found["opened"] if path not in ours]

    assert found["counts"] == (1, 1)
    assert len(opened) == len(set(opened))
    # Python writes a .pyc under a name of its own first, which ends in a number.
    assert [path for path in opened if not re.search(r"\.(so|py|pyc(\.\d+)?)$", path)] == []
