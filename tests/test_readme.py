"""README.md is held to the truth: what it lets a reader type is run, what it shows is compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import action, readme
from tests.support.command import BUILD, SERVICE, TWBUILD, Ended, run, run_words
from tests.support.twilio import Twilio

ROOT = readme.README.parent
WHO_RUNS_THEM = {
    "twbuild": "make check, in a fresh clone (.ci/fresh)",
    "Install": "tests/test_packaging.py",
    "Rehearse": "here",
    "By hand": "here",
    "Bash": "here",
    "Before a push": "tests/test_hooks.py",
}

# Stands in for twilio-cli, which reaches nothing but Twilio itself.
TWILIO_CLI = f"""#!/bin/sh
echo "$*" >> "$HOME/twilio-cli.log"
case $1 in *:builds:create) printf 'sid\\n{BUILD}\\n' ;; esac
"""
NOTHING = "#!/bin/sh\n"


@pytest.fixture
def shell(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a pipeline: the scripted API, and stand-ins for what a registry brings."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in {
        "twilio": TWILIO_CLI,
        "npm": NOTHING,
        "pipx": NOTHING,
        "pip": NOTHING,
    }.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    names = {"SERVICE": SERVICE, "ENVIRONMENT": "ZE" + "e5" * 16, "FUNCTION_VERSIONS": "ZN1 ZN2"}
    return {**environ, **names, "PATH": f"{tools}:{environ['PATH']}", "CI": "true"}


def bash(script: str, env: Mapping[str, str], *options: str) -> Ended:
    return run_words(["bash", *options, "-c", script], env=env, cwd=env["HOME"])


def asked_of_twilio_cli(env: Mapping[str, str]) -> list[str]:
    """The resources that twilio-cli was told to create, in order."""
    log = Path(env["HOME"], "twilio-cli.log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[0].split(":")[-2] for line in lines]


def block(language: str, heading: str) -> str:
    (found,) = (b.text for b in readme.blocks(language) if b.heading == heading)
    return found


def test_every_shell_block_is_run_by_somebody() -> None:
    assert {b.heading for b in readme.blocks("sh", "bash")} == set(WHO_RUNS_THEM)


def test_the_first_two_commands_are_those_that_are_tried_in_a_fresh_clone() -> None:
    first = readme.blocks("sh")[0].text
    tried = re.search(r"for target in (.*); do", (ROOT / ".ci" / "fresh").read_text())

    assert tried
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == tried[1].split()


def test_generated_parts_are_as_they_would_be_made_today() -> None:
    assert readme.text() == readme.regenerated(readme.text()), "`make readme` regenerates them"


@pytest.mark.parametrize("command", readme.HELPED)
def test_help_stands_there_as_the_command_prints_it(command: str) -> None:
    assert readme.help_text(command) in [b.text for b in readme.blocks("console")]


def test_exit_codes_stand_there_as_the_command_has_them() -> None:
    assert f"\n{readme.exit_code_rows()}\n" in readme.text()


def test_the_json_object_has_the_fields_of_the_real_one(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("completed")

    real = json.loads(run("status", "--json", SERVICE, BUILD, env=environ).stdout)

    assert list(json.loads(block("json", "Options"))) == list(real)


def test_rehearse(base: dict[str, str], shell: dict[str, str]) -> None:
    Path(base["HOME"], "deploy.sh").write_text(block("bash", "Bash"))

    ended = bash(block("sh", "Rehearse"), shell)

    assert ended.code == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == "completed"
    assert f"completed: activating {BUILD}" in ended.stdout
    assert "deploy.sh ended with 1" in ended.stdout
    assert "deploy.sh ended with 4" in ended.stdout
    assert asked_of_twilio_cli(shell) == ["builds", "deployments", "builds", "builds"]


def test_by_hand(base: dict[str, str]) -> None:
    words = [TWBUILD, "sandbox", "--build-time", "1s", "bash", "-c", block("sh", "By hand")]

    ended = run_words(words, env=base)

    assert ended.stdout == "building\ncompleted\ncompleted\n\a"


@pytest.mark.parametrize(
    ("answer", "code", "created"),
    [
        ("completed", 0, ["builds", "deployments"]),
        ("failed", 1, ["builds"]),
        (400, 3, ["builds"]),
    ],
)
class TestPipelines:
    """A build is activated only where the API said that it is completed."""

    def test_bash(
        self,
        twilio: Twilio,
        shell: dict[str, str],
        answer: str | int,
        code: int,
        created: list[str],
    ) -> None:
        twilio.says("building", answer)

        ended = bash(block("bash", "Bash"), shell)

        assert (ended.code, asked_of_twilio_cli(shell)) == (code, created), ended.stderr
        assert bool(code) == (f"{BUILD} is not activated" in ended.stderr)

    @pytest.mark.parametrize("by_action", [False, True], ids=["run", "action"])
    def test_github_actions(
        self,
        twilio: Twilio,
        shell: dict[str, str],
        tmp_path: Path,
        by_action: bool,
        answer: str | int,
        code: int,
        created: list[str],
    ) -> None:
        twilio.says("building", answer)
        workflow, alternative = (
            yaml.safe_load(b.text) for b in readme.blocks("yaml") if b.heading == "GitHub Actions"
        )
        job = workflow["jobs"]["deploy"]
        assert job["defaults"]["run"]["shell"] == "bash"  # only then pipefail is set

        file = Path(shell["HOME"], "github-env")
        shell |= {"GITHUB_ACTIONS": "true", "GITHUB_ENV": str(file), **action.installed(tmp_path)}
        for step in [step for step in job["steps"] if "run" in step]:
            shell |= variables(file)
            if by_action and step["name"] == alternative[0]["name"]:
                given = action.evaluated(alternative[0]["with"], env=shell)
                env = {**shell, **action.environment(action.WAIT, given)}
                ended = run_words(action.command(action.WAIT, tmp_path), env=env)
            else:
                ended = bash(step["run"], shell, "-eo", "pipefail")
            if ended.code:
                break

        assert (ended.code, asked_of_twilio_cli(shell)) == (code, created), ended.stderr
        annotations = re.findall("^::error title=twbuild::", ended.stderr, re.MULTILINE)
        assert len(annotations) == bool(code)
        assert (tmp_path / "output").exists() == by_action

    def test_gitlab(
        self,
        twilio: Twilio,
        shell: dict[str, str],
        answer: str | int,
        code: int,
        created: list[str],
    ) -> None:
        twilio.says("building", answer)
        jobs: dict[str, Any] = yaml.safe_load(block("yaml", "GitLab"))
        stages = ["build", "test", "deploy"]
        assert [job["stage"] for job in jobs.values()] == stages  # one waits for the one before

        for job in jobs.values():
            ended = bash("\n".join(job["script"]), shell, "-eo", "pipefail")
            if ended.code:
                break
            if "artifacts" in job:
                shell |= variables(Path(shell["HOME"], job["artifacts"]["reports"]["dotenv"]))

        assert (ended.code, asked_of_twilio_cli(shell)) == (code, created), ended.stderr


def variables(file: Path) -> dict[str, str]:
    """What a file of NAME=VALUE lines sets."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def test_the_outputs_of_the_action_are_named() -> None:
    (step,) = yaml.safe_load(readme.blocks("yaml")[1].text)
    named = re.findall(rf"steps\.{step['id']}\.outputs\.([\w-]+)", readme.text())

    assert named == list(action.ACTION["outputs"])


