"""A certificate authority that no other machine knows."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

import trustme


class Authority:
    """A certificate authority, and a file with its certificate."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self._folder = folder

    @cached_property
    def bundle(self) -> str:
        """The path of its certificate, for REQUESTS_CA_BUNDLE."""
        path = str(self._folder / "company.pem")
        self.ca.cert_pem.write_to_path(path)
        return path

    def leaf(self, *names: str, begins: float = -1, ends: float = 1) -> trustme.LeafCert:
        """A certificate for these names; its days are counted from today."""
        now = datetime.now(timezone.utc)
        begin, end = (now + timedelta(days=days) for days in (begins, ends))
        return self.ca.issue_cert(*names, not_before=begin, not_after=end)

    def context(self, *names: str, begins: float = -1, ends: float = 1) -> ssl.SSLContext:
        """A server's context with a certificate for these names."""
        return server_context(self.leaf(*names, begins=begins, ends=ends))


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context
