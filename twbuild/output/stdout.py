"""stdout: lines of the result, which wait for their reader without delaying anything else."""

from __future__ import annotations

import errno
import time

from twbuild import signals
from twbuild.errors import OutputError
from twbuild.output import streams
from twbuild.output.streams import STDOUT, Stream, window
from twbuild.text import Line, plain, strerror

LAST_SECONDS = 1.0  # for a stdout without a reader, after a signal or the deadline
_SLICE_SECONDS = 0.05  # between two checks of that limit

_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ETIMEDOUT)  # sockets are reset
_HUNG_UP = (errno.EIO, errno.ENXIO)  # of a terminal


class Stdout:
    """What is not taken at once waits: it is written as events go on, or at the end."""

    def __init__(self) -> None:
        self._stream = Stream(STDOUT)
        self._verdicts: list[bool] = []  # of each line whether it is one
        self.is_terminal = self._stream.is_terminal
        self.is_styled = self.is_terminal and streams.speaks_escapes()

    def put(self, text: str, *, is_verdict: bool) -> None:
        """Have a line wait for its turn."""
        self._stream.put(f"{text}\n")
        self._verdicts.append(is_verdict)

    def put_line(self, line: Line) -> None:
        """Have a verdict wait in the form that a terminal shows."""
        text = plain(line)
        if self.is_styled:
            from twbuild.output import rendering

            text = rendering.wrapped(line, window(STDOUT)[0])
        self.put(text, is_verdict=True)

    def flush(self, seconds: float = 0) -> bool:
        """Write what waits, within so many seconds; whether all of it is written.

        A reader that has gone, or a terminal that hung up, is ignored. Raises OutputError for any
        other failure, but not once a signal has come.
        """
        try:
            return self._stream.flush(seconds)
        except OSError as error:
            if signals.came() or error.errno in (*_GONE, *(_HUNG_UP if self.is_terminal else ())):
                return True
            why = strerror(error.errno)
            raise OutputError(f"could not write the result to stdout: {why}") from None

    def finish(self, deadline: float) -> None:
        """Wait for the reader of what waits; raises OutputError where a verdict is not read.

        The exit code says how a build without a verdict ended, and a signal ends us anyway.
        """
        while not self.flush(_SLICE_SECONDS):
            if time.monotonic() >= min(signals.came_at(), deadline) + LAST_SECONDS:
                break
        unread = len(self._stream.waiting)
        if unread and any(self._verdicts[-unread:]) and not signals.came():
            raise OutputError("could not write the result to stdout: nothing reads it")


def write_line(line: str) -> None:
    """Write one line to stdout, waiting for its reader. Raises OutputError."""
    stdout = Stdout()
    stdout.put(line, is_verdict=True)
    while not stdout.flush(_SLICE_SECONDS):
        pass
