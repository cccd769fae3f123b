"""One word for one thing: the words that the product does not use."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.readme import README

ROOT = README.parent
# In brackets where a search for these very words shall not find this pattern.
GONE = re.compile(
    r"(?<![a-z])(rooms?|mishaps?|whoeve[r]|make-believ[e]|ane[w]|lanes?|rehears\w+|patience|streaks?"
    r"|wish(es)?|remarks?|somebody|nobody|told|troubles?|signalled|for[ _]people|goes[ _]on"
    r"|stands[ _]in|poll to poll|left[ _]behind)(?![a-z])",
    re.IGNORECASE,
)
ALSO_IN_TESTS = re.compile(f"{GONE.pattern}|(?<![a-z])asked(?![a-z])", re.IGNORECASE)
LONG_NAME = re.compile(r"def test_[a-z0-9]+(_[a-z0-9]+){10,}\b")
FILES = ("twbuild", "README.md", "Makefile", "pyproject.toml", ".pre-commit-hooks.yaml", ".ci")


def found(pattern: re.Pattern[str], files: list[str]) -> list[str]:
    """Where it occurs in the files of the repository."""
    return [
        f"{name}:{number}: {match[0]}"
        for name in files
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
        if (match := pattern.search(line))
    ]


def listed(*patterns: str) -> list[str]:
    """The files of the repository that match."""
    words = ["git", "ls-files", "--", *patterns]
    return subprocess.check_output(words, cwd=ROOT, text=True).split()


def test_product_and_tests_have_one_word_for_one_thing() -> None:
    product = listed(*FILES, ".github/*.md", ".github/*.yml")
    tests = [name for name in listed("tests/*.py") if (ROOT / name) != Path(__file__)]

    assert (len(product) > 40, len(tests) > 70) == (True, True)
    assert found(GONE, product) + found(ALSO_IN_TESTS, tests) == []


def test_a_tests_name_has_at_most_ten_words() -> None:
    """Where that is too few, a sentence below it says more."""
    assert found(LONG_NAME, listed("tests/*.py")) == []
