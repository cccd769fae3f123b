"""Bytes or a file that must be one JSON object, read strictly."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection
from typing import Any, NoReturn

from twbuild.text import strerror

MAX_FILE_BYTES = 1 << 20  # twilio-cli's and its Serverless Toolkit's have a few KiB
MAX_WIDE_BYTES = 2 << 20  # of JSON with characters that take up to 4 bytes each once decoded
MAX_DEPTH = 100  # Twilio's answers and files have at most 5
MAX_DIGITS = 4300  # Python's own limit, which its environment can lift: int() takes seconds then
MAX_VALUES = 500_000  # more than MAX_FILE_BYTES can have; answers have limits of their own

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_PIECE_BYTES = 1 << 16  # looked at in one piece: little memory, and no other thread waits long


class NotAnObjectError(ValueError):
    """Not one JSON object; its text says what is wrong and holds nothing of the content."""


class UnreadableError(NotAnObjectError):
    """A file of which nothing can be read."""


def parse(
    content: bytes | bytearray,
    max_values: int = MAX_VALUES,
    names: Collection[str] | None = None,
) -> dict[str, Any]:
    """The JSON object (RFC 8259) that `content` is, in UTF-8 with or without a BOM.

    `max_values` bounds the memory, at 60 bytes or more a value. Where `names` are given, each
    object keeps its members of these names only. A bytearray is emptied once it is decoded.
    Raises NotAnObjectError; also where a name occurs twice in one object: which of both is meant
    would be a guess, and a guess must never become a verdict.
    """
    try:
        text = _decoded(content, max_values)
        if isinstance(content, bytearray):
            content.clear()
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, names),
            parse_int=_whole,
            parse_constant=_no_number,
        )
    except NotAnObjectError:
        raise
    except UnicodeDecodeError:
        raise NotAnObjectError("not UTF-8") from None
    except ValueError:
        raise NotAnObjectError("empty" if not text.strip() else "not JSON") from None
    if not isinstance(value, dict):
        raise NotAnObjectError("JSON, but not an object")
    return value


def _decoded(content: bytes | bytearray, max_values: int) -> str:
    """The text, unless parsing it could take more memory than a legitimate one does."""
    _check_depth(content, max_values)
    values = sum(map(content.count, (b",", b"[", b"{")))
    if values > max_values or content.count(b"{") > max_values // 8:  # an object takes the most
        raise NotAnObjectError("JSON of too many values")
    if len(content) > MAX_WIDE_BYTES and (not content.isascii() or b"\\u" in content):
        raise NotAnObjectError("JSON of too much text that is not ASCII")
    return content.decode("utf-8-sig")


def _check_depth(content: bytes | bytearray, max_values: int) -> None:
    """Refuse JSON in UTF-8 that opens more than MAX_DEPTH brackets inside each other.

    json's scanner calls itself for each level, and in a thread with a small stack that ends the
    process. What follows a mistake in the JSON may be counted wrongly, but is never read.
    """
    level, in_string, seen, cut = 0, False, 0, b""
    for start in range(0, len(content), _PIECE_BYTES):
        piece = cut + content[start : start + _PIECE_BYTES]
        unescaped = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        cut = b"\\" if unescaped.endswith(b"\\") else b""  # of an escape
        structure = unescaped.translate(None, delete=_NOT_STRUCTURE)
        for byte in structure:
            if byte in b'"':
                in_string = not in_string
            elif not in_string:
                level += 1 if byte in b"[{" else -1
                if level > MAX_DEPTH:
                    raise NotAnObjectError("JSON nested too deep")
        seen += len(structure)
        if seen > 6 * max_values:  # a member has four quotation marks, a container two brackets
            raise NotAnObjectError("JSON of too many values")


def _unique(pairs: list[tuple[str, Any]], names: Collection[str] | None) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnObjectError("JSON with a name that occurs twice in one object")
    if names is None:
        return found
    return {name: value for name, value in found.items() if name in names}


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
                raise UnreadableError("not a regular file")
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
        raise UnreadableError(strerror(error.errno)) from None
    return parse(content)
