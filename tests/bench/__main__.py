"""`python -m tests.bench`: twbuild's goals beside today's figures. It never fails by a time.

What makes requests is measured over HTTP and over TLS, with a bundle as large as certifi's. Ratios
and counts, so that one machine's figures speak of another's; medians, with the quartiles around
them. A busy machine makes the quartiles wide and the median hardly worse.
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
from itertools import chain
from pathlib import Path
from shutil import which
from typing import NamedTuple

from tests.bench.api import ACCOUNT, BUILDS, SERVICE, TOKEN, Api
from tests.bench.measure import Cost, Figure, figure, ratios, run, start
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
    rounds: int
    seconds: float
    soak: int


ALL = Runs(pairs=20, waits=20, polls=60, rounds=5, seconds=30, soak=10_000)
FEWER = Runs(pairs=5, waits=4, polls=10, rounds=1, seconds=6, soak=1_500)

MEASURED = ("wall", "processor", "memory")
# The most that `status` may take, as multiples of the bare script.
GOALS = {"HTTP": (1.02, 1.02, 1.02), "TLS": (1.05, 1.05, 1.08)}


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
        spread = f"({low} to {high})" if low != high else ""
        figure = f"{f'{median} {self.unit}':<10} {spread}"
        limit = "" if self.goal is None else f"{'>=' if self.least else '<='} {self.goal:g}"
        return line(self.what, figure, f"{limit} {self.unit}" if limit else "", self.mark)

    @property
    def mark(self) -> str:
        """Whether the goal is reached."""
        if self.goal is None:
            return ""
        off = self.goal - self.found.median if self.least else self.found.median - self.goal
        return "ok" if off <= 0 else "MISSED"


def line(what: str, figure: str, goal: str, ok: str) -> str:
    """One line of the table."""
    return f"{what:<58} {figure:<28} {goal:<11} {ok}".rstrip()


class Bench:
    """One API, one environment, and all measurements against them.

    `trusts` are the ways in which the environment may name the API's certificate authority.
    """

    def __init__(
        self, runs: Runs, name: str, api: Api, home: str, trusts: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.runs = runs
        self.name = name
        self.api = api
        self.trusts = trusts
        self.random = random.Random(1)  # the same moments in every run
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TERM": "xterm-256color",
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWBUILD_API_URL": self.api.url,
            "STATUS_PATH": f"/v1/Services/{SERVICE}/Builds/{BUILD}/Status",
            **next(iter(trusts.values())),
        }

    def of_requests(self) -> Iterator[Row]:
        """What is measured over HTTP and over TLS."""
        rows = (
            self.status(),
            self.end_of_wait(),
            self.beat(),
            self.many_builds(),
            self.interrupts(),
        )
        for row in chain.from_iterable(rows):
            yield row._replace(what=f"{self.name}: {row.what}")

    def of_the_rest(self) -> Iterator[Row]:
        """What is measured once."""
        yield from self.typer()
        yield from self.long_waits()
        yield from self.many_polls()
        yield from self.usual_ways()

    def status(self) -> Iterator[Row]:
        """`status` against a script of three lines."""
        self.api.begin(**{BUILD: 0.0})
        bare = [PYTHON, str(HERE / "usual/look.py")]
        for trust, variables in self.trusts.items():
            found = ratios(STATUS, bare, {**self.env, **variables}, self.runs.pairs)
            for name, one, goal in zip(MEASURED, found, GOALS[self.name], strict=True):
                yield Row(f"status / bare script{trust}: {name}", one, goal)

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
            finished_at = self.api.finished_at[BUILD]
            surplus.append(float(sum(poll >= finished_at for poll in self.api.polls) - 1))
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
        finished_at = self.api.polls[0] + 1 + phase
        self.api.finished_at[BUILD] = finished_at
        process.end()
        return time.monotonic() - finished_at

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
        yield Row("  connections, one for earlier builds", _one(self.api.connections), 2, "")

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
        """Ten and a hundred builds beside one, each completed within 2 to 4 s."""
        one, ten, hundred, sent, late = [], [], [], [], []
        for _ in range(self.runs.rounds):
            one.append(self._wait_for(1))
            ten.append(self._wait_for(10))
            since = time.monotonic()
            hundred.append(self._wait_for(100))
            sent.append(max(self.api.first_polls.values()) - since)
            late.append(time.monotonic() - max(self.api.finished_at.values()))
        processor = [a.processor / b.processor for a, b in zip(ten, one, strict=True)]
        memory = [a.memory / b.memory for a, b in zip(hundred, one, strict=True)]
        yield Row("wait for 10 builds / 1 build: processor", figure(processor), 1.9)
        yield Row("wait for 100 builds / 1 build: memory", figure(memory), 1.08)
        yield Row("  first polls of all sent, after the start", figure(sent), 1, "s")
        yield Row("  all verdicts out after the last change", figure(late), 2, "s")
        yield Row("  connections, one for earlier builds", _one(self.api.connections), 11, "")

    def _wait_for(self, count: int) -> Cost:
        now = time.monotonic()
        builds = BUILDS[:count]
        self.api.begin(**{sid: now + self.random.uniform(2, 4) for sid in builds})
        return run([*WAIT, *builds], self.env)

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
        scheme = self.api.url.partition(":")[0]
        with socket.create_server(("127.0.0.1", 0)) as silent:  # never accepts, so never answers
            hung = {"TWBUILD_API_URL": f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"}
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


def _authority(folder: str) -> str:
    """Make a test authority in `folder`; returns the bundle that contains it."""
    run([PYTHON, "-m", "tests.bench.authority", folder], os.environ)
    return f"{folder}/certifi/cacert.pem"


def main() -> None:
    """Print the table, each row as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--fewer", action="store_true", help="in a minute, and less exact")
    runs = FEWER if parser.parse_args().fewer else ALL
    print(_versions())
    print(line("what", "figure (quartiles)", "goal", "ok"))
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        trusts = {
            ", REQUESTS_CA_BUNDLE": {"REQUESTS_CA_BUNDLE": _authority(folder)},
            ", certifi": {"PYTHONPATH": folder, "REQUESTS_CA_BUNDLE": ""},
        }
        http = Bench(runs, "HTTP", Api(), home, {"": {}})
        tls = Bench(runs, "TLS", Api(f"{folder}/server.pem"), home, trusts)
        for row in chain(http.of_requests(), tls.of_requests(), http.of_the_rest()):
            print(row, flush=True)


if __name__ == "__main__":
    main()
