"""The composite action's own steps, run as GitHub's runner runs them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.readme import ROOT

FOLDER = ROOT / ".github" / "actions" / "wait"
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "action.yml").read_text())
INSTALL, WAIT = ACTION["runs"]["steps"]


def command(step: Mapping[str, Any], folder: Path) -> list[str]:
    """How the runner starts the script of `step`, which it writes into `folder`."""
    assert step["shell"] == "bash"
    script = folder / "step.sh"
    script.write_text(step["run"])
    return ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]


def evaluated(values: Mapping[str, str], **contexts: Mapping[str, str]) -> dict[str, str]:
    """`values` with the expressions `${{ CONTEXT.NAME }}` replaced; absent is empty."""

    def value(match: re.Match[str]) -> str:
        return contexts[match[1]].get(match[2], "")

    expression = re.compile(r"\$\{\{ (\w+)\.([\w-]+) \}\}")
    return {name: expression.sub(value, text) for name, text in values.items()}


def environment(step: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """What the env of `step` sets where `given` is behind `with`."""
    inputs = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
    assert given.keys() <= inputs.keys()
    return evaluated(step["env"], inputs={**inputs, **given})


def outputs(file: Path) -> dict[str, str]:
    """The outputs of the action, from the GITHUB_OUTPUT of its wait."""
    steps = dict(line.split("=", 1) for line in file.read_text().splitlines())
    values = {name: about["value"] for name, about in ACTION["outputs"].items()}
    written = {f"steps.{WAIT['id']}.outputs.{name}": value for name, value in steps.items()}
    return {name: written[value[4:-3]] for name, value in values.items()}
