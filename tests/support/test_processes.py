"""Tests leave no process behind."""

from __future__ import annotations

import subprocess

from tests.support import processes


def test_what_was_started_is_killed_with_all_that_it_started() -> None:
    kept = processes.children()
    words = ["sh", "-c", "sleep 300 & echo; exec sleep 300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()

        first, orphan = processes.kill_all_but(kept)

    assert first == process.pid
    assert orphan not in processes.children()
