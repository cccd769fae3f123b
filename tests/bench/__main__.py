"""`python -m tests.bench`: twbuild's goals beside today's figures. It never fails by a time.

What makes requests is measured over HTTP and over TLS, with a bundle as large as certifi's. Ratios
and counts, so that one machine's figures speak of another's; medians, with the quartiles around
them. A busy machine makes the quartiles wide and the median hardly worse.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import certifi

from tests.bench.measure import Cost, drawn, ratios, run, start
from tests.support.command import ACCOUNT, BUILD, SERVICE, SIDS, TOKEN, TWBUILD
from tests.support.run import base_environ
from tests.support.sockets import Connection, Server, good

HERE = Path(__file__).parent
PYTHON = sys.executable
WAIT = [TWBUILD, "wait", "-i", "1s", SERVICE]
# The most that `status` may take, as multiples of the bare script.
GOALS = {"HTTP": (1.02, 1.02, 1.02), "TLS": (1.05, 1.05, 1.08)}


# How much is measured; `rounds` of many builds, `seconds` of a long wait, polls of `soak`.
ALL = SimpleNamespace(pairs=20, waits=20, rounds=5, seconds=30, soak=10_000)
FEWER = SimpleNamespace(pairs=5, waits=4, rounds=1, seconds=6, soak=1_500)


class Row(NamedTuple):
    """What was measured, in `unit`, and what it is not to exceed (or, `least`, to reach)."""

    what: str
    found: Sequence[float] | float
    goal: float | None = None
    unit: str = "x"
    least: bool = False

    def __str__(self) -> str:
        values = self.found if isinstance(self.found, Sequence) else [self.found]
        found = statistics.quantiles([*values, *values], n=4, method="inclusive")
        low, median, high = (f"{value:.{2 if self.unit else 0}f}" for value in found)
        spread = f"({low} to {high})" if low != high else ""
        goal = mark = ""
        if self.goal is not None:
            goal = f"{'>=' if self.least else '<='} {self.goal:g} {self.unit}"
            off = (found[1] - self.goal) * (-1 if self.least else 1)
            mark = "ok" if off <= 0 else "MISSED"
        return line(self.what, f"{f'{median} {self.unit}':<10} {spread}", goal, mark)


def line(what: str, figure: str, goal: str, ok: str) -> str:
    return f"{what:<58} {figure:<28} {goal:<11} {ok}".rstrip()


class Api(Server):
    """Says `completed` of each build from its time in `finished_at` on, `building` until then."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.finished_at: dict[str, float] = {}
        super().__init__(self._answer, context)

    def begin(self, **finished_at: float) -> None:
        """Forget what was counted, and set when builds are over; the others never are."""
        self.finished_at = finished_at
        self.requests, self.times, self.accepted = [], [], 0

    def _answer(self, connection: Connection) -> None:
        while True:
            sid = connection.request().decode().partition("/Builds/")[2].partition("/")[0]
            finished = time.monotonic() >= self.finished_at.get(sid, math.inf)
            connection.send(good("completed" if finished else "building", sid=sid))


