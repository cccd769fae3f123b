"""Watches run in this process, with real threads and sockets but with time that passes faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from tests.support.command import ACCOUNT, BUILD, SERVICE, TOKEN
from tests.support.run import Env
from twbuild.api import network
from twbuild.api.fetcher import Fetcher
from twbuild.config import settings
from twbuild.watch.background import Background
from twbuild.watch.events import BuildEvent, Finished, Problem, RequestEnded, Tick
from twbuild.watch.runner import Client, Runner
from twbuild.watch.state import Policy, Watch

Event = BuildEvent | RequestEnded | Tick
T = TypeVar("T", bound=BuildEvent)


class FastClock:
    """Seconds that pass `times` as fast as they do."""

    def __init__(self, times: float) -> None:
        self.times = times
        self._start = time.monotonic()

    def __call__(self) -> float:
        return self._start + (time.monotonic() - self._start) * self.times


class FastRunner(Runner):
    """A runner that waits for seconds of the fast clock."""

    def _wait(self, seconds: float) -> None:
        assert isinstance(self._clock, FastClock)
        super()._wait(seconds / self._clock.times)


@dataclass
class Watched:
    """What happened, and when, in seconds of the fast clock since the start."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    endings: list[Finished] = field(default_factory=list)

    @property
    def finished(self) -> Finished:
        """The only build's outcome."""
        (finished,) = self.endings
        return finished

    @property
    def seconds(self) -> float:
        """When the last build was over."""
        return max(finished.waited_seconds for finished in self.endings)

    def of(self, kind: type[T]) -> list[T]:
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def problems(self) -> list[str]:
        return [problem.reason for problem in self.of(Problem)]


_made: list[Fetcher] = []


def fetcher(
    url: str, environ: Env | None = None, way: network.Network | None = None, service: str = SERVICE
) -> Fetcher:
    """A fetcher for `url`, with good credentials; `close_fetchers` closes its connections."""
    given = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWBUILD_API_URL": url}
    found = settings.load_settings({**given, **(environ or {})}, None)
    made = Fetcher(found, way or network.network_for(found.base_url), service)
    _made.append(made)
    return made


def close_fetchers() -> None:
    """Close all connections, for a test to leave nothing open."""
    while _made:
        made = _made.pop()
        made.cancel()
        made._session.drop()


def watch(
    url: str,
    sids: Sequence[str] = (BUILD,),
    *,
    times: float = 20.0,
    make_fetcher: Callable[[], Client] | None = None,
    timeout: float = math.inf,
    once: bool = False,
    earlier: bool = False,
    **policy: Any,
) -> Watched:
    """Watch builds to their end, without jitter; `timeout` in seconds of the fast clock."""
    clock = FastClock(times)
    since = clock()
    wanted = Policy.once(since) if once else Policy(deadline=since + timeout)
    watches = [Watch(sid, wanted._replace(**policy), since, lambda: 1.0) for sid in sids]
    make_fetcher = make_fetcher or partial(fetcher, url, way=network.network_for(url))
    background = Background(details=True, earlier=earlier, deadline=wanted.deadline)
    runner = FastRunner(watches, background, make_fetcher, 1.0, clock)
    watched = Watched()
    for event in runner.run():
        watched.events.append((clock() - since, event))
    watched.endings = [watch.finished for watch in watches if watch.finished]
    return watched
