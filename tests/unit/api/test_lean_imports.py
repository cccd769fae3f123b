"""Imports without what requests does not need, which can still be imported later."""

from __future__ import annotations

import subprocess
import sys

CODE = """
from twbuild.api.lean_imports import lean_imports
with lean_imports():
    from importlib.metadata import version
    try:
        import charset_normalizer
    except ImportError:
        print("not loaded")
print("importlib.metadata" in sys.modules, "charset_normalizer" in sys.modules)
print(version("requests").count("."))
"""


def test_what_was_left_out_can_be_loaded_later() -> None:
    words = [sys.executable, "-c", f"import sys{CODE}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert (done.stdout, done.stderr) == ("not loaded\nFalse False\n2\n", "")
