"""Real git repositories: one to push from, a bare one to push to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.readme import ROOT
from tests.support.run import Ended, run_words

AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "A", "EMAIL": "a@example.test"}.items()
}
SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


def tracked(*options: str) -> list[str]:
    """The files of this repository; `options` of `git ls-files` choose others."""
    words = ["git", "ls-files", "-z", *options]
    listed = subprocess.check_output(words, cwd=ROOT, text=True).split("\0")
    return [name for name in listed if name and (ROOT / name).exists()]


def copy_tracked(folder: Path, *options: str) -> None:
    """Copy them, without anything that lies about."""
    for name in tracked(*options):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


class Repository:
    """A work tree with one commit, and where it is pushed to."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.remote = folder.with_name(f"{folder.name}.git")
        self.env = {**env, **AUTHOR, **SETTINGS}
        folder.mkdir()
        self.git("init", "--quiet", "--bare", "-b", "main", str(self.remote))
        self.git("init", "--quiet", "-b", "main")
        self.git("remote", "add", "origin", str(self.remote))
        self.write("functions/hello.js", "// hello\n")
        self.commit()
        self.git("config", "push.default", "current")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git; raises where it fails."""
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.folder,
            env=self.env,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
        return done.stdout

    def write(self, name: str, content: str) -> Path:
        """Write a file of the work tree."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def commit(self, cwd: Path | None = None) -> None:
        """Commit all that is there."""
        self.git("add", "--all", cwd=cwd)
        self.git("commit", "--quiet", "--allow-empty", "-m", "More", cwd=cwd)

    def hook(self, script: str, git_dir: Path | None = None) -> None:
        """Install a pre-push hook."""
        path = (git_dir or self.folder / ".git") / "hooks" / "pre-push"
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def push(self, cwd: Path | None = None, **env: str) -> Ended:
        """Push as a person does."""
        return run_words(
            ["git", "push", "origin", "HEAD"], env={**self.env, **env}, cwd=cwd or self.folder
        )

    def pushed(self, branch: str = "main") -> bool:
        """Whether the other side has it now."""
        return branch in self.git("for-each-ref", "--format=%(refname:short)", cwd=self.remote)


def copy_committed(folder: Path) -> Repository:
    """This repository as a clone has it: what git would commit, in a commit."""
    copy = Repository(folder, os.environ)
    copy_tracked(folder)
    copy.commit()
    return copy
