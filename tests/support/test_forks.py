"""A forked command is the command that is installed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import forks
from tests.support.command import BUILD, SERVICE, TWBUILD, run, run_words
from tests.support.twilio import Twilio


@pytest.mark.parametrize(
    "words", [["--help"], ["wait", SERVICE, "ZB1"], ["status", BUILD], ["sandbox", "pwd"]]
)
def test_a_fork_writes_and_exits_as_what_is_installed(
    base: dict[str, str], tmp_path: Path, words: list[str]
) -> None:
    forked = run(*words, env=base, cwd=tmp_path)
    installed = run_words([TWBUILD, *words], env=base, cwd=tmp_path)

    assert (forked.code, forked.stdout) == (installed.code, installed.stdout)
    assert forked.stderr == installed.stderr


def test_a_clock_that_jumps_tells_the_seconds_of_one_that_does_not(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says(503)
    ended = run("status", SERVICE, BUILD, env=environ, skips_sleeps=True)
    told = re.search(r"\(3 tries in ([0-9.]+)s\)", ended.stderr)

    assert told
    assert 2 < float(told[1]) < 30
    assert ended.seconds < 2 or not forks.can_start(environ)


def test_threads_get_the_processes_that_they_started(base: dict[str, str]) -> None:
    def code(number: int) -> int:
        return run("sandbox", "sh", "-c", f"exit {number}", env=base).code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(code, range(40))) == list(range(40))
