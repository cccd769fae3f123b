"""COMMAND as a job of ours, as a shell runs one: in a process group of its own.

Ctrl-C and the terminal's other keys reach that group alone while it has the terminal, and what a
process sends to ours never reaches it. So each signal that we receive is forwarded once, without
a guess at who else has it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from twbuild import signals
from twbuild.output import streams

_FOR_THE_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)
_FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # Ctrl-C and Ctrl-\\


class Job:
    """One command, and the signals that came since this was made."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._pending: list[int] = []
        self._pid = 0  # also that of COMMAND's group; 0 while there is none
        self._continued = False
        self._terminal = _terminal()
        # A reader of a pipe, such as less, may need the terminal: COMMAND gets it once it asks.
        to_pipe = stat.S_ISFIFO(os.fstat(streams.STDOUT).st_mode)
        self._has_terminal = self._in_foreground() and not to_pipe
        # We are in the background while COMMAND has the terminal.
        self._sigttou = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signals.handle(self._end, signals.ending())
        signals.handle(self._handle, (signal.SIGTSTP, signal.SIGCONT))

    def start(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it; raises OSError. Signals that came before are forwarded now."""
        try:
            self._child = subprocess.Popen(  # noqa: S603 - the caller's own
                words,
                env=environment,
                close_fds=False,  # what the caller passed on is COMMAND's, as make's jobserver
                preexec_fn=self._lead,  # noqa: PLW1509 - there is no other thread yet
            )
        except OSError:
            if self._has_terminal:  # the child had taken it
                self._set_foreground(os.getpgrp())
            raise
        self._pid = self._child.pid
        self._forward()

    def wait(self) -> int:
        """The exit code, negative for death by a signal; stops and continues with COMMAND."""
        while True:
            _, status = os.waitpid(self._pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            if (signum := os.WSTOPSIG(status)) != signal.SIGSTOP:
                self._stopped(signum)
        self._pid = 0
        code = os.waitstatus_to_exitcode(status)
        if self._has_terminal and -code in _FROM_THE_TERMINAL:
            os.killpg(0, -code)  # as if our group had had it: it is for the script around us, too
        self._take_terminal()
        return code

    def kill(self) -> None:
        """End it at once, if it is still running."""
        if self._pid:
            self._send(signal.SIGKILL)
            self.wait()

    def _lead(self) -> None:
        """Run in the child, before COMMAND."""
        os.setpgid(0, 0)
        if self._has_terminal:
            self._set_foreground(os.getpid())
        signal.signal(signal.SIGTTOU, self._sigttou)

    def _end(self, signum: int, frame: FrameType | None) -> None:
        self.received.append(signum)
        self._handle(signum, frame)

    def _handle(self, signum: int, _: FrameType | None) -> None:
        if signum == signal.SIGCONT:
            self._continued = True
            self._give_terminal()
        self._pending.append(signum)
        self._forward()

    def _forward(self) -> None:
        while self._pid and self._pending:
            self._send(self._pending.pop(0))

    def _send(self, signum: int) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # as sudo
                os.killpg(self._pid, signum)

    def _stopped(self, signum: int) -> None:
        """COMMAND stopped: give it the terminal that it asks for, or stop as well, until `fg`."""
        if signum not in _FOR_THE_TERMINAL or not self._in_foreground():
            self._take_terminal()
            self._continued = False
            handler = signal.signal(signum, signal.SIG_DFL)
            # Our whole group, as the shell that will continue it expects; else only ourselves.
            os.kill(0 if self._terminal >= 0 else os.getpid(), signum)
            signal.signal(signum, handler)
            if self._continued:  # SIGCONT was forwarded
                return
            # No shell could continue us, so that the kernel has not stopped us.
            if signum in _FOR_THE_TERMINAL:
                self._send(signal.SIGHUP)
        self._give_terminal()
        self._send(signal.SIGCONT)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            return False  # no terminal, or not ours

    def _give_terminal(self) -> None:
        if self._pid and self._in_foreground():
            self._set_foreground(self._pid)
            self._has_terminal = True

    def _take_terminal(self) -> None:
        if self._has_terminal:
            self._set_foreground(os.getpgrp())
            self._has_terminal = False

    def _set_foreground(self, group: int) -> None:
        with contextlib.suppress(OSError):  # it hung up
            os.tcsetpgrp(self._terminal, group)


def _terminal() -> int:
    """A descriptor of our controlling terminal; -1 where there is none."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.tcgetpgrp(descriptor)
            return descriptor
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return -1
