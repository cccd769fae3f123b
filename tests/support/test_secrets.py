"""Every form of a secret is seen in what was written."""

from __future__ import annotations

from tests.support.command import TOKEN
from tests.support.secrets import forms, shown


def test_every_form_of_a_secret_is_seen() -> None:
    assert [form for form in forms(TOKEN) if not shown(f"twbuild: {form}")] == []
