"""Processes that need more than a null device: one on a terminal, one that tells of itself."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.bench.measure import Cost, run, start

FRAME = b"\x1b[?25l"  # each frame hides the cursor first


def drawn(words: Sequence[str], env: Mapping[str, str], *, terminal: bool) -> tuple[Cost, int]:
    """The cost of a command, and how many frames it drew where it had a terminal."""
    if not terminal:
        return run(words, env), 0
    ours, theirs = pty.openpty()
    process = start(words, env, os.ttyname(theirs))
    content = b""
    try:
        while not _over(process.pid):
            if select.select([ours], [], [], 0.2)[0]:
                content += os.read(ours, 1 << 16)
    finally:
        os.close(theirs)
        os.close(ours)
    return process.end(), content.count(FRAME)


def _over(pid: int) -> bool:
    """Whether it has ended; it stays there to be reaped, with all that it cost."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def soaked(url: str, polls: int, env: Mapping[str, str]) -> dict[str, int]:
    """What tests.bench.soak tells."""
    words = [sys.executable, "-m", "tests.bench.soak", url, str(polls)]
    done = subprocess.run(words, env=dict(env), capture_output=True, check=True)
    return {str(name): int(value) for name, value in json.loads(done.stdout).items()}
