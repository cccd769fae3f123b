"""The commands status and wait: one run, from the arguments to an exit code."""

from __future__ import annotations

import codecs
import contextlib
import gc
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from twbuild import signals
from twbuild.api.lean_imports import lean_imports
from twbuild.config import target
from twbuild.config.settings import Settings, load_settings
from twbuild.config.target import Target
from twbuild.errors import TwbuildError
from twbuild.outcome import ExitCode
from twbuild.output.report import Report
from twbuild.text import printable
from twbuild.watch.background import Background
from twbuild.watch.events import Event, Notice, Started
from twbuild.watch.runner import Runner
from twbuild.watch.state import Policy, Watch
from twbuild.watch_options import WatchOptions

if TYPE_CHECKING:
    from twbuild.api.fetcher import Fetcher
    from twbuild.api.network import Network


def run(arguments: Sequence[str], options: WatchOptions) -> ExitCode:
    """Check or wait for the builds that the arguments name; returns the exit code.

    Raises SignalReceived after the closing lines.
    """
    report = Report(options)
    sids: Sequence[str | None] = (None,)
    try:
        named = target.parse(arguments, options.command, options.words)
        sids = named.builds or sids
        signals.leave_no_core()
        with lean_imports():
            settings = load_settings(os.environ, options.profile)
            goal = target.locate(named, os.environ, settings)
            network, fetcher = _load(settings)
        settings = settings._replace(base_url=network.base_url)  # as it was checked
        make_fetcher = partial(fetcher, settings, network, goal.service)
        return _watch(goal, settings, make_fetcher, options, report)
    except TwbuildError as error:
        return report.refuse(error, sids)


def _watch(
    goal: Target,
    settings: Settings,
    make_fetcher: Callable[[], Fetcher],
    options: WatchOptions,
    report: Report,
) -> ExitCode:
    if not options.once:
        gc.freeze()
        gc.enable()
    sids = goal.builds or (None,)
    now = time.monotonic()
    deadline = now + (options.timeout_seconds or math.inf)
    policy = Policy.once(now) if options.once else Policy(options.interval_seconds, deadline)
    background = Background(
        details=report.wants_details, earlier=report.wants_earlier, deadline=policy.deadline
    )
    watches = [Watch(sid, policy, now, _jitter) for sid in sids]
    runner = Runner(watches, background, make_fetcher, report.begin(sids))
    with signals.caught():
        with contextlib.closing(report):
            for event in chain(_first_events(goal, settings, options), runner.run()):
                report.show(event)
        now = time.monotonic()
        endings = [watch.ending(now) for watch in watches]
        return report.finish(endings, goal.service, deadline)


def _load(settings: Settings) -> tuple[Network, type[Fetcher]]:
    """The network and the fetcher, whose imports take time; and all else that the end needs.

    What the end needs is loaded before the wait, because an upgrade may replace it meanwhile.
    """
    from twbuild.api.fetcher import Fetcher
    from twbuild.api.network import network_for

    codecs.lookup("utf-8-sig")
    return network_for(settings.base_url), Fetcher


def _first_events(goal: Target, settings: Settings, options: WatchOptions) -> Iterator[Event]:
    if settings.is_custom:
        yield Notice(f"using {printable(settings.base_url)}, not Twilio (TWBUILD_API_URL)")
    yield Notice(f"credentials: {settings.credentials.source}", verbose=True)
    if goal.source:
        yield Notice(f"service {goal.service}, from {goal.source}")
    if not options.once:
        yield Started(goal.service, goal.builds, options.timeout_seconds)


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, guards nothing
