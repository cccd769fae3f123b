"""Text from outside made safe to print; durations and times read and written."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

Line = Sequence[tuple[str, str]]  # spans: a text, and the name of its style in theme.THEME

MAX_CHARACTERS = 300
MAX_LISTED = 10
DURATION_FORMS = "90, 90s, 1.5s, 500ms, 5m, 1h30m, 1d"

_DURATION = (
    r"(?P<bare>[0-9]+)"
    r"|(?=[0-9])(?:(?P<d>[0-9]+)d)?(?:(?P<h>[0-9]+)h)?(?:(?P<m>[0-9]+)m)?"
    r"(?:(?P<s>[0-9]+(?:\.[0-9]+)?)s)?"
    r"|(?P<ms>[0-9]+)ms"
)
_SECONDS = {"bare": 1.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

# What templates, CI systems, secret stores and JavaScript leave where they had no value to put.
_PLACEHOLDER = r"\$.+|.*(\$[{(]|\{\{|#\{).*|<.*>|%.+%|\*+|[a-z][a-z0-9+.-]*://.*"
_NO_VALUES = ("null", "undefined", "none", "nil")

# Invisible, although Python calls them printable: those of Unicode's Default_Ignorable_Code_Point
# (DerivedCoreProperties.txt), and the empty Braille pattern.
_INVISIBLE = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def printable(text: object, limit: int = MAX_CHARACTERS) -> str:
    r"""`text` on one line, without a character that a terminal or a CI log would obey.

    Line ends become spaces, other unprintable characters escapes like `\x1b`; `##` becomes
    `# #`, because GitHub and Azure obey `##[…]` anywhere in a line.
    """
    line = re.sub(r"\r\n|\r|\n", " ", str(text)[: 2 * limit + 2])
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return _harmless(shown, limit)


def quoted(text: str) -> str:
    """`text` in quotation marks as typed, each invisible character as an escape."""
    return _harmless(re.sub(_INVISIBLE, _escape, repr(text[:MAX_CHARACTERS])), MAX_CHARACTERS)


def named(name: str) -> str:
    r"""A name as it is, or quoted where not all of it can be seen: `dev`, `'dev\r'`."""
    return printable(name) if name == visible(name) else quoted(name)


def visible(name: str) -> str:
    """`name` without invisible characters, and without white space at its ends."""
    return "".join(c for c in re.sub(_INVISIBLE, "", name) if c.isprintable()).strip()


def stray(character: str) -> str:
    """A character that does not belong where it is: `'g'`, but `'\u00e9' (U+00E9)`."""
    code_point = "" if " " <= character <= "~" else f" (U+{ord(character):04X})"
    return quoted(character) + code_point


def pasteable(words: Iterable[str]) -> str:
    """A command that a shell reads back from stderr, and that no terminal or CI log obeys."""
    return " ".join(map(_typed, words))


def listed(names: Sequence[str], limit: int = MAX_CHARACTERS) -> str:
    """The first ten names, each printable and at most `limit` long: `a, b, ..., and 7 more`."""
    shown = [printable(name, limit) for name in names[:MAX_LISTED]]
    if len(names) > len(shown):
        shown.append(f"and {len(names) - len(shown)} more")
    return ", ".join(shown)


def is_placeholder(value: str) -> bool:
    """Whether `value` is a placeholder that was not replaced, like `${TOKEN}` or `null`."""
    if value.isalnum():
        return value.lower() in _NO_VALUES
    return re.fullmatch(_PLACEHOLDER, value, re.DOTALL | re.IGNORECASE) is not None


def strerror(number: int | None) -> str:
    """The system's words for an error number, as a part of a sentence."""
    return os.strerror(number).lower() if number else "unknown error"


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(text for text, _ in line)


def _typed(word: str) -> str:
    quoted_word = shlex.quote(word)
    argument = _argument(word)
    is_read_back = word.isascii() or _on_stderr(word) == argument
    if is_read_back and quoted_word == printable(quoted_word, len(quoted_word)):
        return quoted_word
    characters = (chr(b) if chr(b).isalnum() and b < 0x80 else f"\\x{b:02x}" for b in argument)
    return f"$'{''.join(characters)}'"


def _argument(word: str) -> bytes:
    """The bytes that a shell must pass for Python to read `word`."""
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:  # not an argument: a name in a file, which its owner reads as UTF-8
        return re.sub("[\ud800-\udfff]", "\ufffd", word).encode()


def _on_stderr(word: str) -> bytes | None:
    """The bytes of `word` on stderr, where commands are shown; None where it cannot show them."""
    try:
        return word.encode(getattr(sys.stderr, "encoding", None) or "utf-8")
    except (LookupError, UnicodeError):
        return None


def _escape(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def _harmless(text: str, limit: int) -> str:
    text = re.sub(r"#(?=#)", "# ", text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def parse_duration(text: str) -> float:
    """Seconds in one of `DURATION_FORMS`; raises ValueError for anything else."""
    match = re.fullmatch(_DURATION, text)
    if not match:
        raise ValueError(text)
    return sum(float(n) * _SECONDS[unit] for unit, n in match.groupdict().items() if n)


def duration(seconds: float) -> str:
    """Seconds as at most two units: `0.5s`, `38s`, `1m 12s`, `10m`, `2h 5m`, `3d`."""
    if seconds < 9.95 and round(seconds, 1) % 1:
        return f"{seconds:.1f}s"
    rest = round(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if parts:
            return f"{parts[0]} {count}{unit}" if count else parts[0]
        if count or unit == "s":
            parts.append(f"{count}{unit}")
    return parts[0]


def clock(seconds: float) -> str:
    """Seconds as a running clock: `0:46`, `12:05`, `1:02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def utc_time(time: datetime, now: datetime) -> str:
    """A time in UTC, with the date unless it is the date of `now`: `14:02:11 UTC`."""
    form = "%H:%M:%S" if time.date() == now.date() else "%Y-%m-%d %H:%M:%S"
    return f"{time:{form}} UTC"


def age(seconds: float) -> str:
    """How long ago something was: `12s ago`, `3d ago`."""
    return f"{duration(max(0, round(seconds)))} ago"


def counted(count: int, noun: str) -> str:
    """`1 asset`, `12 functions`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
