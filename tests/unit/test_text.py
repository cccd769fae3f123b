"""Foreign text is shown and does nothing; durations are read as the contract lists them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twbuild.text import (
    DURATION_FORMS,
    age,
    clock,
    counted,
    duration,
    is_placeholder,
    listed,
    parse_duration,
    printable,
    quoted,
    strerror,
)

# Control, format, surrogate, private use, line and paragraph separator.
DANGEROUS = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
AWKWARD_TEXT = st.text(st.sampled_from("#a\r\n\x1b\u2028\u202e\ud800\ue000\U000e0001'\\"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("Grüße, 世界, 🙂", "Grüße, 世界, 🙂"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("nul\0", "nul\\x00"),
        ("tab\t", "tab\\t"),
        ("del\x7f", "del\\x7f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("a\ud800b", "a\\ud800b"),
        ("\ue000", "\\ue000"),
        ("\U000e0001", "\\U000e0001"),
        ("\x85", "\\x85"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("one\ntwo", "one two"),
        ("one\rtwo", "one two"),
        ("one\r\ntwo", "one two"),
        ("one\n\ntwo", "one  two"),
        ("[bold]not bold[/bold]", "[bold]not bold[/bold]"),
        ("::error::x", "::error::x"),
        ("##[error]x", "# #[error]x"),
        ("##vso[task.complete]", "# #vso[task.complete]"),
        ("####", "# # # #"),
        ("a#b", "a#b"),
        ("#\n#", "# #"),
        (12, "12"),
        (None, "None"),
    ],
)
def test_foreign_text_appears_as_text(text: object, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT | AWKWARD_TEXT)
@example("#" * 400)
@example("\x1b" * 400)
@example("#\u202e#")
def test_no_text_reaches_a_terminal_or_a_log_as_a_command(text: str) -> None:
    for shown in (printable(text), quoted(text)):
        assert not [c for c in shown if unicodedata.category(c) in DANGEROUS]
        assert "##" not in shown
        assert len(shown) <= 300


@given(st.text(st.characters(categories=["L", "N", "P"], exclude_characters="#"), max_size=300))
def test_what_is_printable_and_short_stands_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("length", "shown"), [(299, "a" * 299), (300, "a" * 300), (301, "a" * 297 + "...")]
)
def test_text_is_cut_at_300_characters_and_shows_that_it_was(length: int, shown: str) -> None:
    assert printable("a" * length) == shown


def test_a_number_is_text_too() -> None:
    assert printable(10**4200) == "1" + "0" * 296 + "..."


def test_line_ends_do_not_hide_that_text_was_cut() -> None:
    assert printable("\r\n" * 200 + "a" * 200) == " " * 200 + "a" * 97 + "..."


@pytest.mark.parametrize(
    ("count", "shown"), [(0, ""), (1, "n0"), (10, "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9")]
)
def test_up_to_ten_names_are_listed(count: int, shown: str) -> None:
    assert listed([f"n{n}" for n in range(count)]) == shown


def test_of_more_names_the_first_ten_are_listed_and_the_others_counted() -> None:
    assert listed([f"n{n}" for n in range(17)]).endswith(", n9, and 7 more")
    assert listed(["\x1b##", "a" * 20], 10) == "\\x1b# #, aaaaaaa..."


@pytest.mark.parametrize("value", ["a$b", "a{b", "5%", "<a", "a*", "nullable", "none-such", "a:b"])
def test_what_only_resembles_a_placeholder_is_none(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("aaaaaaaaaa", "aaaaaaaaaa"), ("aaaaaaaaaab", "aaaaaaa..."), ("\x1b" * 3, "\\x1b\\x1...")],
)
def test_a_smaller_limit_holds_for_what_is_shown(text: str, shown: str) -> None:
    assert printable(text, 10) == shown


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("ZS12", "'ZS12'"),
        ("", "''"),
        ("a\r", r"'a\r'"),
        ("a\n", r"'a\n'"),
        (" a", "' a'"),
        ('"a"', "'\"a\"'"),
        ("'a'", "\"'a'\""),
        ("\ufeffa", r"'\ufeffa'"),
        ("##[x]", "'# #[x]'"),
        ("[bold]", "'[bold]'"),
    ],
)
def test_what_was_typed_is_quoted_with_each_stray_character_visible(typed: str, shown: str) -> None:
    assert quoted(typed) == shown


def test_a_long_argument_is_quoted_in_part() -> None:
    assert quoted("a" * 1000) == "'" + "a" * 296 + "..."


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("0090", 90),
        ("90s", 90),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("5m", 300),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("1h15s", 3615),
        ("1m0.5s", 60.5),
        ("1d", 86400),
        ("7d", 604800),
        ("1d2h30m", 95400),
        ("9" * 400, float("inf")),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", DURATION_FORMS.split(", "))
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


@given(ANY_TEXT | st.text("0123456789.hms -+e\n٥"))
def test_junk_is_a_duration_of_no_less_than_nothing_or_a_value_error(text: str) -> None:
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
    ("seconds", "told"),
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
def test_a_duration_for_people_has_two_units_at_most(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@given(st.floats(0, 1e7))
def test_a_duration_for_people_is_never_off_by_more_than_its_smallest_unit(seconds: float) -> None:
    sizes = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    parts = duration(seconds).split()
    told = sum(float(part[:-1]) * sizes[part[-1]] for part in parts)
    next_unit = 0.05 if "." in parts[0] else {"d": 3600.0, "h": 60.0}.get(parts[0][-1], 1.0)

    assert abs(told - seconds) <= next_unit + 0.5


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
    ("seconds", "told"),
    [
        (0, "0s ago"),
        (12.4, "12s ago"),
        (1.6, "2s ago"),
        (3 * 86400 + 50, "3d ago"),
        (-5, "0s ago"),
    ],
)
def test_an_age_is_never_in_the_future(seconds: float, told: str) -> None:
    assert age(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 assets"), (1, "1 asset"), (2, "2 assets"), (12, "12 assets")]
)
def test_counts(count: int, told: str) -> None:
    assert counted(count, "asset") == told


def test_an_error_without_a_number_is_never_success() -> None:
    assert strerror(2) == "no such file or directory"
    assert {strerror(None), strerror(0)} == {"unknown error"}
