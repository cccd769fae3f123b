"""Which build is the newest: from all pages, or unknown."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.command import BUILD, OTHER_BUILD
from twbuild.api.models import Build, BuildPage
from twbuild.errors import NotFoundError, PermanentError
from twbuild.watch.events import Selected
from twbuild.watch.newest import BuildList

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def build(number: int, status: str = "building", minutes_ago: float | None = 0) -> Build:
    created = None if minutes_ago is None else NOON - timedelta(minutes=minutes_ago)
    return Build(f"ZB{number:032x}", status, created)


def listing(*pages: list[Build]) -> BuildList:
    found = BuildList()
    for number, builds in enumerate(pages, 1):
        more = f"Page={number}" if number < len(pages) else None
        found.add(BuildPage(tuple(builds), more, NOON, None, "svc", "Account AC was used."))
    return found


def test_the_newest_in_progress_has_age_and_other_count() -> None:
    found = listing(
        [build(1, "completed", 1), build(2, minutes_ago=9)],
        [build(3, minutes_ago=3), build(4, minutes_ago=7), build(5, "failed", 2)],
    )

    newest = found.newest(NOON, in_progress=True)._replace(builds=())

    assert newest == Selected(build(3).sid, "building", NOON - timedelta(minutes=3), 180, 2)


def test_the_newest_of_all_where_any_will_do() -> None:
    found = listing([build(1, "completed", 1), build(2, minutes_ago=9)], [build(3, "failed", 4)])

    newest = found.newest(NOON, in_progress=False)._replace(builds=())

    assert newest == Selected(build(1).sid, "completed", NOON - timedelta(minutes=1), 60, 1)


def test_times_are_compared_across_time_zones() -> None:
    tokyo, utc = timezone(timedelta(hours=9)), timezone.utc
    earlier = Build(OTHER_BUILD, "building", datetime(2026, 11, 24, 20, tzinfo=tokyo))
    later = Build(BUILD, "building", datetime(2026, 11, 24, 11, 30, tzinfo=utc))

    assert listing([later, earlier]).newest(NOON, in_progress=True).sid == BUILD


def test_a_build_on_two_pages_counts_as_last_listed() -> None:
    shouted = Build(build(0xAB).sid.upper(), "completed", NOON)

    found = listing([build(0xAB), build(1, minutes_ago=5)], [shouted])

    newest = found.newest(NOON, in_progress=True)
    assert (newest.sid, newest.others_in_progress) == (build(1).sid, 0)
    assert newest.builds == (shouted, build(1, minutes_ago=5))


def test_the_sid_stays_as_the_api_wrote_it() -> None:
    assert listing([build(0xAB)]).newest(NOON, in_progress=True).sid == build(0xAB).sid


def test_no_builds() -> None:
    for in_progress in (True, False):
        with pytest.raises(NotFoundError) as raised:
            listing([], []).newest(NOON, in_progress=in_progress)

        assert raised.value.message == "service svc has no builds"
        assert raised.value.details == ["Account AC was used."]
        assert raised.value.reason == "no builds"


@pytest.mark.parametrize("status", ["completed", "failed", "queued", "Building", ""])
def test_none_in_progress_names_the_newest_with_status_and_age(status: str) -> None:
    found = listing([build(1, "failed", 60 * 24 * 9)], [build(0xAB, status, 60 * 24 * 3)])

    with pytest.raises(NotFoundError) as raised:
        found.newest(NOON, in_progress=True)

    assert raised.value.message == (
        "no build in progress in service svc:"
        f" the newest is {build(0xAB).sid} ({status}, created 3d ago)"
    )
    assert raised.value.hints == (
        "A build just created may not be listed yet. To wait for it, pass its Build SID.",
    )
    assert raised.value.reason == "none in progress"


def test_foreign_text_in_a_status_is_shown_and_does_nothing() -> None:
    with pytest.raises(NotFoundError) as raised:
        listing([build(1, "\x1b[2J##\n::error::")]).newest(NOON, in_progress=True)

    assert raised.value.message.isprintable()
    assert "##" not in raised.value.message


@pytest.mark.parametrize("in_progress", [True, False])
def test_a_build_without_a_time_leaves_the_newest_open(in_progress: bool) -> None:
    found = listing([build(1), build(2, "completed", None)])

    with pytest.raises(PermanentError) as raised:
        found.newest(NOON, in_progress=in_progress)

    assert raised.value.reason == "a build in the list has no date"
    assert raised.value.message == (
        "cannot tell which build is the newest: a build in the list has no date"
    )
    assert raised.value.hints == ("Pass a Build SID.",)


TOKYO = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("statuses", "in_progress"),
    [
        (["building", "building"], True),
        (["completed", "failed"], False),
        (["completed", "failed"], True),
        (["building", "failed"], False),
    ],
)
@pytest.mark.parametrize("zone", [timezone.utc, TOKYO], ids=["one zone", "two zones"])
def test_of_two_builds_of_one_moment_neither_is_newest(
    statuses: list[str], in_progress: bool, zone: timezone
) -> None:
    one, other = (build(n, status) for n, status in enumerate(statuses))
    moved = other._replace(created=NOON.astimezone(zone))
    found = listing([one, build(7, "failed", 5)], [moved])

    with pytest.raises(PermanentError) as raised:
        found.newest(NOON, in_progress=in_progress)

    assert raised.value.reason.startswith("two builds were created at 2026-11-24 ")
    assert raised.value.hints == ("Pass a Build SID.",)


def test_builds_of_one_moment_matter_only_where_wanted() -> None:
    """Builds created at the same moment do no harm where neither is wanted."""
    newer = listing([build(1, "failed"), build(2, "completed"), build(3, minutes_ago=3)])
    older = listing([build(1), build(2, minutes_ago=3), build(3, minutes_ago=3)])

    assert newer.newest(NOON, in_progress=True).sid == build(3).sid
    assert older.newest(NOON, in_progress=True).sid == build(1).sid


@pytest.mark.parametrize("minutes_ago", [1, None])
def test_a_build_with_two_dates_leaves_the_newest_open(minutes_ago: float | None) -> None:
    """A build that is listed with two dates leaves it open which is the newest."""
    again = build(0xAB, minutes_ago=minutes_ago)._replace(sid=build(0xAB).sid.upper())

    with pytest.raises(PermanentError, match="is listed with two dates") as raised:
        listing([build(0xAB), build(1)], [again])

    assert raised.value.hints == ("Pass a Build SID.",)


def test_50_pages_are_read_and_a_51st_is_too_many() -> None:
    found = listing(*[[build(n, minutes_ago=n)] for n in range(50)])
    assert found.newest(NOON, in_progress=True)[:5] == (build(0).sid, "building", NOON, 0, 49)

    with pytest.raises(PermanentError, match="more than 50 pages") as raised:
        listing(*[[build(n)] for n in range(51)])

    assert raised.value.hints == ("Pass a Build SID.",)


def test_all_that_is_known_of_20_builds_is_kept() -> None:
    builds = [
        build(n, minutes_ago=n)._replace(functions=("ZN1",), assets=("ZN2",), dependencies=())
        for n in (30, 5, *range(10, 30), 1)
    ]

    found = listing(builds[:9], builds[9:])

    newest = sorted(builds, key=lambda build: build.sid)
    assert found.newest(NOON, in_progress=True).builds == tuple(newest[:20])
    kept = [listed for listed in found._builds.values() if listed.functions is not None]
    assert {listed.sid for listed in kept} == {listed.sid for listed in newest[:20]}


@given(
    st.lists(st.sampled_from(["building", "completed", "failed"]), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    st.integers(1, 7),
)
def test_the_order_of_the_list_changes_nothing(
    statuses: list[str], random: Random, size: int
) -> None:
    builds = [build(n, status, n) for n, status in enumerate(statuses)]
    newest = next((b for b in builds if b.status == "building"), None)
    random.shuffle(builds)

    found = listing(*[builds[at : at + size] for at in range(0, len(builds), size)])

    assert found.newest(NOON, in_progress=False).sid == build(0).sid
    if newest:
        assert found.newest(NOON, in_progress=True).sid == newest.sid
    else:
        with pytest.raises(NotFoundError):
            found.newest(NOON, in_progress=True)
