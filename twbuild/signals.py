"""SIGINT, SIGTERM and SIGHUP: unwind everything, say the last words, then die of the signal.

Dying of it, rather than exiting with 128 + n, tells the shell script around us to stop as well.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Any, NoReturn

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
INSIST_SECONDS = 1.0  # who signals again after that is not to wait for last words


class Signalled(BaseException):
    """A signal arrived; unwinds down to `__main__`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class _First:
    """The moment of the first signal."""

    at: float | None = None


def catch() -> None:
    """Raise Signalled in the main thread on the first signal; what was ignored stays ignored."""
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    sys.unraisablehook = _send_again


def die(signum: int) -> NoReturn:
    """End as a process that never handled the signal ends."""
    signal.signal(signum, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])
        os.kill(os.getpid(), signum)
    os._exit(128 + signum)


def _handle(signum: int, _: FrameType | None) -> None:
    if _First.at is None:
        _First.at = time.monotonic()
        raise Signalled(signum)
    if time.monotonic() - _First.at > INSIST_SECONDS:
        die(signum)


def _send_again(unraisable: Any) -> None:
    """Python swallows what is raised in a destructor or a weak reference's callback; we do not."""
    if isinstance(unraisable.exc_value, Signalled):
        import threading

        _First.at = None
        signum = unraisable.exc_value.signum
        threading.Timer(0.01, os.kill, (os.getpid(), signum)).start()
