"""README.md: its commands are run as they stand, what it shows is compared with the command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import action, readme
from tests.support.command import BUILD, OTHER_BUILD, STATUS, TWBUILD
from tests.support.readme import ROOT
from tests.support.run import Ended, Env, run_words
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio

MAX_LINES = 260
# What runs the blocks of each heading, or compares them with what the command prints.
CHECKED_BY = {
    "here": {"twbuild", "Quick start", "Bash", "GitHub Actions", "GitLab", "Try your own script",
             "Output"},
    "test_packaging.py": {"Try it", "Install"},
    "test_hooks.py": {"Git hooks"},
}  # fmt: skip
COMMANDS = ("", "wait", "status", "sandbox")

# In place of twilio-cli, which always calls Twilio itself.
TWILIO_CLI = f"""#!/bin/sh
test -z "$FAILS" || exit 7
echo "$*" >> "$HOME/twilio-cli.log"
case $1 in *:builds:create) printf 'sid\\n{BUILD}\\n' ;; esac
"""
NOTHING = "#!/bin/sh\n"
(RELEASE,) = (b.file for b in readme.blocks("bash"))


@pytest.fixture
def shell(twilio: Twilio, tmp_path: Path) -> dict[str, str]:
    """The environment of a pipeline: the scripted API, its scripts, stand-ins for installers.

    The service has the name of an option.
    """
    environ = twilio.environ
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in {"twilio": TWILIO_CLI, "pipx": NOTHING, "pip": NOTHING}.items():
        write_script(tools / name, script)
    home = Path(environ["HOME"])
    create, deploy = twilio_commands(RELEASE)
    write_script(home / "create-build.sh", f"#!/bin/bash\nset -o pipefail\n{create}\n")
    write_script(home / "deploy.sh", "#!/bin/bash\n" + deploy.replace("$build", "$1") + "\n")
    names = {"SERVICE": "-h", "ENVIRONMENT": "ZE" + "e5" * 16, "FUNCTION_VERSIONS": "ZN1 ZN2"}
    return {**environ, **names, "PATH": f"{tools}:{environ['PATH']}", "CI": "true"}


def write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def twilio_commands(script: str) -> tuple[str, str]:
    """The command of release.sh that creates a build, and the one that deploys it."""
    create = re.search(r"^build=\$\((twilio .*?)\)$", script, re.DOTALL | re.MULTILINE)
    deploy = re.search(r"^ +0\) (twilio .*?) ;;$", script, re.DOTALL | re.MULTILINE)
    assert create
    assert deploy
    return create[1], deploy[1]


def bash(script: str, env: Mapping[str, str], *options: str) -> Ended:
    return run_words(["bash", *options, "-c", script], env=env, cwd=env["HOME"])


def created_by_twilio_cli(env: Mapping[str, str]) -> list[str]:
    """The resources that twilio-cli was to create, in order."""
    log = Path(env["HOME"], "twilio-cli.log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[0].split(":")[-2] for line in lines]


def block(language: str, heading: str) -> str:
    return "".join(b.text for b in readme.blocks(language) if b.heading == heading)


def test_every_block_is_run_or_compared() -> None:
    """The two commands to try are those that CI runs in a fresh clone."""
    fences = re.findall(r"^\s*(?:```|~~~)", readme.text(), re.MULTILINE)
    tried = re.findall(r"^make (\w+)", block("sh", "Try it"), re.MULTILINE)

    assert {b.heading for b in readme.blocks()} == set().union(*CHECKED_BY.values())
    assert len(fences) == 2 * len(readme.blocks())
    assert f"for target in {' '.join(tried)}; do" in (ROOT / ".ci" / "fresh").read_text()


def test_exit_codes_are_those_of_the_command_and_help() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", readme.text(), re.MULTILINE)

    assert rows == re.findall(r"^ *(\d+)  (\S.*)$", readme.help_text(""), re.MULTILINE)


def test_every_option_and_command_that_the_text_names_exists() -> None:
    pages = "\n".join(readme.help_text(command) for command in COMMANDS)
    typed = re.findall(r"`twbuild ([^`]*)`", readme.prose())
    options = {word for line in typed for word in re.findall(r"(?<!\S)--?[a-z][\w-]*", line)}
    commands = {line.split()[0] for line in typed if line[0] != "-"}

    assert commands == {"status", "wait", "sandbox"}
    assert {option for option in options if option not in pages} == set()


def test_the_variables_in_the_table_are_read() -> None:
    table = readme.text().partition("| variable | meaning |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = set(re.findall(r"`([A-Z_]+)`", "".join(cells)))
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "twbuild").rglob("*.py"))
    by_libraries = {"HTTPS_PROXY", "NO_PROXY", "NO_COLOR"}  # requests, rich

    assert {n for n in named - by_libraries if f'"{n}"' not in source} == set()
    assert all(f"`{name}`" in table for name in re.findall(r'"(TWBUILD_[A-Z_]+)"', source))
    names = ("API_KEY", "API_SECRET", "ACCOUNT_SID", "AUTH_TOKEN", "REGION", "EDGE", "CONFIG_DIR")
    assert named >= by_libraries | {"CI"} | {f"TWILIO_{name}" for name in names}
    assert named >= {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}


def test_the_json_object_has_the_fields_of_the_real_one(twilio: Twilio) -> None:
    twilio.says("completed")
    real = json.loads(twilio.run(*STATUS, "--json").stdout)
    shown = json.loads(block("json", "Output"))

    assert list(shown) == list(real)
    assert [type(value) for value in shown.values()] == [type(value) for value in real.values()]


@pytest.mark.parametrize(("outcome", "code"), [("completed", 0), ("failed", 1)])
def test_the_first_examples_print_what_is_shown(base: Env, outcome: str, code: int) -> None:
    """Only a completed build is deployed."""
    write_script(Path(base["HOME"], "deploy.sh"), "#!/bin/sh\necho deployed\n")
    examples = re.split(r"^\$ ", block("console", "twbuild"), flags=re.MULTILINE)
    example, *shown = examples[code + 1].splitlines()
    sandbox = f'cd && exec {TWBUILD} sandbox --build-time 1s --outcome {outcome} sh -c "$1"'
    words = ["sh", "-c", sandbox, "sh", example]

    with Terminal(words, {**base, "LC_ALL": "C.UTF-8"}, columns=80) as terminal:
        ended = terminal.end()
        printed = terminal.lines

    assert len(examples) == 1 + 2
    assert ended == code, printed
    begin = next(number for number, line in enumerate(printed) if line.startswith(("✓", "✗")))
    assert [*map(alike, printed[begin:])] == [*map(alike, shown)]
    assert ("deployed" in printed) == (outcome == "completed")


def alike(line: str) -> str:
    """`line` without what differs from run to run."""
    line = re.sub(r"\d+(\.\d+)?s\b", "1s", line)
    line = re.sub(r"\b\d+d ago|\b\d{4}-\d\d-\d\d ", "", line)
    line = re.sub(r"\d\d:\d\d:\d\d", "12:00:00", line)
    return re.sub(r"\b(ZB|RQ)[0-9a-f]{32}", r"\1...", line)


CREDENTIALS, WAITS = (b.text for b in readme.blocks("sh") if b.heading == "Quick start")


def test_quick_start(base: Env) -> None:
    printed = ["completed", f"{BUILD} completed", f"{OTHER_BUILD} completed", "completed"]
    ended = run_words([TWBUILD, "sandbox", "--build-time", "1s", "bash", "-c", WAITS], env=base)

    assert (ended.code, ended.stdout.splitlines()) == (0, printed)


def test_try_your_own_script(base: Env) -> None:
    typed = block("bash", "Bash") + block("sh", "Try your own script")
    (sentence,) = re.findall(r"^The exit codes are (.*)\.$", readme.prose(), re.MULTILINE)
    at_once = r'twbuild sandbox --build-time 0s \1\necho "exit code $?"'
    reporting = re.sub(r"(?m)^twbuild sandbox (.*)$", at_once, typed)

    ended = bash(reporting, base)

    codes = re.findall(r"^exit code (\d+)$", ended.stdout, re.MULTILINE)
    assert codes == re.findall(r"\d+", sentence) == ["0", "1", "4"]
    assert ended.stdout.startswith(f"completed\n{BUILD}\n")
    assert f"failed: {BUILD} is not deployed\n" in ended.stderr
    assert f"not completed (exit code 4): {BUILD} is not deployed\n" in ended.stderr


# Programs that a test of what is pasted must not run.
INSTALLERS = ("git", "make", "pipx", "python3", "uv", "uvx", "twbuild-venv/bin/pip")
PASTED = [b.text for b in readme.blocks("sh", "bash") if b.text != CREDENTIALS]


def test_each_block_can_be_pasted_into_bash(base: Env, tmp_path: Path) -> None:
    paste(["bash", "--norc", "--noprofile", "-i"], base, tmp_path)


def test_each_block_can_be_pasted_into_zsh(zsh: str, base: Env, tmp_path: Path) -> None:
    paste([zsh, "-f", "-i"], base, tmp_path)


def paste(shell: list[str], base: Env, tmp_path: Path) -> None:
    """Each line succeeds at the prompt, in the sandbox; a comment would be a word."""
    home, tools, log = Path(base["HOME"]), tmp_path / "tools", tmp_path / "log"
    for name in INSTALLERS:
        path = (home if "/" in name else tools) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_script(path, f'#!/bin/sh\necho {name} "$@" >> {log}\n')
    for folder in ("twbuild", ".git/hooks", "fake"):
        (home / folder).mkdir(parents=True)
    more = {"TERM": "dumb", "PS1": "PROMPT ", "PS2": "", "REPO": "https://repository.test/x"}
    words = [TWBUILD, "sandbox", "--build-time", "0s", *shell]

    with Terminal(words, {**base, **more}, 200, 60) as terminal:
        terminal.see("PROMPT")
        terminal.type(f"PATH={tools}:$PATH; set -o errexit\n")
        for number, text in enumerate(PASTED):
            terminal.type(f"cd; echo > release.sh\n{text}echo pasted''{number}\n")
            terminal.see(f"pasted{number}")
        terminal.type("exit 0\n")
        assert terminal.end() == 0, terminal.text
    assert "#" not in log.read_text()


def in_bash(shell: Env) -> Ended:
    return bash(RELEASE, shell)


def on_github(shell: Env) -> Ended:
    workflow, _ = github()
    file = Path(shell["HOME"], "github-env")
    shell |= {"GITHUB_ACTIONS": "true", "GITHUB_ENV": str(file)}
    for step in workflow["jobs"]["deploy"]["steps"]:
        shell |= variables(file)
        ended = bash(step.get("run", ""), shell, "-e")  # as GitHub runs it by default
        if ended.code:
            break
    return ended


def on_gitlab(shell: Env) -> Ended:
    jobs: dict[str, Any] = yaml.safe_load(block("yaml", "GitLab"))
    stages = ["build", "test", "deploy"]  # each waits for the one before
    assert [job["stage"] for job in jobs.values()] == stages
    for job in jobs.values():
        lines = [job["script"]] if isinstance(job["script"], str) else job["script"]
        ended = bash("\n".join(lines), shell, "-eo", "pipefail")
        if ended.code:
            break
        if "artifacts" in job:
            shell |= variables(Path(shell["HOME"], job["artifacts"]["reports"]["dotenv"]))
    return ended


@pytest.mark.parametrize(
    ("answer", "code", "created"),
    [
        ("completed", 0, ["builds", "deployments"]),
        ("failed", 1, ["builds"]),
        ("no build could be created", 7, []),
    ],
)
@pytest.mark.parametrize("pipeline", [in_bash, on_github, on_gitlab])
def test_a_build_is_deployed_only_where_it_is_completed(
    twilio: Twilio,
    shell: Env,
    pipeline: Callable[[Env], Ended],
    answer: str,
    code: int,
    created: list[str],
) -> None:
    twilio.says(answer, service="-h")

    ended = pipeline({**shell, "FAILS": "1" if code == 7 else ""})

    assert (ended.code, created_by_twilio_cli(shell)) == (code, created), ended.stderr
    annotations = re.findall("^::error title=twbuild::", ended.stderr, re.MULTILINE)
    assert len(annotations) == (code == 1 and pipeline == on_github)
    assert (f"{BUILD} is not deployed" in ended.stderr) == (code == 1 and pipeline == in_bash)


def test_in_recipes_each_wait_has_a_build_and_no_option() -> None:
    """Where a variable could be one, `--` stands before it."""
    recipes = "\n".join(b.text for b in readme.blocks("console", "sh", "bash", "yaml"))
    waits = re.findall(r"twbuild wait(.*)", recipes)

    assert len(waits) == 7
    for wait in waits:
        assert re.search(r"(ZB[0-9a-f]{32}|\$BUILD\"|\$build\")", wait)
        assert wait.startswith(" -- ") or "$" not in wait


def github() -> tuple[dict[str, Any], dict[str, Any]]:
    """The workflow, and the step that can replace its wait."""
    texts = [b.text for b in readme.blocks("yaml") if b.heading == "GitHub Actions"]
    workflow, (step,) = map(yaml.safe_load, texts)
    return workflow, step


def variables(file: Path) -> dict[str, str]:
    """What a file of NAME=VALUE lines sets."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def test_the_action_is_named_with_path_inputs_and_outputs() -> None:
    _, step = github()
    named = re.findall(rf"steps\.{step['id']}\.outputs\.([\w-]+)", readme.text())
    path = str(action.FOLDER.relative_to(ROOT))

    assert re.fullmatch(rf"OWNER/twbuild/{re.escape(path)}@[0-9a-f]{{40}}", step["uses"])
    given = action.evaluated(step["with"], env={"SERVICE": "s", "BUILD": "b"})
    assert given == {"service": "s", "build": "b", "timeout": "15m"}
    assert set(given) == set(action.ACTION["inputs"])
    assert named == list(action.ACTION["outputs"])
    default = action.ACTION["inputs"]["timeout"]["default"]
    assert f"Default: {default}." in readme.help_text("wait")


