"""GitHub's annotation: one error on the page of a workflow run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import groupby

from twbuild.text import Line, plain

MAX_CHARACTERS = 4000  # GitHub cuts an annotation at 4,096
_MAX_LINE = 1000
_BEGIN = "::error title=twbuild::"
_MORE = "... The rest is in the log of this step."
_ESCAPES = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))


def is_wanted() -> bool:
    """Whether this is a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(lines: Sequence[Line], parts: Sequence[Sequence[Line]]) -> tuple[str, bool]:
    """The line that shows `lines` on the run's page, and whether all of them fit.

    If not, it shows `parts`, the most important first. One that does not fit is left out as
    a whole: half a command would be another command.
    Source: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    whole = _BEGIN + _escaped("\n".join(map(_unaligned, lines)))
    if len(whole) <= MAX_CHARACTERS:
        return whole, True
    shown = _BEGIN
    for part in parts:
        text = _escaped("".join(f"{_shortened(line)}\n" for line in part))
        if len(shown) + len(text) + len(_MORE) <= MAX_CHARACTERS:
            shown += text
    return shown + _MORE, False


def _unaligned(line: Line) -> str:
    """A line without the spaces that align it; those of a command are its own.

    GitHub shows that it is an error.
    """
    groups = groupby(line, lambda span: span[1] == "command")
    texts = ((is_command, plain(list(spans))) for is_command, spans in groups)
    found = "".join(
        text if is_command else re.sub(r"(?<=\S) +", " ", text) for is_command, text in texts
    )
    return found.removeprefix("error: ")


def _shortened(line: Line) -> str:
    text = _unaligned(line)
    is_command = any(style == "command" for _, style in line)
    return text if is_command or len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}..."


def _escaped(text: str) -> str:
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text
