"""SIGINT, SIGTERM and SIGHUP: unwind everything, say the last words, then die of the signal.

Dying of it, rather than exiting with 128 + n, tells the shell script around us to stop as well.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False  # typing costs milliseconds in which a Ctrl-C would show a traceback
if TYPE_CHECKING:
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
    """The first signal that came, and when."""

    signum: int | None = None
    at = 0.0


@contextmanager
def caught() -> Iterator[None]:
    """Raise Signalled here on the first signal; one that was ignored stays ignored."""
    numbers = [n for n in (getattr(signal, name, None) for name in NAMES) if n is not None]
    numbers = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    sys.unraisablehook = _send_again
    for number in numbers:
        signal.signal(number, _handle)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def die_if_signalled() -> None:
    """End by the signal that came, should somebody have swallowed its exception."""
    if _First.signum is not None:
        die(_First.signum)


def die(signum: int) -> NoReturn:
    """End as a process that never handled the signal ends."""
    signal.signal(signum, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])
        os.kill(os.getpid(), signum)
    os._exit(128 + signum)


def _handle(signum: int, _: FrameType | None) -> None:
    if _First.signum is None:
        _First.signum, _First.at = signum, time.monotonic()
        raise Signalled(signum)
    if time.monotonic() - _First.at > INSIST_SECONDS:
        die(signum)


def _send_again(unraisable: Any) -> None:
    """Python swallows what is raised in a destructor or a weak reference's callback; we do not."""
    if isinstance(unraisable.exc_value, Signalled):
        import threading

        _First.signum = None
        signum = unraisable.exc_value.signum
        threading.Timer(0.01, os.kill, (os.getpid(), signum)).start()
