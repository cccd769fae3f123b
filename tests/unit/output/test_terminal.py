"""Descriptors and the terminal behind them: encodings, window size, what a result meets."""

from __future__ import annotations

import io
import sys

import pytest

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
