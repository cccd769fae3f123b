"""Whom stderr speaks to, people at a terminal or a log; and that no reader holds it up."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.moments import fill
from twbuild.output import stderr
from twbuild.output.stderr import Stderr
from twbuild.output.streams import STDERR, Stream
from twbuild.text import Line, plain

LINES: list[Line] = [[("error:", "failed"), (" 100% wrong", "")], [("  a hint", "")]]
WRITTEN = b"twbuild: error: 100% wrong\ntwbuild:   a hint\n"

AGENTS = ("AI_AGENT", "AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX")


@pytest.fixture(autouse=True)
def in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal, and no variables but those that ask for colours."""
    monkeypatch.setattr(os, "isatty", lambda _: False)
    for name in ("CI", "TERM", "NO_COLOR", "TWBUILD_PROGRESS", *AGENTS):
        monkeypatch.delenv(name, raising=False)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was written to stderr's descriptor, in place of it."""
    found: list[bytes] = []

    def write(descriptor: int, content: bytes) -> int:
        assert descriptor == STDERR
        found.append(content)
        return len(content)

    monkeypatch.setattr(os, "write", write)
    return found


XTERM = {"TERM": "xterm"}
LIVE: list[tuple[str | None, dict[str, str], bool]] = [
    ("auto", XTERM, True),
    *(("auto", {"TERM": term}, False) for term in ("DUMB", "Unknown", "")),
    ("auto", {}, False),
    ("auto", {**XTERM, "CI": "woodpecker"}, False),
    ("auto", {**XTERM, "CI": ""}, True),
    ("auto", {**XTERM, "CI": "False"}, True),
    *(("auto", {**XTERM, agent: "1"}, False) for agent in AGENTS),
    ("auto", {**XTERM, "AGENT": "0", "CLAUDECODE": "False", "AI_AGENT": ""}, True),
    ("live", {"TERM": "dumb", "CI": "true", "CODEX_SANDBOX": "seatbelt"}, True),
    ("plain", XTERM, False),
    (None, XTERM, True),
    (None, {**XTERM, "TWBUILD_PROGRESS": "plain"}, False),
    (None, {"TWBUILD_PROGRESS": "live"}, True),
    ("auto", {**XTERM, "TWBUILD_PROGRESS": "plain"}, True),
]


@pytest.mark.parametrize(("progress", "environ", "is_live"), LIVE)
def test_who_watches_gets_a_live_screen(
    monkeypatch: pytest.MonkeyPatch, progress: str | None, environ: dict[str, str], is_live: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert not Stderr(progress).is_live

    monkeypatch.setattr(os, "isatty", {STDERR}.__contains__)
    assert Stderr(progress).is_live is is_live


def test_plain_lines_begin_with_twbuild_and_hold_no_escape_codes(written: list[bytes]) -> None:
    Stderr().say(LINES)
    Stderr().say([])
    Stderr().close(LINES)

    assert b"".join(written) == WRITTEN * 2


@pytest.fixture
def read_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end that is read of a full pipe, which is stderr in place of the real one."""
    read_end, write_end = os.pipe()
    fill(write_end)
    monkeypatch.setattr(stderr, "Stream", lambda _: Stream(write_end))
    yield read_end
    os.close(read_end)
    os.close(write_end)


def drain(read_end: int) -> bytes:
    """All that a pipe holds."""
    found = b""
    while select.select([read_end], [], [], 0)[0]:
        found += os.read(read_end, 1 << 16)
    return found


def test_progress_that_is_not_read_takes_no_time(read_end: int) -> None:
    stderr = Stderr()
    since = time.monotonic()
    for number in range(500):
        stderr.say([[(f"line {number} {'x' * 500}", "")]])
    assert time.monotonic() - since < 2

    drain(read_end)
    stderr.say([[("now it is read", "")]])
    found = drain(read_end)
    stderr.say([[("and again", "")]])
    found += drain(read_end)
    assert found.startswith(b"twbuild: line 0 ")
    assert found.endswith(b"twbuild: and again\n")
    assert len(found) < 70_000


def test_no_frame_is_due_while_something_waits(
    monkeypatch: pytest.MonkeyPatch, read_end: int
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stderr = Stderr()
    stderr.write("x" * 192)  # 0.2 s at 9600 baud
    assert not stderr.is_ready_to_draw(whole=True)

    drain(read_end)
    assert stderr.is_ready_to_draw(whole=True)
    assert not stderr.is_ready_to_draw(whole=False)
    now += 0.11
    assert stderr.is_ready_to_draw(whole=False)

    stderr.write("x" * 9600)
    drain(read_end)
    now += 0.8
    assert not stderr.is_ready_to_draw(whole=False)
    now += 0.2
    assert stderr.is_ready_to_draw(whole=False), "a fast terminal is not left for long"


def test_closing_lines_share_one_budget(read_end: int) -> None:
    stderr = Stderr()
    stderr.say(LINES)
    since = time.monotonic()
    for _ in range(6):
        stderr.close(LINES)
    assert 0.2 <= time.monotonic() - since < 0.5


def test_closing_lines_wait_for_a_reader_within_the_budget(read_end: int) -> None:
    found: list[bytes] = []
    reader = threading.Timer(0.05, lambda: found.append(drain(read_end)))
    reader.start()
    Stderr().close(LINES)
    reader.join()

    assert (b"".join(found) + drain(read_end)).lstrip(b"x") == WRITTEN


def test_a_line_begun_is_ended_before_the_closing_lines(read_end: int) -> None:
    drain(read_end)
    stderr = Stderr()
    for text in ("x" * 60_000, "y" * 20_000, "dropped"):
        stderr.say([[(text, "")]])
    stderr.begin_closing()
    found = drain(read_end)
    stderr.close([[("last", "")]])
    found += drain(read_end)

    lines = [f"twbuild: {text}\n" for text in ("x" * 60_000, "y" * 20_000, "last")]
    assert found.decode() == "".join(lines)


LONG: list[list[Line]] = [
    [[("error: ", "failed"), ("x" * 1_000_000, "")], [("what to do", "")]],
    [[("error:", "failed")], *([(f"  profile {n}", "")] for n in range(20_000))],
    [*([("x" * 100, "")] for _ in range(1_000)), [("what to do", "")]],
]


@pytest.mark.parametrize("lines", LONG, ids=["one line", "many lines", "many long lines"])
def test_text_of_any_length_is_within_a_pipes_capacity(
    written: list[bytes], lines: list[Line]
) -> None:
    Stderr().close(lines)

    found = b"".join(written)
    assert plain(lines[0]).encode()[:1000] in found
    assert plain(lines[-1]).encode() in found
    assert 30_000 < len(found) < 150_000
