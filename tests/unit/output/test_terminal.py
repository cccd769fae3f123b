"""Descriptors and the terminal behind them: encodings, window size, what a result meets."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support.moments import fill
from twbuild.output import terminal
from twbuild.output.terminal import STDERR, STDOUT


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

    assert terminal.encode(text, descriptor) == shown


@pytest.mark.parametrize("stream", [None, io.StringIO(), object()])
def test_a_stream_without_an_encoding_gets_utf_8(
    monkeypatch: pytest.MonkeyPatch, stream: object
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    assert terminal.encode("✓", STDERR) == "✓".encode()


@contextmanager
def stdout_is_a_pipe(*, full: bool = False) -> Iterator[int]:
    """A pipe in place of stdout; its other end."""
    read_end, write_end = os.pipe()
    if full:
        fill(write_end)
    kept = os.dup(STDOUT)
    os.dup2(write_end, STDOUT)
    os.close(write_end)
    try:
        yield read_end
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        with suppress(OSError):
            os.close(read_end)


def test_a_result_whose_reader_has_gone_is_no_error() -> None:
    with stdout_is_a_pipe() as read_end:
        os.close(read_end)
        terminal.write_line("completed")


def test_a_result_that_nothing_reads_is_an_error_at_the_limit() -> None:
    with (
        stdout_is_a_pipe(full=True),
        pytest.raises(terminal.UnreadOutputError, match="nothing reads it"),
    ):
        terminal.write_line("completed", limit=lambda: 0.0)


def test_a_result_longer_than_a_pipe_is_written_whole() -> None:
    found: list[bytes] = []

    def read(read_end: int) -> None:
        while not found or not found[-1].endswith(b"\n"):
            found.append(os.read(read_end, 1 << 16))

    with stdout_is_a_pipe() as read_end:
        reader = threading.Thread(target=read, args=[read_end], daemon=True)
        reader.start()
        terminal.write_line("x" * 200_000)
        reader.join(30)

    assert b"".join(found) == b"x" * 200_000 + b"\n"


@pytest.mark.parametrize(("columns", "rows"), [(54, 7), (0, 0)])
def test_the_window_has_its_own_size_and_80_by_24_where_it_has_none(
    monkeypatch: pytest.MonkeyPatch, columns: int, rows: int
) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    controller, terminal_end = os.openpty()
    fcntl.ioctl(controller, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    found = terminal.window(terminal_end)
    os.close(controller)
    os.close(terminal_end)

    assert found == (columns or 80, rows or 24)


@pytest.mark.parametrize(
    ("term", "speaks"),
    [("xterm", True), ("tmux-256color", True), ("DUMB", False), ("unknown", False), ("", False)],
)
def test_term_says_whether_escape_codes_are_understood(
    monkeypatch: pytest.MonkeyPatch, term: str, speaks: bool
) -> None:
    monkeypatch.setenv("TERM", term)

    assert terminal.speaks_escapes() is speaks
