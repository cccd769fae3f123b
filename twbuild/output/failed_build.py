"""What is said of a failed build: what changed since the last completed one, or its contents.

Twilio gives no reason for a failed build. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from twbuild.api.models import Build, Dependency
from twbuild.durations import age, duration, utc_time
from twbuild.text import MAX_LISTED, Line, counted, listed, printable
from twbuild.watch.earlier import Changes, Counts, build_seconds, is_same

MAX_CHARACTERS = 100  # of a dependency

Row = tuple[str, str]


def failed_build(build: Build, changes: Changes | None, *, several: bool) -> list[Line]:
    """What Twilio says of a failed build, what changed, and what to do next."""
    first = f"Twilio gives no reason for {build.sid if several else 'a failed build'}."
    rows: list[Row] = []
    next_steps = [_to_ask_support(build)]
    if changes and (rows := list(_changed(changes))):
        first += f" Since {_last(changes.since)}:"
    elif changes and is_same(build, changes):
        first += f" It has the same runtime and dependencies as {_last(changes.since)}:"
        first += " look at the code."
    else:
        rows = list(_made_of(build))
        if rows and several:
            first = f"What {build.sid} was made of (Twilio gives no reason):"
        elif rows:
            first += " What it was made of:"
        next_steps.insert(0, "Compare with your last completed build.")
    if build.created:
        rows.append(("created", _times(build, build.created)))
    return [
        [(f"  {first}", "")],
        *([(f"    {name:<12}  ", "detail"), (value, "")] for name, value in rows),
        *([(f"  {step}", "")] for step in next_steps),
    ]


def _to_ask_support(build: Build) -> str:
    request = f" and the request ID {build.request_id}" if build.request_id else ""
    return f"To ask Twilio's support, give them the Build SID{request}."


def _last(build: Build) -> str:
    when = ""
    if build.created:
        when = f", {age((datetime.now(timezone.utc) - build.created).total_seconds())}"
    return f"your last completed build ({printable(build.sid)}{when})"


def _made_of(build: Build) -> Iterator[Row]:
    if build.runtime:
        yield "runtime", printable(build.runtime)
    versions = [(build.functions, "function"), (build.assets, "asset")]
    if contents := [counted(len(v), noun) for v, noun in versions if v is not None]:
        yield "contents", ", ".join(contents)
    names = [" ".join(filter(None, dependency)) for dependency in build.dependencies or ()]
    if names:
        yield "dependencies", listed(names, MAX_CHARACTERS)


def _changed(changes: Changes) -> Iterator[Row]:
    if changes.runtime:
        now, before = map(printable, changes.runtime)
        yield "runtime", f"{now}, was {before}"
    if changes.updated or changes.added or changes.removed:
        yield "dependencies", _changed_dependencies(changes)
    for name, counts in (("functions", changes.functions), ("assets", changes.assets)):
        if counts:
            yield name, _counted(counts)


def _changed_dependencies(changes: Changes) -> str:
    """Ten of those that differ, and how many more: `a 2, was 1; new: b 1, c 1; gone: d 1`."""
    found = [
        ("", f"{_shown(now)}, was {printable(before.version, MAX_CHARACTERS)}")
        for now, before in changes.updated
    ]
    found += [("new: ", _shown(dependency)) for dependency in changes.added]
    found += [("gone: ", _shown(dependency)) for dependency in changes.removed]
    kinds: dict[str, list[str]] = {}
    for kind, text in found[:MAX_LISTED]:
        kinds.setdefault(kind, []).append(text)
    parts = [kind + (", " if kind else "; ").join(texts) for kind, texts in kinds.items()]
    if len(found) > MAX_LISTED:
        parts.append(f"and {len(found) - MAX_LISTED} more")
    return "; ".join(parts)


def _shown(dependency: Dependency) -> str:
    return printable(" ".join(filter(None, dependency)), MAX_CHARACTERS)


def _counted(counts: Counts) -> str:
    """`2 of 13 changed`, `13, were 12` or both."""
    changed = f"{counts.changed} of {counts.now} changed" if counts.changed else str(counts.now)
    return changed if counts.now == counts.before else f"{changed}, were {counts.before}"


def _times(build: Build, created: datetime) -> str:
    text = utc_time(created, datetime.now(timezone.utc))
    seconds = build_seconds(build) or 0
    return f"{text}, failed after {duration(seconds)}" if seconds > 0 else text