def test_links_lead_to_headings_and_files_that_exist() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", readme.prose(), re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", readme.text())

    assert {link[1:] for link in links if link[0] == "#"} <= headings
    files = [link for link in links if not link.startswith(("#", "https://"))]
    assert [link for link in files if not (ROOT / link).is_file()] == []


def test_the_page_is_short_and_begins_with_what_matters() -> None:
    page = readme.text()
    first = page.partition("\n## Install\n")[0]
    pasted = "".join(b.text for b in readme.blocks("sh", "bash"))

    assert len(first.splitlines()) < 50
    for needed in ("](.github/twbuild.svg)", "make demo", "make test", "serverless:deploy",
                   "It is for scripts, CI jobs and git hooks", "Exit code 0", "10 minutes",
                   "uvx --from git+$REPO twbuild sandbox"):  # fmt: skip
        assert needed in first
    assert re.findall(r".*https://.*", pasted) == ["REPO=https://git.example.com/tools/twbuild"]
    assert len(page.splitlines()) <= MAX_LINES
    assert page.splitlines()[-1] == "The owner has not chosen a licence yet."
    assert "not on PyPI" in page
    assert not re.search(r"(pip|pipx|uv tool) (install|upgrade) twbuild|uvx twbuild", page)


PICTURE = (ROOT / ".github" / "twbuild.svg").read_text("utf-8")


def test_the_picture_shows_both_results_and_can_be_read() -> None:
    """Where nothing moves it is the last frame."""
    shown = "\n".join(re.findall("<text[^>]*>([^<]*)</text>", PICTURE))
    (milliseconds,) = set(re.findall(r"animation-duration: (\d+)ms", PICTURE))
    begins = [float(p) * int(milliseconds) / 100 for p in re.findall(r"([\d.]+)%{tr", PICTURE)]
    last = max(int(top) for top in re.findall(r"translateY\(-?(\d+)px\)", PICTURE))

    assert all(words in shown for words in ("ready to", "deployed", "gives no reason"))
    assert not re.search(r"://|/(home|root|Users|tmp|work)/", shown)
    assert int(milliseconds) <= 13_000
    assert sorted(end - begin for begin, end in pairwise(begins))[-2] >= 2000
    assert 'geometry columns="60" ' in PICTURE
    assert f'id="screen_view" transform="translate(0 -{last})"' in PICTURE
    assert re.search(r"prefers-reduced-motion: reduce\) { #screen_view { animation: none", PICTURE)
