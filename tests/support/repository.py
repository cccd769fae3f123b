"""Real git repositories: one to push from, a bare one to push to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.readme import ROOT
from tests.support.run import Ended, run_words

SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "A"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a@example.test"),
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
        self.env = {**env, **SETTINGS}
        folder.mkdir()
        self.git("init", "--quiet", "--bare", "-b", "main", str(self.remote))
        self.git("init", "--quiet", "-b", "main")
        self.git("remote", "add", "origin", str(self.remote))
        (folder / "functions").mkdir()
        (folder / "functions" / "hello.js").write_text("// hello\n")
        self.commit()
        self.git("config", "push.default", "current")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git; raises where it fails."""
        words = ("git", *words)
        return subprocess.check_output(words, cwd=cwd or self.folder, env=self.env, text=True)

    def commit(self) -> None:
        """Commit all that is there."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "More")

    def hook(self, script: str) -> None:
        """Install a pre-push hook."""
        path = self.folder / ".git" / "hooks" / "pre-push"
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def push(self, **env: str) -> Ended:
        """Push as a person does."""
        words = ["git", "push", "origin", "HEAD"]
        return run_words(words, env={**self.env, **env}, cwd=self.folder, timeout=500)

    def pushed(self) -> bool:
        """Whether the other side has the branch now."""
        return "main" in self.git("for-each-ref", "--format=%(refname:short)", cwd=self.remote)


def copy_committed(folder: Path) -> Repository:
    """This repository as a clone has it: what git would commit, in a commit."""
    copy = Repository(folder, os.environ)
    copy_tracked(folder)
    copy.commit()
    return copy
