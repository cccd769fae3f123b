"""Descriptors 0 to 2 and the terminal behind them: encoding, window size, who may draw."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import sys
import time
from collections.abc import Callable
from functools import lru_cache

from twbuild.errors import OutputError
from twbuild.text import strerror

with contextlib.suppress(ImportError):  # Windows
    import termios

STDIN, STDOUT, STDERR = 0, 1, 2
PIPE_BUF = 512  # POSIX: a pipe that takes anything takes as much without blocking
_MARKS = str.maketrans({"✓": "+", "✗": "x", "•": "*"})
_SLICE_SECONDS = 0.05  # between two checks of the limit of a full stdout
_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ETIMEDOUT)  # sockets are reset
_HUNG_UP = (errno.EIO, errno.ENXIO)  # of a terminal


def open_closed_descriptors() -> None:
    """Open 0, 1 and 2 where they are closed, before a socket or a file gets that number.

    Reading them gives an end of file, and writing goes to the null device, or fails as it does
    where a reader has gone, on a machine without one.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            open_nowhere(descriptor)
    for name, descriptor in (("stdout", STDOUT), ("stderr", STDERR)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "w", closefd=False))  # noqa: SIM115


def open_nowhere(descriptor: int) -> None:
    """Open a descriptor on the null device, or on a pipe without another end."""
    try:
        opened = os.open(os.devnull, os.O_RDWR)
    except OSError:
        read_end, write_end = os.pipe()
        opened, other = (read_end, write_end) if descriptor == STDIN else (write_end, read_end)
        os.close(other)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    else:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only way


def is_terminal(descriptor: int) -> bool:
    """Whether a descriptor is a terminal."""
    return os.isatty(descriptor)


def encoding(descriptor: int) -> str:
    """A stream's encoding; ASCII where PYTHONIOENCODING names one that no stream can have."""
    stream = sys.stdout if descriptor == STDOUT else sys.stderr
    name = getattr(stream, "encoding", None) or "utf-8"
    try:
        # idna, punycode and undefined refuse
        "✓\n".encode(name, "backslashreplace").decode(name, "backslashreplace")
    except UnicodeError:
        return "ascii"
    return name


def encode(text: str, descriptor: int) -> bytes:
    """Bytes for a stream: marks in what its encoding has, escapes for what it has not."""
    name = encoding(descriptor)
    try:
        return text.encode(name)
    except UnicodeEncodeError:
        return text.translate(_MARKS).encode(name, "backslashreplace")


def speaks_escapes() -> bool:
    """Whether TERM names a terminal that understands escape codes."""
    return os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")


def in_foreground() -> bool:
    """Whether we may draw on stderr's terminal; a job in the background may not.

    0 is any process group outside our namespace, so that two of them say nothing.
    """
    try:
        return os.tcgetpgrp(STDERR) == (os.getpgrp() or None)
    except (OSError, AttributeError):
        return True  # not our controlling terminal, or Windows


def lift_pause(descriptor: int) -> None:
    """Resume a terminal paused by Ctrl-S; Linux resumes it only after a pause of our own."""
    with contextlib.suppress(termios.error):
        termios.tcflow(descriptor, termios.TCOOFF)
        termios.tcflow(descriptor, termios.TCOON)


@lru_cache(maxsize=2)
def unblocked(descriptor: int) -> int:
    """Another descriptor of the same terminal, whose writes never block."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, AttributeError):
        return descriptor  # not a terminal, or without a name here, or Windows


def takes_more(descriptor: int, seconds: float) -> bool:
    """Whether it can be written within so many seconds."""
    try:
        return bool(select.select([], [descriptor], [], seconds)[1])
    except (OSError, ValueError):
        return True  # Windows asks sockets only


def window(descriptor: int) -> tuple[int, int]:
    """Columns and rows of a terminal, whatever COLUMNS says; 80 and 24 where it has none."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        columns, rows = 0, 0
    return columns or 80, rows or 24


def _never() -> float:
    return math.inf


class UnreadOutputError(OutputError):
    """Nothing read stdout before the limit."""


def write_line(line: str, *, terminal: bool = False, limit: Callable[[], float] = _never) -> None:
    """Write one line of the result to stdout, waiting for its reader until `limit()`.

    `limit` is called repeatedly; it returns a time of `time.monotonic`. A reader that has gone,
    or a `terminal` that hung up, is ignored. Raises UnreadOutputError after the limit, OutputError
    for any other failure.
    """
    descriptor = unblocked(STDOUT)
    rest = encode(line + "\n", STDOUT)
    while rest:
        try:
            if takes_more(descriptor, _SLICE_SECONDS):
                rest = rest[os.write(descriptor, rest[:PIPE_BUF]) :]
                continue
        except BlockingIOError:
            select.select([], [], [], _SLICE_SECONDS)
        except OSError as error:
            if error.errno in (*_GONE, *(_HUNG_UP if terminal else ())):
                return
            why = strerror(error.errno)
            raise OutputError(f"could not write the result to stdout: {why}") from None
        if time.monotonic() >= limit():
            raise UnreadOutputError("could not write the result to stdout: nothing reads it")
