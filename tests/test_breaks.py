"""The breaks that `make mutants` makes by hand."""

from __future__ import annotations

import pytest

from tests import breaks
from tests.breaks import Break, broken

SOURCE = """
LIMIT = 1

class Gate:
    def open(self):
        self.push()
        return self.count()
"""


def test_every_break_has_its_place_and_its_tests() -> None:
    assert breaks.misplaced() == []
    assert len(breaks.BREAKS) <= 40


@pytest.mark.parametrize("place", ["gate:OTHER", "gate:Gate.shut", "gate:Gate.open:pull"])
def test_a_place_that_is_gone_is_seen(place: str) -> None:
    with pytest.raises(LookupError):
        broken(Break(place, "1", "", ""), SOURCE)


@pytest.mark.parametrize(
    ("place", "new", "old_line", "new_line"),
    [
        ("gate:LIMIT", "2", "LIMIT = 1", "LIMIT = 2"),
        ("gate:Gate.open", "return original(self)", "def open(self):", "return original(self)"),
        ("gate:Gate.open:push", "1", "self.push()", "(lambda *_, **__: 1)()"),
    ],
)
def test_a_break_changes_what_it_names(place: str, new: str, old_line: str, new_line: str) -> None:
    changed = [line.strip() for line in broken(Break(place, new, "", ""), SOURCE).splitlines()]

    assert old_line in SOURCE
    assert new_line in changed
