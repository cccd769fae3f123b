"""Descriptors and the terminal behind them: encodings, window size, what a result meets."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.moments import fill
from twbuild.output import streams
from twbuild.output.streams import STDERR, STDOUT, Stream

ENCODED = [
    ("utf-8", "✓ ✗ • é", "✓ ✗ • é".encode()),
    ("ascii", "✓ ✗ • é €", b"+ x * \\xe9 \\u20ac"),
    ("cp1252", "✓ é €", b"+ \xe9 \x80"),
    ("utf-8", "a\ud800b", b"a\\ud800b"),
    (None, "✓", "✓".encode()),
    (io.StringIO(), "✓", "✓".encode()),
]


@pytest.mark.parametrize(("stream", "text", "shown"), ENCODED)
def test_marks_are_what_the_encoding_has(
    monkeypatch: pytest.MonkeyPatch, stream: object, text: str, shown: bytes
) -> None:
    if isinstance(stream, str):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=stream)
    for name, descriptor in (("stdout", STDOUT), ("stderr", STDERR)):
        monkeypatch.setattr(sys, name, stream)
        assert streams.encode(text, descriptor) == shown


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_a_write_does_not_block_where_another_process_was_quicker(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    controller, terminal_end = os.openpty()
    for descriptor, piece in ((pipe[1], 4096), (terminal_end, 64)):
        stream = Stream(descriptor)
        fill(descriptor, piece)
        monkeypatch.setattr(stream, "takes_more", lambda _: True)
        stream.put("x" * 200_000)
        found: list[bool] = []
        writer = threading.Thread(target=lambda: found.append(stream.flush()), daemon=True)  # noqa: B023
        writer.start()
        writer.join(10)
        assert found == [False]
    os.close(controller)
    os.close(terminal_end)


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_a_line_is_one_write_where_that_is_possible(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pipe: tuple[int, int], kind: str
) -> None:
    real, written = os.write, []

    def write(descriptor: int, content: bytes) -> int:
        written.append(real(descriptor, content))
        return written[-1]

    sizes = [select.PIPE_BUF, 3000, *([60_000] if kind == "file" else [])]
    with (tmp_path / "results.jsonl").open("ab") as file:
        stream = Stream(file.fileno() if kind == "file" else pipe[1])
        monkeypatch.setattr(os, "write", write)
        for size in sizes:
            stream.put("x" * (size - 1) + "\n")
        assert stream.flush()
    assert written == sizes


def test_a_text_waits_until_it_is_taken_whole(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    stream = Stream(write_end)
    stream.put("x" * 200_000)
    stream.put("last\n")
    found = b""
    while not stream.flush():
        found += os.read(read_end, 1 << 16)
        assert stream.waiting
    found += os.read(read_end, 1 << 17)
    assert found == b"x" * 200_000 + b"last\n"


def test_a_stream_whose_reader_has_gone_has_nothing_waiting(pipe: tuple[int, int]) -> None:
    stream = Stream(pipe[1])
    os.close(pipe[0])
    stream.put("completed\n")
    with pytest.raises(BrokenPipeError):
        stream.flush()
    assert not stream.waiting


@pytest.mark.parametrize(("own", "size"), [((54, 7), (54, 7)), ((0, 0), (80, 24))])
def test_the_window_has_its_own_size_or_80_by_24(
    monkeypatch: pytest.MonkeyPatch, own: tuple[int, int], size: tuple[int, int]
) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    monkeypatch.setattr(os, "get_terminal_size", lambda _: own)

    assert streams.window(STDERR) == size
