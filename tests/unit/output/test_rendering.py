"""Human-readable lines are wrapped between words, below their own indent."""

from __future__ import annotations

import re

import pyte
import pytest
from rich.console import Group
from rich.text import Text

from twbuild.output import rendering
from twbuild.text import Line


def shown(text: str) -> str:
    """What a terminal shows of it: no colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


WRAPPED = [
    ("one two three", 13, ["one two three"]),
    ("one two three", 12, ["one two", "  three"]),
    ("  one two three", 9, ["  one two", "  three"]),
    ("a " + "x" * 30 + " b", 10, ["a", "  " + "x" * 30, "  b"]),
    ("one  ready (waited 1m 2s)", 20, ["one  ready", "  (waited 1m 2s)"]),
    ("    name  aa bb cc", 20, ["    name  aa bb cc"]),
    ("    name  aa bb cc dd", 20, ["    name  aa bb cc", "          dd"]),
    ("    name  aa bb cc", 14, ["    name  aa", "  bb cc"]),
    ("日本 語", 6, ["日本", "  語"]),
    ("[bold]no markup[/bold]", 80, ["[bold]no markup[/bold]"]),
    ("say ::error::x", 6, ["say", "  : :error::x"]),  # which GitHub would obey
    ("", 80, [""]),
]


@pytest.mark.parametrize(("text", "width", "rows"), WRAPPED)
def test_a_line_is_wrapped_between_words_below_its_indent(
    text: str, width: int, rows: list[str]
) -> None:
    assert shown(rendering.wrapped([(text, "")], width)).split("\n") == rows


@pytest.mark.parametrize("style", ["command", "request"])
def test_what_is_to_be_copied_stays_in_one_piece(style: str) -> None:
    line: Line = [("  ", ""), ("twbuild wait my-service ZB1", style)]

    assert shown(rendering.wrapped(line, 10)) == "  twbuild wait my-service ZB1"


@pytest.mark.parametrize("obeyed", ["+++ x", "##[x", "error: x"])
def test_no_text_moves_to_the_first_column(obeyed: str) -> None:
    for width in range(1, 30):
        line: Line = [(f"say it {obeyed} {obeyed}", "")]
        first, *others = shown(rendering.wrapped(line, width)).split("\n")
        assert first.startswith("say")
        assert all(row.startswith("  ") for row in others)


def test_a_style_continues_in_the_next_row() -> None:
    first, second = rendering.wrapped([("one two", "failed")], 5).split("\n")

    assert first == rendering.wrapped([("one", "failed")], 80)
    assert second == "  " + rendering.wrapped([("two", "failed")], 80)


def drawn(content: str) -> tuple[object, ...]:
    """What a terminal of 12 columns and 4 rows has in its cells."""
    screen = pyte.Screen(12, 4)
    pyte.Stream(screen).feed(content)
    return tuple(screen.buffer[y][x] for y in range(4) for x in range(12))


ROWS = [
    ["⠋ building 0:46", "⠋ asking", ""],
    ["⠙ building 0:47", "⠋ asking", "a"],
    ["✓ completed", "⠋ asking   503", "a b"],
    ["", "x", "  x x x"],
]


@pytest.mark.parametrize("styles", [("", ""), ("building", "building"), ("building", "failed")])
@pytest.mark.parametrize("old", ROWS)
@pytest.mark.parametrize("new", ROWS)
def test_rows_changed_in_place_are_as_drawn_whole(
    styles: tuple[str, str], old: list[str], new: list[str]
) -> None:
    before, after = (
        rendering.rows(Group(*(Text.assemble((row[:1], style), row[1:]) for row in rows)), 12)
        for rows, style in zip((old, new), styles, strict=True)
    )
    drawn_before, whole = (rendering.changed([[]] * 3, rows) for rows in (before, after))

    changes = rendering.changed(before, after)
    assert drawn(f"{drawn_before}\x1b[H{changes}") == drawn(whole)
    assert old != new or styles[0] != styles[1] or len(changes) < 9


def test_a_row_is_cropped_at_the_windows_edge() -> None:
    assert shown(rendering.changed([[]], rendering.rows(Text("x" * 20), 10))) == "\x1b[K" + "x" * 10
    assert shown(rendering.wrapped([("x" * 20, "")], 10)) == "x" * 20
