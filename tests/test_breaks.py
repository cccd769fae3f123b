"""The breaks that `make mutants` makes by hand."""

from __future__ import annotations

from tests import breaks


def test_every_break_has_its_place_in_the_source() -> None:
    assert breaks.misplaced() == []
