"""Durations are read in the forms that the messages name, and shown in two units at most."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twbuild.durations import DURATION_FORMS, age, clock, duration, parse_duration, utc_time

NAMED = [90, 90, 1.5, 0.5, 300, 5400, 86400]
DURATIONS = [
    *zip(DURATION_FORMS.replace(" (seconds)", "").split(", "), NAMED, strict=True),
    *[("0", 0), ("1d1h30m15.5s", 91815.5), ("9" * 400, float("inf"))],
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_each_form_that_the_message_names_is_one(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


BAD_DURATIONS = [
    *("", " ", "s", "ms", "."),
    *("-5", "+5", "-5s", "1e3", "0x10", "1_000", "nan"),
    *("5 m", " 5", "5 ", "5\n", "5s\n", "\t5"),
    *("5S", "5min", "5 minutes", "1w", "5us"),
    *("1.5", "1.5m", "1.5h", "1.5d", "1.5ms", ".5s", "5.s", "1,5s"),
    *("30m1h", "1d1d", "5s5m", "1s500ms", "1h30", "1:30"),
    *("٥", "५m", "²s", "1٫5s"),
    *("5s;rm", "5m\0"),
]


@pytest.mark.parametrize("text", BAD_DURATIONS)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.text(max_size=400) | st.text("0123456789.hms -+e\n٥"))
def test_junk_is_a_duration_of_zero_or_more_or_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert seconds >= 0
    assert text.isascii()


SHOWN = [
    *[(0, "0s"), (0.04, "0s"), (0.2, "0.2s"), (1.02, "1s"), (1.5, "1.5s"), (9.94, "9.9s")],
    *[(9.95, "10s"), (10.4, "10s"), (59.4, "59s"), (59.6, "1m"), (72, "1m 12s"), (600.02, "10m")],
    *[(3601, "1h"), (3660, "1h 1m"), (7500, "2h 5m"), (86399, "23h 59m"), (86400, "1d")],
    *[(86400 + 60, "1d"), (90000, "1d 1h"), (7 * 86400, "7d")],
]


@pytest.mark.parametrize(("seconds", "reported"), SHOWN)
def test_a_human_readable_duration_has_two_units_at_most(seconds: float, reported: str) -> None:
    assert duration(seconds) == reported


CLOCK = [(0, "0:00"), (59.99, "0:59"), (725, "12:05"), (3599, "59:59"), (3723, "1:02:03")]


@pytest.mark.parametrize(("seconds", "shown"), CLOCK)
def test_the_running_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_an_age_is_never_in_the_future() -> None:
    assert [age(seconds) for seconds in (12.4, 1.6, -5)] == ["12s ago", "2s ago", "0s ago"]


def test_a_time_has_its_date_unless_it_is_todays() -> None:
    time = datetime(2026, 11, 24, 14, 2, 11)  # noqa: DTZ001 - in UTC

    assert utc_time(time, time + timedelta(hours=9)) == "14:02:11 UTC"
    assert utc_time(time, time + timedelta(days=1)) == "2026-11-24 14:02:11 UTC"
