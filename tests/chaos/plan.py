"""What happens to one wait, all of it drawn from the storm's seed and the wait's number."""

from __future__ import annotations

import base64
import random
import signal
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, SERVICE, TOKEN

DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

# What runs before the command's own code: a resource that runs out, now and then.
STARVING = {
    "threads": """
import itertools, threading
started, count = threading.Thread.start, itertools.count()
def start(self):
    if next(count) % 4 == 3:
        raise RuntimeError("can't start new thread")
    started(self)
threading.Thread.start = start
""",
    # Once the wait has begun, no file or socket can be opened for 0.3 s of each second.
    "limit": """
import resource, threading, time
def squeeze():
    while "request" not in [thread.name for thread in threading.enumerate()]:
        time.sleep(0.002)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    while True:
        time.sleep(0.7)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        time.sleep(0.3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
threading.Thread(target=squeeze, daemon=True).start()
""",
}

ERROR = b'{"code": 20000, "message": "Something is wrong", "status": 0}'
# A server may repeat what it was sent; it must not be shown.
PAIR = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
REPEATS = f'{{"code": 20003, "message": "no {TOKEN} in Basic {PAIR}", "status": 503}}'.encode()

# Bodies at 200 that say nothing of this build, however much they look like it.
OTHER, KEY = OTHER_BUILD.encode(), TOKEN.encode()
NONSENSE = (
    *(b"", b'"completed"', b"{}", b"<p>completed", b'{"status": "canceled"}', b"[" * 100_000),
    *(b'{"status": ["completed"]}', b'{"status": "failed", "status": "completed"}'),
    *(b'{"status": "completed"', b'{"status": "completed\xff"}'),
    b'{"status": "failed", "sid": "%s"}' % OTHER,
    b'{"status": "completed", "sid": null, "url": "https://x/Builds/%s"}' % OTHER.lower(),
    b'{"status": "failed", "url": "https://x/Builds/%%5AB%s"}' % OTHER[2:],
    b'{"status": "completed", "service_sid": "ZS%s"}' % (b"9" * 32),
    b'{"status": "completed", "sid": "%s"}' % KEY,
    b'{"status": "%s"}' % KEY,
    b'{"status": "completed"' + b" " * (1 << 20) + b"}",
    b'{"status": "completed", "more": [%s]}' % b",".join([b"{}"] * 300_000),
)
CHUNK_SIZES = (b"-1", b"+5", b"0x5", b"1_0", b"", b"five", b"f" * 40)
INTERIM = (100, 102, 103, 199)
RETRY_AFTER = ("", "0", "1", "2", "0.493", "soon", "-5", "999999", "Thu, 01 Jan 1970 00:00:01 GMT")
SLOW = "a terminal that is read with 9600 baud"
HOWS = (
    *("plain", "plain", "close", "hang up", "chunked", "gzip", "trickle", "late", "early"),
    *("anonymous", "anonymous", "cookies", "extra", "half an extra", "interim behind"),
)
PROBLEMS = {"error": 4, "nonsense": 6, "missing": 2, "cut": 4, "short": 2, "silence": 2, "odd": 2}
BROKEN = ("cut", "short", "silence")  # no whole answer comes


class Step(NamedTuple):
    """What the server does with one request.

    `says` is a status, or how an error ends the wait, or nothing; `how` is how that is brought
    about. `http` is the HTTP status, of a good answer that of the interim ones before or behind it.
    """

    how: str
    says: str = ""
    http: int = 200
    body: bytes = b""
    retry_after: str = ""
    seconds: float = 0.0


class Plan(NamedTuple):
    """One wait; `acts` are signals, each so many seconds after the first request."""

    arguments: tuple[str, ...]
    env: dict[str, str]
    timeout: float
    steps: tuple[Step, ...]
    details: Step
    acts: tuple[tuple[float, int], ...]
    live: bool
    starving: str = ""
    unread: str = ""

    @property
    def asks_details(self) -> bool:
        """Whether details of a failed build are requested."""
        reported = "-q" not in self.arguments or ("GITHUB_ACTIONS" in self.env and not self.live)
        return reported or "--json" in self.arguments


def draw(seed: int, number: int) -> Plan:
    """The plan of one wait; the same one for the same seed and number."""
    chance = random.Random(f"{seed}/{number}")
    timeout = round(chance.uniform(1, 12), 1)
    options = [o for o in ("--json", "-q", "-v") if chance.random() < 0.3]
    interval = chance.choice(("200ms", "300ms", "500ms", "1s"))
    builds = [BUILD] if chance.random() < 0.85 else []
    unread = chance.choices(("", "stderr", "stdout", SLOW), (8, 1, 1, 1))[0]
    steps = [
        _good(chance, "building") if chance.random() < 0.4 else _problem(chance)
        for _ in range(chance.randrange(9))
    ]
    return Plan(
        arguments=("wait", "-i", interval, "-t", f"{timeout}s", *options, SERVICE, *builds),
        env={"GITHUB_ACTIONS": "true"} if chance.random() < 0.2 else {},
        timeout=timeout,
        steps=(*steps, _last(chance)),
        details=_problem(chance),
        acts=tuple(sorted(_acts(chance))),
        live=unread == SLOW or (not unread and chance.random() < 0.25),
        starving=chance.choice(("", "", "", "", *STARVING)),
        unread=unread,
    )


def _last(chance: random.Random) -> Step:
    kinds = ("completed", "failed", "building", "problem", "fatal")
    kind = chance.choices(kinds, (6, 6, 3, 1, 2))[0]
    if kind == "problem":
        return _problem(chance)
    if kind == "fatal":
        status, body = chance.choice((400, 401, 403, 407, 302)), chance.choice((ERROR, b"<p>no"))
        is_twilios = status in (401, 403) and body == ERROR
        return Step("error", "unauthorized" if is_twilios else "unavailable", status, body)
    return _good(chance, kind)


def _good(chance: random.Random, status: str) -> Step:
    interim, seconds = chance.choice(INTERIM), chance.uniform(0.2, 2)
    return Step(chance.choice(HOWS), status, interim, seconds=seconds)


def _problem(chance: random.Random) -> Step:
    how = chance.choices(list(PROBLEMS), list(PROBLEMS.values()))[0]
    if how == "missing":
        return Step(how, http=404, body=ERROR)
    if how == "nonsense":
        return Step(how, body=chance.choice(NONSENSE))
    return Step(
        how,
        http=chance.choice((408, 425, 429, 500, 502, 503, 504, 529)),
        body=chance.choice(CHUNK_SIZES if how == "odd" else (ERROR, b"<p>later", REPEATS)),
        retry_after=chance.choice(RETRY_AFTER) if chance.random() < 0.3 else "",
        seconds=chance.uniform(0.2, 4),
    )


def _acts(chance: random.Random) -> Iterator[tuple[float, int]]:
    if chance.random() < 0.3:
        at = chance.uniform(0, 5)
        yield at, chance.choice((signal.SIGSTOP, signal.SIGTSTP))
        yield at + chance.uniform(0.1, 3), signal.SIGCONT
    if chance.random() < 0.35:
        at, signum = chance.uniform(0, 6), chance.choice(DEADLY)
        for number in range(chance.choice((1, 1, 2, 3))):
            yield at + number * 0.02, signum
