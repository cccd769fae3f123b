"""The breaks that `make mutants` makes by hand."""

from __future__ import annotations

from tests import breaks


def test_every_break_has_its_place_and_its_tests() -> None:
    assert breaks.misplaced() == []
    assert len(breaks.BREAKS) <= 40
