"""What an answer costs at most, whatever is in it: memory, and time of the deadline and signals."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.command import (
    ACCOUNT,
    BUILD,
    SERVICE,
    TOKEN,
    TWBUILD,
    base_environ,
    run,
    run_words,
    start,
)
from tests.support.sockets import Connection, Handler, Server, http
from tests.support.twilio import build_body, page, status_body

pytestmark = pytest.mark.measured

MIB = 1 << 20
BUILDS = [f"ZB{number:032x}" for number in range(10)]
Make = Callable[[str], bytes]

# A child counts what its parent had at the fork: so the command's parent is a small process.
PEAK = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[2], sys.argv[2:])
used = os.wait4(pid, 0)[2]
with open(sys.argv[1], "w") as file:
    file.write(str(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)))
"""


def filled(resource: Mapping[str, Any], size: int, unit: bytes, between: bytes = b"") -> bytes:
    """`resource` with a field that nothing reads: a text or, with commas between, an array."""
    head = json.dumps(resource).encode()[:-1] + (b', "x": [' if between else b', "x": "')
    count = (size - len(head) - 8) // len(unit + between)
    return head + between.join([unit] * count) + (b"]}" if between else b'"}')


def version(number: int) -> dict[str, str]:
    """A version of an asset, as a Build lists it."""
    sids = dict.fromkeys(("account_sid", "service_sid", "asset_sid"), ACCOUNT)
    return {
        **sids,
        "sid": f"ZN{number:032x}",
        "path": f"/asset-{number}",
        "visibility": "public",
        "date_created": "2026-11-24T14:02:11Z",
    }


def large_page() -> dict[str, Any]:
    """Twenty builds of a thousand assets."""
    builds = []
    for day in range(20):
        dated = {"sid": f"ZB{day:032x}", "date_created": f"2026-11-{day + 1:02d}T14:02:11Z"}
        assets = [version(1000 * day + number) for number in range(1000)]
        builds.append({**build_body(status="completed"), **dated, "asset_versions": assets})
    return page(*builds)


def each(make: Make, *headers: str) -> Handler:
    """Gives each Status and Build what `make` makes of its SID."""

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split(b" ")[1].decode()
            sid = re.sub(r".*/Builds/?|/Status", "", path.partition("?")[0])
            connection.send(http(make(sid), "200 OK", *headers))

    return handle


def failed(make: Callable[[dict[str, Any]], bytes]) -> Handler:
    """Every build has failed, and has these details."""

    def handle(connection: Connection) -> None:
        while True:
            path = connection.request().split(b" ")[1].decode()
            sid = path.partition("/Builds/")[2].partition("/")[0]
            found = status_body(sid, "failed") if "/Status" in path else page()
            is_build = bool(sid) and "/Status" not in path
            connection.send(http(make(build_body(sid)) if is_build else json.dumps(found).encode()))

    return handle


def completed(sid: str) -> dict[str, Any]:
    return status_body(sid, "completed")


class Row(NamedTuple):
    """What the server does, the command's arguments, and how many bytes its answers may have."""

    handler: Handler
    arguments: tuple[str, ...]
    limit: int


