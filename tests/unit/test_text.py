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
ORDINARY = st.characters(categories=["L", "N", "P"], exclude_characters=NOT_SHOWN)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
AWKWARD_TEXT = st.text(st.sampled_from("#a\r\n\x1b\u2028\u202e\ud800\ue000\U000e0001'\\"))
SHOWN: list[tuple[object, str]] = [
    ("Grüße, 世界, 🙂", "Grüße, 世界, 🙂"),
    *[("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"), ("one\r\ntwo\n\nthree", "one two  three")],
    *[("\u202egnp.exe", "\\u202egnp.exe"), ("\ue000\U000e0001", "\\ue000\\U000e0001")],
    *[("\u2028\u2029\x85", "\\u2028\\u2029\\x85"), ("a\ufe0f\u3164", "a\\ufe0f\\u3164")],
    *[("##vso[task.complete]", "# #vso[task.complete]"), ("#\n#", "# #"), ("::x", "::x")],
    *[("a" * 300, "a" * 300), ("a" * 301, "a" * 297 + "...")],
    *[(10**4200, "1" + "0" * 296 + "..."), ("\r\n" * 301, " " * 297 + "...")],
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_foreign_text_appears_as_text_of_300_characters(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_a_smaller_limit_holds_for_what_is_shown() -> None:
    shown = [printable(text, 10) for text in ("a" * 10, "a" * 11, "\x1b" * 3)]
    assert shown == ["a" * 10, "aaaaaaa...", "\\x1b\\x1..."]


@given(ANY_TEXT | AWKWARD_TEXT)
@example("#" * 400)
@example("\x1b" * 400)
@example("#\u202e#")
def test_no_text_is_a_command_to_terminal_or_log(text: str) -> None:
    for shown in (printable(text), quoted(text)):
        assert not [c for c in shown if unicodedata.category(c) in DANGEROUS]
        assert "##" not in shown
        assert len(shown) <= 300


@given(st.text(ORDINARY, max_size=300))
def test_what_is_printable_and_short_stands_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_of_many_names_ten_are_listed_and_others_counted() -> None:
    names = [f"n{n}" for n in range(17)]

    assert (listed([]), listed(names[:1])) == ("", "n0")
    assert listed(names[:10]) == "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9"
    assert listed(names).endswith(", n9, and 7 more")
    assert listed(["\x1b##", "a" * 20], 10) == "\\x1b# #, aaaaaaa..."


def test_what_only_resembles_a_placeholder_is_none() -> None:
    assert all(map(is_placeholder, ("ACxx", "SKxX", "ZBXXX", "ZSx")))
    values = "a$b a{b 5% <a a* nullable none-such a:b xx ZBaxx box your_api"
    assert [value for value in values.split() if is_placeholder(value)] == []


QUOTED = [
    *[("", "''"), ("a\r\n", r"'a\r\n'"), ("\ufeffa", r"'\ufeffa'"), ("##[x]", "'# #[x]'")],
    ("a" * 1000, "'" + "a" * 296 + "..."),
]


@pytest.mark.parametrize(("typed", "shown"), QUOTED)
def test_what_was_typed_is_quoted_with_each_stray_character_visible(typed: str, shown: str) -> None:
    assert quoted(typed) == shown


def test_a_stray_character_has_its_code_point_outside_ascii() -> None:
    assert (stray("~"), stray("é")) == ("'~'", "'é' (U+00E9)")


NAMES = [
    *("dev", "my profile", "it's", 'say "x"', "$(touch x)", "`touch x`", "a;b", "a\\b", "-n", "*"),
    *("~", "!x", "a##b", "###", "grün", "x\x1b[2J", "two\nlines", "\u202edlrow", "it's\x07##\\'"),
    *("l" * 400, "no UTF-8: \udcff", "=sh", "--x==sh", "a=b", "\ufe0f"),
]


def test_pasted_into_a_shell_it_is_the_same_command() -> None:
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


def test_a_command_has_only_characters_that_stderr_can_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stream, shown in (
        (object(), "'grün'"),
        (TextIOWrapper(BytesIO(), "ascii"), r"$'gr\xc3\xbcn'"),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        assert pasteable(["grün"]) == shown


def test_counts() -> None:
    counts = [counted(number, "asset") for number in (0, 1, 12)]
    assert counts == ["0 assets", "1 asset", "12 assets"]


def test_an_error_without_a_number_is_never_success() -> None:
    assert strerror(2) == "no such file or directory"
    assert {strerror(None), strerror(0)} == {"unknown error"}
