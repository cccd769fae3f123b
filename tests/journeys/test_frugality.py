"""What can be counted of speed: modules, files, connections, requests, frames, threads."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import authority
from tests.bench.api import Api
from tests.bench.processes import drawn
from tests.support.command import BUILD, SERVICE, TWBUILD, run
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio

pytestmark = pytest.mark.measured

# Reported at the end by what ends the process: twbuild leaves without the interpreter's teardown.
TELL = """
import gc, os, sys, threading

end = os._exit
def tell(code):
    names = sorted(sys.modules)
    threads = threading.active_count() if "threading" in sys.modules else 1
    descriptors = len(os.listdir("/dev/fd")) - 1
    with open(os.environ["TELL"], "w") as file:
        print(names, threads, descriptors, gc.isenabled(), sep="\\n", file=file)
    end(code)
os._exit = tell
"""

# What Python opens; what OpenSSL opens is not in it.
TELL_OPENED = """
import json, os, sys

end, opened = os._exit, []
def note(event, values):
    if event == "open":
        opened.append(os.fsdecode(values[0]) if isinstance(values[0], (str, bytes)) else "")
def tell(code):
    names = list(opened)
    with open(os.environ["TELL"], "w") as file:
        json.dump(names, file)
    end(code)
os._exit = tell
sys.addaudithook(note)
"""

NOTHING_DRAWN = {"asyncio", "pydantic", "pygments", "rich"}
REQUESTING = {"requests", "urllib3", "ssl", "http", "email", "dataclasses", "importlib.metadata"}
LIVE = {"rich.console", "rich.spinner", "rich.text", "rich.theme"}
# rich's own machinery for screens is not what draws ours.
NEVER = {"asyncio", "pydantic", "pygments", "markdown_it", "rich.live", "rich.progress"}
# Of twbuild itself.
NOT_FOR_A_PLAIN_WAIT = {"output.live", "output.rendering", "sandbox.command", "sandbox.server"}
NOT_FOR_VERSION = {"api.fetcher", "api.network", "app", "watch.runner"} | NOT_FOR_A_PLAIN_WAIT


class Reported:
    """What a process held when it ended."""

    def __init__(self, path: Path) -> None:
        names, threads, descriptors, collecting = path.read_text().splitlines()
        self.modules = set(json.loads(names.replace("'", '"')))
        self.threads = int(threads)
        self.descriptors = int(descriptors)
        self.collecting = collecting == "True"


@pytest.fixture
def api(environ: dict[str, str]) -> Iterator[Api]:
    """An API that counts, and `environ` led to it."""
    with Api() as api:
        environ["TWBUILD_API_URL"] = api.url
        yield api
        api.shutdown()


@pytest.fixture
def reported(tmp_path: Path, environ: dict[str, str]) -> Path:
    """Where a process that runs in `environ` tells what it held."""
    (tmp_path / "sitecustomize.py").write_text(TELL)
    environ.update(PYTHONPATH=str(tmp_path), TELL=str(tmp_path / "reported"))
    return tmp_path / "reported"


def ours(reported: Reported) -> set[str]:
    """The modules of twbuild that were loaded."""
    return {name.partition(".")[2] for name in reported.modules if name.startswith("twbuild.")}


def test_each_module_of_twbuild_is_seen_when_it_is_loaded(
    environ: dict[str, str], reported: Path
) -> None:
    with (reported.parent / "sitecustomize.py").open("a") as start:
        start.writelines(f"import twbuild.{name}\n" for name in NOT_FOR_VERSION)

    assert run("--version", env=environ).code == 0

    assert ours(Reported(reported)) >= NOT_FOR_VERSION


def test_version_loads_neither_what_asks_nor_what_draws(
    environ: dict[str, str], reported: Path
) -> None:
    assert run("--version", env=environ).code == 0

    found = Reported(reported)
    assert not (NOTHING_DRAWN | REQUESTING - {"dataclasses"}) & found.modules
    assert not NOT_FOR_VERSION & ours(found)


@pytest.mark.parametrize("arguments", [("functions/a.js",), ("-i", "soon", "ok")])
def test_requests_is_loaded_only_after_good_arguments(
    environ: dict[str, str], reported: Path, arguments: tuple[str, ...]
) -> None:
    assert run("wait", *arguments, env=environ).code == 2

    assert "requests" not in Reported(reported).modules


@pytest.mark.parametrize("arguments", [("status",), ("wait", "-i", "200ms")])
def test_where_nothing_is_drawn_nothing_that_draws_is_loaded(
    twilio: Twilio, environ: dict[str, str], reported: Path, arguments: tuple[str, ...]
) -> None:
    twilio.says("completed")

    assert run(*arguments, SERVICE, BUILD, env=environ).code == 0

    found = Reported(reported)
    assert "requests" in found.modules
    assert not (NOTHING_DRAWN | NEVER | {"charset_normalizer", "chardet"}) & found.modules
    assert not NOT_FOR_A_PLAIN_WAIT & ours(found)


@pytest.mark.parametrize(("command", "collecting"), [("wait", True), ("status", False)])
def test_garbage_is_collected_in_a_wait_and_in_nothing_shorter(
    twilio: Twilio, environ: dict[str, str], reported: Path, command: str, collecting: bool
) -> None:
    twilio.says("completed")

    assert run(command, SERVICE, BUILD, env=environ).code == 0

    assert Reported(reported).collecting is collecting


def test_only_a_live_wait_loads_what_draws(
    twilio: Twilio, environ: dict[str, str], reported: Path
) -> None:
    twilio.says("building", "completed")
    words = [TWBUILD, "wait", "-i", "200ms", SERVICE, BUILD]

    with Terminal(words, {**environ, "TERM": "xterm-256color"}) as terminal:
        assert terminal.end() == 0

    found = Reported(reported)
    assert found.modules >= LIVE
    assert not NEVER & found.modules


def test_help_loads_nothing_that_asks(environ: dict[str, str], reported: Path) -> None:
    assert run("wait", "--help", env=environ).code == 0

    assert not {"requests", "pydantic", "asyncio"} & Reported(reported).modules


def test_a_wait_uses_one_connection_and_one_request_a_poll(
    api: Api, environ: dict[str, str], reported: Path
) -> None:
    """A wait of many polls uses one connection for them and one request a poll."""
    api.begin(**{BUILD: time.monotonic() + 3})
    ended = run("wait", "--json", "-i", "200ms", SERVICE, BUILD, env=environ)

    polls = json.loads(ended.stdout)["polls"]
    assert polls >= 3
    # Earlier builds take one request, on a connection of its own.
    assert (len(api.polls), api.connections) == (polls + 1, 2)
    assert Reported(reported).threads <= 2  # the one that waits, and the last request's


def test_a_live_screen_draws_eight_to_ten_frames_a_second(
    api: Api, environ: dict[str, str]
) -> None:
    seconds = 4
    api.begin(**{BUILD: time.monotonic() + seconds})
    words = [TWBUILD, "wait", SERVICE, BUILD]

    cost, frames = drawn(words, {**environ, "TERM": "xterm-256color"}, terminal=True)

    assert cost.code == 0
    # What happens draws a frame of its own; a busy machine may miss some.
    assert 4 * seconds <= frames <= 10 * cost.wall


# Over TLS.


# Notes every time that certificates are read, by Python's own ways to have OpenSSL read them.
TELL_READ = """
import os, ssl

