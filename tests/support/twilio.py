"""A scripted API on loopback, in Twilio's shapes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.command import ACCOUNT, BUILD, SERVICE, TOKEN, TWBUILD
from tests.support.run import Ended, Env, run, start
from tests.support.terminal import Terminal

CREDENTIALS = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
Answer = str | int | Mapping[str, Any] | Response | Callable[[Request], Response]


@dataclass
class Twilio:
    """Gives each resource's answers in order, the last one for ever.

    An answer is a status (`"building"`), an HTTP status with Twilio's JSON error (`503`), the
    fields of a body that replace the usual ones, a whole Response, or what makes one.
    """

    server: HTTPServer
    base: Mapping[str, str]
    requests: list[Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    _scripts: dict[str, list[Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """What TWBUILD_API_URL is to be."""
        return self.server.url_for("").rstrip("/")

    @property
    def notice(self) -> str:
        """What is said of its address."""
        return f"using {self.url}, not Twilio (TWBUILD_API_URL)"

    @property
    def environ(self) -> dict[str, str]:
        """The base environment with good credentials and this server's address."""
        return {**self.base, **CREDENTIALS, "TWBUILD_API_URL": self.url}

    def run(self, *words: str, env: Env | None = None, **options: Any) -> Ended:
        """Run `twbuild` against it; `env` is set, too."""
        return run(*words, env={**self.environ, **(env or {})}, **options)

    def start(self, *words: str, env: Env | None = None, **options: Any) -> Popen[str]:
        """Start `twbuild` against it, as `run` does, and leave it running."""
        return start(*words, env={**self.environ, **(env or {})}, **options)

    def terminal(
        self, *words: str, env: Env | None = None, script: str = "", **size: int
    ) -> Terminal:
        """Run `twbuild` against it, or a script for bash, at a terminal."""
        words = ("bash", "-c", script) if script else (TWBUILD, *words)
        return Terminal([*words], {**self.environ, **(env or {})}, **size)

    def says(
        self, *answers: Answer, build: str | Sequence[str] = BUILD, service: str = SERVICE
    ) -> None:
        """What the Status of `build`, or of each of several, is, in order."""
        for sid in [build] if isinstance(build, str) else build:
            self._script(f"/v1/Services/{service}/Builds/{sid}/Status", answers)

    def describes(self, *answers: Answer, build: str = BUILD, service: str = SERVICE) -> None:
        """What the Build resource tells, in order."""
        self._script(f"/v1/Services/{service}/Builds/{build}", answers)

    def lists(self, *answers: Answer, service: str = SERVICE) -> None:
        """What the list of Builds holds, in order."""
        self._script(f"/v1/Services/{service}/Builds", answers)

    def polls(self, build: str = BUILD) -> list[float]:
        """When the Status of `build` was requested."""
        tail = f"/Builds/{build}/Status"
        return [t for t, r in zip(self.times, self.requests, strict=True) if r.path.endswith(tail)]

    def _script(self, path: str, answers: tuple[Answer, ...]) -> None:
        new = path not in self._scripts
        self._scripts[path] = list(answers)
        if new:
            self.server.expect_request(path).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        with self._lock:
            self.times.append(time.monotonic())
            self.requests.append(request)
            script = self._scripts[request.path]
            answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Response):
            return answer
        if callable(answer):
            return answer(request)
        if isinstance(answer, int):
            return error(answer)
        if isinstance(answer, str):
            answer = {"status": answer}
        if request.path.endswith("/Builds"):
            return reply({**page(), **answer})
        sid = request.path.split("/Builds/")[1].partition("/")[0]
        usual = status_body(sid) if request.path.endswith("/Status") else build_body(sid)
        return reply({**usual, **answer})


def held(release: threading.Event, status: str = "building", seconds: float = 60) -> Answer:
    """An answer that comes once it is released, or so many seconds later."""

    def answer(request: Request) -> Response:
        release.wait(seconds)
        return reply(status_body(request.path.split("/")[-2], status))

    return answer


def reply(body: object, status: int = 200, **headers: str) -> Response:
    """A JSON response with the headers that Twilio's have; `Retry_After` names Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(
        json.dumps(body),
        status,
        {"Content-Type": "application/json", "Twilio-Request-Id": "RQ" + "d4" * 16, **named},
    )


def error(status: int, message: str = "Something is wrong", **headers: str) -> Response:
    code = 20003 if status == 401 else 20000 + status
    link = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": link, "status": status}
    return reply(body, status, **headers)


def status_body(sid: str = BUILD, status: str = "building") -> dict[str, Any]:
    url = f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{sid}/Status"
    return {
        "sid": sid,
        "account_sid": ACCOUNT,
        "service_sid": SERVICE,
        "status": status,
        "url": url,
    }


def build_body(sid: str = BUILD, status: str = "failed") -> dict[str, Any]:
    return {
        "sid": sid,
        "account_sid": ACCOUNT,
        "service_sid": SERVICE,
        "status": status,
        "function_versions": [{"sid": f"ZN{n:032x}", "path": f"/f{n}"} for n in range(12)],
        "asset_versions": [{"sid": f"ZN{n:032x}", "path": f"/a{n}"} for n in range(100, 104)],
        "dependencies": [
            {"name": "@twilio/runtime-handler", "version": "1.3.0"},
            {"name": "lodash", "version": "4.17.21"},
            {"name": "twilio", "version": "4.23.0"},
        ],
        "runtime": "node18",
        "date_created": "2026-11-24T14:02:11Z",
        "date_updated": "2026-11-24T14:02:47Z",
        "url": None,
        "links": None,
    }


def page(*builds: Mapping[str, Any], next_page_url: str | None = None) -> dict[str, Any]:
    return {"builds": list(builds), "meta": {"key": "builds", "next_page_url": next_page_url}}
