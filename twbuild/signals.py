"""SIGINT, SIGTERM, SIGHUP, SIGQUIT: unwind everything, say the last words, die of the signal.

Dying of it, rather than exiting with 128 + n, tells the shell script around us to stop as well.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager

TYPE_CHECKING = False  # typing costs milliseconds in which a Ctrl-C would show a traceback
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any, NoReturn

    Handler = Callable[[int, FrameType | None], None]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")  # Windows has neither SIGHUP nor SIGQUIT
# Ctrl-C and Ctrl-\\ at a terminal; what runs in the same foreground gets them as well.
FROM_TERMINAL = [signal.SIGINT, *([signal.SIGQUIT] if hasattr(signal, "SIGQUIT") else [])]
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


def handle(handler: Handler) -> list[int]:
    """Give the signals that end us this handler; one that is ignored stays so. Those handled."""
    numbers = [n for n in (getattr(signal, name, None) for name in NAMES) if n is not None]
    numbers = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    for number in numbers:
        signal.signal(number, handler)
    return numbers


def die_at_once() -> None:
    """Until somebody else handles them, signals end us at once, also as a container's process 1.

    That one never dies of a signal's default action. SIGCHLD gets its default back: where the
    caller ignored it, every child's exit code would read 0.
    """
    handle(lambda signum, _: die(signum))
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@contextmanager
def caught() -> Iterator[None]:
    """Raise Signalled here on the first signal; one that was ignored stays ignored."""
    sys.unraisablehook = _send_again
    numbers = handle(_handle)
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