def noting(read):
    def noted(*given, **named):
        with open(os.environ["READS"], "a") as file:
            file.write("x")
        return read(*given, **named)
    return noted
for name in ("load_verify_locations", "set_default_verify_paths"):
    setattr(ssl.SSLContext, name, noting(getattr(ssl.SSLContext, name)))
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority.create(folder)
    return folder


@pytest.fixture
def tls_api(environ: dict[str, str], certificates: Path) -> Iterator[Api]:
    """An API over TLS that counts, and `environ` led to it."""
    with Api(str(certificates / "server.pem")) as api:
        bundle = str(certificates / "certifi" / "cacert.pem")
        environ.update(TWBUILD_API_URL=api.url, REQUESTS_CA_BUNDLE=bundle)
        yield api
        api.shutdown()


@pytest.fixture
def reads(environ: dict[str, str], tmp_path: Path) -> Path:
    """A file with a character for each time that a command that TELL_READ began read them."""
    environ["READS"] = str(tmp_path / "reads")
    return tmp_path / "reads"


def test_a_status_over_tls_reads_and_connects_once(
    tls_api: Api, reads: Path, environ: dict[str, str]
) -> None:
    assert run("status", SERVICE, BUILD, env=environ, first=TELL_READ).code == 8

    assert (reads.read_text(), tls_api.connections, len(tls_api.polls)) == ("x", 1, 1)


def test_a_wait_over_tls_reads_once_and_keeps_its_connection(
    tls_api: Api, reads: Path, environ: dict[str, str]
) -> None:
    tls_api.begin(**{BUILD: time.monotonic() + 4})

    assert run("wait", "-i", "200ms", SERVICE, BUILD, env=environ, first=TELL_READ).code == 0

    assert (reads.read_text(), tls_api.connections) == ("x", 2)  # one for earlier builds
    assert len(tls_api.polls) >= 4


def test_a_status_over_tls_loads_no_more_than_over_http(
    api: Api, tls_api: Api, environ: dict[str, str], reported: Path
) -> None:
    assert run("status", SERVICE, BUILD, env=environ).code == 8
    over_tls = Reported(reported).modules
    assert run("status", SERVICE, BUILD, env={**environ, "TWBUILD_API_URL": api.url}).code == 8

    assert over_tls == Reported(reported).modules


def test_a_status_over_tls_opens_only_modules_each_once(
    tls_api: Api, environ: dict[str, str], reported: Path
) -> None:
    (reported.parent / "sitecustomize.py").write_text(TELL_OPENED)
    assert run("status", SERVICE, BUILD, env=environ).code == 8

    ours = (TWBUILD, "/proc/self/fd/1", "/proc/self/fd/2")  # and the streams, not to block on them
    opened = [path for path in json.loads(reported.read_text()) if path not in ours]
    assert len(opened) == len(set(opened))
    # Python writes a .pyc under a name of its own first, which ends in a number.
    assert [path for path in opened if not re.search(r"\.(so|py|pyc(\.\d+)?)$", path)] == []
