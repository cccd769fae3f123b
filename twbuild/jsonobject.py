"""Bytes or a file that must be one JSON object, read strictly."""

from __future__ import annotations

import json
import os
import stat
from typing import Any, NoReturn

LARGEST_FILE = 1 << 20


class NotAnObjectError(ValueError):
    """Not one JSON object; its text says what is wrong and holds nothing of the content."""


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object (RFC 8259) that `content` is, in UTF-8 with or without a BOM.

    A name that stands twice in one object is refused: which of both is meant is anybody's guess,
    and a guess must never become a verdict.
    """
    try:
        value = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_number
        )
    except NotAnObjectError:
        raise
    except UnicodeDecodeError:
        raise NotAnObjectError("not UTF-8") from None
    except RecursionError:
        raise NotAnObjectError("JSON nested too deep") from None
    except ValueError:
        raise NotAnObjectError("empty" if not content.strip() else "not JSON") from None
    if not isinstance(value, dict):
        raise NotAnObjectError("JSON, but not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnObjectError("JSON with a name that stands twice in one object")
    return found


def _no_number(_: str) -> NoReturn:
    raise NotAnObjectError("not JSON: NaN and Infinity are no JSON numbers")


def read(path: str) -> dict[str, Any] | None:
    """The JSON object in the file at `path`; None where there is no file.

    Opened once and without blocking, so that neither a FIFO nor a file swapped in between can
    hold or fool us. Raises NotAnObjectError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotAnObjectError("not a regular file")
            content = b""
            while chunk := os.read(descriptor, LARGEST_FILE):
                content += chunk
                if len(content) > LARGEST_FILE:
                    raise NotAnObjectError("larger than 1 MiB")
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotAnObjectError(os.strerror(error.errno or 0).lower()) from None
    return parse(content)
