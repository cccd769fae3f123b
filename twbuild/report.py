"""What to say of an ending: a word, a line for people, JSON, and how to go on.

Nothing is written here.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from twbuild.errors import TwbuildError
from twbuild.events import Build, Made, Outcome
from twbuild.text import Line, counted, duration, printable
from twbuild.watch import Over

VERDICTS = (Outcome.COMPLETED, Outcome.FAILED, Outcome.BUILDING)
GOES_ON = (Outcome.TIMEOUT, Outcome.INTERRUPTED)
CUT_OFF = (Outcome.UNAUTHORIZED, Outcome.UNAVAILABLE)
MOST_DEPENDENCIES = 10
DETAILS_COLUMNS = 60  # beside their names, in a window of 80

_MARKS = {Outcome.COMPLETED: "✓", Outcome.FAILED: "✗", Outcome.BUILDING: "•"}


def word(over: Over, *, several: bool) -> str:
    """The verdict for a program."""
    return f"{over.sid} {over.outcome.value}" if several else over.outcome.value


def headline(over: Over, *, once: bool) -> Line:
    """What it came to, on one line for people; `once` where nobody waited for it."""
    sid = f"  {over.sid or 'the newest build'}"
    outcome, waited = over.outcome, duration(over.waited_seconds)
    if outcome in VERDICTS:
        took = "" if once else " (already)" if over.polls == 1 else f" (waited {waited})"
        ready = "  ready to deploy" if outcome is Outcome.COMPLETED else " " if took else ""
        mark = (f"{_MARKS[outcome]} {outcome.value:<9}", outcome.value)
        return [mark, (f"{sid}{ready}", ""), (took, "time")]
    if outcome in GOES_ON:
        state = "still building" if over.answer else "status not known yet"
        timeout = outcome is Outcome.TIMEOUT
        ended = (
            f"{state} after {waited} (--timeout)"
            if timeout
            else f"interrupted after {waited}, {state}"
        )
        return [(f"! {ended}", "trouble"), (sid, "")]
    error = over.error or TwbuildError(outcome.value)
    tries = f" ({over.polls} tries in {waited})" if over.polls > 1 else ""
    return [*error.lines[0], (tries, "time"), (f"  {over.sid}" if over.sid else "", "")]


def hints(overs: Sequence[Over]) -> list[Line]:
    """What the servers told at the end, and what to do about it; the same thing once."""
    found: dict[str, None] = {}
    for over in overs:
        if over.error is None or over.outcome in VERDICTS:
            continue
        if over.outcome in GOES_ON:
            found[f"the last try: {over.error.message}"] = None
        else:
            found.update(dict.fromkeys(over.error.hints))
    return [[(f"  {hint}", "hint")] for hint in found]


def resume(overs: Sequence[Over], command: Sequence[str]) -> list[Line]:
    """That builds go on at Twilio, and the command that waits for them again."""
    left = [o for o in overs if o.outcome in GOES_ON or (o.answer and o.outcome in CUT_OFF)]
    if not left:
        return []
    lines: list[Line] = []
    for over in left:
        if over.outcome in CUT_OFF:
            waited = duration(over.waited_seconds)
            lines.append([(f"  {over.sid} was still building, after {waited}", "hint")])
    goes_on = "It goes on" if len(left) == 1 else f"{len(left)} builds go on"
    words = [*command, *(over.sid for over in left if over.sid)]
    typed = " ".join(map(_typed, words))
    return [
        *lines,
        [(f"  {goes_on} at Twilio. To wait again:", "hint")],
        [(f"    {typed}", "command")],
    ]


def _typed(word: str) -> str:
    """The word as a shell reads it back, and no terminal or CI log obeys it."""
    quoted = shlex.quote(word)
    if quoted == printable(quoted, len(quoted)):
        return quoted
    safe = (c if c.isalnum() and c.isascii() else f"\\x{ord(c):02x}" for c in _as_bytes(word))
    return f"$'{''.join(safe)}'"


def _as_bytes(word: str) -> str:
    return word.encode("utf-8", "surrogateescape").decode("latin-1")


def summary(overs: Sequence[Over]) -> Line:
    """What several builds came to, on one line."""
    counts = Counter(over.outcome for over in overs)
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())
    waited = duration(max(over.waited_seconds for over in overs))
    return [(f"{counted(len(overs), 'build')}: {told}", ""), (f" (waited {waited})", "time")]


def made(event: Made, *, several: bool) -> list[Line]:
    """What a failed build was made of."""
    build = event.build
    no_reason = "  Twilio's API gives no reason."
    if build is None:
        return [[(no_reason, "hint")]]
    head = f"{no_reason} What the build was made of:"
    if several:
        head = f"  What {event.sid} was made of; the API gives no reason:"
    rows = [
        ("runtime", printable(build.runtime) if build.runtime else None),
        ("contents", _contents(build)),
        *_dependencies(build.dependencies),
        ("created", _times(build)),
        ("request", build.request_id and f"{build.request_id}, for Twilio's support"),
    ]
    return [
        [(head, "hint")],
        *([(f"    {name:<12}  ", "hint"), (value, "")] for name, value in rows if value),
    ]


def _contents(build: Build) -> str | None:
    counts = [(build.functions, "function"), (build.assets, "asset")]
    return ", ".join(counted(count, noun) for count, noun in counts if count is not None) or None


def _dependencies(names: Sequence[str]) -> list[tuple[str, str]]:
    shown = [printable(name, 100) for name in names[:MOST_DEPENDENCIES]]
    if len(names) > len(shown):
        shown.append(f"and {len(names) - len(shown)} more")
    lines = textwrap.wrap(", ".join(shown), DETAILS_COLUMNS, break_on_hyphens=False)
    return [("" if number else "dependencies", text) for number, text in enumerate(lines)]


def _times(build: Build) -> str | None:
    if build.created is None:
        return None
    told = f"{build.created:%H:%M:%S} UTC"
    if build.updated is None or build.updated < build.created:
        return told
    return f"{told}, failed after {duration((build.updated - build.created).total_seconds())}"


def as_json(over: Over) -> str:
    """One object on one line; no `##` in it, which GitHub and Azure obey anywhere in a line."""
    answer = over.answer
    found: dict[str, Any] = {
        "sid": (answer and answer.sid) or over.sid,
        "account_sid": answer and answer.account_sid,
        "service_sid": answer and answer.service_sid,
        "status": answer and answer.status.value,
        "url": answer and answer.url,
        "outcome": over.outcome.value,
        "waited_seconds": round(over.waited_seconds, 3),
        "polls": over.polls,
        "error": _error(over.error),
    }
    return json.dumps(found).replace("##", "#\\u0023").replace("\x7f", "\\u007f")


def _error(error: TwbuildError | None) -> Mapping[str, Any] | None:
    if error is None:
        return None
    known = {n: getattr(error, n, None) for n in ("http_status", "code", "request_id")}
    return {
        "message": error.message,
        **{n: value for n, value in known.items() if value is not None},
    }
