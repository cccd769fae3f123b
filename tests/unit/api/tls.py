"""Certificates that an authority of the tests issues."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import trustme


def bundle(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "bundle.pem"
    path.write_bytes(content)
    return path


def context(authority: trustme.CA, name: str, not_before: datetime | None = None) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_before=not_before).configure_cert(found)
    return found
