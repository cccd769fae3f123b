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
try:
    with caught():
        {before}
        with raised_inside():
            {inside}
            print("in the wait")
        print("after the wait", came())
except SignalReceived as received:
    print("received", received.signum)
"""
COME = "signal.raise_signal(signal.SIGTERM)"


@pytest.mark.parametrize(
    ("before", "inside", "printed"),
    [
        (COME, "pass", "received 15\n"),
        ("pass", COME, "received 15\n"),
        ("pass", f"hold(); {COME}", "in the wait\nafter the wait True\nreceived 15\n"),
        ("pass", "pass", "in the wait\nafter the wait False\n"),
    ],
    ids=["before the wait", "in the wait", "held", "none"],
)
def test_a_signal_raises_only_where_the_runner_waits_and_at_the_end(
    before: str, inside: str, printed: str
) -> None:
    assert run(CODE.format(before=before, inside=inside)) == (0, printed)


def test_a_signal_that_was_ignored_at_the_start_stays_ignored() -> None:
    ignored = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"

    assert run(ignored + CODE.format(before=COME, inside=COME)) == (
        0,
        "in the wait\nafter the wait False\n",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_dying_of_a_signal_reads_as_a_death_by_it(number: signal.Signals) -> None:
    assert run(f"die_at_once(); signal.raise_signal({number}); print('alive')") == (-number, "")


def test_a_signal_that_comes_again_long_after_the_first_ends_the_process_at_once() -> None:
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


def test_every_signal_that_ends_a_process_and_can_be_caught_ends_a_wait() -> None:
    ending = signals.ending()

    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1} <= ending
    assert not ending & {signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGCHLD}
    assert not ending & {signal.SIGSEGV, signal.SIGWINCH}
