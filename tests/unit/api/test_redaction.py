"""Secrets are removed from text from outside, in whatever form it repeats them."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from twbuild.api.redaction import REDACTED, Redactor

SECRET = "p/5ecre7+word=="

FORMS = {
    "as it is": SECRET,
    "in a URL": quote(SECRET, safe=""),
    "in a URL three times": quote(quote(quote(SECRET, safe=""), safe=""), safe=""),
    "URL-safe Base64": SECRET.replace("+", "-").replace("/", "_"),
    "without padding": SECRET.rstrip("="),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_removed_in_any_form(form: str) -> None:
    found = Redactor(SECRET).redacted(f"token {form} refused")

    assert REDACTED in found
    assert "5ecre7" not in found


def test_the_beginning_of_a_long_secret_is_enough() -> None:
    long = base64.b64encode(b"AC0123456789:5ecre7").decode()

    assert Redactor(long).redacted(f"Basic {long[:10]}...") == f"Basic {REDACTED}..."


def test_a_short_secret_is_removed_as_a_word_only() -> None:
    redactor = Redactor("build")

    assert redactor.redacted("the build of a builder") == f"the {REDACTED} of a builder"
