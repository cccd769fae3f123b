"""Signals: which ones end a wait, and ending by the signal itself.

A handler only records the signal, and the system wakes the runner: nothing is thrown, so that no
answer, line or frame is cut in two. Ending by the signal, rather than exiting with 128 + n, makes
the shell script around us stop as well.
"""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # typing costs milliseconds in which a Ctrl-C would show a traceback
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import NoReturn

    Handler = Callable[[int, FrameType | None], None]

INSIST_SECONDS = 2.0  # after the first signal everything is over by then, unless it hangs

# Signals that end no process, that cannot be caught, or that a fault of the program itself causes,
# whose handler would be called again and again.
_NOT_ENDING = (
    *("SIGCHLD", "SIGCLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGINFO"),
    *("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGKILL"),
    *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"),
)


class SignalReceived(BaseException):
    """A signal arrived; unwinds down to `__main__`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class _State:
    """The first ending signal and when it came; whether Ctrl-Z was typed."""

    signum: int | None = None
    at = math.inf
    stop_requested = False


def came() -> bool:
    """Whether an ending signal has come."""
    return _State.signum is not None


def came_at() -> float:
    """When the first ending signal came, by `time.monotonic`; infinite where none has."""
    return _State.at


def handle(handler: Handler, numbers: Iterable[int]) -> list[int]:
    """Give these signals a handler; returns those that got it.

    One that is ignored stays ignored, and so does a handler that is not Python's.
    """
    taken = [n for n in numbers if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    for number in taken:
        signal.signal(number, handler)
    return taken


def ending() -> set[signal.Signals]:
    """Every signal that ends a process and can be caught."""
    return signal.valid_signals() - {getattr(signal, name, None) for name in _NOT_ENDING}


def die_at_once() -> None:
    """Until they are caught, signals end us at once, also as process 1 of a container.

    The default action of a signal never ends process 1. SIGCHLD gets its default back: where the
    caller ignored it, every child's exit code would read 0.
    """
    handle(lambda signum, _: die(signum), ending())
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def leave_no_core() -> None:
    """Have no signal leave a core file, which would contain the credentials.

    With a limit of 1 byte none is written, nor piped to a program; with 0 it would be piped.
    Source: fs/coredump.c in Linux.
    """
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (int(most != 0), most))


@contextmanager
def caught() -> Iterator[None]:
    """Catch every signal that ends a process, and raise SignalReceived at the end if one came.

    One that was ignored at the start stays ignored.
    """
    try:
        with _handled(_handle, ending()):
            yield
    finally:
        if _State.signum is not None:
            raise SignalReceived(_State.signum)


@contextmanager
def waking(descriptor: int) -> Iterator[None]:
    """Have each signal write a byte to `descriptor`, which must never block.

    Only the main thread can ask for it; in any other this does nothing.
    """
    with suppress(ValueError):
        signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)


def die_if_received() -> None:
    """End by the signal that came, should an error have come on top of it."""
    if _State.signum is not None:
        die(_State.signum)


def die(signum: int) -> NoReturn:
    """End as a process that never handled the signal ends."""
    signal.signal(signum, signal.SIG_DFL)
    signal.raise_signal(signum)
    os._exit(128 + signum)


def stops_deferred() -> AbstractContextManager[None]:
    """Ctrl-Z only sets `stop_requested`, so that it stops the process between two frames."""
    return _handled(_request_stop, [signal.SIGTSTP] if hasattr(signal, "SIGTSTP") else [])


def stop_requested() -> bool:
    """Whether Ctrl-Z was typed and `stop` has not been called since."""
    return _State.stop_requested


def stop() -> None:
    """Stop as Ctrl-Z does, until the shell continues the process."""
    _State.stop_requested = False
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, _request_stop)


def _handle(signum: int, _: FrameType | None) -> None:
    now = time.monotonic()
    if _State.signum is None:
        _State.signum, _State.at = signum, now
    elif now - _State.at > INSIST_SECONDS:
        die(signum)


def _request_stop(*_: object) -> None:
    _State.stop_requested = True


@contextmanager
def _handled(handler: Handler, numbers: Iterable[int]) -> Iterator[None]:
    taken = handle(handler, numbers)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
