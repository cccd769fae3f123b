"""What can be counted of speed: modules, files, connections, requests, frames, threads."""

from __future__ import annotations

import importlib.util
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench.api import Api
from tests.bench.measure import drawn
from tests.support.authority import Authority
from tests.support.command import BUILD, SERVICE, STATUS, TWBUILD, WAIT
from tests.support.run import Env, run
from tests.support.twilio import Twilio

pytestmark = pytest.mark.measured

# Reported at the end by what ends the process: twbuild leaves without the interpreter's teardown.
# `opened` is what Python opens, not what OpenSSL does; `reads` counts the times that certificates
# are read, by Python's own ways to have OpenSSL read them, in a test of TLS.
TELL = """
import json, os, sys
end, opened, reads = os._exit, [], []
def note(event, values):
    if event == "open":
        opened.append(os.fsdecode(values[0]) if isinstance(values[0], (str, bytes)) else "")
def tell(code):
    modules = sorted(sys.modules)
    import gc, threading
    found = [modules, threading.active_count(), gc.isenabled(), [*opened], len(reads)]
    with open(os.environ["REPORT"], "w") as file:
        json.dump(found, file)
    end(code)
def noting(read):
    def noted(*given, **named):
        reads.append(1)
        return read(*given, **named)
    return noted
if os.environ["TWBUILD_API_URL"].startswith("https"):
    import ssl
    for name in ("load_verify_locations", "set_default_verify_paths"):
        setattr(ssl.SSLContext, name, noting(getattr(ssl.SSLContext, name)))
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


class Report(NamedTuple):
    """What a process held when it ended."""

    modules: set[str]
    threads: int
    collecting: bool
    opened: list[str]
    reads: int


Reported = Callable[..., tuple[str, Report]]


@pytest.fixture
def environ(twilio: Twilio, tmp_path: Path) -> Env:
    """An environment in which a command reports what it held."""
    (tmp_path / "sitecustomize.py").write_text(TELL)
    return {**twilio.environ, "PYTHONPATH": str(tmp_path), "REPORT": str(tmp_path / "report")}


@pytest.fixture
def report(environ: Env) -> Reported:
    """Runs a command: what it prints, and what it held."""

    def read(*words: str, code: int = 0) -> tuple[str, Report]:
        ended = run(*words, env=environ)
        assert ended.code == code
        modules, *others = json.loads(Path(environ["REPORT"]).read_text())
        return ended.stdout, Report({*modules}, *others)

    return read


@pytest.fixture
def api(environ: Env, authority: Authority) -> Iterator[Api]:
    """An API over TLS that counts, and `environ` led to it."""
    api = Api(authority.context("127.0.0.1"))
    with api:
        environ.update(TWBUILD_API_URL=api.url, REQUESTS_CA_BUNDLE=authority.bundle)
        yield api


@pytest.mark.parametrize(
    ("words", "code", "never", "collecting"),
    [
        (["--version"], 0, NOTHING_DRAWN | REQUESTING | NOT_FOR_VERSION, None),
        (["wait", "functions/a.js"], 2, {"requests"}, None),
        (["wait", "-i", "soon", "ok"], 2, {"requests"}, None),
        (["wait", "--help"], 0, {"requests", "pydantic", "asyncio"}, None),
        (STATUS, 0, NOTHING_DRAWN | DECODING | NOT_FOR_A_PLAIN_WAIT, False),
        (WAIT, 0, NOTHING_DRAWN | DECODING | NOT_FOR_A_PLAIN_WAIT, True),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(
    twilio: Twilio,
    report: Reported,
    words: list[str],
    code: int,
    never: set[str],
    collecting: bool | None,
) -> None:
    """And garbage is collected in a wait, and in nothing shorter."""
    assert all(map(importlib.util.find_spec, NOT_FOR_VERSION)), "the names are current"
    twilio.says("completed")
    _, found = report(*words, code=code)

    assert not never & found.modules
    assert collecting in (None, found.collecting)


def test_a_wait_uses_one_connection_and_one_request_a_poll(api: Api, report: Reported) -> None:
    """It reads certificates once."""
    api.begin(**{BUILD: time.monotonic() + 3})
    printed, found = report(*WAIT, "--json")
    polls = json.loads(printed)["polls"]

    assert polls >= 3
    # Earlier builds take one request, on a connection of its own.
    assert (len(api.times), api.accepted, found.reads) == (polls + 1, 2, 1)
    assert found.threads <= 2  # the one that waits, and the last request's


def test_a_live_screen_draws_eight_to_ten_frames_a_second(api: Api, environ: Env) -> None:
    seconds = 3
    api.begin(**{BUILD: time.monotonic() + seconds})
    cost, frames = drawn([TWBUILD, "wait", SERVICE, BUILD], {**environ, "TERM": "xterm-256color"})

    assert cost.code == 0
    # What happens draws a frame of its own; a busy machine may miss some.
    assert 4 * seconds <= frames <= 10 * cost.wall


def test_a_status_over_tls_opens_modules_alone_each_once(api: Api, report: Reported) -> None:
    """It reads certificates once, and connects once."""
    _, found = report(*STATUS, code=8)
    ours = (TWBUILD, "/proc/self/fd/1", "/proc/self/fd/2")  # and the streams, not to block on them
    opened = [path for path in found.opened if path not in ours]

    assert (found.reads, api.accepted, len(api.times)) == (1, 1, 1)
    assert len(opened) == len(set(opened))
    # Python writes a .pyc under a name of its own first, which ends in a number.
    assert [path for path in opened if not re.search(r"\.(so|py|pyc(\.\d+)?)$", path)] == []
