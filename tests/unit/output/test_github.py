"""GitHub's annotation: one line, whatever its text has in it, and what there is space for."""

from __future__ import annotations

import pytest

from twbuild.output import github
from twbuild.text import Line

HEAD = "::error title=twbuild::"
MORE = "... The rest is in the log of this step."
SPACE = 4000 - len(HEAD)


def lines(*texts: str) -> list[Line]:
    return [[(text, "")] for text in texts]


ESCAPED: list[tuple[list[Line], str]] = [
    (lines("error: no service given"), "no service given"),  # GitHub says that it is an error
    (lines("one", "two\r\nthree"), "one%0Atwo%0D%0Athree"),
    (lines("100% of %0A", "a, b: c::d"), "100%25 of %250A%0Aa, b: c::d"),
    (lines("  ✗ failed     ZB12"), "  ✗ failed ZB12"),
    ([[("  To  wait:  ", ""), ("x -p 'a  b'", "command")]], "  To wait: x -p 'a  b'"),
]


@pytest.mark.parametrize(("found", "shown"), ESCAPED)
def test_line_ends_and_percent_signs_are_escaped(found: list[Line], shown: str) -> None:
    assert github.annotation(found, []) == (HEAD + shown, True)


@pytest.mark.parametrize("character", ["x", "%", "世"])
def test_what_fits_into_4000_characters_as_escaped_is_shown_whole(character: str) -> None:
    count, rest = divmod(SPACE, len(github._escaped(character)))
    whole = character * count + "x" * rest

    text, is_whole = github.annotation(lines(whole), [])
    assert (len(text), is_whole) == (4000, True)
    text, is_whole = github.annotation(lines(whole + "x"), [lines("first"), lines("second")])
    assert (text, is_whole) == (f"{HEAD}first%0Asecond%0A{MORE}", False)


def test_parts_fit_as_long_as_the_end_does() -> None:
    last = SPACE - len(MORE) - 3 * 1003 - 3
    for more in (0, 1):
        parts = [*[lines("x" * 1000)] * 3, lines("y" * (last + more))]
        text, _ = github.annotation(lines("z" * 4000), parts)
        assert text.count("x" * 1000 + "%0A") == 3
        assert (len(text) == 4000, "y" in text) == ((True, True) if more == 0 else (False, False))


def test_a_part_that_does_not_fit_is_left_out() -> None:
    command: list[Line] = [[("To wait again:", "")], [("twbuild wait " + "ZB " * 1400, "command")]]
    parts = [lines("x" * 5000), command, lines("a", "b"), *(lines("%" * 50) for _ in range(99))]
    text, is_whole = github.annotation(command, parts)

    assert not is_whole
    assert text.startswith(f"{HEAD}{'x' * 1000}...%0Aa%0Ab%0A%25")
    assert "To wait" not in text
    assert text.endswith(f"%25%0A{MORE}")
    assert 3840 < len(text) <= 4000
