"""Fixtures that the tests of the API's modules share."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.support.authority import Authority
from tests.support.fasttime import close_fetchers
from tests.unit.api.fetching import Names


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without proxies and bundles; closes connections at the end."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    yield monkeypatch
    close_fetchers()


@pytest.fixture
def trusted(environ: pytest.MonkeyPatch, authority: Authority) -> None:
    """Trust the tests' authority alone: reading the machine's own takes 15 ms a test."""
    environ.setenv("REQUESTS_CA_BUNDLE", authority.bundle)


@pytest.fixture
def names(environ: pytest.MonkeyPatch) -> Names:
    """Resolve names as a test has it, by itself to this machine."""
    found = Names()
    environ.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found
