"""Signals end a process where it waits, by the signal itself. Each test runs its own Python."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from twbuild import signals

IMPORTS = "import signal; from twbuild import signals; from twbuild.signals import *\n"


def run(code: str) -> tuple[int, str]:
    """The exit code of a Python that runs `code`, and what it printed."""
    words = [sys.executable, "-c", IMPORTS + code]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


CODE = """
import socket
ours, theirs = socket.socketpair()
theirs.setblocking(False)
ours.settimeout(0.01)
try:
    with caught():
        {before}
        with waking(theirs.fileno()):
            {inside}
        {after}
        print("to the end", came())
except SignalReceived as received:
    print("received", received.signum)
try:
    print(len(ours.recv(9)), "woken")
except OSError:
    print("not woken")
"""
COME = "signal.raise_signal(signal.SIGTERM)"


def come(before: str = "pass", inside: str = "pass", after: str = "pass") -> str:
    """Code in which signals come before the runner may sleep, where it may, and after that."""
    return CODE.format(before=before, inside=inside, after=after)


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        (come(before=COME), "to the end True\nreceived 15\nnot woken\n"),
        (come(inside=COME), "to the end True\nreceived 15\n1 woken\n"),
        (come(after=COME), "to the end True\nreceived 15\nnot woken\n"),
        (come(), "to the end False\nnot woken\n"),
    ],
    ids=["before", "inside", "after", "none"],
)
def test_a_signal_is_recorded_wakes_and_raises_at_the_end(code: str, printed: str) -> None:
    assert run(code) == (0, printed)


def test_signals_that_nothing_takes_up_say_and_hold_up_nothing() -> None:
    many = f"for _ in range(9999): {COME}"

    assert run(come(inside=many)) == (0, "to the end True\nreceived 15\n9 woken\n")


def test_a_signal_that_was_ignored_at_the_start_stays_ignored() -> None:
    ignored = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"

    assert run(ignored + come(COME, COME)) == (0, "to the end False\nnot woken\n")


def test_a_signal_that_insists_ends_the_process_at_once() -> None:
    again = f"signals.INSIST_SECONDS = -1\nwith caught(): {COME}; {COME}; print('alive')"

    assert run(again) == (-signal.SIGTERM, "")


def test_ctrl_z_waits_for_the_next_frame() -> None:
    stopped = """
with stops_deferred():
    signal.raise_signal(signal.SIGTSTP)
    print(stop_requested())
print(signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL)
"""
    assert run(stopped) == (0, "True\nTrue\n")


def test_every_signal_that_ends_a_process_ends_a_wait() -> None:
    ending = signals.ending()

    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1} <= ending
    assert not ending & {signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGCHLD}
    assert not ending & {signal.SIGSEGV, signal.SIGWINCH}
