"""Make the README's moving picture: a real shell, the real command, the sandbox behind it.

The frames are what a pseudo-terminal showed, and when; termtosvg draws them.
"""

from __future__ import annotations

import codecs
import json
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.command import SCRIPTS, base_environ
from tests.support.terminal import Terminal

PICTURE = Path(__file__).parents[1] / ".github" / "twbuild.svg"
COLUMNS, ROWS = 80, 16
THEME = {
    "fg": "#d0d7de",
    "bg": "#0d1117",
    "palette": (
        "#484f58:#ff7b72:#3fb950:#d29922:#58a6ff:#bc8cff:#39c5cf:#b1bac4:"
        "#6e7681:#ffa198:#56d364:#e3b341:#79c0ff:#d2a8ff:#56d4dd:#f0f6fc"
    ),
}
SECONDS_A_KEY = 0.05
SCENES = [
    ("twbuild sandbox", "ready to deploy (waited", 2.5),
    ("twbuild sandbox --outcome failed", "request", 4.0),
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
        """Look on for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._terminal.read(min(left, 0.02))
            new = self._decoder.decode(self._terminal.raw[self._seen :])
            self._seen = len(self._terminal.raw)
            if new:
                self.lines.append(json.dumps([time.monotonic() - self._start, "o", new]))

    def type(self, words: str) -> None:
        """Type as a person does."""
        for key in words:
            self._terminal.type(key)
            self.watch(SECONDS_A_KEY)

    def see(self, what: str, seconds: float = 30) -> None:
        """Look on until `what` stands on the screen."""
        until = time.monotonic() + seconds
        while what not in self._terminal.text:
            if time.monotonic() > until:
                raise AssertionError(f"never seen: {what}; the screen:\n{self._terminal.text}")
            self.watch(0.02)


def record() -> str:
    """The scenes, played once."""
    with tempfile.TemporaryDirectory() as home:
        environ = base_environ(
            Path(home),
            TERM="xterm-256color",
            PS1="$ ",
            PS2="",
            BASH_SILENCE_DEPRECATION_WARNING="1",
        )
        words = ["bash", "--norc", "--noprofile", "-i"]
        with Terminal(words, environ, COLUMNS, ROWS) as terminal:
            recording = Recording(terminal)
            recording.see("$")
            for typed, last_words, pause in SCENES:
                recording.watch(0.5)
                recording.type(typed)
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
        subprocess.run([*draw, "-t", "window_frame", "--theme", "auto", "-D", "3000"], check=True)


if __name__ == "__main__":
    main()