def test_in_the_recipes_no_wait_is_without_a_build() -> None:
    told = "\n".join(b.text for b in readme.blocks("sh", "bash", "yaml"))
    waits = re.findall(r"twbuild wait.*", told)

    assert len(waits) >= 5
    assert all(re.search(r"(ZB[0-9a-f]{32}|\$BUILD\"|\$build\")", wait) for wait in waits)


def test_links_lead_to_headings_and_files_that_exist() -> None:
    page = readme.text()
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", page):
        if link.startswith("#"):
            assert link[1:] in headings
        elif not link.startswith("https://"):
            assert (ROOT / link).is_file()


def test_the_first_screen_holds_what_a_minute_needs() -> None:
    first = "\n".join(readme.text().splitlines()[:24])

    for needed in ("](.github/", "make demo", "make test", "serverless:deploy"):
        assert needed in first


def test_the_page_ends_with_the_licence_and_claims_no_place_on_pypi() -> None:
    page = readme.text()

    assert page.splitlines()[-1] == "The owner has not chosen a licence yet."
    assert "not on PyPI" in page
    assert not re.search(r"(pip|pipx|uv tool) install twbuild", page)


def test_the_picture_shows_no_path_and_no_host_but_loopback() -> None:
    picture = (ROOT / ".github" / "twbuild.svg").read_text("utf-8")
    shown = "\n".join(re.findall("<text[^>]*>([^<]*)</text>", picture))

    assert "ready to deploy" in shown
    assert "gives no reason" in shown
    assert set(re.findall(r"https?://[\w.-]+", shown)) == {"http://127.0.0.1"}
    assert not re.search(r"/(home|root|Users|tmp|work)/", shown)
