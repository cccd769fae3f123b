"""Bytes or a file that must be one JSON object, read strictly."""

from __future__ import annotations

import json
import os
import stat
from typing import Any, NoReturn

from twbuild.text import strerror

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 100  # Twilio's answers and files have at most 5
MAX_DIGITS = 4300  # Python's own limit, which its environment can lift: int() takes seconds then
MAX_VALUES = 500_000  # a page of 20 builds of 1,050 versions of 16 values each has fewer

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))


class NotAnObjectError(ValueError):
    """Not one JSON object; its text says what is wrong and holds nothing of the content."""


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object (RFC 8259) that `content` is, in UTF-8 with or without a BOM.

    Raises NotAnObjectError; also where a name occurs twice in one object: which of both is meant
    would be a guess, and a guess must never become a verdict.
    """
    try:
        text = content.decode("utf-8-sig")
        if sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
            raise NotAnObjectError("JSON of too many values")  # each takes 60 bytes or more
        if _is_too_deep(content):
            raise NotAnObjectError("JSON nested too deep")
        value = json.loads(
            text, object_pairs_hook=_unique, parse_int=_whole, parse_constant=_no_number
        )
    except NotAnObjectError:
        raise
    except UnicodeDecodeError:
        raise NotAnObjectError("not UTF-8") from None
    except ValueError:
        raise NotAnObjectError("empty" if not content.strip() else "not JSON") from None
    if not isinstance(value, dict):
        raise NotAnObjectError("JSON, but not an object")
    return value


def _is_too_deep(content: bytes) -> bool:
    """Whether JSON in UTF-8 opens more than MAX_DEPTH brackets inside each other.

    json's scanner calls itself for each level, and in a thread with a small stack that ends the
    process. What follows a mistake in the JSON may be counted wrongly, but is never read.
    """
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    level, in_string = 0, False
    for byte in unescaped.translate(None, delete=_NOT_STRUCTURE):
        if byte in b'"':
            in_string = not in_string
        elif not in_string:
            level += 1 if byte in b"[{" else -1
            if level > MAX_DEPTH:
                return True
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnObjectError("JSON with a name that occurs twice in one object")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError
    return int(digits)


def _no_number(_: str) -> NoReturn:
    raise NotAnObjectError("not JSON: NaN and Infinity are not JSON numbers")


def read(path: str) -> dict[str, Any] | None:
    """The JSON object in the file at `path`; None where there is no file.

    Opened once and without blocking, so that neither a FIFO nor a file swapped in between can
    delay or mislead us. Raises NotAnObjectError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotAnObjectError("not a regular file")
            content = b""
            while chunk := os.read(descriptor, MAX_FILE_BYTES):
                content += chunk
                if len(content) > MAX_FILE_BYTES:
                    raise NotAnObjectError("larger than 1 MiB")
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotAnObjectError(strerror(error.errno)) from None
    return parse(content)
