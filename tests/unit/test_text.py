"""Foreign text is shown and does nothing."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from io import BytesIO, TextIOWrapper
from shutil import which

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twbuild.text import (
    counted,
    is_placeholder,
    listed,
    pasteable,
    printable,
    quoted,
    stray,
    strerror,
)

# Control, format, surrogate, private use, line and paragraph separator.
DANGEROUS = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")

NOT_SHOWN = "#\u115f\u1160\u3164\uffa0"  # letters, but Hangul's fillers
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
AWKWARD_TEXT = st.text(st.sampled_from("#a\r\n\x1b\u2028\u202e\ud800\ue000\U000e0001'\\"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Grüße, 世界, 🙂", "Grüße, 世界, 🙂"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("nul\0\x9b", "nul\\x00\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ue000\U000e0001", "\\ue000\\U000e0001"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("one\r\ntwo\n\nthree", "one two  three"),
        ("[bold]not bold[/bold]", "[bold]not bold[/bold]"),
        ("::error::x", "::error::x"),
        ("##vso[task.complete]", "# #vso[task.complete]"),
        ("a#b", "a#b"),
        ("a\ufe0f\u3164", "a\\ufe0f\\u3164"),
        ("#\n#", "# #"),
        (None, "None"),
        ("a" * 300, "a" * 300),
        ("a" * 301, "a" * 297 + "..."),
        (10**4200, "1" + "0" * 296 + "..."),
        ("\r\n" * 301, " " * 297 + "..."),
    ],
)
def test_foreign_text_appears_as_text_of_300_characters(text: object, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("aaaaaaaaaa", "aaaaaaaaaa"), ("aaaaaaaaaab", "aaaaaaa..."), ("\x1b" * 3, "\\x1b\\x1...")],
)
def test_a_smaller_limit_holds_for_what_is_shown(text: str, shown: str) -> None:
    assert printable(text, 10) == shown


@given(ANY_TEXT | AWKWARD_TEXT)
@example("#" * 400)
@example("\x1b" * 400)
@example("#\u202e#")
def test_no_text_is_a_command_to_terminal_or_log(text: str) -> None:
    for shown in (printable(text), quoted(text)):
        assert not [c for c in shown if unicodedata.category(c) in DANGEROUS]
        assert "##" not in shown
        assert len(shown) <= 300


@given(
    st.text(st.characters(categories=["L", "N", "P"], exclude_characters=NOT_SHOWN), max_size=300)
)
def test_what_is_printable_and_short_stands_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_of_many_names_ten_are_listed_and_others_counted() -> None:
    names = [f"n{n}" for n in range(17)]

    assert (listed([]), listed(names[:1])) == ("", "n0")
    assert listed(names[:10]) == "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9"
    assert listed(names).endswith(", n9, and 7 more")
    assert listed(["\x1b##", "a" * 20], 10) == "\\x1b# #, aaaaaaa..."


@pytest.mark.parametrize(
    "value",
    ["a$b", "a{b", "5%", "<a", "a*", "nullable", "none-such", "a:b", "xx", "box", "your_api"],
)
def test_what_only_resembles_a_placeholder_is_none(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", "''"),
        ("a\r\n", r"'a\r\n'"),
        ('"a"', "'\"a\"'"),
        ("\ufeffa", r"'\ufeffa'"),
        ("##[x]", "'# #[x]'"),
        ("[bold]", "'[bold]'"),
        ("a" * 1000, "'" + "a" * 296 + "..."),
    ],
)
def test_what_was_typed_is_quoted_with_each_stray_character_visible(typed: str, shown: str) -> None:
    assert quoted(typed) == shown


@pytest.mark.parametrize(("character", "shown"), [("~", "'~'"), ("é", "'é' (U+00E9)")])
def test_a_stray_character_has_its_code_point_outside_ascii(character: str, shown: str) -> None:
    assert stray(character) == shown


NAMES = [
    *("dev", "my profile", "it's", 'say "x"', "$(touch x)", "`touch x`", "a;b", "a\\b", "-n", "*"),
    *("~", "!x", "a##b", "###", "grün", "x\x1b[2J", "two\nlines", "\u202edlrow", "it's\x07##\\'"),
    *("l" * 400, "no UTF-8: \udcff", "=sh", "--x==sh", "a=b", "\ufe0f"),
]


def test_pasted_into_a_shell_it_is_the_same_command() -> None:
    """Pasted into a shell it is the same command and a lone surrogate is U+FFFD."""
    typed = pasteable([*NAMES, "\ud800"])
    for shell in (["bash", "--norc"], ["zsh", "-f"]):
        if which(shell[0]):
            words = [*shell, "-c", f"printf '%s\\0' {typed}"]
            printed = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=30).stdout
            read = printed.decode("utf-8", "surrogateescape").split("\0")[:-1]
            assert read == [*NAMES, "\ufffd"]
    assert typed.isprintable()
    assert "##" not in typed
    assert r" $'two\x0alines' " in typed
    assert pasteable(["a=1/twbuild"]) == "'a=1/twbuild'"


@pytest.mark.parametrize(
    ("stream", "shown"),
    [(object(), "'grün'"), (TextIOWrapper(BytesIO(), "ascii"), r"$'gr\xc3\xbcn'")],
)
def test_a_command_has_only_characters_that_stderr_can_show(
    monkeypatch: pytest.MonkeyPatch, stream: object, shown: str
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    assert pasteable(["grün"]) == shown


@pytest.mark.parametrize(
    ("count", "reported"), [(0, "0 assets"), (1, "1 asset"), (12, "12 assets")]
)
def test_counts(count: int, reported: str) -> None:
    assert counted(count, "asset") == reported


def test_an_error_without_a_number_is_never_success() -> None:
    assert strerror(2) == "no such file or directory"
    assert {strerror(None), strerror(0)} == {"unknown error"}
