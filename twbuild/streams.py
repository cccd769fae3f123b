"""The process's own stdout and stderr, down to what a dead, full or closed one does."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Sequence

from twbuild.errors import TwbuildError, UnwritableError, UsageError
from twbuild.text import Line, plain

STDIN, STDOUT, STDERR = 0, 1, 2
PREFIX = "twbuild: "

_MARKS = str.maketrans({"✓": "+", "✗": "x", "•": "*"})
_PIPE_BUF = 512  # POSIX: a pipe that takes anything takes as much without blocking
_MOST_WAITING = 1 << 16
_PATIENCE_SECONDS = 0.1  # for a stderr whose reader does not read


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


def encode(text: str, descriptor: int) -> bytes:
    """Bytes for a stream: marks in what its encoding has, escapes for what it has not."""
    stream = sys.stdout if descriptor == STDOUT else sys.stderr
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_MARKS).encode(encoding, "backslashreplace")


def tell(line: str, *, terminal: bool = False) -> None:
    """Write one line of the result to stdout.

    A reader that has gone, or a `terminal` that hung up, changes nothing; raises UnwritableError
    for any other failure.
    """
    gone = (errno.EPIPE, errno.EBADF, *((errno.EIO, errno.ENXIO) if terminal else ()))
    rest = encode(line + "\n", STDOUT)
    while rest:
        try:
            rest = rest[os.write(STDOUT, rest) :]
        except BlockingIOError:
            select.select([], [STDOUT], [])
        except OSError as error:
            if error.errno in gone:
                return
            why = os.strerror(error.errno or 0).lower()
            raise UnwritableError(f"the result could not be written to stdout: {why}") from None


class Stderr:
    """For people: styled where they look at a terminal, else lines that begin with `twbuild: `.

    Nothing waits long for a reader that does not read: a text is written whole, or later, or not.
    """

    def __init__(self, progress: str = "auto") -> None:
        self.styled = _is_watched(progress)
        self.github = os.environ.get("GITHUB_ACTIONS") == "true" and not self.styled
        self._descriptor = _unblocked(STDERR)
        self._rest = b""

    def draw(self, frame: str) -> None:
        """Write a frame, unless an earlier text still waits: a newer frame will follow."""
        self._flush(0.0)
        if not self._rest:
            self._rest = encode(frame, STDERR)
            self._flush(0.0)

    def write(self, text: str) -> None:
        """Write it as it stands, behind what still waits."""
        content = encode(text, STDERR)
        if len(self._rest) + len(content) <= _MOST_WAITING:
            self._rest += content
        self._flush(_PATIENCE_SECONDS)

    def _flush(self, patience_seconds: float) -> None:
        try:
            while self._rest and _takes_more(self._descriptor, patience_seconds):
                self._rest = self._rest[os.write(self._descriptor, self._rest[:_PIPE_BUF]) :]
        except BlockingIOError:
            return
        except OSError:
            self._rest = b""  # nobody reads it any more

    def say(self, lines: Sequence[Line]) -> None:
        """Write lines for people."""
        if not lines:
            return
        if self.styled:
            from twbuild import screen

            self.write("".join(f"{screen.styled(line)}\n" for line in lines))
        else:
            self.write("".join(f"{PREFIX}{plain(line)}\n" for line in lines))

    def explain(self, error: TwbuildError) -> None:
        """Tell of an error that ends everything."""
        (self.say if isinstance(error, UsageError) else self.close_badly)(error.lines)

    def close_badly(self, lines: Sequence[Line]) -> None:
        """Write the last lines of an ending that somebody must look into.

        GitHub shows them on the run's page.
        Source: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
        """
        if not self.github:
            self.say(lines)
            return
        text = "\n".join(plain(line) for line in lines)
        for character, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
            text = text.replace(character, escape)
        self.write(f"::error title=twbuild::{text}\n")


def _is_watched(progress: str) -> bool:
    """Whether stderr gets what `live` draws, or plain lines."""
    if progress == "plain" or not is_terminal(STDERR):
        return False
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return progress == "live" or (
        not in_ci and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    )


def _unblocked(descriptor: int) -> int:
    """A way to the same terminal whose writes never wait; others keep theirs as it is."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, AttributeError):
        return descriptor  # no terminal, none that has a name here, or Windows


def _takes_more(descriptor: int, patience_seconds: float) -> bool:
    try:
        return bool(select.select([], [descriptor], [], patience_seconds)[1])
    except (OSError, ValueError):
        return True  # Windows asks sockets only
