"""Fixtures that the tests of the API's modules share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import trustme

from tests.support.fasttime import close_fetchers


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without proxies and bundles; closes connections at the end."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    yield monkeypatch
    close_fetchers()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "bundle.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return str(path)


@pytest.fixture
def trusted(environ: pytest.MonkeyPatch, authority_file: str) -> None:
    """Trust the tests' authority alone: reading the machine's own takes 15 ms a test."""
    environ.setenv("REQUESTS_CA_BUNDLE", authority_file)
