"""Whether a secret shows in what was written, as it stands or encoded."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from tests.support.command import ACCOUNT, KEY, SECRET, TOKEN

PROXY_PASSWORD = "Hunter2x+/9"


def shown(text: str, *more: str) -> list[str]:
    """The secrets, in any of their forms, that stand in `text`; `more` are secrets too."""
    secrets = [TOKEN, SECRET, PROXY_PASSWORD, *more]
    pairs = [f"{ACCOUNT}:{TOKEN}", f"{KEY}:{SECRET}", f"{KEY}:{TOKEN}"]
    return [
        form for secret in [*secrets, *pairs] for form in forms(secret) if form and form in text
    ]


def forms(secret: str) -> Iterator[str]:
    """A secret as it stands, as in a URL, and in base64 wherever it begins in what is encoded."""
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + secret.encode()).decode()
            yield encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
