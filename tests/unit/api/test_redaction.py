"""Secrets are removed from text from outside, in whatever form it repeats them."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest

from tests.support.command import ACCOUNT, TOKEN
from twbuild.api.redaction import REDACTED, Redactor, secrets
from twbuild.config.credentials import Credentials

SECRET = "p/5ecre7+word=="


def escaped(form: str) -> str:
    """The secret, each character of it in this form."""
    return "".join(form.format(ord(character)) for character in SECRET)


@pytest.mark.parametrize(
    ("repeated", "left"),
    [
        (SECRET, f"at {REDACTED} refused"),
        (SECRET.rstrip("="), f"at {REDACTED} refused"),
        (quote(SECRET.rstrip("="), safe=""), f"at {REDACTED} refused"),
        # Hidden in an encoding, it takes the whole text with it.
        (quote(quote(quote(SECRET, safe=""), safe=""), safe=""), REDACTED),
        (escaped("%{:02x}"), REDACTED),
        (escaped("%25{:02X}"), REDACTED),
        (SECRET.upper(), f"at {REDACTED} refused"),
        (quote(SECRET.upper(), safe="").lower(), f"at {REDACTED} refused"),
        (SECRET.replace("/", "_").replace("+", "-"), REDACTED),
    ],
)
def test_a_secret_is_removed_in_any_form(repeated: str, left: str) -> None:
    assert Redactor(SECRET).redacted(f"at {repeated} refused") == left


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        # Of one of 16 characters or more its first 8 are enough, and what follows belongs to it.
        ("0123456789abcdef", "(01234567), 0123456", f"({REDACTED}), 0123456"),
        ("0123456789abcdef", "(0123456789a/+=%-_)", f"({REDACTED})"),
        ("0123456789abcdef", "(0123456789\r\nab\ncdef)", f"({REDACTED})"),
        ("0123456789abcde", "01234567 0123456789abcdex", f"01234567 {REDACTED}x"),
        # One of fewer than 6 counts as a word only.
        ("build", "a build of re_build", f"a {REDACTED} of re_{REDACTED}"),
        ("build", "building rebuild", "building rebuild"),
        ("builds", "a build, rebuilds", f"a build, re{REDACTED}"),
        ("two words", "at two+words", REDACTED),
        ("plus+and", "at plus-and", REDACTED),
        ("slash/and", "at slash_and", REDACTED),
        ("ab/cde=", "at ab%2Fcde", f"at {REDACTED}"),
        ("ab/cde==", "at ab%2Fcde", f"at {REDACTED}"),
        ("a_b_c_d", "at a-b_c+d", "at a-b_c+d"),
        ("=", "a = b", f"a {REDACTED} b"),
    ],
)
def test_how_much_of_a_secret_is_one(secret: str, text: str, left: str) -> None:
    assert Redactor(secret).redacted(text) == left


def test_of_two_secrets_the_longer_is_removed_whole() -> None:
    assert Redactor("secret", "secret-and-more").redacted("secret-and-more") == REDACTED


@pytest.mark.parametrize(
    ("name", "basic", "of_name"),
    [(ACCOUNT, f"{ACCOUNT}:token", []), (TOKEN, f"{TOKEN}:token", [TOKEN])],
)
def test_secret_are_password_basic_form_proxys_and_no_sid(
    name: str, basic: str, of_name: list[str]
) -> None:
    found = secrets(Credentials(name, "token", source=""), ["proxy's"])

    assert found == ["token", b64encode(basic.encode()).decode(), *of_name, "proxy's"]