ONE, TEN, NEWEST = (
    ("wait", "-t1s", SERVICE, BUILD),
    ("wait", "-t2s", SERVICE, *BUILDS),
    ("wait", "-t1s", SERVICE),
)
LISTED = page(build_body(status="completed"))
LINES = [f"Twilio-Request-Id: {'%a' * 30_000}"] * 90
ROWS: Mapping[str, Row] = {
    "a page of escapes": Row(each(lambda _: filled(LISTED, 8 * MIB, b"%a")), NEWEST, 8 * MIB),
    "a page of objects": Row(
        each(lambda _: filled(LISTED, 8 * MIB, b'{"a":1}', b",")), NEWEST, 8 * MIB
    ),
    "a page of wide characters": Row(
        each(lambda _: filled(LISTED, 8 * MIB, b"a" * 999 + "\U0001f600".encode())), NEWEST, 8 * MIB
    ),
    "a page of wide escapes": Row(
        each(lambda _: filled(LISTED, 8 * MIB, b"a" * 999 + b"\\ud83d\\ude00")), NEWEST, 8 * MIB
    ),
    "a page of all that it may list": Row(
        each(lambda _: json.dumps(large_page()).encode()), NEWEST, 8 * MIB
    ),
    "details of escapes": Row(failed(lambda b: filled(b, 2 * MIB, b"%a")), TEN, 20 * MIB),
    "details of objects": Row(
        failed(lambda b: filled(b, 2 * MIB, b'{"a":1}', b",")), TEN, 20 * MIB
    ),
    "a status of escapes": Row(each(lambda sid: filled(completed(sid), MIB, b"%a")), ONE, MIB),
    "a url of escapes": Row(
        each(lambda sid: json.dumps({**completed(sid), "url": "%5a" * 340_000}).encode()), ONE, MIB
    ),
    "a status of objects": Row(
        each(lambda sid: filled(completed(sid), MIB, b'{"a":1}', b",")), ONE, MIB
    ),
    "ten of escapes": Row(each(lambda sid: filled(completed(sid), MIB, b"%a")), TEN, 10 * MIB),
    "ten of objects": Row(
        each(lambda sid: filled(completed(sid), MIB, b'{"a":1}', b",")), TEN, 10 * MIB
    ),
    "a head of 5 MB": Row(each(lambda sid: json.dumps(completed(sid)).encode(), *LINES), ONE, MIB),
    "a line of 60 kB": Row(
        each(lambda sid: json.dumps(completed(sid)).encode(), *LINES[:1]), ONE, MIB
    ),
    "a line of cookies": Row(
        each(lambda sid: json.dumps(completed(sid)).encode(), "Set-Cookie2: " + "a=b; " * 12_000),
        ONE,
        MIB,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_memory_stays_within_an_answers_limit_and_40_mib(tmp_path: Path, name: str) -> None:
    row, peak = ROWS[name], tmp_path / "peak"
    with Server(row.handler) as server:
        env = environ(tmp_path, server)
        words = [sys.executable, "-S", "-c", PEAK, str(peak), TWBUILD, *row.arguments]
        assert run_words(words, env=env).code == 0, "the process that measures"

    assert int(peak.read_text()) < row.limit + 40 * MIB


def environ(home: Path, server: Server) -> dict[str, str]:
    credentials = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
    return base_environ(home, TWBUILD_API_URL=server.url, **credentials)


def building(sid: str) -> dict[str, Any]:
    return status_body(sid, "building")


MANY = ("-i200ms", SERVICE, *BUILDS)
WITH_MORE = {**large_page(), "meta": {"next_page_url": "/x?Page=1"}}
HEAVY: Mapping[str, tuple[Handler, tuple[str, ...]]] = {
    "ten of escapes": (each(lambda sid: filled(building(sid), MIB, b"%a")), MANY),
    "ten of objects": (each(lambda sid: filled(building(sid), MIB, b'{"a":1}', b",")), MANY),
    "ten of brackets": (each(lambda sid: filled(building(sid), MIB, b"[[]]", b",")), MANY),
    "ten of backslashes": (each(lambda sid: filled(building(sid), MIB, b"\\\\")), MANY),
    "page after page": (each(lambda _: json.dumps(WITH_MORE).encode()), (SERVICE,)),
}


@pytest.mark.parametrize("name", HEAVY)
def test_the_deadline_and_signals_are_on_time_whatever_the_answers(
    tmp_path: Path, name: str
) -> None:
    handler, arguments = HEAVY[name]
    late = []
    with Server(handler) as server:
        env = environ(tmp_path, server)
        for _ in range(3):  # a busy machine may be late, but not always
            late = [*late_at_the_deadline(env, arguments), *late_after_a_signal(env, arguments)]
            if not late:
                break

    assert late == []


def late_at_the_deadline(env: Mapping[str, str], arguments: tuple[str, ...]) -> list[float]:
    ended = run("wait", "--json", "-t2s", *arguments, env=env)
    waited = [json.loads(line)["waited_seconds"] for line in ended.stdout.splitlines()]
    assert ended.code == 124
    return [seconds for seconds in waited if seconds > 2.2]


def late_after_a_signal(env: Mapping[str, str], arguments: tuple[str, ...]) -> list[float]:
    process = start("wait", *arguments, env=env)
    with process:
        time.sleep(1.5)
        process.send_signal(signal.SIGTERM)
        since = time.monotonic()
        process.communicate(timeout=10)
        seconds = time.monotonic() - since
    assert process.returncode == -signal.SIGTERM
    return [seconds] if seconds > 0.3 else []
