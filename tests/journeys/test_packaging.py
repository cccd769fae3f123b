"""What is shipped: what pyproject.toml says of it, what the wheel holds, and that it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import twbuild
from tests.support import action, readme
from tests.support.command import TWBUILD
from tests.support.readme import ROOT
from tests.support.repository import copy_committed, tracked
from tests.support.run import Ended, Env, run_words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT: dict[str, Any] = PYPROJECT["project"]
TRACKED = tracked()


def test_the_top_level_is_exactly_what_it_is() -> None:
    top = {name.partition("/")[0] for name in TRACKED if not name.startswith(".")}

    assert top == {"Makefile", "README.md", "pyproject.toml", "tests", "twbuild"}


def test_the_promised_pythons_and_systems_are_tried_by_ci() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["check"]
    tried = job["strategy"]["matrix"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))

    assert PROJECT["requires-python"] == f">={tried['python'][0]}"
    assert (promised, tried["os"]) == (tried["python"], ["ubuntu-latest", "macos-latest"])
    assert {"run": "bash .ci/run"} in job["steps"]


def test_the_changelog_begins_with_this_version() -> None:
    notes = (ROOT / ".github" / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", notes, re.MULTILINE)

    assert headings[0].startswith(f"{twbuild.__version__} - ")
    for heading in headings:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", heading)


# From here on: what needs a package registry.


REGISTRY = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("PIP_", "UV_", "HTTPS_", "SSL_", "REQUESTS_CA"))
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_committed(tmp_path_factory.mktemp("source") / "twbuild").folder


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    out = source.with_name("dist")
    words = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    subprocess.run(words, check=True, timeout=300)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The programs of an environment with nothing in it but pip."""
    venv.create(tmp_path / "venv", with_pip=True)
    return tmp_path / "venv" / "bin"


def try_it(twbuild_command: Path, base: Env) -> Ended:
    """Watch a build in the sandbox, with no more on the PATH than a new machine has."""
    words = [str(twbuild_command), "sandbox", "--build-time", "0s"]
    return run_words(words, env={**base, "PATH": "/usr/bin:/bin"})


@pytest.mark.registry
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == {name for name in TRACKED if name.startswith("twbuild/")}
    assert wheel.name == f"twbuild-{twbuild.__version__}-py3-none-any.whl"


@pytest.mark.registry
@pytest.mark.parametrize("oldest", [False, True], ids=["newest", "oldest libraries allowed"])
def test_the_wheel_runs_in_an_empty_environment(
    wheel: Path, empty: Path, base: Env, oldest: bool
) -> None:
    lowest = [re.sub(r">=([\d.]+).*", r"==\1", line) for line in PROJECT["dependencies"]]
    words = [str(empty / "pip"), "install", "--quiet", str(wheel), *lowest * oldest]
    subprocess.run(words, check=True, timeout=250)

    ended = try_it(empty / "twbuild", base)

    assert (ended.code, ended.stdout) == (0, "completed\n"), ended.stderr
    for command in ("", "wait"):  # old libraries set columns a space further apart
        shown, here = (readme.help_text(command, p) for p in (str(empty / "twbuild"), TWBUILD))
        assert re.sub(" +", " ", shown) == re.sub(" +", " ", here)


HOME = ".local/bin/twbuild"
WAYS = [  # the program that it needs, how it is found in the README, and the command that it gives
    ("pipx", r"^(pipx install .*)$", HOME),
    ("uv", r"^(uv tool install .*)$", HOME),
    ("", r"^(python3 -m venv .*\n.*)$", "twbuild-venv/bin/twbuild"),
    ("", r"`(python3 -m pip wheel .*?)`", ""),
    ("uv", r"^(uvx --from .*)$", ""),
    ("pipx", r"`(pipx run .*?)`", ""),
]


@pytest.mark.registry
@pytest.mark.parametrize(("tool", "pattern", "command"), WAYS)
def test_the_readmes_ways_to_install_and_run_do(
    source: Path, empty: Path, base: Env, tool: str, pattern: str, command: str
) -> None:
    if tool:
        subprocess.run([str(empty / "pip"), "install", "--quiet", tool], check=True, timeout=200)
    typed, *_ = re.findall(pattern, readme.text(), re.MULTILINE)
    env = {**base, **REGISTRY, "REPO": f"file://{source}", "PATH": f"{empty}:/usr/bin:/bin"}

    ended = run_words(["bash", "-c", typed], env=env, cwd=base["HOME"], timeout=250)

    assert ended.code == 0, ended.stderr
    if "wheel" in typed:
        assert [*Path(base["HOME"], "dist").glob("twbuild-*.whl")]
    else:
        ended = try_it(Path(base["HOME"], command), base) if command else ended
        assert (ended.code, ended.stdout) == (0, "completed\n"), ended.stderr


@pytest.mark.registry
def test_the_action_installs_and_runs_its_own_checkout(
    source: Path, empty: Path, base: Env, tmp_path: Path
) -> None:
    subprocess.run([str(empty / "pip"), "install", "--quiet", "pipx"], check=True, timeout=200)
    checkout = tmp_path / "actions checkout"
    shutil.copytree(source, checkout)
    folder = checkout / action.FOLDER.relative_to(ROOT)
    runner = {"RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_ACTION_PATH": str(folder)}
    env = {**base, **REGISTRY, **runner, "PATH": f"{empty}:/usr/bin:/bin"}
    (tmp_path / "temp").mkdir()
    installed = tmp_path / "temp" / "twbuild" / "bin" / "twbuild"

    for version in (twbuild.__version__, "999.0"):
        (checkout / "twbuild" / "__init__.py").write_text(f'__version__ = "{version}"\n')
        ended = run_words(action.command(action.INSTALL, tmp_path), env=env, timeout=140)
        assert ended.code == 0, ended.stderr
        assert run_words([str(installed), "--version"], env=base).stdout == f"twbuild {version}\n"
