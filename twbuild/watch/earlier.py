"""What a service's earlier builds tell: how long a build takes, and what one changed.

Nothing is concluded from what is not known: a missing date or list is never a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from twbuild.api.models import Build, Dependency, Status

MIN_BUILDS = 3  # fewer show no usual time
MIN_SECONDS, MAX_SECONDS = 1.0, 3600.0  # beyond these a date was not written by a build's end


class Counts(NamedTuple):
    """How many functions or assets there are and were; how many are not the same versions."""

    now: int
    before: int
    changed: int | None


class Changes(NamedTuple):
    """What differs between a build and `since`, an earlier one. None: the same, or unknown."""

    since: Build
    runtime: tuple[str, str] | None = None
    updated: tuple[tuple[Dependency, Dependency], ...] = ()
    added: tuple[Dependency, ...] = ()
    removed: tuple[Dependency, ...] = ()
    functions: Counts | None = None
    assets: Counts | None = None


def usual_seconds(builds: Iterable[Build]) -> float | None:
    """The median time from creation to completion; None where fewer than three builds tell."""
    times = sorted(
        seconds
        for build in builds
        if build.status == Status.COMPLETED
        and (seconds := build_seconds(build)) is not None
        and MIN_SECONDS <= seconds <= MAX_SECONDS
    )
    if len(times) < MIN_BUILDS:
        return None
    return (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2


def build_seconds(build: Build) -> float | None:
    """Seconds from creation to the last update."""
    if build.created is None or build.updated is None:
        return None
    return (build.updated - build.created).total_seconds()


def last_completed(sid: str, builds: Collection[Build]) -> Build | None:
    """The newest completed build that was created before build `sid`.

    None where that is not certain: `sid` is not among the builds, a completed build has no date,
    or two were created at the same moment.
    """
    created = next((b.created for b in builds if b.sid.lower() == sid.lower()), None)
    completed = [build for build in builds if build.status == Status.COMPLETED]
    if created is None or any(build.created is None for build in completed):
        return None
    before = [build for build in completed if build.created and build.created < created]
    if not before:
        return None
    newest = max(build.created for build in before if build.created)
    last = [build for build in before if build.created == newest]
    return last[0] if len(last) == 1 else None


def changes(build: Build, since: Build) -> Changes:
    """What differs between `build` and the earlier one."""
    runtimes = (build.runtime, since.runtime)
    now, before = (_by_name(found.dependencies) for found in (build, since))
    both = [name for name in now if name in before and now[name].version and before[name].version]
    is_known = build.dependencies is not None and since.dependencies is not None
    return Changes(
        since,
        runtime=runtimes if all(runtimes) and build.runtime != since.runtime else None,  # type: ignore[arg-type]
        updated=tuple((now[n], before[n]) for n in both if now[n].version != before[n].version),
        added=tuple(now[n] for n in now if is_known and n not in before),
        removed=tuple(before[n] for n in before if is_known and n not in now),
        functions=_counts(build.functions, since.functions),
        assets=_counts(build.assets, since.assets),
    )


def is_same(build: Build, found: Changes) -> bool:
    """Whether runtime and dependencies are known of both builds, and nothing differs."""
    is_known = all(
        each.runtime and each.dependencies is not None and all(d.version for d in each.dependencies)
        for each in (build, found.since)
    )
    return is_known and found == Changes(found.since)


def _by_name(dependencies: Iterable[Dependency] | None) -> dict[str, Dependency]:
    return {dependency.name: dependency for dependency in dependencies or ()}


def _counts(now: tuple[str, ...] | None, before: tuple[str, ...] | None) -> Counts | None:
    """The difference between the versions of two builds, by their SIDs where all have one."""
    if now is None or before is None:
        return None
    changed = len(set(now) - set(before)) if all(now) and all(before) else None
    return Counts(len(now), len(before), changed) if changed or len(now) != len(before) else None
