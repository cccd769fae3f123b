"""Lines for people on stderr: progress that may be dropped, and closing lines."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from itertools import accumulate

from twbuild.errors import TwbuildError
from twbuild.output.terminal import (
    PIPE_BUF,
    STDERR,
    encode,
    in_foreground,
    is_terminal,
    lift_pause,
    speaks_escapes,
    takes_more,
    unblocked,
    window,
)
from twbuild.text import Line, plain

PREFIX = "twbuild: "

# Set by coding agents, which read a log as CI does: frames would only cost them.
AGENTS = ("AI_AGENT", "AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX")

_MOST_WAITING = 1 << 16
_CLOSING_SECONDS = 0.2  # for all closing lines together, where nobody reads stderr


class Stderr:
    """Everything for people: styled where they look at a terminal, else lines with a prefix.

    Nothing waits for a reader that does not read. Progress is written at once, or later, or never;
    closing lines have a budget of seconds that all of them share.
    """

    def __init__(self, progress: str = "auto") -> None:
        self.is_terminal = is_terminal(STDERR)
        self.styled = self.is_terminal and _is_live(progress)
        self.github = os.environ.get("GITHUB_ACTIONS") == "true" and not self.styled
        self._descriptor = unblocked(STDERR)
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

        from twbuild.output import theme

        columns, _ = window(STDERR)
        return "".join(f"{theme.wrapped(line, columns)}\n" for line in _shortened(lines))

    def begin_closing(self) -> None:
        """From now on there are seconds to wait in; progress that was not begun is dropped.

        A terminal that Ctrl-S has paused goes on: else nothing could give it back as it was.
        """
        if self._closing:
            return
        self._closing = True
        self._seconds_left = _CLOSING_SECONDS
        self._waiting.clear()
        if self.is_terminal and in_foreground() and not takes_more(self._descriptor, 0):
            lift_pause(self._descriptor)

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
                self._begun = self._begun[os.write(self._descriptor, self._begun[:PIPE_BUF]) :]
            except BlockingIOError:
                return
            except OSError:  # nobody reads it any more
                self._begun = b""
                self._waiting.clear()

    def _is_ready(self) -> bool:
        since = time.monotonic()
        ready = takes_more(self._descriptor, max(0.0, self._seconds_left))
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
