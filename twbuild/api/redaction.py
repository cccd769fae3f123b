"""Secrets are removed from what a server repeats, in whatever form it repeats them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
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
        self._secrets = _any_of(*secrets)

    def redacted(self, text: str) -> str:
        """`text` without the secrets; [secret] alone where one is hidden in an encoding."""
        text = self._secrets.sub(REDACTED, text)
        return REDACTED if any(map(self._secrets.search, _readings(text))) else text


def _any_of(*secrets: str) -> re.Pattern[str]:
    """Any of these texts, also as a URL has them; Base64 with its padding or without.

    In any case of letters, as a host's may change. Of a long one its beginning is enough, as a
    server may have cut it. A short one counts as a word only: it is a part of many others, which
    would show it by what is missing in them.
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
    return re.compile("|".join([*whole, *begun]), re.IGNORECASE)


def _readings(text: str) -> Iterator[str]:
    """How else a text can be read: escaped as in URLs, once or twice; the other Base64."""
    if "%" in text:
        yield (once := unquote(text))
        yield unquote(once)
    if "-" in text or "_" in text:
        yield text.replace("-", "+").replace("_", "/")
    if "+" in text:
        yield text.replace("+", " ")
