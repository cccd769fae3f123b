"""What an answer costs at most, whatever is in it: memory, and time of the deadline and signals."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.command import ACCOUNT, BUILD, SERVICE, SIDS, TWBUILD
from tests.support.run import base_environ, finish, run, run_words, start
from tests.support.sockets import Connection, Handler, Server, http
from tests.support.twilio import CREDENTIALS, build_body, page, status_body

pytestmark = pytest.mark.measured

MIB = 1 << 20
OBJECTS = (b'{"a":1}', b",")

# A child counts what its parent had at the fork: so the command's parent is a small process.
PEAK = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def filled(resource: Mapping[str, Any], size: int, unit: bytes, between: bytes = b"") -> bytes:
    """`resource` with a field that nothing reads: a text or, with commas between, an array."""
    head = json.dumps(resource).encode()[:-1] + (b', "x": [' if between else b', "x": "')
    count = (size - len(head) - 8) // len(unit + between)
    return head + between.join([unit] * count) + (b"]}" if between else b'"}')


@cache
def large_page(next_page: str | None = None) -> bytes:
    """Twenty builds of a thousand assets."""
    names = ("path", "visibility", "asset_sid", "account_sid", "service_sid", "date_created")
    version = dict.fromkeys(names, ACCOUNT)
    builds = []
    for day in range(20):
        dated = {"sid": SIDS[day], "date_created": f"2026-11-{day + 1:02d}T14:02:11Z"}
        assets = [{**version, "sid": f"ZN{1000 * day + n:032x}"} for n in range(1000)]
        builds.append({**build_body(status="completed"), **dated, "asset_versions": assets})
    return json.dumps(page(*builds, next_page_url=next_page)).encode()


def serving(make: Callable[[str, str], bytes], *headers: str) -> Handler:
    """Gives each request what `make` makes of the SID in its path, and of what follows that."""

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split(b" ")[1].decode().partition("?")[0]
            sid, _, resource = path.partition("/Builds/")[2].partition("/")
            connection.send(http(make(sid, resource), "200 OK", *headers))

    return handle


def completed(sid: str, _: str) -> bytes:
    return json.dumps(status_body(sid, "completed")).encode()


def failed(sid: str, resource: str) -> bytes:
    """Every build has failed, and has details full of objects."""
    if sid and not resource:
        return filled(build_body(sid), 2 * MIB, *OBJECTS)
    return json.dumps(status_body(sid, "failed") if resource else page()).encode()


class Row(NamedTuple):
    """What the server does, the builds and options, and how many bytes its answers have."""

    handler: Handler
    words: Sequence[str]
    limit: int


ONE, TEN = [BUILD], SIDS[:10]
NEWEST: list[str] = []
LISTED = page(build_body(status="completed"))
LINES = [f"Twilio-Request-Id: {'%a' * 30_000}"] * 90
COOKIES = "Set-Cookie2: " + "a=b; " * 12_000


def listed(*unit: bytes) -> Row:
    """A page of Builds that is filled with `unit`."""
    return Row(serving(lambda *_: filled(LISTED, 8 * MIB, *unit)), NEWEST, 8 * MIB)


def of_objects(sid: str, _: str) -> bytes:
    return filled(status_body(sid, "completed"), MIB, *OBJECTS)


def url_of_escapes(sid: str, _: str) -> bytes:
    return json.dumps({**status_body(sid), "url": "%5a" * 340_000}).encode()


def long_names(unit: str, count: int) -> dict[str, Any]:
    """Dependencies with names and versions of 9,000 characters."""
    texts = [f"{unit * (9000 // len(unit))}{number}" for number in range(count)]
    return {"dependencies": [{"name": text, "version": text} for text in texts]}


def building_beside_names(sid: str, _: str) -> bytes:
    named = {**build_body(), **long_names("%a", 440)}
    return json.dumps(status_body(sid) if sid else page(named)).encode()


def failed_with_names(sid: str, resource: str) -> bytes:
    if sid and not resource:
        return json.dumps({**build_body(sid), **long_names("a", 115)}).encode()
    return failed(sid, resource)


ROWS: Mapping[str, Row] = {
    "a page of escapes": listed(b"%a"),
    "a page of objects": listed(*OBJECTS),
    "a page of wide characters": listed(b"a" * 999 + "\U0001f600".encode()),
    "a page of wide escapes": listed(b"a" * 999 + b"\\ud83d\\ude00"),
    "all that a page may list": Row(serving(lambda *_: large_page()), NEWEST, 8 * MIB),
    "details of objects": Row(serving(failed), TEN, 20 * MIB),
    "a list of long names": Row(
        serving(building_beside_names), ["-i200ms", "-t4s", *TEN], 18 * MIB
    ),
    "details of long names": Row(serving(failed_with_names), ["--json", *TEN], 20 * MIB),
    "a url of escapes": Row(serving(url_of_escapes), ONE, MIB),
    "ten of objects": Row(serving(of_objects), TEN, 10 * MIB),
    "a head of 5 MB": Row(serving(completed, *LINES), ONE, MIB),
    "a line of cookies": Row(serving(completed, COOKIES), ONE, MIB),
}


@pytest.mark.parametrize("name", ROWS)
def test_memory_stays_within_an_answers_limit_and_40_mib(tmp_path: Path, name: str) -> None:
    row, peak = ROWS[name], tmp_path / "peak"
    arguments = ["wait", "-t1s", SERVICE, *row.words]
    with Server(row.handler) as server:
        env = environ(tmp_path, server)
        words = [sys.executable, "-S", "-c", PEAK, str(peak), TWBUILD, *arguments]
        code = run_words(words, env=env).code

    assert code in (0, 1, 3, 5, 124), "neither a crash nor a mistake"
    assert int(peak.read_text()) < row.limit + 40 * MIB


def environ(home: Path, server: Server) -> dict[str, str]:
    return base_environ(home, TWBUILD_API_URL=server.url, **CREDENTIALS)


UNITS = [(b"%a",), (b'{"a":1}', b","), (b"[[]]", b","), (b"\\\\",)]


def of_units(sid: str, _: str) -> bytes:
    return filled(status_body(sid), MIB, *UNITS[int(sid[-1:] or 0) % 4])


HEAVY: Mapping[str, tuple[Handler, list[str]]] = {
    "ten builds": (serving(of_units), ["-i200ms", SERVICE, *TEN]),
    "page after page": (serving(lambda *_: large_page("/x?Page=1")), [SERVICE]),
}


@pytest.mark.parametrize(("handler", "arguments"), HEAVY.values(), ids=HEAVY)
def test_deadline_and_signals_are_on_time_whatever_the_answers(
    tmp_path: Path, handler: Handler, arguments: list[str]
) -> None:
    with Server(handler) as server:
        env = environ(tmp_path, server)
        for _ in range(3):  # a busy machine may be late, but not always
            ended = run("wait", "--json", "-t1.5s", *arguments, env=env)
            objects = map(json.loads, ended.stdout.splitlines())
            late = [found["waited_seconds"] - 1.5 for found in objects]
            assert (ended.code, len(late)) == (124, max(1, len(arguments) - 2))
            process = start("wait", *arguments, env=env)
            time.sleep(1.2)
            process.send_signal(signal.SIGTERM)
            ended = finish(process)
            assert ended.code == -signal.SIGTERM
            if max(late) <= 0.2 and ended.seconds <= 0.3:
                return

    pytest.fail(f"late by {late} at the deadline, by {ended.seconds} after a signal")
