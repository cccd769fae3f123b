"""Whole processes measured by what the kernel says of them, in pairs against a noisy machine."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds on the clock and of the processor, and bytes at its peak."""

    wall: float
    processor: float
    memory: float
    code: int


@dataclass(frozen=True)
class Process:
    """A process that was started and is to be reaped once."""

    pid: int
    since: float

    def end(self) -> Cost:
        """Wait for its end."""
        _, status, usage = os.wait4(self.pid, 0)
        wall = time.monotonic() - self.since
        unit = 1 if sys.platform == "darwin" else 1024
        code = os.waitstatus_to_exitcode(status)
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, code)


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


@dataclass(frozen=True)
class Figure:
    """The median of several values and the quartiles around it."""

    median: float
    low: float
    high: float


def figure(values: Sequence[float]) -> Figure:
    """The figure of one or more values."""
    low, median, high = statistics.quantiles([*values, *values], n=4, method="inclusive")
    return Figure(median, low, high)


def ratios(
    one: Sequence[str], other: Sequence[str], env: Mapping[str, str], pairs: int
) -> tuple[Figure, Figure, Figure]:
    """Wall, processor and memory of `one` as a multiple of the `other`'s, pair by pair.

    Both of a pair run under what the machine does at that moment; each goes first in turn.
    """
    run(one, env), run(other, env)  # once for the caches
    found = []
    for number in range(pairs):
        first, second = (one, other) if number % 2 else (other, one)
        costs = {id(words): run(words, env) for words in (first, second)}
        found.append((costs[id(one)], costs[id(other)]))
    return (
        figure([a.wall / b.wall for a, b in found]),
        figure([a.processor / b.processor for a, b in found]),
        figure([a.memory / b.memory for a, b in found]),
    )
