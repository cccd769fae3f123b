"""The installed command, and the names that tests give it."""

from __future__ import annotations

import sysconfig
from pathlib import Path

SCRIPTS = sysconfig.get_path("scripts")
TWBUILD = str(Path(SCRIPTS) / "twbuild")

SERVICE = "ZS" + "a1" * 16
BUILD = "ZB0123456789abcdef0123456789abcdef"
OTHER_BUILD = "ZBfedcba9876543210fedcba9876543210"
ACCOUNT = "AC" + "b2" * 16
KEY = "SK" + "c3" * 16
TOKEN = "5ecre7" * 5 + "99"
SECRET = "k3y5ec" * 5 + "77"
SIDS = [f"ZB{number:032x}" for number in range(800)]

STATUS = ("status", SERVICE, BUILD)
WAIT = ("wait", "-i", "200ms", SERVICE, BUILD)
