"""A real pseudo-terminal whose screen is read with pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pyte

from tests.support.moments import until

if TYPE_CHECKING:
    from typing_extensions import Self

HIDE_CURSOR = b"\x1b[?25l"


class _Screen(pyte.Screen):
    """Keeps what scrolls away, and erases as xterm does: a full row's cursor stands on its end."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.gone: list[str] = []

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.gone.append(self.display[0].rstrip())
        super().index()

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        self.cursor.x = min(self.cursor.x, self.columns - 1)
        super().erase_in_line(how, private)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        self.cursor.x = min(self.cursor.x, self.columns - 1)
        super().erase_in_display(how, *args, **kwargs)


class Terminal:
    """Runs one command as the leader of a session on a terminal of its own, an xterm."""

    def __init__(
        self, words: list[str], env: Mapping[str, str], columns: int = 100, rows: int = 24
    ) -> None:
        self.screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.code: int | None = None
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(words[0], words, {"TERM": "xterm", **env})
            finally:
                os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without the empty rows at its end."""
        rows = [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    @property
    def row(self) -> str:
        """The first live row: the cursor rests at its start."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    @property
    def cursor_hidden(self) -> bool:
        """Whether the cursor is hidden."""
        return bool(self.screen.cursor.hidden)

    @property
    def frames(self) -> int:
        """How many frames of live rows have been drawn."""
        return self.raw.count(HIDE_CURSOR)

    def type(self, keys: str) -> None:
        """Press keys; `\\x03` is Ctrl-C, `\\x1a` Ctrl-Z."""
        os.write(self.descriptor, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size, as a terminal emulator does."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Close the window, as a terminal emulator does; nothing more can be read or typed."""
        os.close(self.descriptor)
        self.descriptor = os.open(os.devnull, os.O_RDWR)

    def see(self, what: str, times: int = 1) -> None:
        """Read until `what` stands on the screen so many times."""
        self.see_that(lambda: self.text.count(what) >= times, what)

    def see_row(self, pattern: str) -> None:
        """Read until the whole of the first live row is like this."""
        self.see_that(lambda: re.fullmatch(pattern, self.row), pattern)

    def see_frames(self, more: int = 2) -> None:
        """Read so many frames: the second one is surely no older than now."""
        seen = self.frames
        self.see_that(lambda: self.frames >= seen + more, "frames")
        self.read(0.02)

    def see_that(self, found: Callable[[], object], what: str) -> None:
        """Read until `found()` is true."""
        end = time.monotonic() + 20
        while not found():
            if time.monotonic() > end or (not self.read(0.1) and self.code is not None):
                raise AssertionError(f"never seen: {what!r}; the screen:\n{self.text}")

    def end(self) -> int:
        """Read until the command has ended; its code, negative for a death by signal."""
        end = time.monotonic() + 30
        while self.code is None:
            assert time.monotonic() < end, f"still running; the screen:\n{self.text}"
            self.read(0.1)
        while self.read(0):
            pass
        return self.code

    def end_unread(self) -> int:
        """The code of the command, none of whose frames is read any more."""
        until(self._ended, "the end")
        assert self.code is not None
        return self.code

    def read(self, seconds: float) -> bool:
        """Take in all that the command has written; whether there was anything."""
        found = self._read(seconds)
        for _ in range(16):  # a look at the screen after each piece would fall behind
            if not found or not self._read(0):
                break
        return found

    def _read(self, seconds: float) -> bool:
        try:
            if select.select([self.descriptor], [], [], seconds)[0]:
                content = os.read(self.descriptor, 1 << 16)
                self.raw += content
                self._stream.feed(content)
                if content:
                    return True
        except OSError:
            time.sleep(min(seconds, 0.02))  # Linux: EIO once the last process has gone
        self._ended()
        return False

    def _ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None


class Shell(Terminal):
    """An interactive bash."""

    def __init__(self, env: Mapping[str, str]) -> None:
        more = {"PS1": "$ ", "INPUTRC": os.devnull}
        super().__init__(["bash", "--norc", "--noprofile", "-i"], {**env, **more}, 140, 60)
        self.see_prompt()

    def see_prompt(self) -> None:
        """Read until bash waits for a command."""
        self.see_that(lambda: self.lines[-1:] == ["$"], "a prompt")

    def modes(self) -> str:
        """What `stty` says of the terminal."""
        self.type("clear; stty -g\r")
        self.see_that(lambda: len(self.lines) > 1 and ":" in self.lines[0], "the modes")
        return self.lines[0]
