"""Lines on stderr: progress that may be dropped, and closing lines."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import accumulate

from twbuild.output.streams import (
    STDERR,
    Stream,
    in_foreground,
    lift_pause,
    speaks_escapes,
    window,
)
from twbuild.text import Line, is_switched_on, plain

PREFIX = "twbuild: "
PROGRESS_VARIABLE = "TWBUILD_PROGRESS"  # the default of --progress

# Set by coding agents, which read a log as CI does.
AGENTS = ("AI_AGENT", "AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX")

_MAX_WAITING_BYTES = 1 << 16  # as many as a pipe of Linux holds
_CLOSING_SECONDS = 0.2  # for all closing lines together, where nothing reads stderr
# Frames are paced for 9600 baud: Linux does not tell how much of what was written the reader of a
# pseudo-terminal has still to take.
_FRAME_BYTES_PER_SECOND = 960
_BEHIND_SECONDS = 0.1  # the last frame may take as much longer, so that a whole row costs no frame
_LONGEST_PACE_SECONDS = 1.0  # a fast terminal is left without a frame for no longer


class Stderr:
    """Human-readable lines: styled on a live terminal, else with a prefix.

    Nothing waits for a reader that does not read. Progress is written at once, or later, or never;
    all closing lines share one budget of seconds. `progress` is as `--progress` has it.
    """

    def __init__(self, progress: str | None = None) -> None:
        self._stream = Stream(STDERR)
        self.is_terminal = self._stream.is_terminal
        progress = progress or os.environ.get(PROGRESS_VARIABLE) or "auto"
        self.is_live = self.is_terminal and _is_live(progress)
        self._closing = False
        self._seconds_left = 0.0
        self._paced_until = 0.0

    def is_ready_to_draw(self, *, whole: bool) -> bool:
        """Whether all that was written has left, also through a slow terminal.

        A frame that has to be drawn `whole` does not wait for a terminal that may not be slow.
        """
        is_paced = time.monotonic() + _BEHIND_SECONDS >= self._paced_until
        return self._flush() and (whole or is_paced)

    def write(self, text: str) -> None:
        """Write a text after what still waits; progress beyond a limit is dropped."""
        waiting = sum(map(len, self._stream.waiting))
        if self._closing or waiting + len(text) <= _MAX_WAITING_BYTES:
            now = time.monotonic()
            pace = max(now, self._paced_until) + self._stream.put(text) / _FRAME_BYTES_PER_SECOND
            self._paced_until = min(pace, now + _LONGEST_PACE_SECONDS)
        self._flush()

    def say(self, lines: Sequence[Line]) -> None:
        """Write lines."""
        self.write(self.text(lines))

    def text(self, lines: Sequence[Line]) -> str:
        """The lines as stderr shows them."""
        if not self.is_live:
            return "".join(f"{PREFIX}{plain(line)}\n" for line in _shortened(lines))

        from twbuild.output import rendering

        columns, _ = window(STDERR)
        return "".join(f"{rendering.wrapped(line, columns)}\n" for line in _shortened(lines))

    def begin_closing(self) -> None:
        """Drop the progress that still waits; from now on writing may wait, within the budget.

        A terminal paused by Ctrl-S is resumed: it could not be restored otherwise.
        """
        if self._closing:
            return
        self._closing = True
        self._seconds_left = _CLOSING_SECONDS
        self._stream.drop()
        if self.is_terminal and in_foreground() and not self._stream.takes_more():
            lift_pause(STDERR)

    def close(self, lines: Sequence[Line]) -> None:
        """Write the closing lines."""
        self.begin_closing()
        self.say(lines)

    def _flush(self) -> bool:
        since = time.monotonic()
        try:
            return self._stream.flush(self._seconds_left)
        except OSError:  # the reader has gone
            return True
        finally:
            self._seconds_left -= time.monotonic() - since


def _shortened(lines: Sequence[Line]) -> Sequence[Line]:
    """The first and the last lines, where all of them are more than may wait."""
    half = _MAX_WAITING_BYTES // 2
    if sum(len(plain(line)) for line in lines) <= 2 * half:
        return lines
    lines = [_cut(line, half - 3) for line in lines]
    head, tail = _fitting(lines, half), _fitting(lines[::-1], half)
    left_out = len(lines) - len(head) - len(tail)
    if left_out <= 0:
        return lines
    return [*head, [(f"... ({left_out} more lines)", "detail")], *tail[::-1]]


def _cut(line: Line, limit: int) -> Line:
    text = plain(line)
    return line if len(text) <= limit else [(f"{text[:limit]}...", "")]


def _fitting(lines: Sequence[Line], limit: int) -> Sequence[Line]:
    """As many of the first lines as have `limit` characters."""
    sizes = accumulate(len(plain(line)) for line in lines)
    return lines[: sum(size <= limit for size in sizes)]


def _is_live(progress: str) -> bool:
    """Whether a terminal gets the live screen rather than plain lines."""
    if progress != "auto":
        return progress == "live"
    return speaks_escapes() and not any(
        is_switched_on(os.environ.get(variable)) for variable in ("CI", *AGENTS)
    )
