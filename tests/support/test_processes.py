"""Tests leave no process behind, also when they fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import processes
from tests.support.moments import until

ROOT = Path(__file__).parents[2]

LEAVING = """
import os
import subprocess
import pytest
from tests.conftest import no_process_is_left, no_process_is_left_at_the_end

@pytest.fixture(scope="module")
def left():
    made = subprocess.Popen(["sleep", "300"])
    open("shared", "w").write(str(made.pid))

def test_that_fails(left):
    made = subprocess.Popen(["sh", "-c", "sleep 300 & echo $! > orphan; exec sleep 300"])
    open("child", "w").write(str(made.pid))
    while not open("orphan", "a+").tell():
        pass
    raise AssertionError

def test_that_comes_after_it():
    for name in ("child", "orphan"):
        assert not os.path.exists("/proc/" + open(name).read().strip())
"""


def test_what_a_failing_test_started_is_gone_with_it(tmp_path: Path) -> None:
    (tmp_path / "test_leaving.py").write_text(LEAVING)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    inner = subprocess.run(
        [*words, "-c", "/dev/null", "--rootdir", str(tmp_path), "test_leaving.py"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "1 failed, 1 passed" in inner.stdout, inner.stdout + inner.stderr
    for name in ("child", "orphan", "shared"):
        pid = int((tmp_path / name).read_text())
        assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_was_there_before_is_left_alone() -> None:
    kept = subprocess.Popen(["sleep", "300"])
    until(lambda: kept.pid in processes.children(), "the first child")
    left = subprocess.Popen(["sleep", "300"])
    until(lambda: left.pid in processes.children(), "the second child")

    assert processes.kill_all_but({kept.pid}) == [left.pid]
    assert kept.poll() is None
    kept.kill()
    kept.wait()
    left.wait()
