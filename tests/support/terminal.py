"""A real pseudo-terminal whose screen is read with pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping
from types import TracebackType

import pyte


class Terminal:
    """Runs one command as the leader of a session on a terminal of its own."""

    def __init__(
        self, words: list[str], env: Mapping[str, str], columns: int = 80, rows: int = 24
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, size)
                os.execvpe(words[0], words, dict(env))
            finally:
                os._exit(127)
        self.code: int | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)

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
    def cursor_hidden(self) -> bool:
        """Whether the cursor is hidden."""
        return bool(self.screen.cursor.hidden)

    def type(self, keys: str) -> None:
        """Press keys; `\\x03` is Ctrl-C, `\\x1a` Ctrl-Z."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size, as a terminal emulator does."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def see(self, what: str, seconds: float = 20) -> str:
        """The screen, once `what` stands on it."""
        return self.see_that(lambda: what in self.text, what, seconds)

    def see_that(self, found: object, what: str, seconds: float = 20) -> str:
        """The screen, once `found()` is true."""
        assert callable(found)
        until = time.monotonic() + seconds
        while not found():
            if time.monotonic() > until or (not self.read(0.1) and self.code is not None):
                raise AssertionError(f"never seen: {what!r}; the screen:\n{self.text}")
        return self.text

    def end(self, seconds: float = 30) -> int:
        """Read until the command has ended; its code, negative for a death by signal."""
        until = time.monotonic() + seconds
        while self.code is None:
            if time.monotonic() > until:
                raise AssertionError(f"still running; the screen:\n{self.text}")
            self.read(0.1)
        while self.read(0):
            pass
        return self.code

    def read(self, seconds: float) -> bool:
        """Take in what the command has written; whether there was anything."""
        try:
            if select.select([self._master], [], [], seconds)[0]:
                content = os.read(self._master, 1 << 16)
                self.raw += content
                self._stream.feed(content)
                if content:
                    return True
        except OSError:
            time.sleep(min(seconds, 0.02))  # Linux: EIO once the last process has gone
        self._reap()
        return False

    def _reap(self) -> None:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
