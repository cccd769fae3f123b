"""Python that runs in the command before its own: faults that no server can bring about."""

from __future__ import annotations

from pathlib import Path


def shim(folder: Path, code: str) -> str:
    """What PYTHONPATH is to be, so that every Python runs `code` before all else."""
    place = folder / "shim"
    place.mkdir()
    (place / "sitecustomize.py").write_text(code)
    return str(place)
