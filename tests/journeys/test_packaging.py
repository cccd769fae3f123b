"""What is shipped: what pyproject.toml says of it, what the wheel holds, and that it runs."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import twbuild
from tests.support import action, readme
from tests.support.command import BUILD, SERVICE, TWBUILD
from tests.support.readme import ROOT
from tests.support.repository import Repository, copy_tracked, tracked
from tests.support.run import Ended, Env, run, run_words

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


def test_three_libraries_are_enough_and_what_requests_is_built_on() -> None:
    names = {re.split(r"[<>=~! ]", dependency)[0] for dependency in PROJECT["dependencies"]}

    assert names == {"requests", "rich", "typer", "urllib3"}


def test_the_version_is_in_one_place(base: Env) -> None:
    telling = re.compile(rf"(?<![\d.]){re.escape(twbuild.__version__)}(?![\d.])")
    tracked = [name for name in TRACKED if name.endswith((".py", ".toml")) or "." not in name]
    where = [name for name in tracked if telling.search((ROOT / name).read_text("utf-8"))]

    assert [name for name in where if not name.startswith("tests/")] == ["twbuild/__init__.py"]
    assert run("--version", env=base).stdout == f"twbuild {twbuild.__version__}\n"


def test_the_promised_pythons_and_systems_are_tried_by_ci() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["check"]
    tried = job["strategy"]["matrix"]
    promised = "\n".join(PROJECT["classifiers"])

    assert PROJECT["requires-python"] == f">={tried['python'][0]}"
    assert re.findall(r"Python :: (3\.\d+)", promised) == tried["python"]
    assert tried["os"] == ["ubuntu-latest", "macos-latest"]
    assert re.findall(r"Operating System :: (.*)", promised) == ["MacOS", "POSIX :: Linux"]
    assert {"run": "bash .ci/run"} in job["steps"]


def test_the_changelog_has_each_version_down_to_the_first() -> None:
    notes = (ROOT / ".github" / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (.*)$", notes, re.MULTILINE)
    numbers = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - \d{4}-\d{2}-\d{2}", v) for v in versions]
    kinds = re.findall(r"^### (.*)$", notes, re.MULTILINE)

    reported = [tuple(map(int, number.groups())) for number in numbers if number]
    assert len(reported) == len(versions)
    assert reported == sorted(reported, reverse=True)
    assert versions[0].startswith(f"{twbuild.__version__} - ")
    assert versions[-1].startswith("0.1.0 - ")
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_it_has_no_library_types_and_no_licence() -> None:
    assert not (ROOT / "twbuild" / "py.typed").exists()
    assert "Typed" not in "\n".join(PROJECT["classifiers"])
    assert not {"license", "license-files"} & set(PROJECT)
    assert "License" not in "\n".join(PROJECT["classifiers"])


# From here on: what needs a package registry.


REGISTRY = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("PIP_", "UV_", "HTTPS_", "SSL_", "REQUESTS_CA"))
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as git would commit it, without anything that lies about."""
    folder = tmp_path_factory.mktemp("source") / "twbuild"
    copy_tracked(folder)
    return folder


@pytest.fixture(scope="module")
def dist(source: Path) -> Path:
    """The sdist, and the wheel made from it."""
    out = source.with_name("dist")
    words = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    subprocess.run(words, check=True, timeout=300)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
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
def test_the_sdist_is_the_repository(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names == {*TRACKED, "PKG-INFO"}


@pytest.mark.registry
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(about))
        (entries,) = (archive.read(n).decode() for n in names if n.endswith("entry_points.txt"))

    package = {name for name in TRACKED if name.startswith("twbuild/")}
    assert {name for name in names if ".dist-info/" not in name} == package
    assert metadata["Version"] == twbuild.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    assert len(metadata.get_all("Requires-Dist", [])) == len(PROJECT["dependencies"])
    assert entries.split("\n")[:2] == ["[console_scripts]", "twbuild = twbuild.__main__:main"]


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


@pytest.fixture
def repository(tmp_path: Path, base: Env) -> str:
    """The address of a repository, to set as REPO."""
    mine = Repository(tmp_path / "repository", base)
    copy_tracked(mine.folder)
    mine.commit()
    return f"file://{mine.folder}"


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
    empty: Path, base: Env, repository: str, tool: str, pattern: str, command: str
) -> None:
    if tool:
        subprocess.run([str(empty / "pip"), "install", "--quiet", tool], check=True, timeout=200)
    typed, *_ = re.findall(pattern, readme.text(), re.MULTILINE)
    env = {**base, **REGISTRY, "REPO": repository, "PATH": f"{empty}:/usr/bin:/bin"}

    ended = run_words(["bash", "-c", typed], env=env, cwd=base["HOME"], timeout=250)

    assert ended.code == 0, ended.stderr
    if "wheel" in typed:
        (wheel,) = Path(base["HOME"], "dist").iterdir()
        assert wheel.name == f"twbuild-{twbuild.__version__}-py3-none-any.whl"
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
    output = tmp_path / "output"
    env = {**base, **REGISTRY, **runner, "PATH": f"{empty}:/usr/bin:/bin"}
    (tmp_path / "temp").mkdir()
    installed = tmp_path / "temp" / "twbuild" / "bin" / "twbuild"

    for version in (twbuild.__version__, "999.0"):
        (checkout / "twbuild" / "__init__.py").write_text(f'__version__ = "{version}"\n')
        ended = run_words(action.command(action.INSTALL, tmp_path), env=env, timeout=140)
        assert ended.code == 0, ended.stderr
        assert run_words([str(installed), "--version"], env=base).stdout == f"twbuild {version}\n"

    words = action.command(action.WAIT, tmp_path)
    env |= {"GITHUB_OUTPUT": str(output)}
    env |= action.environment(action.WAIT, {"service": SERVICE, "build": BUILD})
    ended = run_words([str(installed), "sandbox", "--build-time", "0s", *words], env=env)
    assert ended.code == 0, ended.stderr
    assert action.outputs(output) == {"outcome": "completed", "exit-code": "0"}
