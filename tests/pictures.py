"""Make the README's moving picture: a real shell and the real command, over TLS to a local server.

The frames are what a pseudo-terminal showed, and when; termtosvg draws them.
"""

from __future__ import annotations

import codecs
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.authority import Authority
from tests.support.command import BUILD, OTHER_BUILD, SCRIPTS, base_environ
from tests.support.sockets import Connection, Server, http, proxying
from tests.support.terminal import Terminal
from twbuild.sandbox.server import Sandbox

PICTURE = Path(__file__).parents[1] / ".github" / "twbuild.svg"
COLUMNS, ROWS = 80, 10
THEME = {
    "fg": "#d0d7de",
    "bg": "#0d1117",
    "palette": (
        "#484f58:#ff7b72:#3fb950:#d29922:#58a6ff:#bc8cff:#39c5cf:#b1bac4:"
        "#6e7681:#ffa198:#56d364:#e3b341:#79c0ff:#d2a8ff:#56d4dd:#f0f6fc"
    ),
}
SECONDS_A_KEY = 0.04
# What is typed key by key, what is pasted, the last words to see, and seconds to read them.
SCENES = [
    ("twbuild wait my-service ", f"{BUILD} && ./deploy.sh", "deployed", 0.8),
    ("twbuild wait my-service ", OTHER_BUILD, "Compare", 0.5),
    ("echo $?", "", "\n1\n", 1.5),
]


class Recording:
    """What a terminal wrote, and when, in the form of https://docs.asciinema.org (version 2)."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._seen = 0
        self._start = time.monotonic()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        head = {"version": 2, "width": COLUMNS, "height": ROWS, "theme": THEME}
        self.lines = [json.dumps(head)]

    def watch(self, seconds: float) -> None:
        """Record for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._terminal.read(min(left, 0.02))
            new = self._decoder.decode(self._terminal.raw[self._seen :])
            self._seen = len(self._terminal.raw)
            if new:
                self.lines.append(json.dumps([time.monotonic() - self._start, "o", new]))

    def type(self, words: str) -> None:
        """Type at the speed of a person."""
        for key in words:
            self._terminal.type(key)
            self.watch(SECONDS_A_KEY)

    def see(self, what: str, seconds: float = 30) -> None:
        """Record until `what` is on the screen."""
        until = time.monotonic() + seconds
        while what not in f"{self._terminal.text}\n":
            if time.monotonic() > until:
                raise AssertionError(f"never seen: {what}; the screen:\n{self._terminal.text}")
            self.watch(0.02)


@contextmanager
def local_twilio(folder: Path) -> Iterator[dict[str, str]]:
    """Two builds, one to be completed and one to fail; the variables that lead to them."""
    authority = Authority(folder)
    with Sandbox("completed", 2) as completed, Sandbox("failed", 1) as failed:
        failed.account, failed.token = completed.account, completed.token

        def answer(connection: Connection) -> None:
            while True:
                head = connection.request().decode()
                sandbox = failed if OTHER_BUILD in head else completed
                login = re.search(r"Authorization: (.*)\r", head)
                status, body = sandbox.answer(head.split()[1], login[1] if login else "")
                if "/Status " not in head:  # the details of a failed build have no place here
                    status, body = 404, {}
                connection.send(http(json.dumps(body).encode(), f"{status} -"))

        with (
            Server(answer, authority.context("serverless.twilio.com")) as api,
            Server(proxying(("127.0.0.1", api.port))) as proxy,
        ):
            yield {
                "HTTPS_PROXY": proxy.url,
                "REQUESTS_CA_BUNDLE": authority.bundle,
                "TWILIO_ACCOUNT_SID": completed.account,
                "TWILIO_AUTH_TOKEN": completed.token,
            }


def record() -> str:
    """The scenes, played once."""
    with tempfile.TemporaryDirectory() as home, local_twilio(Path(home)) as variables:
        script = Path(home, "deploy.sh")
        script.write_text("#!/bin/sh\necho deployed\n")
        script.chmod(0o755)
        environ = base_environ(
            Path(home),
            TERM="xterm-256color",
            PS1="$ ",
            PS2="",
            BASH_SILENCE_DEPRECATION_WARNING="1",
            **variables,
        )
        words = ["sh", "-c", "cd && exec bash --norc --noprofile -i"]
        with Terminal(words, environ, COLUMNS, ROWS) as terminal:
            recording = Recording(terminal)
            recording.see("$")
            for typed, pasted, last_words, pause in SCENES:
                recording.type(typed)
                terminal.type(pasted)
                recording.watch(0.3)
                recording.type("\r")
                recording.see(last_words)
                recording.watch(pause)
    return "\n".join(recording.lines) + "\n"


def main() -> None:
    """Record and draw."""
    with tempfile.NamedTemporaryFile("w", suffix=".cast") as cast:
        cast.write(record())
        cast.flush()
        PICTURE.parent.mkdir(exist_ok=True)
        draw = [str(Path(SCRIPTS, "termtosvg")), "render", cast.name, str(PICTURE)]
        subprocess.run([*draw, "-t", "window_frame", "--theme", "auto", "-D", "1000"], check=True)


if __name__ == "__main__":
    main()
