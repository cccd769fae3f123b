"""Fixtures that several journeys share."""

from __future__ import annotations

import pytest
import trustme

from tests.support.authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "company.pem"
    ca.cert_pem.write_to_path(str(path))
    return Authority(ca, str(path))
