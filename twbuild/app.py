"""One check or a whole wait: the modules wired together, from arguments to an exit code."""

from __future__ import annotations

import codecs
import contextlib
import gc
import math
import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from twbuild import signals
from twbuild.api.models import Build
from twbuild.config import endpoint, target
from twbuild.config.endpoint import Settings
from twbuild.config.target import Target
from twbuild.errors import CredentialsError, TwbuildError, UsageError
from twbuild.outcome import ExitCode, Outcome, exit_code
from twbuild.output import messages
from twbuild.output.plain import Happening, Plain, Progress
from twbuild.output.stderr import Stderr
from twbuild.output.stdout import Result
from twbuild.signals import Signalled
from twbuild.text import Line, counted, printable
from twbuild.watch.events import Made, Note
from twbuild.watch.runner import Runner
from twbuild.watch.state import Over, Rules, Watch

WORTH_A_LOOK = (
    ExitCode.FAILED,
    ExitCode.UNAVAILABLE,
    ExitCode.CREDENTIALS,
    ExitCode.NOT_FOUND,
    ExitCode.TIMEOUT,
)


class Wishes(NamedTuple):
    """What the options ask for; `once` is `status`. `timeout_seconds` 0 is none."""

    once: bool
    profile: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    progress: str = "auto"
    interval_seconds: float = 1.0
    timeout_seconds: float = 0.0


def look(arguments: Sequence[str], wishes: Wishes) -> int:
    """Look at the builds that the arguments name; the exit code that they come to.

    Raises TwbuildError where nothing could be asked or told, Signalled after the last words.
    """
    try:
        return _look(arguments, wishes)
    except TwbuildError as error:
        error.progress = wishes.progress
        raise


def _look(arguments: Sequence[str], wishes: Wishes) -> int:
    stderr = Stderr(wishes.progress)
    named = target.parse(arguments, "status" if wishes.once else "wait")
    if wishes.once and len(named.builds) > 1:
        raise UsageError("status looks at one build", "twbuild wait takes several")
    result = Result(as_json=wishes.json, several=len(named.builds) > 1, once=wishes.once)
    found = _settings(named.builds or (None,), wishes, result)
    goal = target.locate(named, os.environ, found)

    from twbuild.api import transport  # what takes time, now that there is something to ask
    from twbuild.api.fetcher import Fetcher

    # What the ending needs is loaded before the wait: pip may replace it in the meantime.
    codecs.lookup("utf-8-sig")
    if stderr.styled or result.styled:
        from twbuild.output import theme

        theme.wrapped([("✓ ✗", "")], 1)  # rich loads its table of widths when it first needs it

    way = transport.of(found.base_url)
    if not wishes.once:
        gc.freeze()
        gc.enable()

    now = time.monotonic()
    deadline = now + wishes.timeout_seconds if wishes.timeout_seconds else None
    result.deadline = deadline or math.inf
    tells_details = stderr.github or not wishes.quiet
    details = tells_details or wishes.json
    rules = Rules(wishes.interval_seconds, deadline, wishes.once, details)
    watches = [Watch(sid, rules, now, _jitter) for sid in goal.builds or (None,)]
    repeats = not (result.on_terminal and stderr.is_terminal)
    progress = _progress(stderr, wishes, goal.builds or (None,), repeats)
    runner = Runner(watches, lambda: Fetcher(found, way, goal.service), progress.frame_seconds)
    events = chain(_notes(found, goal, wishes, stderr), runner.run())
    command = ["twbuild", "wait", *(["-p", wishes.profile] if wishes.profile else [])]
    command += ["--", goal.service] if goal.service.startswith("-") else [goal.service]
    with signals.caught():
        made = _follow(events, progress, result)
        now = time.monotonic()
        overs = [watch.interrupt(now) for watch in watches]
        result.finish(overs)
        code = exit_code(over.outcome for over in overs)
        lines = _closing(overs, command, wishes, stderr, repeats)
        for over in overs if tells_details else ():
            if over.sid and over.outcome is Outcome.FAILED:
                lines += [[]] if stderr.styled else []
                told = Made(over.sid, made.get(over.sid))
                lines += messages.made(told, several=len(overs) > 1)
        (stderr.close_badly if code in WORTH_A_LOOK else stderr.close)(lines)
    return code


def _follow(
    events: Iterable[Happening], progress: Progress, result: Result
) -> dict[str, Build | None]:
    """Show and tell what happens to its end, or until a signal; what failed builds were made of."""
    made = {}
    with contextlib.closing(progress), contextlib.suppress(Signalled):
        for event in events:
            progress.show(event)
            if isinstance(event, Over):
                result.take(event)
            elif isinstance(event, Made):
                result.take_details(event)
                made[event.sid] = event.build
    return made


def _settings(sids: Sequence[str | None], wishes: Wishes, result: Result) -> Settings:
    """The settings; without credentials, builds have an outcome all the same."""
    try:
        return endpoint.load(os.environ, wishes.profile)
    except CredentialsError as error:
        result.finish([Over(sid, Outcome.UNAUTHORIZED, None, 0.0, 0, error) for sid in sids])
        raise


def _closing(
    overs: Sequence[Over], command: Sequence[str], wishes: Wishes, stderr: Stderr, repeats: bool
) -> list[Line]:
    """The last lines on stderr: what neither stdout nor a line of progress has said already.

    `repeats` says whether they repeat the result.
    """
    several, live = len(overs) > 1, stderr.styled and not wishes.once
    said_in_progress = several and not live and not wishes.quiet

    def unsaid(over: Over) -> bool:
        if stderr.github and over.outcome not in (Outcome.COMPLETED, Outcome.BUILDING):
            return True
        if over.outcome not in messages.VERDICTS:
            return not said_in_progress
        if wishes.quiet or wishes.once:
            wanted = over.outcome is Outcome.FAILED and not wishes.quiet
        else:
            wanted = not said_in_progress
        return wanted and repeats

    lines = [messages.headline(over, once=wishes.once) for over in overs if unsaid(over)]
    if several and (not wishes.quiet or stderr.github):
        lines.append(messages.summary(overs))
    return [*lines, *messages.hints(overs), *messages.resume(overs, command)]


def _progress(
    stderr: Stderr, wishes: Wishes, sids: Sequence[str | None], repeats: bool
) -> Progress:
    if stderr.styled and not wishes.once and not wishes.quiet:
        from twbuild.output.live import Live

        return Live(stderr, sids, verbose=wishes.verbose)
    return Plain(stderr, sids, quiet=wishes.quiet, verbose=wishes.verbose, repeats=repeats)


def _notes(found: Settings, goal: Target, wishes: Wishes, stderr: Stderr) -> Iterator[Note]:
    if found.replaced:
        yield Note(f"asking {printable(found.base_url)}, not Twilio")
    yield Note(f"credentials: {found.credentials.source}", verbose=True)
    if goal.source:
        yield Note(f"service {goal.service}, from {goal.source}")
    if not stderr.styled and not wishes.once:
        many = counted(len(goal.builds), "build")
        what = many if len(goal.builds) > 1 else "".join(goal.builds) or "the newest build"
        yield Note(f"waiting for {what} of {goal.service}")


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, guards nothing
