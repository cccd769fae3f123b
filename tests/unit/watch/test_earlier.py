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


@pytest.mark.parametrize(
    ("seconds", "usual"),
    [
        ([], None),
        ([70, 3600, 1], 70),
        ([60, 70, 80, 90], 75),
        ([60, 70, 0.9], None),
        ([60, 70, 3600.1], None),
    ],
    ids=str,
)
def test_the_usual_time_is_the_median_of_plausible_times(
    seconds: list[float], usual: float | None
) -> None:
    assert usual_seconds(map(took, seconds)) == usual


def test_the_usual_time_needs_completed_builds_with_both_dates() -> None:
    others = [took(5, "failed"), took(5, "Completed"), build(), build(0, minutes=None)]

    assert usual_seconds([took(60), took(70), *others]) is None


def test_a_builds_time_is_from_creation_to_last_update() -> None:
    assert build_seconds(took(36.5)) == 36.5
    assert build_seconds(build()) is None
    assert build_seconds(took(1)._replace(created=None)) is None


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
def test_the_last_completed_build_is_the_newest_before(
    builds: list[Build], last: int | None
) -> None:
    """The last completed build is the newest before this one where that is certain."""
    found = last_completed("zbA" + "0" * 31, [build(0xA << 124, "failed"), *builds])

    assert (found and found.sid) == (None if last is None else build(last).sid)


@pytest.mark.parametrize("listed", [[], [build(2, "failed", None)]])
def test_the_last_completed_build_may_be_unknown(listed: list[Build]) -> None:
    """The last completed build is unknown where this one is not listed with a date."""
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


@pytest.mark.parametrize(
    ("now", "before", "counts"),
    [
        (("a", "b"), ("b", "a"), None),
        (("a", "c"), ("a", "b"), Counts(2, 2, 1)),
        (("a", "b", "c"), ("a", "b"), Counts(3, 2, 1)),
        (("a",), ("a", "b"), Counts(1, 2, 0)),
        (("b", "a"), ("a", ""), None),
        (("a", "b", ""), ("a", "b"), Counts(3, 2, None)),
        (None, ("a",), None),
        (("a",), None, None),
    ],
    ids=str,
)
def test_changed_functions_and_assets_are_counted_by_version(
    now: tuple[str, ...] | None, before: tuple[str, ...] | None, counts: Counts | None
) -> None:
    """Changes of functions and assets are counted by the SIDs of their versions."""
    functions = changes(build(2, functions=now), build(1, functions=before))
    assets = changes(build(2, assets=now), build(1, assets=before))

    assert (functions.functions, functions.assets) == (counts, None)
    assert (assets.functions, assets.assets) == (None, counts)


def test_what_is_unknown_of_one_build_is_no_change() -> None:
    known = build(1, runtime="node18", dependencies=(LODASH,))
    unknown = build(2)

    assert changes(unknown, known) == Changes(known)
    assert changes(known, unknown) == Changes(unknown)
    assert changes(build(3, dependencies=()), known).removed == (LODASH,)
    assert not changes(build(4, dependencies=(Dependency("lodash"),)), known).updated


@pytest.mark.parametrize(
    ("facts", "same"),
    [
        ({}, True),
        ({"functions": ("ZN1",)}, True),
        ({"runtime": "node20"}, False),
        ({"runtime": None}, False),
        ({"dependencies": None}, False),
        ({"dependencies": (Dependency("lodash"),)}, False),
    ],
    ids=str,
)
def test_a_build_is_the_same_where_nothing_known_differs(facts: dict[str, Any], same: bool) -> None:
    """A build is the same where runtime and dependencies are known and nothing differs."""
    known = build(1, runtime="node18", dependencies=(LODASH,))
    other = known._replace(**facts)

    assert is_same(other, changes(other, known)) is same
    assert is_same(known, changes(known, other)) is same
