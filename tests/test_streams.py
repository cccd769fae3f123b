"""What a stream can show, and whom stderr speaks to: people at a terminal, or a log."""

from __future__ import annotations

import io
import os
import sys

import pytest

from twbuild import streams
from twbuild.streams import STDERR, STDOUT, Stderr


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
    for name in ("CI", "TERM", "GITHUB_ACTIONS", "FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("utf-8", "✓ ✗ • é", "✓ ✗ • é".encode()),
        ("ascii", "✓ ✗ •", b"+ x *"),
        ("ascii", "é €", b"\\xe9 \\u20ac"),
        ("cp1252", "✓ é €", b"+ \xe9 \x80"),
        ("latin-1", "✗ é 🙂", b"x \xe9 \\U0001f642"),
        ("utf-8", "a\ud800b", b"a\\ud800b"),
        ("utf-16-le", "✓", "✓".encode("utf-16-le")),
    ],
)
@pytest.mark.parametrize(("name", "descriptor"), [("stdout", STDOUT), ("stderr", STDERR)])
def test_marks_are_what_the_encoding_has(
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    text: str,
    shown: bytes,
    name: str,
    descriptor: int,
) -> None:
    monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))

    assert streams.encode(text, descriptor) == shown


@pytest.mark.parametrize("stream", [None, io.StringIO(), object()])
def test_a_stream_without_an_encoding_gets_utf_8(
    monkeypatch: pytest.MonkeyPatch, stream: object
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    assert streams.encode("✓", STDERR) == "✓".encode()


@pytest.mark.parametrize(
    ("progress", "environ", "styled"),
    [
        ("auto", {"TERM": "xterm"}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"TERM": "unknown"}, False),
        ("auto", {"TERM": ""}, False),
        ("auto", {}, False),
        ("auto", {"TERM": "xterm", "CI": "true"}, False),
        ("auto", {"TERM": "xterm", "CI": "1"}, False),
        ("auto", {"TERM": "xterm", "CI": "woodpecker"}, False),
        ("auto", {"TERM": "xterm", "CI": ""}, True),
        ("auto", {"TERM": "xterm", "CI": "0"}, True),
        ("auto", {"TERM": "xterm", "CI": "false"}, True),
        ("auto", {"TERM": "xterm", "CI": "False"}, True),
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

    assert Stderr(progress).styled is styled


@pytest.mark.parametrize("progress", ["auto", "live", "plain"])
def test_nothing_makes_a_stderr_that_is_no_terminal_a_terminal(
    monkeypatch: pytest.MonkeyPatch, progress: str
) -> None:
    on_a_terminal(monkeypatch, False, TERM="xterm", FORCE_COLOR="1", TTY_COMPATIBLE="1")

    assert not Stderr(progress).styled


@pytest.mark.parametrize(
    ("terminal", "value", "github"),
    [
        (False, "true", True),
        (False, "", False),
        (False, "false", False),
        (False, "1", False),
        (True, "true", False),
    ],
)
def test_github_is_told_where_it_runs_us_and_nobody_watches(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, value: str, github: bool
) -> None:
    on_a_terminal(monkeypatch, terminal, TERM="xterm", GITHUB_ACTIONS=value)

    assert Stderr().github is github


LINES = [[("error:", "failed"), (" 100% wrong", "")], [("  a hint", "hint")]]


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


def test_githubs_annotation_is_one_line_escaped_as_it_demands(
    monkeypatch: pytest.MonkeyPatch, written: list[bytes]
) -> None:
    on_a_terminal(monkeypatch, False, GITHUB_ACTIONS="true")

    Stderr().close_badly([*LINES, [("carriage\rreturn", "")]])

    assert b"".join(written) == (
        b"::error title=twbuild::error: 100%25 wrong%0A  a hint%0Acarriage%0Dreturn\n"
    )


def test_elsewhere_the_closing_lines_are_lines_like_others(
    monkeypatch: pytest.MonkeyPatch, written: list[bytes]
) -> None:
    on_a_terminal(monkeypatch, False)

    Stderr().close_badly(LINES)

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