class Bench:
    """One API, one environment, and all measurements against them.

    `trusts` are the ways in which the environment may name the API's certificate authority.
    """

    def __init__(
        self, runs: SimpleNamespace, api: Api, home: str, trusts: Mapping[str, dict[str, str]]
    ) -> None:
        self.runs, self.api, self.trusts = runs, api, trusts
        self.name = "TLS" if api.context else "HTTP"
        self.random = random.Random(1)  # the same moments in every run
        self.env = base_environ(Path(home), TERM="xterm-256color", TWBUILD_API_URL=api.url)
        self.env |= {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
        self.env |= {"STATUS_PATH": f"/v1/Services/{SERVICE}/Builds/{BUILD}/Status"}
        self.env |= next(iter(trusts.values()))

    def of_requests(self) -> Iterator[Row]:
        """What is measured over HTTP and over TLS."""
        for row in chain(self.status(), self.ends(), self.many_builds()):
            yield row._replace(what=f"{self.name}: {row.what}")

    def status(self) -> Iterator[Row]:
        """`status` against a script of three lines."""
        self.api.begin(**{BUILD: 0.0})
        ours, bare = [TWBUILD, "status", "-q", SERVICE, BUILD], [PYTHON, f"{HERE}/usual/look.py"]
        for trust, variables in self.trusts.items():
            found = ratios(ours, bare, {**self.env, **variables}, self.runs.pairs)
            for name, one, goal in zip(Cost._fields, found, GOALS[self.name], strict=False):
                yield Row(f"status / bare script{trust}: {name}", one, goal)

    def typer(self) -> Iterator[Row]:
        """What needs no request, against an app of two empty commands."""
        app = [PYTHON, f"{HERE}/usual/typer_app.py"]
        for option, other in (("--version", ["status", "a", "b"]), ("--help", ["--help"])):
            found, *_ = ratios([TWBUILD, option], [*app, *other], self.env, self.runs.pairs)
            yield Row(f"{option} / bare typer app's {other[0]}", found, 1.1)

    def ends(self) -> Iterator[Row]:
        """From the API's change to the end of the process, and polls that none needed.

        The changes share the second between two polls evenly, for a median that is no lottery.
        """
        late, surplus = [], []
        for number in range(self.runs.waits):
            self.api.begin()
            process = start([*WAIT, BUILD], self.env)
            while not self.api.times:
                time.sleep(0.002)
            phase = (number + self.random.random()) / self.runs.waits
            self.api.finished_at[BUILD] = changed = self.api.times[0] + 1 + phase
            process.end()
            late.append((time.monotonic() - changed) * 1000)
            surplus.append(sum(poll >= changed for poll in self.api.times) - 1)
        yield Row("wait -i 1s: end of process after the API's change", late, 515, "ms")
        yield Row("  polls more than needed, at most", max(surplus), 0, "")

    def long_waits(self) -> Iterator[Row]:
        """The processor's time of a wait that is watched, and of one in a log."""
        what = f"{self.runs.seconds:g} s of {{}} wait: processor"
        goals = (0.50, 0.25) if self.runs is ALL else (None, None)
        self.api.begin(**{BUILD: time.monotonic() + self.runs.seconds})
        cost, frames = drawn([*WAIT, "--progress", "live", BUILD], self.env)
        yield Row(what.format("live"), cost.processor, goals[0], "s")
        yield Row("  frames a second", frames / cost.wall, 8, "/s", least=True)
        self.api.begin(**{BUILD: time.monotonic() + self.runs.seconds})
        yield Row(what.format("plain"), run([*WAIT, BUILD], self.env).processor, goals[1], "s")

    def many_builds(self) -> Iterator[Row]:
        """Ten and a hundred builds beside one, each completed within 2 to 4 s."""
        processor, memory, sent, late = [], [], [], []
        for _ in range(self.runs.rounds):
            one, ten = self._wait_for(1), self._wait_for(10)
            since = time.monotonic()
            hundred = self._wait_for(100)
            heads, times = self.api.requests[::-1], self.api.times[::-1]
            sent.append(max(dict(zip(heads, times, strict=True)).values()) - since)
            late.append(time.monotonic() - max(self.api.finished_at.values()))
            processor.append(ten.processor / one.processor)
            memory.append(hundred.memory / one.memory)
        yield Row("wait for 10 builds / 1 build: processor", processor, 1.9)
        yield Row("wait for 100 builds / 1 build: memory", memory, 1.08)
        yield Row("  first polls of all sent, after the start", sent, 1, "s")
        yield Row("  all verdicts out after the last change", late, 2, "s")
        yield Row("  connections, one for earlier builds", self.api.accepted, 11, "")

    def _wait_for(self, count: int) -> Cost:
        now, builds = time.monotonic(), SIDS[:count]
        self.api.begin(**{sid: now + self.random.uniform(2, 4) for sid in builds})
        return run([*WAIT, *builds], self.env)

    def many_polls(self) -> Iterator[Row]:
        """What thousands of polls leave behind."""
        self.api.begin()
        words = [PYTHON, "-m", "tests.bench.soak", self.api.url, str(self.runs.soak)]
        memory, held = json.loads(subprocess.check_output(words, env=self.env))
        what = f"{self.runs.soak} polls, after the first 500: memory grown"
        yield Row(what, memory / 2**20, 1, "MiB")
        yield Row("  threads and descriptors grown", held, 0, "")


def main() -> None:
    """Print the table, each row as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--fewer", action="store_true", help="in a minute, and less exact")
    runs = FEWER if parser.parse_args().fewer else ALL
    names = ("twbuild", "typer", "requests", "urllib3", "rich")
    print(", ".join(f"{name} {version(name)}" for name in names))
    print(line("what", "figure (quartiles)", "goal", "ok"))
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        # In a process of its own, for this one to stay smaller than those that it measures.
        run([PYTHON, "-m", "trustme", "-q", "-d", folder, "-i", "127.0.0.1"], os.environ)
        tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls_context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
        # What requests trusts where no variable names a bundle: one as large as real ones are.
        shutil.copytree(Path(certifi.__file__).parent, f"{folder}/certifi")
        with Path(folder, "certifi/cacert.pem").open("ab") as bundle:
            bundle.write(Path(folder, "client.pem").read_bytes())
        trusts = {
            ", REQUESTS_CA_BUNDLE": {"REQUESTS_CA_BUNDLE": f"{folder}/certifi/cacert.pem"},
            ", certifi": {"PYTHONPATH": folder, "REQUESTS_CA_BUNDLE": ""},
        }
        http = Bench(runs, Api(), home, {"": {}})
        tls = Bench(runs, Api(tls_context), home, trusts)
        once = http.typer(), http.long_waits(), http.many_polls()
        for row in chain(http.of_requests(), tls.of_requests(), *once):
            print(row, flush=True)


if __name__ == "__main__":
    main()
