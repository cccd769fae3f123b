"""Durations are read in the forms that the messages name, and shown in two units at most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twbuild.durations import DURATION_FORMS, age, clock, duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("1m0.5s", 60.5),
        ("1d", 86400),
        ("7d", 604800),
        ("1d2h30m", 95400),
        ("9" * 400, float("inf")),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", DURATION_FORMS.replace(" (seconds)", "").split(", "))
def test_each_form_that_the_message_names_is_one(text: str) -> None:
    assert parse_duration(text) > 0


BAD_DURATIONS = [
    *("", " ", "s", "h", "ms", "m", "."),
    *("-5", "+5", "-5s", "1e3", "0x10", "1_000", "inf", "nan", "NaN"),
    *("5 m", " 5", "5 ", "5\n", "5s\n", "5\r", "\t5"),
    *("5S", "5M", "5min", "5 minutes", "5sec", "1w", "5us"),
    *("1.5", "1.5m", "1.5h", "1.5ms", ".5s", "5.s", "1..5s", "1,5s"),
    *("30m1h", "2h1d", "1.5d", "1d1d", "5s5m", "1h1h", "5m5m", "1s500ms", "1h30", "1:30"),
    *("٥", "٥s", "५m", "５s", "²s", "1٫5s"),
    "5s;rm",
    "5m\0",
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


@pytest.mark.parametrize(
    ("seconds", "reported"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (0.2, "0.2s"),
        (0.25, "0.2s"),
        (1.0, "1s"),
        (1.02, "1s"),
        (1.5, "1.5s"),
        (9.9, "9.9s"),
        (9.94, "9.9s"),
        (9.95, "10s"),
        (9.96, "10s"),
        (10.4, "10s"),
        (9.99, "10s"),
        (38, "38s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (72, "1m 12s"),
        (600.02, "10m"),
        (3600, "1h"),
        (3601, "1h"),
        (3660, "1h 1m"),
        (7500, "2h 5m"),
        (86399, "23h 59m"),
        (86400, "1d"),
        (90000, "1d 1h"),
        (86400 + 60, "1d"),
        (3 * 86400, "3d"),
        (7 * 86400, "7d"),
    ],
)
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


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (0.99, "0:00"),
        (46, "0:46"),
        (59.99, "0:59"),
        (60, "1:00"),
        (725, "12:05"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (3723, "1:02:03"),
        (100 * 3600, "100:00:00"),
    ],
)
def test_the_running_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "reported"),
    [(0, "0s ago"), (12.4, "12s ago"), (1.6, "2s ago"), (3 * 86400 + 50, "3d ago"), (-5, "0s ago")],
)
def test_an_age_is_never_in_the_future(seconds: float, reported: str) -> None:
    assert age(seconds) == reported
