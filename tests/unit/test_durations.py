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
    *[
        ("0", 0),
        ("1h30m15s", 5415),
        ("1m0.5s", 60.5),
        ("1d2h30m", 95400),
        ("9" * 400, float("inf")),
    ],
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


@given(st.integers(0, 200), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


SHOWN = [
    *[(0, "0s"), (0.04, "0s"), (0.2, "0.2s"), (1.02, "1s"), (1.5, "1.5s"), (9.94, "9.9s")],
    *[(9.95, "10s"), (10.4, "10s"), (59.4, "59s"), (59.6, "1m"), (72, "1m 12s"), (600.02, "10m")],
    *[(3601, "1h"), (3660, "1h 1m"), (7500, "2h 5m"), (86399, "23h 59m"), (86400, "1d")],
    *[(86400 + 60, "1d"), (90000, "1d 1h"), (7 * 86400, "7d")],
]


@pytest.mark.parametrize(("seconds", "reported"), SHOWN)
def test_a_human_readable_duration_has_two_units_at_most(seconds: float, reported: str) -> None:
    assert duration(seconds) == reported


@given(st.floats(0, 1e7))
def test_a_human_readable_duration_is_as_exact_as_its_unit(seconds: float) -> None:
    """A human readable duration is never off by more than its smallest unit."""
    sizes = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    parts = duration(seconds).split()
    reported = sum(float(part[:-1]) * sizes[part[-1]] for part in parts)
    next_unit = 0.05 if "." in parts[0] else {"d": 3600.0, "h": 60.0}.get(parts[0][-1], 1.0)

    assert abs(reported - seconds) <= next_unit + 0.5


CLOCK = [(0, "0:00"), (59.99, "0:59"), (60, "1:00"), (725, "12:05"), (3599, "59:59")]


@pytest.mark.parametrize(("seconds", "shown"), [*CLOCK, (3723, "1:02:03"), (360000, "100:00:00")])
def test_the_running_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "reported"),
    [(12.4, "12s ago"), (1.6, "2s ago"), (3 * 86400 + 50, "3d ago"), (-5, "0s ago")],
)
def test_an_age_is_never_in_the_future(seconds: float, reported: str) -> None:
    assert age(seconds) == reported


def test_a_time_has_its_date_unless_it_is_todays() -> None:
    time = datetime(2026, 11, 24, 14, 2, 11)  # noqa: DTZ001 - in UTC

    assert utc_time(time, time + timedelta(hours=9)) == "14:02:11 UTC"
    assert utc_time(time, time + timedelta(days=1)) == "2026-11-24 14:02:11 UTC"
