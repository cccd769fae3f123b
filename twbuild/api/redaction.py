"""Secrets are removed from what a server repeats, in whatever form it repeats them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from twbuild import strict_json

REDACTED = "[secret]"
SHORT, BEGINNING = 6, 8  # characters of a secret
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ESCAPE = (
    r"(?:\\u00|\\x|&#[xX]0{0,4})([0-9a-fA-F]{2});?|&#0{0,4}([0-9]{2,3});?"
    rf"|&({'|'.join(_ENTITIES)});|\\([^ux])"
)


class Redactor:
    """Replaces secrets in text from outside."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = _any_of(*secrets)

    def redacted(self, value: Any) -> Any:
        """`value` as JSON has it, its texts without the secrets."""
        if isinstance(value, str):
            text = self._secrets.sub(REDACTED, value)
            return REDACTED if any(map(self._secrets.search, _readings(text))) else text
        if isinstance(value, list):
            return [self.redacted(item) for item in value]
        if isinstance(value, dict):
            return {name: self.redacted(item) for name, item in value.items()}
        return value

    def redacted_body(self, body: bytes) -> bytes:
        """A body of JSON, its texts without the secrets; any other body as it is."""
        try:
            return json.dumps(self.redacted(strict_json.parse(body))).encode()
        except strict_json.NotAnObjectError:
            return body


def _any_of(*secrets: str) -> re.Pattern[str]:
    """Any of these texts, also as a URL has them; Base64 with its padding or without.

    Of a long one its beginning is enough, as a server may have cut it. A short one counts as a
    word only: it is a part of many others, which would show it by what is missing in them.
    """
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
    stripped = {form.removesuffix("%3D%3D").removesuffix("%3D").rstrip("=") for form in forms}
    longest_first = sorted(forms | stripped, key=len, reverse=True)
    whole = [
        re.escape(form) if len(form) >= SHORT else rf"(?<![^\W_]){re.escape(form)}(?![^\W_])"
        for form in longest_first
        if form
    ]
    begun = [
        rf"{re.escape(form[:BEGINNING])}[\w+/%=-]*"
        for form in longest_first
        if len(form) >= 2 * BEGINNING
    ]
    return re.compile("|".join([*whole, *begun]))


def _readings(text: str) -> Iterator[str]:
    """How else a text can be read: escaped as in URLs, JSON and HTML, once or twice."""
    if any(character in text for character in "%\\&"):
        for _ in range(2):
            text = re.sub(_ESCAPE, _character, unquote(text))
        yield text
    if "-" in text or "_" in text:
        yield text.replace("-", "+").replace("_", "/")  # the other Base64
    if "+" in text:
        yield text.replace("+", " ")


def _character(escape: re.Match[str]) -> str:
    hexadecimal, decimal, entity, character = escape.groups()
    if entity or character:
        return _ENTITIES[entity] if entity else str(character)
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))
