"""The package's modules, called rooms, and which of them uses which, read from their source."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import twbuild

PACKAGE = Path(twbuild.__file__).parent


class Room(NamedTuple):
    """A module, the first line of its docstring, and the rooms that it imports anywhere."""

    name: str
    purpose: str
    uses: frozenset[str]
    lines: int


@cache
def rooms() -> dict[str, Room]:
    """Every room by its name, but the package itself, which holds the version."""
    paths = sorted(PACKAGE.glob("*.py"))
    return {path.stem: _room(path) for path in paths if path.stem != "__init__"}


def from_the_top() -> list[Room]:
    """The rooms, each before those that it uses, as far as they do not go in a circle."""
    found: dict[str, Room] = {}

    def visit(room: Room) -> None:
        if room.name not in seen:
            seen.add(room.name)
            for name in sorted(room.uses):
                visit(rooms()[name])
            found[room.name] = room

    seen: set[str] = set()
    visit(rooms()["__main__"])
    return list(found.values())[::-1]


def _room(path: Path) -> Room:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    purpose = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    names = {entry.stem for entry in PACKAGE.glob("*.py")} - {"__init__", path.stem}
    return Room(path.stem, purpose, frozenset(_imported(tree) & names), source.count("\n"))


def _imported(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "twbuild":
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twbuild."):
            found.add(str(node.module).removeprefix("twbuild."))
        else:
            found |= _imported(node)
    return found
