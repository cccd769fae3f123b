"""Text from outside made safe to print."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence

Line = Sequence[tuple[str, str]]  # spans: a text, and the name of its style in rendering.THEME

MAX_CHARACTERS = 300
MAX_LISTED = 10

# What templates, CI systems, secret stores and JavaScript leave where they had no value to put, and
# what documentation has there, as in SK...
_PLACEHOLDER = (
    r"\$.+|.*(\$[{(]|\{\{|#\{).*|<.*>|%.+%|\*+|[a-z][a-z0-9+.-]*://.*|.*(\.\.\.|\u2026)"
    "|your_(account_sid|auth_token|api_key|api_secret)"
)
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
    if not shown.isascii():  # the pattern takes half a millisecond to compile
        shown = re.sub(_INVISIBLE, _escape, shown)
    return _harmless(shown, limit)


def quoted(text: str) -> str:
    """`text` in quotation marks as typed, each invisible character as an escape."""
    return printable(repr(text[:MAX_CHARACTERS]))


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
        is_redacted = value[:2] in ("AC", "SK", "ZB", "ZS") and set(value[2:].lower()) == {"x"}
        return value.lower() in _NO_VALUES or is_redacted
    return re.fullmatch(_PLACEHOLDER, value, re.DOTALL | re.IGNORECASE) is not None


def is_switched_on(value: str | None) -> bool:
    """Whether the value of a variable like CI says yes: empty, `0` and `false` say no."""
    return (value or "").lower() not in ("", "0", "false")


def strerror(number: int | None) -> str:
    """The system's words for an error number, as a part of a sentence."""
    return os.strerror(number).lower() if number else "unknown error"


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(text for text, _ in line)


def _typed(word: str) -> str:
    quoted_word = shlex.quote(word)
    if quoted_word == word and "=" in word and not word.startswith("-"):
        quoted_word = f"'{word}'"  # an assignment; and zsh has =PROGRAM
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


def counted(count: int, noun: str) -> str:
    """`1 asset`, `12 functions`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
