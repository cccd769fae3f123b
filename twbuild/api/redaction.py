"""Secrets are removed from what a server repeats, in whatever form it repeats them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote

from twbuild.config.credentials import Credentials

REDACTED = "[secret]"
SHORT, BEGINNING = 6, 8  # characters of a secret


def secrets(credentials: Credentials, of_proxy: Iterable[str]) -> list[str]:
    """All that is secret in a run: the credentials' secret, their Basic form, the proxy's.

    A user name that is not a SID may be the secret in the wrong place.
    """
    name, password = credentials.username, credentials.password
    basic = base64.b64encode(f"{name}:{password}".encode()).decode()
    return [password, basic, *([] if credentials.shown_name == name else [name]), *of_proxy]


class Redactor:
    """Replaces secrets in text from outside."""

    def __init__(self, *secrets: str) -> None:
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        forms |= {form.removesuffix("%3D%3D").removesuffix("%3D").rstrip("=") for form in forms}
        self._secrets = _any_of(sorted(filter(None, forms), key=len, reverse=True))
        self._beginnings = {form[:BEGINNING].lower() for form in forms if form}

    def redacted(self, text: str) -> str:
        """`text` without the secrets; [secret] alone where one is hidden in an encoding."""
        if self._may_be_in(text):
            text = self._secrets.sub(REDACTED, text)
        hidden = filter(self._may_be_in, _readings(text))
        return REDACTED if any(map(self._secrets.search, hidden)) else text

    def _may_be_in(self, text: str) -> bool:
        """Whether it is worth a search, which takes 100 times as long."""
        text = text.lower()
        return any(beginning in text for beginning in self._beginnings)


def _any_of(longest_first: Sequence[str]) -> re.Pattern[str]:
    """Any of these texts, in any case of letters, as a host's may change.

    Of a long one its beginning is enough, as a server may have cut it. A short one counts as a
    word only: it is a part of many others, which would show it by what is missing in them.
    """
    whole = [
        re.escape(form) if len(form) >= SHORT else rf"(?<![^\W_]){re.escape(form)}(?![^\W_])"
        for form in longest_first
    ]
    begun = [
        rf"{re.escape(form[:BEGINNING])}[\w+/%=-]*(?:\r?\n[\w+/%=-]+)*"  # Base64 has lines of 76
        for form in longest_first
        if len(form) >= 2 * BEGINNING
    ]
    return re.compile("|".join([*whole, *begun]), re.IGNORECASE)


def _readings(text: str) -> Iterator[str]:
    """How else a text can be read: escaped as in URLs, once or twice; the other Base64."""
    if re.search("%[0-9a-fA-F]{2}", text):
        yield (once := unquote(text))
        yield unquote(once)
    if "-" in text or "_" in text:
        yield text.replace("-", "+").replace("_", "/")
    if "+" in text:
        yield text.replace("+", " ")
