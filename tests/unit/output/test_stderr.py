"""What a stream can show, and whom stderr speaks to: people at a terminal, or a log."""

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


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: bool, **environ: str) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: answer and descriptor == STDERR)
    names = ("CI", "TERM", "GITHUB_ACTIONS", "FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR")
    for name in (*names, *stderr.AGENTS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("progress", "environ", "styled"),
    [
        ("auto", {"TERM": "xterm"}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"TERM": "Unknown"}, False),
        ("auto", {"TERM": "DUMB"}, False),
        ("auto", {"TERM": ""}, False),
        ("auto", {}, False),
        ("auto", {"TERM": "xterm", "CI": "true"}, False),
        ("auto", {"TERM": "xterm", "CI": "1"}, False),
        ("auto", {"TERM": "xterm", "CI": "woodpecker"}, False),
        ("auto", {"TERM": "xterm", "CI": ""}, True),
        ("auto", {"TERM": "xterm", "CI": "0"}, True),
        ("auto", {"TERM": "xterm", "CI": "false"}, True),
        ("auto", {"TERM": "xterm", "CI": "False"}, True),
        ("auto", {"TERM": "xterm", "CLAUDECODE": "1"}, False),
        ("auto", {"TERM": "xterm", "AGENT": "0"}, True),
        ("auto", {"TERM": "xterm", "CLAUDECODE": "False"}, True),
        ("auto", {"TERM": "xterm", "AGENT": "no"}, False),
        ("auto", {"TERM": "xterm", "AI_AGENT": ""}, True),
        ("live", {"CODEX_SANDBOX": "seatbelt"}, True),
        ("live", {"TERM": "xterm"}, True),
        ("live", {"TERM": "dumb"}, True),
        ("live", {"CI": "true"}, True),
        ("plain", {"TERM": "xterm"}, False),
    ],
)
def test_who_watches_gets_styled_lines(
    monkeypatch: pytest.MonkeyPatch, progress: str, environ: dict[str, str], styled: bool
) -> None:
    on_a_terminal(monkeypatch, True, **environ)

    assert Stderr(progress).is_live is styled


@pytest.mark.parametrize("progress", ["auto", "live", "plain"])
def test_nothing_makes_a_stderr_that_is_no_terminal_a_terminal(
    monkeypatch: pytest.MonkeyPatch, progress: str
) -> None:
    on_a_terminal(monkeypatch, False, TERM="xterm", FORCE_COLOR="1", TTY_COMPATIBLE="1")

    assert not Stderr(progress).is_live


LINES = [[("error:", "failed"), (" 100% wrong", "")], [("  a hint", "")]]


def test_plain_lines_begin_with_twbuild_and_hold_no_escape_codes(
    monkeypatch: pytest.MonkeyPatch, written: list[bytes]
) -> None:
    on_a_terminal(monkeypatch, False, FORCE_COLOR="1", TTY_COMPATIBLE="1")

    Stderr().say(LINES)
    Stderr().say([])

    assert b"".join(written) == b"twbuild: error: 100% wrong\ntwbuild:   a hint\n"


def test_styled_lines_begin_with_what_they_say(
    monkeypatch: pytest.MonkeyPatch, written: list[bytes]
) -> None:
    on_a_terminal(monkeypatch, True, TERM="xterm", NO_COLOR="1")

    Stderr().say([[("plain", "")]])

    assert b"".join(written) == b"plain\n"


def test_the_closing_lines_are_lines_like_others(
    monkeypatch: pytest.MonkeyPatch, written: list[bytes]
) -> None:
    on_a_terminal(monkeypatch, False)

    Stderr().close(LINES)

    assert b"".join(written) == b"twbuild: error: 100% wrong\ntwbuild:   a hint\n"


