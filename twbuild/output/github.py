"""GitHub's annotation: one error on the page of a workflow run."""

from __future__ import annotations

import os

_ESCAPES = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))


def is_wanted() -> bool:
    """Whether this is a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(text: str) -> str:
    """The line that shows `text` on the run's page.

    Source: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return f"::error title=twbuild::{text}"
