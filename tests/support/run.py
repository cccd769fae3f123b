"""The installed command, run as people and scripts run it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.command import SCRIPTS, TWBUILD

Env = dict[str, str]
STREAMS = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@dataclass(frozen=True)
class Ended:
    """A process that has ended; `code` is negative for a death by signal."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def is_plain(self) -> bool:
        """Whether each line on stderr is one of twbuild's, and none an annotation."""
        return all(line.startswith("twbuild: ") for line in self.stderr.splitlines())


def base_environ(home: Path, **more: str) -> dict[str, str]:
    """An environment with nothing in it but what a process needs, and `more`."""
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    path = os.pathsep.join([SCRIPTS, "/usr/local/bin", "/usr/bin", "/bin"])
    return {"PATH": path, "HOME": str(home), **coverage, **more}


def run(*arguments: str, env: Mapping[str, str], first: str = "", **options: Any) -> Ended:
    """Run the installed `twbuild` with these arguments to its end, as `run_words` does.

    `first` is Python that runs before it: a fault that no server can bring about.
    """
    with TemporaryDirectory() as folder:
        more = {"PYTHONPATH": shim(Path(folder), first)} if first else {}
        return run_words([TWBUILD, *arguments], env={**env, **more}, **options)


def shim(folder: Path, code: str) -> str:
    """What PYTHONPATH is to be, so that every Python runs `code` before all else."""
    place = folder / "shim"
    place.mkdir()
    (place / "sitecustomize.py").write_text(code)
    return str(place)


def run_words(words: list[str], *, env: Mapping[str, str], **options: Any) -> Ended:
    """Run any command to its end; stdout and stderr are pipes unless `options` say otherwise."""
    given = {"timeout": 60, **STREAMS, **options}
    since = time.monotonic()
    done = subprocess.run(words, env=dict(env), check=False, **given)
    seconds = time.monotonic() - since
    return Ended(done.returncode, _text(done.stdout), _text(done.stderr), seconds)


def start(*arguments: str, env: Mapping[str, str], **options: Any) -> subprocess.Popen[str]:
    """Start the installed `twbuild` and leave it running; the caller ends it."""
    return start_words([TWBUILD, *arguments], env=env, **options)


def start_words(
    words: list[str], *, env: Mapping[str, str], **options: Any
) -> subprocess.Popen[str]:
    """Start any command, with the streams that `run_words` gives it."""
    return subprocess.Popen(words, env=dict(env), text=True, **{**STREAMS, **options})


def finish(process: subprocess.Popen[str], typed: str | None = None) -> Ended:
    """How a process that `start` has started ends, and how long that took."""
    since = time.monotonic()
    stdout, stderr = process.communicate(typed, timeout=30)
    return Ended(process.returncode, stdout or "", stderr or "", time.monotonic() - since)


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "backslashreplace")
