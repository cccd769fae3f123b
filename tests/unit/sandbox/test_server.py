"""The local fake of Twilio's API: answers in Twilio's shapes, for its own credentials only."""

from __future__ import annotations

import base64
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
import requests

from tests.support.command import BUILD, SERVICE
from twbuild.sandbox import server
from twbuild.sandbox.server import Sandbox

BUILDS = f"/v1/Services/{SERVICE}/Builds"
FOREVER = 10_000.0
# What Twilio's OpenAPI document states of the fields: a pattern, also for lists and objects.
SID = "{}[0-9a-fA-F]{{32}}"
URL = r"https?://[^/]+/v1/Services/ZS[0-9a-f]{32}/Builds/ZB[0-9a-f]{32}"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
STATUS_FIELDS = {
    "sid": SID.format("ZB"),
    "account_sid": SID.format("AC"),
    "service_sid": SID.format("ZS"),
    "status": "building|completed|failed",
    "url": f"{URL}/Status",
}
BUILD_FIELDS = {
    **STATUS_FIELDS,
    "url": URL,
    **dict.fromkeys(("asset_versions", "function_versions", "dependencies"), r"\[.*\]"),
    "runtime": "node(8|10|12|14|16|18|20|22)",
    "date_created": DATE,
    "date_updated": DATE,
    "links": r"\{.*\}",
}


@pytest.fixture
def building() -> Iterator[Sandbox]:
    with Sandbox("failed", FOREVER) as sandbox:
        yield sandbox


@pytest.fixture
def serving(building: Sandbox) -> Iterator[Sandbox]:
    threading.Thread(target=building.serve_forever, args=(0.02,), daemon=True).start()
    yield building
    building.shutdown()


def ask(sandbox: Sandbox, path: str) -> tuple[int, Any]:
    """The answer to its own credentials."""
    pair = base64.b64encode(f"{sandbox.account}:{sandbox.token}".encode()).decode()
    return sandbox.answer(path, f"Basic {pair}")


def held_to(fields: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Fail where a body is not as the document states."""
    assert body.keys() == fields.keys()
    assert [n for n, pattern in fields.items() if not re.fullmatch(pattern, str(body[n]))] == []


def seconds_of(build: Mapping[str, Any]) -> float:
    """From its creation to its last update."""
    names = ("date_created", "date_updated")
    created, updated = (datetime.strptime(build[n], "%Y-%m-%dT%H:%M:%S%z") for n in names)
    return (updated - created).total_seconds()


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_status_build_and_list_have_the_shapes_that_twilio_documents(outcome: str) -> None:
    with Sandbox(outcome, 0.3) as sandbox:
        seen = []
        while outcome not in seen:
            _, status = ask(sandbox, f"{BUILDS}/{BUILD}/Status")
            seen.append(status["status"])
            held_to(STATUS_FIELDS, status)
            _, build = ask(sandbox, f"{BUILDS}/{BUILD}")
            held_to(BUILD_FIELDS, build)
        _, page = ask(sandbox, BUILDS)

    assert seen[0] == "building"
    assert build["status"] == outcome
    assert status["url"] == f"{sandbox.url}{BUILDS}/{BUILD}/Status"
    assert {build["sid"], status["sid"]} == {BUILD}
    versions = [*build["function_versions"], *build["asset_versions"]]
    assert [bool(re.fullmatch(SID.format("ZN"), v["sid"])) for v in versions] == [True] * 4
    assert all(set(d) == {"name", "version"} for d in build["dependencies"])
    assert seconds_of(build) >= 0
    assert (page.keys(), page["meta"]["key"]) == ({"builds", "meta"}, "builds")
    for listed in page["builds"]:
        held_to(BUILD_FIELDS, listed)


def test_the_list_has_pages_of_the_size_that_was_requested(building: Sandbox) -> None:
    ask(building, f"{BUILDS}/{BUILD}")
    found, url = [], f"{building.url}{BUILDS}?PageSize=2"
    while url:
        _, page = ask(building, url.removeprefix(building.url))
        found.append([build["sid"] for build in page["builds"]])
        url = page["meta"]["next_page_url"]

    assert list(map(len, found)) == [2, 2, 1]
    assert len({sid for sids in found for sid in sids}) == 5


def test_a_build_keeps_the_time_of_its_first_request(building: Sandbox) -> None:
    _, first = ask(building, f"{BUILDS}/{BUILD}")
    _, again = ask(building, f"{BUILDS}/ZB{BUILD[2:].upper()}")

    assert (again["sid"], again["date_created"]) == (first["sid"], first["date_created"])


@pytest.mark.parametrize("seconds", [0.0, 5.0, 7 * 86400.0])
def test_earlier_builds_are_alike_but_for_one_dependency(seconds: float) -> None:
    with Sandbox("failed", seconds) as sandbox:
        ask(sandbox, f"{BUILDS}/{BUILD}")
        _, listed = ask(sandbox, BUILDS)
        now, _, *earlier = listed["builds"]
        statuses = {ask(sandbox, f"{BUILDS}/{e['sid']}/Status")[1]["status"] for e in earlier}

    assert (len(earlier), statuses) == (3, {"completed"})
    for build in earlier:
        assert seconds_of(build) == seconds
        assert build["date_updated"] < now["date_created"]
        assert [build["dependencies"].count(d) for d in now["dependencies"]] == [0, 1]
        assert build["function_versions"][0]["sid"] == now["function_versions"][0]["sid"]


def test_other_credentials_are_refused_in_twilios_shape(building: Sandbox) -> None:
    for authorization in ("", "Basic", "Basic QUM6eA==", "Bearer é"):
        code, error = building.answer(f"{BUILDS}/{BUILD}/Status", authorization)
        assert (code, error["code"], error["status"]) == (401, 20003, 401)
        assert set(error) == {"code", "message", "more_info", "status"}


def test_anything_else_is_not_found_in_twilios_shape(building: Sandbox) -> None:
    for path in ("/", f"{BUILDS}/ZB12", f"{BUILDS}/{BUILD}/Logs", BUILDS.lower()):
        code, error = ask(building, path)
        assert (code, error["code"], error["status"]) == (404, 20404, 404)


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_but_get_is_answered_and_only_on_loopback(serving: Sandbox, method: str) -> None:
    auth = (serving.account, serving.token)
    answer = requests.request(method, f"{serving.url}{BUILDS}/{BUILD}", auth=auth, timeout=10)

    assert answer.status_code == 405
    assert serving.server_address[0] == "127.0.0.1"


def test_a_connection_that_stays_idle_is_closed(
    serving: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server._Handler.timeout == server.MAX_IDLE_SECONDS > 60
    monkeypatch.setattr(server._Handler, "timeout", 0.05)
    with socket.create_connection(("127.0.0.1", serving.port), 20) as idle:
        assert idle.recv(1) == b""
