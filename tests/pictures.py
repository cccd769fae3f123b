"""Make the README's moving picture: a real shell and the real command, over TLS to a local server.

The frames are what a pseudo-terminal showed, and when; termtosvg records and draws them.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.authority import Authority
from tests.support.command import BUILD, OTHER_BUILD, SCRIPTS
from tests.support.run import base_environ
from tests.support.sockets import Connection, Server, http, proxying
from tests.support.terminal import Terminal
from twbuild.sandbox.server import Sandbox

TERMTOSVG = str(Path(SCRIPTS, "termtosvg"))
PICTURE = Path(__file__).parents[1] / ".github" / "twbuild.svg"
COLUMNS, ROWS = 60, 19  # a telephone's screen is 390 pixels wide
WIDTH, HEIGHT, MARGIN = 8 * COLUMNS, 17 * ROWS, 12
THEME = {
    "fg": "#d0d7de",
    "bg": "#0d1117",
    "palette": (
        "#484f58:#ff7b72:#3fb950:#d29922:#58a6ff:#bc8cff:#39c5cf:#b1bac4:"
        "#6e7681:#ffa198:#56d364:#e3b341:#79c0ff:#d2a8ff:#56d4dd:#f0f6fc"
    ),
}
# What termtosvg draws into: a border shows where the terminal ends on a page as dark as it is.
TEMPLATE = f"""<svg xmlns="http://www.w3.org/2000/svg" id="terminal" baseProfile="full"
    viewBox="0 0 {WIDTH + 2 * MARGIN} {HEIGHT + 2 * MARGIN}" width="{WIDTH + 2 * MARGIN}">
  <defs>
    <termtosvg:template_settings xmlns:termtosvg="https://github.com/nbedos/termtosvg">
      <termtosvg:screen_geometry columns="{COLUMNS}" rows="{ROWS}"/>
      <termtosvg:animation type="css"/>
    </termtosvg:template_settings>
    <style type="text/css" id="generated-style"/>
    <style type="text/css" id="user-style">
      @media (prefers-reduced-motion: reduce) {{ #screen_view {{ animation: none !important }} }}
    </style>
  </defs>
  <rect class="background" x="1" y="1" rx="6" width="{WIDTH + 2 * MARGIN - 2}"
      height="{HEIGHT + 2 * MARGIN - 2}" stroke="#6e7681" stroke-width="2"/>
  <svg id="screen" x="{MARGIN}" y="{MARGIN}" width="{WIDTH}" height="{HEIGHT}"
      viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMin slice"/>
</svg>
"""
REQUEST = "RQ0f1e2d3c4b5a69788796a5b4c3d2e1f0"
# What is typed, the last words to see, and seconds to read them.
SCENES = [
    ("twbuild wait my-service $BUILD && ./deploy.sh", "deployed\n", 2.0),
    ("twbuild wait my-service $NEXT && ./deploy.sh", "support", 0.5),
    ("echo $?", "\n1\n", 0.1),
]


def changed(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer of the sandbox's, with one earlier build, which has another runtime.

    More would have a usual time, for which a row of 60 columns has no place.
    """
    completed = [b for b in body.get("builds", ()) if b["status"] == "completed"]
    others = [b for b in body.get("builds", ()) if b["status"] != "completed"]
    earlier = [{**build, "runtime": "node20"} for build in completed[:1]]
    return {**body, "builds": [*others, *earlier]} if completed else body


@contextmanager
def local_twilio(folder: Path) -> Iterator[dict[str, str]]:
    """Two builds, one to be completed and one to fail; the variables that lead to them."""
    authority = Authority(folder)
    with Sandbox("completed", 2) as completed, Sandbox("failed", 1) as failed:
        failed.account, failed.token = completed.account, completed.token

        def answer(connection: Connection) -> None:
            while True:
                head = connection.request().decode()
                sandbox = completed if BUILD in head else failed
                login = re.search(r"Authorization: (.*)\r", head)
                status, body = sandbox.answer(head.split()[1], login[1] if login else "")
                content = json.dumps(changed(body)).encode()
                connection.send(http(content, f"{status} -", f"Twilio-Request-Id: {REQUEST}"))

        with (
            Server(answer, authority.context("serverless.twilio.com")) as api,
            Server(proxying(("127.0.0.1", api.port))) as proxy,
        ):
            yield {
                "HTTPS_PROXY": proxy.url,
                "REQUESTS_CA_BUNDLE": authority.bundle,
                "TWILIO_ACCOUNT_SID": completed.account,
                "TWILIO_AUTH_TOKEN": completed.token,
                "BUILD": BUILD,
                "NEXT": OTHER_BUILD,
            }


def record(cast: Path) -> None:
    """Play the scenes once, and record them as https://docs.asciinema.org says (version 2)."""
    with tempfile.TemporaryDirectory() as home, local_twilio(Path(home)) as variables:
        script = Path(home, "deploy.sh")
        script.write_text("#!/bin/sh\necho deployed\n")
        script.chmod(0o755)
        shell = {"PS1": "$ ", "PS2": "", "BASH_SILENCE_DEPRECATION_WARNING": "1"}
        environ = base_environ(Path(home), TERM="xterm-256color", **shell, **variables)
        bash = "-c 'bash --norc --noprofile -i'"
        recorded = f"cd && exec {TERMTOSVG} record {cast} -g {COLUMNS}x{ROWS} {bash}"
        with Terminal(["sh", "-c", recorded], environ, COLUMNS, ROWS) as terminal:
            terminal.see("$")
            for typed, last_words, pause in SCENES:
                for key in typed:
                    terminal.type(key)
                    time.sleep(0.02)
                terminal.see(typed)
                time.sleep(0.5)
                terminal.type("\r")
                terminal.see(last_words)
                time.sleep(pause)
            terminal.type("\x04")
            terminal.end()
    head, *events = map(json.loads, cast.read_text("utf-8").splitlines())
    # Some viewers keep the first frame: it shows the first words, up to their line's end.
    line_end = next(number for number, (_, _, text) in enumerate(events) if "\n" in text)
    start = events[line_end - 1][0]
    kept = [[max(at - start, 0), kind, text] for at, kind, text in events if "exit" not in text]
    lines = [{**head, "theme": THEME}, *kept]
    cast.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")


def drawn(cast: Path) -> str:
    """The picture; a viewer that moves nothing shows its last frame."""
    template, drawing = cast.with_name("template.svg"), cast.with_name("drawing.svg")
    template.write_text(TEMPLATE)
    words = [TERMTOSVG, "render", str(cast), str(drawing)]
    subprocess.run([*words, "-t", str(template), "--theme", "auto", "-D", "3000"], check=True)
    picture = drawing.read_text("utf-8")
    last = max(int(top) for top in re.findall(r"translateY\(-(\d+)px\)", picture))
    return picture.replace(
        '<g id="screen_view"', f'<g id="screen_view" transform="translate(0 -{last})"'
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        cast = Path(folder, "twbuild.cast")
        record(cast)
        PICTURE.write_text(drawn(cast), "utf-8")
