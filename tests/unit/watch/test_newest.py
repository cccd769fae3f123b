"""Which build is the newest: from all pages, or unknown."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twbuild.api.models import Build, BuildPage
from twbuild.errors import FetchError, NotFoundError, PermanentError
from twbuild.watch.events import Selected
from twbuild.watch.newest import BuildList

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
IN_TOKYO = NOON.astimezone(timezone(timedelta(hours=9)))
DAY = 24 * 60


def build(number: int, status: str = "building", minutes_ago: float | None = 0) -> Build:
    created = None if minutes_ago is None else NOON - timedelta(minutes=minutes_ago)
    return Build(f"ZB{number:032x}", status, created)


def listing(*pages: list[Build]) -> BuildList:
    found = BuildList()
    for number, builds in enumerate(pages, 1):
        more = f"Page={number}" if number < len(pages) else None
        found.add(BuildPage(tuple(builds), more, NOON, None, "svc", "Account AC was used."))
    return found


def refused(*pages: list[Build], in_progress: bool = True) -> FetchError:
    """Why there is no newest build."""
    with pytest.raises(FetchError) as raised:
        listing(*pages).newest(NOON, in_progress=in_progress)
    return raised.value


def test_the_newest_has_age_and_count_of_others_in_progress() -> None:
    found = listing(
        [build(1, "completed", 1), build(2, minutes_ago=9)],
        [build(3, minutes_ago=3), build(4, minutes_ago=7), build(5, "failed", 2)],
    )

    newest = found.newest(NOON, in_progress=True)._replace(builds=())
    assert newest == Selected(build(3).sid, "building", NOON - timedelta(minutes=3), 180, 2)
    newest = found.newest(NOON, in_progress=False)._replace(builds=())
    assert newest == Selected(build(1).sid, "completed", NOON - timedelta(minutes=1), 60, 3)


def test_a_build_on_two_pages_counts_as_last_listed() -> None:
    shouted = Build(build(0xAB).sid.upper(), "completed", NOON)
    found = listing([build(0xAB), build(1, minutes_ago=5)], [shouted])
    newest = found.newest(NOON, in_progress=True)

    assert (newest.sid, newest.others_in_progress) == (build(1).sid, 0)
    assert newest.builds == (shouted, build(1, minutes_ago=5))


@pytest.mark.parametrize("in_progress", [True, False])
def test_a_service_without_builds_is_named(in_progress: bool) -> None:
    error = refused([], [], in_progress=in_progress)

    assert (type(error), error.reason) == (NotFoundError, "no builds")
    assert error.message == "service svc has no builds"
    hint = "Create a build, or check that this is the service."
    assert (error.hints, error.details) == ((hint,), ["Account AC was used."])


HOSTILE = ("\x1b[2J##\n::", "\\x1b[2J# # ::")


@pytest.mark.parametrize(("status", "shown"), [("Building", "Building"), HOSTILE])
def test_none_in_progress_names_the_newest_with_status_and_age(status: str, shown: str) -> None:
    error = refused([build(1, "failed", 9 * DAY)], [build(0xAB, status, 3 * DAY)])

    assert (type(error), error.reason) == (NotFoundError, "none in progress")
    newest = f"the newest is {build(0xAB).sid} ({shown}, created 3d ago)"
    assert error.message == f"no build in progress in service svc: {newest}"
    hint = "A build just created may not be listed yet. To wait for it, pass its Build SID."
    assert (error.hints, error.details) == ((hint,), ["Account AC was used."])


AGAIN = build(0xAB)._replace(sid=build(0xAB).sid.upper())
SAME = "two builds were created at 2026-11-24 12:00:00 UTC"
TWO_DATES = f"{AGAIN.sid} is listed with two dates"
UNDECIDED: list[tuple[list[list[Build]], str]] = [
    ([[build(1), build(2, "completed", None)]], "a build in the list has no date"),
    ([[build(0xAB, minutes_ago=1), build(1)], [AGAIN]], TWO_DATES),
    ([[build(0xAB, minutes_ago=None), build(1)], [AGAIN]], TWO_DATES),
    ([[build(n)] for n in range(51)], "the list of builds has more than 50 pages"),
    ([[build(1), build(7, "failed", 5)], [build(2)]], SAME),
    ([[build(1), build(2)._replace(created=IN_TOKYO)]], SAME),
    ([[build(1, "completed"), build(2, "failed")]], SAME),
]


@pytest.mark.parametrize("in_progress", [True, False])
@pytest.mark.parametrize(("pages", "why"), UNDECIDED)
def test_a_list_that_leaves_the_newest_open_yields_none(
    pages: list[list[Build]], why: str, in_progress: bool
) -> None:
    error = refused(*pages, in_progress=in_progress)

    assert (type(error), error.reason) == (PermanentError, why)
    assert error.message == f"cannot tell which build is the newest: {why}"
    assert error.hints == ("Pass a Build SID.",)


def test_builds_of_one_moment_matter_only_where_wanted() -> None:
    newer = listing([build(1, "failed"), build(2, "completed"), build(3, minutes_ago=3)])
    older = listing([build(1), build(2, minutes_ago=3), build(3, minutes_ago=3)])

    assert newer.newest(NOON, in_progress=True).sid == build(3).sid
    assert older.newest(NOON, in_progress=True).sid == build(1).sid


def test_of_50_pages_all_is_kept_of_the_newest_20() -> None:
    facts: dict[str, Any] = {"functions": ("ZN1",), "assets": ("ZN2",), "dependencies": ()}
    builds = [build(n, minutes_ago=n)._replace(**facts) for n in (*range(9, 50), *range(9))]
    found = listing(*[[build] for build in builds])

    newest = found.newest(NOON, in_progress=True)
    assert newest == (build(0).sid, "building", NOON, 0, 49, tuple(sorted(builds)[:20]))
    kept = [(b.functions, b.assets, b.dependencies) for b in found._builds.values()]
    assert sorted(kept, key=str) == [((("ZN1",), ("ZN2",), ()))] * 20 + [(None, None, None)] * 30


@given(
    st.lists(st.sampled_from(["building", "completed", "failed"]), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    st.integers(1, 7),
)
def test_the_order_of_the_list_changes_nothing(
    statuses: list[str], random: Random, size: int
) -> None:
    builds = [build(n, status, n) for n, status in enumerate(statuses)]
    newest = {status: build.sid for status, build in zip(statuses[::-1], builds[::-1], strict=True)}
    random.shuffle(builds)

    found = listing(*[builds[at : at + size] for at in range(0, len(builds), size)])
    assert found.newest(NOON, in_progress=False).sid == build(0).sid
    if "building" in newest:
        assert found.newest(NOON, in_progress=True).sid == newest["building"]
