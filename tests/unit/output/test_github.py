"""GitHub's annotation: one line, whatever its text has in it."""

from __future__ import annotations

import pytest

from twbuild.output import github


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("error: no service given", "error: no service given"),
        ("one\ntwo\r\nthree", "one%0Atwo%0D%0Athree"),
        ("100% of %0A", "100%25 of %250A"),
        ("a, b: c::d", "a, b: c::d"),
    ],
)
def test_line_ends_and_percent_signs_are_escaped(text: str, shown: str) -> None:
    assert github.annotation(text) == f"::error title=twbuild::{shown}"


@pytest.mark.parametrize(
    ("value", "wanted"), [("true", True), ("false", False), ("1", False), ("", False)]
)
def test_only_github_actions_gets_it(
    monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", value)

    assert github.is_wanted() is wanted
