"""Descriptors 0 to 2 and the terminal behind them: encoding, window size, who may draw."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import time
from collections import deque
from collections.abc import Sequence

with contextlib.suppress(ImportError):  # Windows
    import termios

STDIN, STDOUT, STDERR = 0, 1, 2
_PIPE_BUF = getattr(select, "PIPE_BUF", 512)  # a pipe takes as much in one piece
_MARKS = str.maketrans({"✓": "+", "✗": "x", "•": "*"})
_SLICE_SECONDS = 0.01  # until a stream that others filled first is tried again


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
    os.dup2(opened, descriptor)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only way
    if opened != descriptor:
        os.close(opened)


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


def columns_of_help() -> int:
    """The window's own width, whichever stream leads to it, else COLUMNS, else 80."""
    for descriptor in (STDOUT, STDERR, STDIN):
        with contextlib.suppress(OSError):
            return os.get_terminal_size(descriptor).columns or 80
    columns = os.environ.get("COLUMNS", "")
    is_number = columns.isascii() and columns.isdigit() and len(columns) < 6
    return (int(columns) if is_number else 0) or 80


def window(descriptor: int) -> tuple[int, int]:
    """Columns and rows of a terminal, whatever COLUMNS says; 80 and 24 where it has none."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        columns, rows = 0, 0
    return columns or 80, rows or 24


class Stream:
    """stdout or stderr: what is put into it waits until it is taken; no write ever blocks."""

    def __init__(self, descriptor: int) -> None:
        self._number = descriptor
        self.is_terminal = os.isatty(descriptor)
        self._descriptor, self._at_once = _without_blocking(descriptor)
        self._begun = b""  # the rest of a text that was written in part
        self._waiting: deque[bytes] = deque()

    @property
    def waiting(self) -> Sequence[bytes]:
        """The texts that have not been written to their end."""
        return [self._begun, *self._waiting] if self._begun else self._waiting

    def put(self, text: str) -> int:
        """Have a text wait for its turn; returns its size in bytes."""
        content = encode(text, self._number)
        self._waiting.append(content)
        return len(content)

    def drop(self) -> None:
        """Forget the texts of which nothing is written."""
        self._waiting.clear()

    def takes_more(self, seconds: float = 0) -> bool:
        """Whether something can be written within so many seconds."""
        try:
            return bool(select.select([], [self._descriptor], [], max(0.0, seconds))[1])
        except (OSError, ValueError):
            return True  # Windows asks sockets only

    def flush(self, seconds: float = 0) -> bool:
        """Write what waits, within so many seconds; whether all of it is written.

        Each text is one write where the stream takes it whole. After an OSError nothing waits.
        """
        until = time.monotonic() + seconds
        while self.waiting:
            self._begun = self._begun or self._waiting.popleft()
            try:
                if not self.takes_more(until - time.monotonic()):
                    return False
                written = os.write(self._descriptor, self._begun[: self._at_once])
                self._begun = self._begun[written:]
            except BlockingIOError:  # another process was quicker
                if time.monotonic() >= until:
                    return False
                select.select([], [], [], _SLICE_SECONDS)
            except OSError:
                self._begun = b""
                self._waiting.clear()
                raise
        return True


def _without_blocking(descriptor: int) -> tuple[int, int | None]:
    """A descriptor of the same stream, and how many bytes a write of it never blocks on.

    O_NONBLOCK belongs to all processes that share a stream: it is ours to set where the stream can
    be opened again. Else a terminal that `select` calls writable takes one byte, which is all
    that is certain, and anything else PIPE_BUF bytes.
    """
    if os.name == "nt" or stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor, None
    for name in (os.ttyname, "/proc/self/fd/{}".format):
        with contextlib.suppress(OSError):
            return os.open(name(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), None
    return descriptor, 1 if os.isatty(descriptor) else _PIPE_BUF
