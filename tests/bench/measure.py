"""Whole processes measured by what the kernel says of them, in pairs against a noisy machine."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

FRAME = b"\x1b[?25l"  # each frame hides the cursor first
UNIT = 1 if sys.platform == "darwin" else 1024  # of memory, in bytes


class Cost(NamedTuple):
    """What one process took: seconds on the clock and of the processor, and bytes at its peak."""

    wall: float
    processor: float
    memory: float
    code: int


class Process(NamedTuple):
    """A process that was started and is to be reaped once."""

    pid: int
    since: float

    def end(self) -> Cost:
        _, status, usage = os.wait4(self.pid, 0)
        wall, code = time.monotonic() - self.since, os.waitstatus_to_exitcode(status)
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * UNIT, code)


def start(words: Sequence[str], env: Mapping[str, str], terminal: str | None = None) -> Process:
    """Start a command, its streams on the null device or on `terminal`.

    Spawned, not forked: a child counts the pages that its parent had at the fork as its own peak,
    and this process is kept smaller than those that it measures.
    """
    name = terminal or os.devnull
    actions = [(os.POSIX_SPAWN_OPEN, fd, name, os.O_RDWR, 0) for fd in (0, 1, 2)]
    since = time.monotonic()
    pid = os.posix_spawnp(
        words[0],
        list(words),
        env,
        file_actions=actions,
        setsid=terminal is not None,
        setsigdef=[signal.SIGINT],  # ignored where the bench runs in a script's background
    )
    return Process(pid, since)


def run(words: Sequence[str], env: Mapping[str, str]) -> Cost:
    """Run a command to its end. Raises RuntimeError if it fails: its cost would say nothing."""
    cost = start(words, env).end()
    if cost.code:
        raise RuntimeError(f"exit code {cost.code} of {' '.join(words)}")
    return cost


def drawn(words: Sequence[str], env: Mapping[str, str]) -> tuple[Cost, int]:
    """The cost of a command on a terminal, and how many frames it drew."""
    ours, theirs = pty.openpty()
    process = start(words, env, os.ttyname(theirs))
    content = b""
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if select.select([ours], [], [], 0.2)[0]:
            content += os.read(ours, 1 << 16)
    os.close(theirs)
    os.close(ours)
    return process.end(), content.count(FRAME)


def ratios(
    one: Sequence[str], other: Sequence[str], env: Mapping[str, str], pairs: int
) -> list[tuple[float, ...]]:
    """Wall, processor and memory of `one` as a multiple of the `other`'s, pair by pair.

    Both of a pair run under what the machine does at that moment; each goes first in turn.
    """
    run(one, env), run(other, env)  # once for the caches
    found = []
    for number in range(pairs):
        costs = [run(words, env) for words in ((one, other) if number % 2 else (other, one))]
        ours, theirs = costs if number % 2 else costs[::-1]
        found.append([a / b for a, b in zip(ours[:3], theirs[:3], strict=True)])
    return [*zip(*found, strict=True)]
