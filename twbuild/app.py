"""The commands status and wait: one run, from the arguments to an exit code."""

from __future__ import annotations

import codecs
import contextlib
import gc
import math
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from twbuild import signals
from twbuild.api import lean_imports
from twbuild.api.models import Build
from twbuild.config import endpoint, target
from twbuild.config.endpoint import Settings
from twbuild.config.target import Target
from twbuild.errors import CommandHint, CredentialsError, TwbuildError, UsageError
from twbuild.outcome import ExitCode, Outcome, most_urgent
from twbuild.output.closing import closing
from twbuild.output.plain import Plain, Progress
from twbuild.output.stderr import Stderr
from twbuild.output.stdout import Result
from twbuild.text import counted, pasteable, printable
from twbuild.watch.events import Details, Event, Finished, Notice
from twbuild.watch.runner import Runner
from twbuild.watch.state import Policy, Watch
from twbuild.watch_options import WatchOptions

if TYPE_CHECKING:
    from twbuild.api.fetcher import Fetcher
    from twbuild.api.network import Network


def run(arguments: Sequence[str], options: WatchOptions) -> ExitCode:
    """Check or wait for the builds that the arguments name.

    Raises TwbuildError where no request could be made or the result could not be written,
    SignalReceived after the closing lines.
    """
    try:
        return _run(arguments, options)
    except TwbuildError as error:
        error.progress = options.progress
        raise


def _run(arguments: Sequence[str], options: WatchOptions) -> ExitCode:
    stderr = Stderr(options.progress)
    named = target.parse(arguments, "status" if options.once else "wait", options.words)
    if options.once and len(named.builds) > 1:
        typed = pasteable(["twbuild", "wait", *options.words, *arguments])
        raise UsageError("status checks one build", CommandHint("To wait for several: ", typed))
    result = Result(as_json=options.json, several=len(named.builds) > 1, once=options.once)
    signals.leave_no_core()
    with lean_imports():
        settings = _settings(named.builds or (None,), options, result)
        goal = target.locate(named, os.environ, settings)
        network, fetcher = _load(settings, is_styled=stderr.styled or result.styled)
    if not options.once:
        gc.freeze()
        gc.enable()

    now = time.monotonic()
    deadline = result.deadline = now + (options.timeout_seconds or math.inf)
    shows_details = stderr.annotates or not options.quiet
    details = shows_details or options.json
    policy = Policy(options.interval_seconds, deadline, details)
    if options.once:
        policy = Policy.once(now, details=details)
    watches = [Watch(sid, policy, now, _jitter) for sid in goal.builds or (None,)]
    repeats = not (result.on_terminal and stderr.is_terminal)
    progress = _progress(stderr, options, goal.builds or (None,), repeats=repeats)
    runner = Runner(
        watches, lambda: fetcher(settings, network, goal.service), progress.frame_seconds
    )
    settings = settings._replace(base_url=network.base_url)  # as it was checked
    events = chain(_notices(settings, goal, options, stderr), runner.run())
    with signals.caught():
        builds = _follow(events, progress, result)
        now = time.monotonic()
        endings = [watch.interrupt(now) for watch in watches]
        result.finish(endings)
        end = closing(endings, builds, goal.service, options, stderr, repeats=repeats)
        outcome = most_urgent(finished.outcome for finished in endings)
        parts = end.parts() if outcome.is_annotated else []
        stderr.close(end.lines(is_spaced=stderr.styled), parts)
    return outcome.exit_code


def _settings(sids: Sequence[str | None], options: WatchOptions, result: Result) -> Settings:
    """The settings; without credentials, each build still has its outcome."""
    try:
        return endpoint.load(os.environ, options.profile)
    except CredentialsError as error:
        result.finish([Finished(sid, Outcome.UNAUTHORIZED, None, 0.0, 0, error) for sid in sids])
        raise


def _load(settings: Settings, *, is_styled: bool) -> tuple[Network, type[Fetcher]]:
    """The network and the fetcher, whose imports take time; and all that the end needs.

    What the end needs is loaded before the wait, because an upgrade may replace it meanwhile.
    """
    from twbuild.api.fetcher import Fetcher
    from twbuild.api.network import network_for

    codecs.lookup("utf-8-sig")
    if is_styled:
        from twbuild.output import theme

        theme.wrapped([("✓ ✗", "")], 1)  # rich loads its table of widths when it first needs it
    return network_for(settings.base_url), Fetcher


def _progress(
    stderr: Stderr, options: WatchOptions, sids: Sequence[str | None], *, repeats: bool
) -> Progress:
    if stderr.styled and not options.once and not options.quiet:
        from twbuild.output.live import Live

        return Live(stderr, sids, verbose=options.verbose)
    return Plain(stderr, sids, quiet=options.quiet, verbose=options.verbose, repeats=repeats)


def _notices(
    settings: Settings, goal: Target, options: WatchOptions, stderr: Stderr
) -> Iterator[Notice]:
    if settings.replaced:
        yield Notice(f"using {printable(settings.base_url)}, not Twilio (TWBUILD_API_URL)")
    yield Notice(f"credentials: {settings.credentials.source}", verbose=True)
    if goal.source:
        yield Notice(f"service {goal.service}, from {goal.source}")
    if not stderr.styled and not options.once:
        builds = counted(len(goal.builds), "build")
        if len(goal.builds) < 2:
            builds = goal.builds[0] if goal.builds else "the newest build"
        yield Notice(f"waiting for {builds} in {goal.service}")


def _follow(
    events: Iterable[Event], progress: Progress, result: Result
) -> Mapping[str, Build | None]:
    """Show and write events to their end, or until a signal; returns failed builds by SID."""
    builds = {}
    with contextlib.closing(progress):
        for event in events:
            progress.show(event)
            result.show(event)
            if isinstance(event, Details):
                builds[event.sid] = event.build
    return builds


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, guards nothing