def test_a_stderr_that_cannot_be_written_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch, False)
    tries = []

    def refuse(*_: object) -> int:
        tries.append(1)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", refuse)

    Stderr().say(LINES)

    assert tries == [1]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A full pipe as stderr, in place of the real one."""
    on_a_terminal(monkeypatch, False)
    read_end, write_end = os.pipe()
    fill(write_end)
    monkeypatch.setattr(stderr, "Stream", lambda _: Stream(write_end))
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


def drain(read_end: int) -> bytes:
    """All that a pipe holds."""
    found = b""
    while select.select([read_end], [], [], 0)[0]:
        found += os.read(read_end, 1 << 16)
    return found


def test_progress_that_is_not_read_takes_no_time(pipe: tuple[int, int]) -> None:
    """Progress that is not read takes no time and only so much memory."""
    stderr = Stderr()
    since = time.monotonic()
    for number in range(500):
        stderr.say([[(f"line {number} {'x' * 500}", "")]])
    assert time.monotonic() - since < 2

    drain(pipe[0])
    stderr.say([[("now it is read", "")]])
    found = drain(pipe[0])
    stderr.say([[("and again", "")]])
    found += drain(pipe[0])
    assert found.startswith(b"twbuild: line 0 ")
    assert found.endswith(b"twbuild: and again\n")
    assert len(found) < 70_000


def test_no_frame_is_due_while_something_waits(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    """No frame is due while something waits or may still be on its way."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stderr = Stderr()
    stderr.write("x" * 96)
    assert not stderr.is_ready_to_draw(whole=True)

    drain(pipe[0])
    assert stderr.is_ready_to_draw(whole=True)
    assert not stderr.is_ready_to_draw(whole=False)
    now += 0.11
    assert stderr.is_ready_to_draw(whole=False)

    stderr.write("x" * 9600)
    drain(pipe[0])
    now += 0.9
    assert not stderr.is_ready_to_draw(whole=False)
    now += 0.2
    assert stderr.is_ready_to_draw(whole=False), "a fast terminal is not left for long"


def test_closing_lines_share_one_budget(pipe: tuple[int, int]) -> None:
    stderr = Stderr()
    stderr.say(LINES)
    since = time.monotonic()
    for _ in range(6):
        stderr.close(LINES)
    assert 0.2 <= time.monotonic() - since < 0.5


def test_closing_lines_wait_for_a_reader_within_the_budget(pipe: tuple[int, int]) -> None:
    found: list[bytes] = []
    reader = threading.Timer(0.05, lambda: found.append(drain(pipe[0])))
    reader.start()
    Stderr().close(LINES)
    reader.join()

    reported = (b"".join(found) + drain(pipe[0])).lstrip(b"x")
    assert reported == b"twbuild: error: 100% wrong\ntwbuild:   a hint\n"


def test_a_line_begun_is_ended_before_the_closing_lines(pipe: tuple[int, int]) -> None:
    """A line begun is ended before the closing lines and one not begun is dropped."""
    read_end, _ = pipe
    drain(read_end)
    stderr = Stderr()
    stderr.say([[("x" * 60_000, "")]])
    stderr.say([[("y" * 20_000, "")]])
    stderr.say([[("dropped", "")]])
    stderr.begin_closing()
    found = drain(read_end)
    stderr.close([[("last", "")]])
    found += drain(read_end)

    assert found == b"".join(
        (b"twbuild: ", b"x" * 60_000, b"\ntwbuild: ", b"y" * 20_000, b"\ntwbuild: last\n")
    )


@pytest.mark.parametrize(
    "lines",
    [
        [[("error: ", "failed"), ("x" * 1_000_000, "")], [("what to do", "")]],
        [[("error:", "failed")], *([(f"  profile {n}", "")] for n in range(20_000))],
        [*([("x" * 100, "")] for _ in range(1_000)), [("what to do", "")]],
    ],
    ids=["one line", "many lines", "many long lines"],
)
def test_text_of_any_length_is_within_a_pipes_capacity(
    monkeypatch: pytest.MonkeyPatch, written: list[bytes], lines: list[Line]
) -> None:
    on_a_terminal(monkeypatch, False)

    Stderr().close(lines)

    found = b"".join(written)
    first, last = plain(lines[0]).encode(), plain(lines[-1]).encode()
    assert first[:1000] in found
    assert last in found
    assert 30_000 < len(found) < 150_000
