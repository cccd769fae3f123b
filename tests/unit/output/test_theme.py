"""Lines for people are wrapped between words, below their own indent."""

from __future__ import annotations

import re

import pytest
from rich.text import Text

from twbuild.output import theme
from twbuild.text import Line


def shown(text: str) -> str:
    """What a terminal shows of it: no colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize(
    ("text", "width", "rows"),
    [
        ("one two three", 80, ["one two three"]),
        ("one two three", 13, ["one two three"]),
        ("one two three", 12, ["one two", "three"]),
        ("  one two three", 9, ["  one two", "  three"]),
        ("  one two six", 7, ["  one", "  two", "  six"]),
        ("a " + "x" * 30 + " b", 10, ["a", "x" * 30, "b"]),
        ("日本 語", 6, ["日本", "語"]),
        ("日本 語", 7, ["日本 語"]),
        ("[bold]not markup[/bold]", 80, ["[bold]not markup[/bold]"]),
        ("", 80, [""]),
    ],
)
def test_a_line_is_wrapped_between_words_below_its_indent(
    text: str, width: int, rows: list[str]
) -> None:
    assert shown(theme.wrapped([(text, "")], width)).split("\n") == rows


def test_a_command_stays_in_one_piece() -> None:
    line: Line = [("  ", ""), ("twbuild wait my-service ZB1", "command")]

    assert shown(theme.wrapped(line, 10)) == "  twbuild wait my-service ZB1"


def test_no_row_begins_with_what_github_obeys() -> None:
    assert shown(theme.wrapped([("say ::error::x", "")], 6)) == "say\n: :error::x"


def test_a_style_goes_on_in_the_next_row() -> None:
    first, second = theme.wrapped([("one two", "failed")], 5).split("\n")

    assert first == theme.rendered(Text("one", "failed"), 80).rstrip("\n")
    assert second == theme.rendered(Text("two", "failed"), 80).rstrip("\n")


def test_a_cropped_row_ends_at_the_windows_edge_and_any_other_keeps_its_end() -> None:
    assert shown(theme.rendered(Text("x" * 20), 10, crop=True)) == "x" * 10 + "\n"
    assert shown(theme.rendered(Text("x" * 20), 10)) == "x" * 20 + "\n"
