"""Foreign text is shown and does nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twbuild.text import counted, is_placeholder, listed, printable, quoted, strerror

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
        ("\x9b31m", "\\x9b31m"),
        ("nul\0", "nul\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ue000", "\\ue000"),
        ("\U000e0001", "\\U000e0001"),
        ("\x85", "\\x85"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("one\ntwo", "one two"),
        ("one\r\ntwo", "one two"),
        ("one\n\ntwo", "one  two"),
        ("[bold]not bold[/bold]", "[bold]not bold[/bold]"),
        ("::error::x", "::error::x"),
        ("##[error]x", "# #[error]x"),
        ("##vso[task.complete]", "# #vso[task.complete]"),
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
def test_no_text_is_a_command_to_terminal_or_log(text: str) -> None:
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
def test_text_is_visibly_cut_at_300_characters(length: int, shown: str) -> None:
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


def test_of_many_names_ten_are_listed_and_others_counted() -> None:
    assert listed([f"n{n}" for n in range(17)]).endswith(", n9, and 7 more")
    assert listed(["\x1b##", "a" * 20], 10) == "\\x1b# #, aaaaaaa..."


@pytest.mark.parametrize(
    "value",
    ["a$b", "a{b", "5%", "<a", "a*", "nullable", "none-such", "a:b", "xx", "box", "your_api"],
)
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
        ('"a"', "'\"a\"'"),
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
    ("count", "reported"), [(0, "0 assets"), (1, "1 asset"), (2, "2 assets"), (12, "12 assets")]
)
def test_counts(count: int, reported: str) -> None:
    assert counted(count, "asset") == reported


def test_an_error_without_a_number_is_never_success() -> None:
    assert strerror(2) == "no such file or directory"
    assert {strerror(None), strerror(0)} == {"unknown error"}
