"""`python -m tests.bench`: twbuild's goals beside today's figures. It never fails by a time.

Ratios and counts, so that one machine's figures speak of another's; medians, with the quartiles
around them. A busy machine makes the quartiles wide and the median hardly worse.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import NamedTuple

from tests.bench.api import ACCOUNT, BUILDS, SERVICE, TOKEN, Api
from tests.bench.measure import Figure, figure, ratios, run, start
from tests.bench.processes import drawn, soaked

HERE = Path(__file__).parent
PYTHON = sys.executable
TWBUILD = str(Path(PYTHON).parent / "twbuild")
BUILD = BUILDS[0]
STATUS = [TWBUILD, "status", "-q", SERVICE, BUILD]
WAIT = [TWBUILD, "wait", "-i", "1s", SERVICE]


class Runs(NamedTuple):
    """How much is measured."""

    pairs: int
    waits: int
    polls: int
    seconds: float
    soak: int


ALL = Runs(pairs=20, waits=20, polls=60, seconds=30, soak=10_000)
FEWER = Runs(pairs=5, waits=4, polls=10, seconds=6, soak=1_500)


class Row(NamedTuple):
    """What was measured, in `unit`, and what it is not to exceed (or, `least`, to reach)."""

    what: str
    found: Figure
    goal: float | None = None
    unit: str = "x"
    least: bool = False

    def __str__(self) -> str:
        digits = 0 if self.unit == "" else 2
        low, median, high = (
            f"{value:.{digits}f}" for value in (self.found.low, self.found.median, self.found.high)
        )
        spread = f"{low} to {high}" if low != high else ""
        goal = f"{'>=' if self.least else '<='} {self.goal:g} {self.unit}" if self.goal else ""
        return f"{self.what:<58} {median:>8} {self.unit:<5} {spread:<16} {goal:<10} {self.mark}"

    @property
    def mark(self) -> str:
        """Whether the goal is reached."""
        if self.goal is None:
            return ""
        off = self.goal - self.found.median if self.least else self.found.median - self.goal
        return "ok" if off <= 0 else "MISSED"


class Bench:
    """One API, one environment, and all measurements against them."""

    def __init__(self, runs: Runs, home: str) -> None:
        self.runs = runs
        self.api = Api()
        self.random = random.Random(1)  # the same moments in every run
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TERM": "xterm-256color",
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWBUILD_API_URL": self.api.url,
            "STATUS_PATH": f"/v1/Services/{SERVICE}/Builds/{BUILD}/Status",
        }

    def rows(self) -> Iterator[Row]:
        """Everything, in the order of the table."""
        yield from self.one_look()
        yield from self.typer()
        yield from self.end_of_wait()
        yield from self.beat()
        yield from self.long_waits()
        yield from self.many_builds()
        yield from self.many_polls()
        yield from self.interrupts()
        yield from self.usual_ways()

    def one_look(self) -> Iterator[Row]:
        """`status` against a script of three lines."""
        self.api.begin(**{BUILD: 0.0})
        bare = [PYTHON, str(HERE / "usual/look.py")]
        goals = (("wall", 1.05), ("processor", 1.05), ("memory", 1.12))
        for (name, goal), found in zip(
            goals, ratios(STATUS, bare, self.env, self.runs.pairs), strict=True
        ):
            yield Row(f"status / bare requests script: {name}", found, goal)

    def typer(self) -> Iterator[Row]:
        """What needs no request, against an app of two empty commands."""
        app = [PYTHON, str(HERE / "usual/typer_app.py")]
        for option, other in (("--version", ["status", "a", "b"]), ("--help", ["--help"])):
            words = [TWBUILD, option], [*app, *other]
            found, _, _ = ratios(*words, self.env, self.runs.pairs)
            yield Row(f"{option} / bare typer app's {other[0]}", found, 1.1)

    def end_of_wait(self) -> Iterator[Row]:
        """From the API's change to the end of the process, and polls that none needed."""
        late, surplus = [], []
        waits = self.runs.waits
        for number in range(waits):
            late.append(self._late([*WAIT, BUILD], (number + self.random.random()) / waits) * 1000)
            over_at = self.api.over_at[BUILD]
            surplus.append(float(sum(poll >= over_at for poll in self.api.polls) - 1))
        yield Row("wait -i 1s: end of process after the API's change", figure(late), 515, "ms")
        yield Row("  polls more than needed, at most", _one(max(surplus)), 0, "")

    def _late(self, words: Sequence[str], phase: float) -> float:
        """Seconds from the API's change, this far between two seconds, to the command's end.

        The phases of several runs share the second evenly, for a median that is no lottery.
        """
        self.api.begin()
        process = start(words, self.env)
        while not self.api.polls:
            time.sleep(0.002)
        over_at = self.api.polls[0] + 1 + phase
        self.api.over_at[BUILD] = over_at
        process.end()
        return time.monotonic() - over_at

    def beat(self) -> Iterator[Row]:
        """How far polls are off the beat, as they reach a server; the first one connects first."""
        self.api.begin(**{BUILD: time.monotonic() + self.runs.polls})
        process = start([*WAIT, BUILD], self.env)
        since, asleep = time.monotonic(), [0.0]
        for number in range(1, self.runs.polls):
            time.sleep(max(0.0, since + number - time.monotonic()))
            asleep.append((time.monotonic() - since - number) * 1000)
        process.end()
        moments = [poll - self.api.polls[0] for poll in self.api.polls[1:]]
        beat = statistics.median(moment - round(moment) for moment in moments)
        off = [abs(moment - round(moment) - beat) * 1000 for moment in moments]
        yield Row(f"wait of {len(moments) + 1} polls: off the beat", figure(off), 10, "ms")
        yield Row("  the worst poll", _one(max(off)), 10, "ms")
        yield Row(
            "  a loop that only sleeps beside it, at its worst", _one(max(asleep)), None, "ms"
        )
        yield Row("  connections", _one(self.api.connections), 1, "")

    def long_waits(self) -> Iterator[Row]:
        """The processor's time of a wait that is watched, and of one in a log."""
        seconds = self.runs.seconds
        for name, goal, words in (("live", 0.50, ["--progress", "live"]), ("plain", 0.25, [])):
            self.api.begin(**{BUILD: time.monotonic() + seconds})
            cost, frames = drawn([*WAIT, *words, BUILD], self.env, terminal=name == "live")
            goal_here = goal if self.runs is ALL else None
            yield Row(
                f"{seconds:g} s of {name} wait: processor", _one(cost.processor), goal_here, "s"
            )
            if frames:
                yield Row("  frames a second", _one(frames / cost.wall), 8, "/s", least=True)

    def many_builds(self) -> Iterator[Row]:
        """100 builds beside one."""
        memory = {}
        for builds in (BUILDS[:1], BUILDS):
            now = time.monotonic()
            over_at = {sid: now + self.random.uniform(2, 4) for sid in builds}
            self.api.begin(**over_at)
            memory[len(builds)] = run([*WAIT, *builds], self.env).memory
        late = time.monotonic() - max(over_at.values())
        yield Row("100 builds / 1 build: memory", _one(memory[100] / memory[1]), 1.1)
        yield Row("  connections", _one(self.api.connections), 10, "")
        yield Row("  all verdicts out after the last change", _one(late), 2, "s")

    def many_polls(self) -> Iterator[Row]:
        """What thousands of polls leave behind."""
        self.api.begin()
        grown = soaked(self.api.url, self.runs.soak, self.env)
        what = f"{self.runs.soak} polls, after the first 500: memory grown"
        yield Row(what, _one(grown["memory"] / 2**20), 1, "MiB")
        yield Row(
            "  threads and descriptors grown", _one(grown["threads"] + grown["descriptors"]), 0, ""
        )

    def interrupts(self) -> Iterator[Row]:
        """From SIGINT to the end of the process."""
        with socket.create_server(("127.0.0.1", 0)) as silent:  # never accepts, so never answers
            hung = {"TWBUILD_API_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
            unresolved = {
                "TWBUILD_API_URL": "https://api.example.test",
                "PYTHONPATH": f"{HERE}/hanging",
            }
            for name, env in (("a hung request", hung), ("DNS that hangs", unresolved)):
                found = [
                    self._interrupt({**self.env, **env}) * 1000 for _ in range(self.runs.pairs)
                ]
                yield Row(f"SIGINT to end, in {name}", figure(found), 60, "ms")

    def _interrupt(self, env: Mapping[str, str]) -> float:
        process = start([*WAIT, BUILD], env)
        time.sleep(0.8)
        since = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        process.end()
        return time.monotonic() - since

    def usual_ways(self) -> Iterator[Row]:
        """How else people look at a build, as multiples of `twbuild status`."""
        self.api.begin(**{BUILD: 0.0})
        ways = {"curl and sed": ["sh", str(HERE / "usual/look.sh")]}
        if find_spec("twilio"):
            ways["Twilio's Python client"] = [PYTHON, str(HERE / "usual/twilio_client.py")]
        env = dict(self.env)
        if which("twilio"):
            env["NODE_OPTIONS"] = f"--require {HERE}/usual/loopback.cjs"
            command = "api:serverless:v1:services:builds:status:fetch"
            ways["twilio-cli"] = ["twilio", command, "--service-sid", SERVICE, "--sid", BUILD]
        for name, words in ways.items():
            wall, _, memory = ratios(words, STATUS, env, self.runs.pairs)
            yield Row(f"{name} / twbuild status: wall", wall)
            yield Row("  memory", memory)
        late = []
        waits = self.runs.waits
        for number in range(waits):
            words = ["sh", str(HERE / "usual/wait.sh")]
            late.append(self._late(words, (number + self.random.random()) / waits) * 1000)
        yield Row("curl loop, sleep 1: end after the API's change", figure(late), None, "ms")


def _one(value: float) -> Figure:
    return Figure(value, value, value)


def _versions() -> str:
    names = ("twbuild", "typer", "requests", "urllib3", "rich")
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", *(f"{name} {version(name)}" for name in names)])


def main() -> None:
    """Print the table, each row as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--fewer", action="store_true", help="in a minute, and less exact")
    runs = FEWER if parser.parse_args().fewer else ALL
    print(_versions())
    with tempfile.TemporaryDirectory() as home:
        for row in Bench(runs, home).rows():
            print(row, flush=True)


if __name__ == "__main__":
    main()
