"""The process's own stdout and stderr, down to what a dead, full or closed one does."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

from twbuild.errors import TwbuildError, UnwritableError
from twbuild.text import Line, plain

STDIN, STDOUT, STDERR = 0, 1, 2
PREFIX = "twbuild: "

# Set by coding agents, which read a log as CI does: frames would only cost them.
AGENTS = ("AI_AGENT", "AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX")

_MARKS = str.maketrans({"✓": "+", "✗": "x", "•": "*"})
_PIPE_BUF = 512  # POSIX: a pipe that takes anything takes as much without blocking
_MOST_WAITING = 1 << 16
_CLOSING_SECONDS = 0.2  # for all closing lines together, where nobody reads stderr
_SLICE_SECONDS = 0.05  # from one look at a full stdout's limit to the next
_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ETIMEDOUT)  # sockets are reset
_HUNG_UP = (errno.EIO, errno.ENXIO)  # what a terminal says


def _never() -> float:
    return math.inf


class UnreadError(UnwritableError):
    """Nobody read stdout for as long as its result could wait."""


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
    """Lead a descriptor to the null device, or into a pipe that has no other end."""
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
    """Whether somebody may be looking at it."""
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
    return os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def tell(line: str, *, terminal: bool = False, limit: Callable[[], float] = _never) -> None:
    """Write one line of the result to stdout, waiting for its reader until `limit()`.

    `limit` is asked again and again; it is a time of `time.monotonic`. A reader that has gone, or a
    `terminal` that hung up, changes nothing. Raises UnreadError after the limit, UnwritableError
    for any other failure.
    """
    descriptor = _unblocked(STDOUT)
    rest = encode(line + "\n", STDOUT)
    while rest:
        try:
            if _takes_more(descriptor, _SLICE_SECONDS):
                rest = rest[os.write(descriptor, rest[:_PIPE_BUF]) :]
                continue
        except BlockingIOError:
            select.select([], [], [], _SLICE_SECONDS)
        except OSError as error:
            if error.errno in (*_GONE, *(_HUNG_UP if terminal else ())):
                return
            why = os.strerror(error.errno or 0).lower()
            raise UnwritableError(f"the result could not be written to stdout: {why}") from None
        if time.monotonic() >= limit():
            raise UnreadError("the result could not be written to stdout: nobody reads it")


class Stderr:
    """Everything for people: styled where they look at a terminal, else lines with a prefix.

    Nothing waits for a reader that does not read. Progress is written at once, or later, or never;
    closing lines have a budget of seconds that all of them share.
    """

    def __init__(self, progress: str = "auto") -> None:
        self.is_terminal = is_terminal(STDERR)
        self.styled = self.is_terminal and _is_live(progress)
        self.github = os.environ.get("GITHUB_ACTIONS") == "true" and not self.styled
        self._descriptor = _unblocked(STDERR)
        self._begun = b""  # the rest of a text that is written in part
        self._waiting: deque[bytes] = deque()
        self._closing = False
        self._seconds_left = 0.0

    def draw(self, frame: str) -> None:
        """Write a frame, unless an earlier text still waits: a newer frame will follow."""
        self._flush()
        if not self._begun:
            self.write(frame)

    def write(self, text: str) -> None:
        """Write it as it stands, behind what still waits; of progress only so much may wait."""
        content = encode(text, STDERR)
        waiting = len(self._begun) + sum(map(len, self._waiting))
        if self._closing or waiting + len(content) <= _MOST_WAITING:
            self._waiting.append(content)
        self._flush()

    def say(self, lines: Sequence[Line]) -> None:
        """Write lines for people."""
        self.write(self.text(lines))

    def text(self, lines: Sequence[Line]) -> str:
        """The lines as stderr shows them."""
        if not self.styled:
            return "".join(f"{PREFIX}{plain(line)}\n" for line in _shortened(lines))
        from twbuild import screen

        columns, _ = screen.window(STDERR)
        return "".join(f"{screen.wrapped(line, columns)}\n" for line in _shortened(lines))

    def begin_closing(self) -> None:
        """From now on there are seconds to wait in; progress that was not begun is dropped.

        A terminal that Ctrl-S has paused goes on: else nothing could give it back as it was.
        """
        if self._closing:
            return
        self._closing = True
        self._seconds_left = _CLOSING_SECONDS
        self._waiting.clear()
        if self.is_terminal and in_foreground() and not _takes_more(self._descriptor, 0):
            _lift_pause(self._descriptor)

    def close(self, lines: Sequence[Line]) -> None:
        """Write the last lines."""
        self.begin_closing()
        self.say(lines)

    def close_badly(self, lines: Sequence[Line]) -> None:
        """Write the last lines of an ending that somebody must look into.

        GitHub shows them on the run's page.
        Source: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
        """
        if not self.github:
            self.close(lines)
            return
        text = "\n".join(plain(line) for line in _shortened(lines))
        for character, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
            text = text.replace(character, escape)
        self.begin_closing()
        self.write(f"::error title=twbuild::{text}\n")

    def explain(self, error: TwbuildError) -> None:
        """Tell of an error that ends everything."""
        self.close_badly(error.lines)

    def _flush(self) -> None:
        while self._begun or self._waiting:
            self._begun = self._begun or self._waiting.popleft()
            try:
                if not self._is_ready():
                    return
                self._begun = self._begun[os.write(self._descriptor, self._begun[:_PIPE_BUF]) :]
            except BlockingIOError:
                return
            except OSError:  # nobody reads it any more
                self._begun = b""
                self._waiting.clear()

    def _is_ready(self) -> bool:
        since = time.monotonic()
        ready = _takes_more(self._descriptor, max(0.0, self._seconds_left))
        self._seconds_left -= time.monotonic() - since
        return ready


def _shortened(lines: Sequence[Line]) -> Sequence[Line]:
    """The first and the last lines, where all of them are more than a pipe holds."""
    half = _MOST_WAITING // 2
    if sum(len(plain(line)) for line in lines) <= 2 * half:
        return lines
    lines = [_cut(line, half - 3) for line in lines]
    head, tail = _fitting(lines, half), _fitting(lines[::-1], half)
    left_out = len(lines) - len(head) - len(tail)
    return (
        lines if left_out <= 0 else [*head, [(f"... ({left_out} more lines)", "hint")], *tail[::-1]]
    )


def _cut(line: Line, most: int) -> Line:
    text = plain(line)
    return line if len(text) <= most else [(f"{text[:most]}...", "")]


def _fitting(lines: Sequence[Line], most: int) -> Sequence[Line]:
    """As many of the first lines as have room."""
    sizes = accumulate(len(plain(line)) for line in lines)
    return lines[: sum(size <= most for size in sizes)]


def _is_live(progress: str) -> bool:
    """Whether a terminal gets what `live` draws, or plain lines."""
    if progress != "auto":
        return progress == "live"
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return speaks_escapes() and not in_ci and not any(map(os.environ.get, AGENTS))


def in_foreground() -> bool:
    """Whether stderr's terminal is ours to draw on; to a job in the background it is not."""
    try:
        return os.tcgetpgrp(STDERR) == os.getpgrp()
    except (OSError, AttributeError):
        return True  # not our controlling terminal, or Windows: nobody else draws on it


def _lift_pause(descriptor: int) -> None:
    """End what Ctrl-S began; Linux ends it only for who has paused the terminal as well."""
    import termios

    with contextlib.suppress(termios.error):
        termios.tcflow(descriptor, termios.TCOOFF)
        termios.tcflow(descriptor, termios.TCOON)


@lru_cache(maxsize=2)
def _unblocked(descriptor: int) -> int:
    """A way to the same terminal whose writes never wait; others keep theirs as it is."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, AttributeError):
        return descriptor  # no terminal, none that has a name here, or Windows


def _takes_more(descriptor: int, seconds: float) -> bool:
    """Whether it can be written within so many seconds."""
    try:
        return bool(select.select([], [descriptor], [], seconds)[1])
    except (OSError, ValueError):
        return True  # Windows asks sockets only
