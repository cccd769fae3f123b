"""What earlier builds tell: the usual time, the last completed build, and what changed since."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from twbuild.api.models import Build, Dependency
from twbuild.watch.earlier import (
    Changes,
    Counts,
    build_seconds,
    changes,
    is_same,
    last_completed,
    usual_seconds,
)

NOON = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
LODASH, LODASH_NEW = Dependency("lodash", "4.17.21"), Dependency("lodash", "4.17.22")
TWILIO, XMLDOM = Dependency("twilio", "5.3.0"), Dependency("xmldom")


def build(
    number: int = 0, status: str = "completed", minutes: float | None = 0, **facts: object
) -> Build:
    """Build `number`, created so many minutes after noon."""
    created = None if minutes is None else NOON + timedelta(minutes=minutes)
    return Build(f"ZB{number:032x}", status, created, **facts)  # type: ignore[arg-type]


def took(seconds: float, status: str = "completed") -> Build:
    return build(status=status)._replace(updated=NOON + timedelta(seconds=seconds))


NO_TIME = [build(), took(5)._replace(created=None)]
USUAL = [
    ([*map(took, (70, 3600, 1))], 70),
    ([*map(took, (60, 70, 80, 90))], 75),
    ([*map(took, (60, 70, 0.9, 3600.1))], None),
    ([took(60), took(70), took(5, "failed"), took(5, "Completed"), *NO_TIME], None),
]


@pytest.mark.parametrize(("builds", "usual"), USUAL)
def test_the_usual_time_is_the_median_of_plausible_times(
    builds: list[Build], usual: float | None
) -> None:
    assert usual_seconds(builds) == usual


def test_a_builds_time_is_from_creation_to_last_update() -> None:
    assert [*map(build_seconds, [took(36.5), *NO_TIME])] == [36.5, None, None]


LAST: list[tuple[list[Build], int | None]] = [
    ([build(2, minutes=-1), build(1, minutes=-9)], 2),
    ([build(1, minutes=-9), build(2, minutes=-1)], 2),
    ([build(1, minutes=-9), build(2, "failed", -1)], 1),
    ([build(1, minutes=-9), build(2, minutes=1)], 1),
    ([build(1, minutes=0)], None),
    ([], None),
    ([build(1, minutes=-9), build(2, minutes=None)], None),
    ([build(1, minutes=-9), build(2, "failed", None)], 1),
    ([build(1, minutes=-1), build(2, minutes=-1)], None),
    ([build(1, minutes=-1), build(2, minutes=-9), build(3, minutes=-9)], 1),
]


@pytest.mark.parametrize(("builds", "last"), LAST)
def test_the_last_completed_build_is_the_newest_before_where_certain(
    builds: list[Build], last: int | None
) -> None:
    found = last_completed("zbA" + "0" * 31, [build(0xA << 124, "failed"), *builds])

    assert (found and found.sid) == (None if last is None else build(last).sid)


def test_before_a_build_without_a_date_none_is_last() -> None:
    for listed in ([], [build(2, "failed", None)]):
        assert last_completed(build(2).sid, [build(1, minutes=-1), *listed]) is None


def test_changes_are_what_differs_in_runtime_and_dependencies() -> None:
    since = build(1, runtime="node18", dependencies=(LODASH, XMLDOM))
    now = build(2, runtime="node20", dependencies=(LODASH_NEW, TWILIO))

    assert changes(now, since) == Changes(
        since,
        runtime=("node20", "node18"),
        updated=((LODASH_NEW, LODASH),),
        added=(TWILIO,),
        removed=(XMLDOM,),
    )
    assert changes(since, since) == Changes(since)


COUNTED: list[tuple[tuple[str, ...] | None, tuple[str, ...] | None, Counts | None]] = [
    (("a", "b"), ("b", "a"), None),
    (("a", "c"), ("a", "b"), Counts(2, 2, 1)),
    (("a", "b", "c"), ("a", "b"), Counts(3, 2, 1)),
    (("a",), ("a", "b"), Counts(1, 2, 0)),
    (("b", "a"), ("a", ""), None),
    (("a", "b", ""), ("a", "b"), Counts(3, 2, None)),
    (None, ("a",), None),
    (("a",), None, None),
]


@pytest.mark.parametrize(("now", "before", "counts"), COUNTED, ids=str)
def test_changed_functions_and_assets_are_counted_by_version(
    now: tuple[str, ...] | None, before: tuple[str, ...] | None, counts: Counts | None
) -> None:
    functions = changes(build(2, functions=now), build(1, functions=before))
    assets = changes(build(2, assets=now), build(1, assets=before))

    assert (functions.functions, functions.assets) == (counts, None)
    assert (assets.functions, assets.assets) == (None, counts)


KNOWN = build(1, runtime="node18", dependencies=(LODASH,))
NO_VERSION = (Dependency("lodash"),)


def test_what_is_unknown_of_one_build_is_no_change() -> None:
    assert changes(build(2), KNOWN) == Changes(KNOWN)
    assert changes(KNOWN, build(2)) == Changes(build(2))
    assert changes(build(3, dependencies=()), KNOWN).removed == (LODASH,)
    assert not changes(build(4, dependencies=NO_VERSION), KNOWN).updated


OTHER: list[dict[str, Any]] = [{"runtime": "node20"}, {"runtime": None}, {"dependencies": None}]
ALIKE: list[tuple[dict[str, Any], bool]] = [
    *(({}, True), ({"functions": ("ZN1",)}, True), ({"dependencies": NO_VERSION}, False)),
    *((facts, False) for facts in OTHER),
]


@pytest.mark.parametrize(("facts", "same"), ALIKE, ids=str)
def test_a_build_is_the_same_where_nothing_known_differs(facts: dict[str, Any], same: bool) -> None:
    other = KNOWN._replace(**facts)

    assert is_same(other, changes(other, KNOWN)) is same
    assert is_same(KNOWN, changes(KNOWN, other)) is same
