"""What to say of an ending: a word, a line for people, JSON, and how to go on.

Nothing is written here.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from twbuild.api.models import Build, Dependency, Status
from twbuild.errors import TwbuildError
from twbuild.outcome import Outcome
from twbuild.text import Line, counted, duration, listed, pasteable, printable
from twbuild.watch.events import Made
from twbuild.watch.state import Over

VERDICTS = (Outcome.COMPLETED, Outcome.FAILED, Outcome.BUILDING)
GOES_ON = (Outcome.TIMEOUT, Outcome.INTERRUPTED)
CUT_OFF = (Outcome.UNAUTHORIZED, Outcome.UNAVAILABLE)
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
    """What is known of builds that may continue, and the command that waits for them again."""
    left = [o for o in overs if o.outcome in GOES_ON or (o.answer and o.outcome in CUT_OFF)]
    if not left:
        return []
    lines: list[Line] = []
    for over in left:
        if over.outcome in CUT_OFF:
            waited = duration(over.waited_seconds)
            lines.append([(f"  {over.sid} was still building after {waited}", "hint")])
    return [
        *lines,
        [(f"  {_state_of(left)}. To wait again:", "hint")],
        [(f"    {pasteable([*command, *(over.sid for over in left if over.sid)])}", "command")],
    ]


def _state_of(left: Sequence[Over]) -> str:
    """What Twilio has said of builds whose end nobody saw."""
    unknown = sum(not _was_building(over) for over in left)
    if not unknown:
        one = len(left) == 1
        return "The build continues at Twilio" if one else f"{len(left)} builds continue at Twilio"
    if unknown < len(left):
        known = counted(len(left) - unknown, "build")
        return f"{known} still building at Twilio; the state of {unknown} is unknown"
    whose = "the build" if unknown == 1 else f"{unknown} builds"
    return f"The state of {whose} is unknown"


def _was_building(over: Over) -> bool:
    return over.answer is not None and over.answer.status is Status.BUILDING


def summary(overs: Sequence[Over]) -> Line:
    """How several builds ended, on one line."""
    counts = Counter(map(_in_words, overs))
    told = ", ".join(f"{count} {words}" for words, count in counts.items())
    waited = duration(max(over.waited_seconds for over in overs))
    return [(f"{counted(len(overs), 'build')}: {told}", ""), (f" (waited {waited})", "time")]


def _in_words(over: Over) -> str:
    if over.outcome is Outcome.BUILDING or (over.outcome in GOES_ON and _was_building(over)):
        return "still building"
    if over.outcome is Outcome.UNAUTHORIZED:
        return "refused"
    if over.outcome is Outcome.NOT_FOUND:
        return "not found"
    return over.outcome.value if over.outcome in VERDICTS else "unknown"


def made(event: Made, *, several: bool) -> list[Line]:
    """What Twilio tells of a failed build, and what to do next."""
    build = event.build
    next_steps: list[Line] = [[("  Compare it with your last completed build.", "")]]
    if build and build.request_id:
        next_steps.append([(f"  Or send request {build.request_id} to Twilio's support.", "")])
    rows: list[tuple[str, str | None]] = []
    if build:
        rows = [
            ("runtime", printable(build.runtime) if build.runtime else None),
            ("contents", _contents(build)),
            *_dependencies(build.dependencies),
            ("created", _times(build)),
        ]
    lines: list[Line] = [
        [(f"    {name:<12}  ", "hint"), (value, "")] for name, value in rows if value
    ]
    head = f"Twilio gives no reason for {event.sid if several else 'a failed build'}."
    if lines and several:
        head = f"What {event.sid} was made of; Twilio gives no reason:"
    elif lines:
        head += " What it was made of:"
    return [[(f"  {head}", "hint")], *lines, *next_steps]


def _contents(build: Build) -> str | None:
    counts = [(build.functions, "function"), (build.assets, "asset")]
    return ", ".join(counted(count, noun) for count, noun in counts if count is not None) or None


def _dependencies(dependencies: Sequence[Dependency]) -> list[tuple[str, str]]:
    told = listed([" ".join(filter(None, d)) for d in dependencies], 100)
    lines = textwrap.wrap(told, DETAILS_COLUMNS, break_on_hyphens=False)
    return [("" if number else "dependencies", text) for number, text in enumerate(lines)]


def _times(build: Build) -> str | None:
    if build.created is None:
        return None
    today = build.created.date() == datetime.now(timezone.utc).date()
    told = f"{build.created:{'%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S'}} UTC"
    if build.updated is None or build.updated <= build.created:
        return told
    return f"{told}, failed after {duration((build.updated - build.created).total_seconds())}"


def as_json(over: Over, build: Build | None = None) -> str:
    """One object on one line of ASCII that strict parsers read, with what `build` tells.

    There is no `##` in it, which GitHub and Azure obey anywhere in a line. A lone surrogate is
    U+FFFD: RFC 8259, section 8.2, lets parsers refuse it.
    """
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
        "build": build and _details(build),
    }
    text = re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(found, ensure_ascii=False))
    return json.dumps(json.loads(text)).replace("##", "#\\u0023").replace("\x7f", "\\u007f")


def _details(build: Build) -> Mapping[str, Any]:
    return {
        "runtime": build.runtime,
        "functions": build.functions,
        "assets": build.assets,
        "dependencies": [dependency._asdict() for dependency in build.dependencies],
        "date_created": build.created and _iso(build.created),
        "date_updated": build.updated and _iso(build.updated),
    }


def _iso(time: datetime) -> str:
    """A time in UTC as Twilio writes it."""
    return time.isoformat().replace("+00:00", "Z")


def _error(error: TwbuildError | None) -> Mapping[str, Any] | None:
    if error is None:
        return None
    known = {n: getattr(error, n, None) for n in ("http_status", "code", "request_id")}
    return {
        "message": error.message,
        **{n: value for n, value in known.items() if value is not None},
    }
