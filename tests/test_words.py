"""One word for one thing: the words that the product does not use."""

from __future__ import annotations

import re
import subprocess

from tests.support.readme import README

ROOT = README.parent
# In brackets where a search for these very words shall not find this pattern.
GONE = re.compile(
    r"\b(rooms?|mishaps?|whoeve[r]|make-believ[e]|ane[w]|lanes?|rehears\w+|patience|streaks?|wish(es)?"
    r"|remarks?|somebody|nobody|told|troubles?|signalled|for people|goes on|stands in"
    r"|poll to poll|left behind)\b",
    re.IGNORECASE,
)
FILES = ("twbuild", "README.md", "Makefile", "pyproject.toml", ".pre-commit-hooks.yaml", ".ci")


def test_none_of_these_words_is_in_the_source_the_readme_or_a_message() -> None:
    words = ["git", "ls-files", "--", *FILES, ".github/*.md", ".github/*.yml"]
    names = subprocess.check_output(words, cwd=ROOT, text=True).split()
    found = [
        f"{name}:{number}: {match[0]}"
        for name in names
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
        if (match := GONE.search(line))
    ]

    assert len(names) > 40
    assert found == []
