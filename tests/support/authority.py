"""A certificate authority that no other machine knows."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import trustme


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and the path of its certificate."""

    ca: trustme.CA
    bundle: str

    def context(self, *names: str, begins: float = -1, ends: float = 1) -> ssl.SSLContext:
        """A server's context; the certificate's days are counted from today."""
        now = datetime.now(timezone.utc)
        begin, end = (now + timedelta(days=days) for days in (begins, ends))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, not_before=begin, not_after=end).configure_cert(context)
        return context
