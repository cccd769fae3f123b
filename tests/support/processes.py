"""The processes that a test has started, and what it leaves of them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


def adopt_orphans() -> None:
    """Become the parent of what a child of ours leaves behind; on Linux alone there is a way."""
    if _TASKS.exists():
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def children() -> set[int]:
    """The processes whose parent we are; none without /proc."""
    found: set[int] = set()
    for file in _TASKS.glob("*/children"):
        with suppress(OSError):
            found.update(map(int, file.read_text().split()))
    return found


def kill_all_but(kept: set[int]) -> list[int]:
    """Kill all others, and what they leave behind in turn; those that were still running."""
    killed: list[int] = []
    deadline = time.monotonic() + 5
    while (left := children() - kept) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    killed.append(pid)
    return killed
