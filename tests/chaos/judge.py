"""What a wait may end with, and when, given what its server really said."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple
from urllib.parse import quote

from tests.chaos.faulty import Said
from tests.chaos.plan import DEADLY, PAIR, Plan
from tests.support.command import TOKEN
from tests.support.run import Ended

CODES = {"completed": 0, "failed": 1, "unavailable": 3, "unauthorized": 4, "not_found": 5}
VERDICTS = (0, 1)
TIMEOUT = 124
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
SLACK = 0.5  # of what happens within it, either may come first
DETAILS_SECONDS = 5.0
UNREAD_SECONDS = 1.0  # for a stdout that is not read, after a signal or the deadline
SECRETS = (TOKEN, PAIR, quote(PAIR, safe=""), base64.b64encode(TOKEN.encode()).decode().rstrip("="))


class Happened(NamedTuple):
    """One wait as it was seen from outside, all times on one clock."""

    plan: Plan
    said: list[Said]
    sent: list[tuple[float, int]]
    first: float
    end: float
    ended: Ended


class Reason(NamedTuple):
    """Something that ends a wait with this code; not `sure` where it only may."""

    at: float
    code: int
    sure: bool = True


def judge(happened: Happened) -> tuple[list[str], float]:
    """What is wrong with a wait, nothing if all is well; and how many seconds it was late."""
    ended = happened.ended
    written = ended.stdout + ended.stderr
    reasons = [r._replace(at=_running(happened, r.at)) for r in _reasons(happened)]
    first = min((r for r in reasons if r.sure), key=lambda reason: reason.at)
    asking = first.code == CODES["failed"] and happened.plan.asks_details
    likely = [
        r
        for r in reasons
        if r.at <= first.at + SLACK
        or (asking and r.code < 0 and r.at <= first.at + DETAILS_SECONDS + SLACK)
    ]
    if happened.plan.unread == "stdout":
        if any(r.code in VERDICTS for r in likely):  # a signal beside it waits for the reader, too
            likely = [r for r in likely if r.code >= 0]
        likely = [later for r in likely for later in _unread(happened, r)]
    allowed = {r.code for r in likely}
    unlike = f"{ended.code}, not {allowed}"
    wrong = {
        _wrong_output(happened) if ended.code in allowed else unlike: True,
        "a secret leaked": any(secret in written for secret in SECRETS),
        "a traceback": "Traceback" in written or "a bug in twbuild" in written,
    }
    due = max(first.at, min((r.at for r in likely if r.code == ended.code), default=first.at))
    if asking and ended.code == first.code:
        due += DETAILS_SECONDS
    late = happened.end - _running(happened, due)
    return [what for what, is_so in wrong.items() if what and is_so], late


def _reasons(happened: Happened) -> Iterator[Reason]:
    # On a busy machine the first request comes some time after the start.
    start = happened.end - happened.ended.seconds
    yield Reason(start + happened.plan.timeout, TIMEOUT, sure=False)
    yield Reason(happened.first + happened.plan.timeout, TIMEOUT)
    if happened.plan.starving == "limit" and "too many open files" in happened.ended.stderr:
        # As where a verdict on a kept connection is requested again on a new one.
        yield Reason(happened.end, CODES["unavailable"], sure=False)
    for at, signum in happened.sent:
        if signum in DEADLY:
            yield Reason(at, -signum)
    for said in happened.said:
        if said.verdict:
            yield Reason(said.at, CODES[said.verdict])
    for missing, row in groupby(happened.said, key=lambda said: said.missing):
        times = [said.at for said in row]
        for number, at in enumerate(times, 1):
            if missing and number >= 3 and at - times[0] > 4.8:
                yield Reason(at, CODES["not_found"], sure=at - times[0] > 5.2)


def _unread(happened: Happened, reason: Reason) -> Iterator[Reason]:
    """How it ends where what would be written is not read."""
    reported = reason.code in VERDICTS
    if not reported and "--json" not in happened.plan.arguments:
        yield reason
        return
    deadline = happened.first + happened.plan.timeout
    code = CODES["unavailable"] if reported else reason.code
    yield Reason(max(_running(happened, deadline), reason.at) + UNREAD_SECONDS, code)
    for at, signum in happened.sent:
        if signum in DEADLY:
            yield Reason(max(_running(happened, at), reason.at) + UNREAD_SECONDS, -signum)


def _running(happened: Happened, at: float) -> float:
    """The first moment from `at` on, give or take the slack, when the process was not stopped."""
    stops = [t for t, signum in happened.sent if signum in (signal.SIGSTOP, signal.SIGTSTP)]
    goes = [t for t, signum in happened.sent if signum == signal.SIGCONT]
    for stop, go in zip(stops, goes, strict=False):
        if stop - SLACK <= at < go:
            return go
    return at


def _wrong_output(happened: Happened) -> str:
    """Whether stdout tells what the code tells, and the terminal is as it was before."""
    ended = happened.ended
    if ended.stderr.rfind(HIDE_CURSOR) > ended.stderr.rfind(SHOW_CURSOR):
        return "the cursor stays hidden"
    word = {0: "completed", 1: "failed"}.get(ended.code, "")
    if happened.plan.unread == "stdout":
        return ""
    if ended.code < 0 and any(said.verdict == "failed" for said in happened.said):
        word = "failed" if "failed" in ended.stdout else ""  # interrupted after its verdict
    if "--json" in happened.plan.arguments:
        outcome = json.loads(ended.stdout)["outcome"]
        reported = {"timeout": TIMEOUT, "interrupted": ended.code}.get(outcome, CODES.get(outcome))
        is_over = happened.end >= happened.first + happened.plan.timeout
        ended_by_signal = ended.code < 0 and reported == TIMEOUT and is_over
        right = reported == ended.code or outcome == word or ended_by_signal
        return "" if right else f"{ended.code}, but the object says {outcome}"
    expected = f"{word}\n" if word else ""
    return "" if ended.stdout == expected else f"{ended.code}, but stdout says {ended.stdout!r}"
