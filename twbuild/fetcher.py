"""The small requests-based fetcher: one question, one answer or one typed error."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from twbuild import __version__, jsonobject, problems
from twbuild.events import Build, BuildStatus, Kind, Page, Question, Status
from twbuild.network import Network
from twbuild.settings import Settings
from twbuild.text import printable

Answer = BuildStatus | Build | Page

CONNECT_SECONDS = 4
READ_SECONDS = 15
LARGEST_STATUS = 1 << 20
LARGEST_BUILDS = 16 << 20
PAGE_SIZE = 20  # a build may list 1,050 versions, so that 50 builds can exceed 10 MiB


class Fetcher:
    """Asks the API about one service over one kept connection. For one thread at a time."""

    def __init__(self, settings: Settings, network: Network, service: str) -> None:
        self._settings = settings
        self._network = network
        self._builds_url = f"{settings.base_url}/v1/Services/{service}/Builds"
        self._kept = False
        self._session = requests.Session()
        self._session.trust_env = False  # network.of has read it; .netrc is never to be read
        self._session.auth = HTTPBasicAuth(
            settings.credentials.username, settings.credentials.password
        )
        self._session.proxies.update(network.proxies)
        self._session.verify = network.verify
        self._session.headers.update(
            {
                "Accept": "application/json",
                "Cache-Control": "no-cache",
                "User-Agent": f"twbuild/{__version__} {requests.utils.default_user_agent()}",
            }
        )

    def url(self, question: Question) -> str:
        """The URL that answers `question`."""
        if question.kind is Kind.PAGE:
            return f"{self._builds_url}?{question.query or f'PageSize={PAGE_SIZE}'}"
        tail = "/Status" if question.kind is Kind.STATUS else ""
        return f"{self._builds_url}/{question.sid}{tail}"

    def ask(self, question: Question) -> Answer:
        """The API's answer; raises FetchError where no good one came.

        Sources: https://www.twilio.com/docs/serverless/api/resource/build-status and
        https://www.twilio.com/docs/serverless/api/resource/build
        """
        url = self.url(question)
        asked = problems.Asked(url, self._settings, self._network.route)
        limit = LARGEST_STATUS if question.kind is Kind.STATUS else LARGEST_BUILDS
        try:
            with self._get(url) as response:
                good = response.status_code == 200
                body = _read(response, limit if good else LARGEST_STATUS)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._kept = False
            raise problems.of_exception(asked, error) from None
        except _TooLargeError:
            self._kept = False
            body = None
        else:
            self._kept = True
        if not good:
            raise problems.of_response(asked, response, body)
        try:
            return _answer(question, response, body)
        except ValueError as error:
            raise problems.of_nonsense(asked, response, body, str(error)) from None

    def _get(self, url: str) -> requests.Response:
        """One GET; once more where a kept connection proves to have been closed in between."""
        try:
            return self._send(url)
        except requests.ConnectionError as error:
            if not self._kept or isinstance(error, requests.Timeout):
                raise
            self._kept = False
            self._session.close()
            return self._send(url)

    def _send(self, url: str) -> requests.Response:
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        return self._session.get(url, timeout=timeout, allow_redirects=False, stream=True)


class _TooLargeError(Exception):
    pass


def _read(response: requests.Response, limit: int) -> bytes:
    """The whole decoded body; urllib3 says that it was cut short only to who asks again."""
    body = bytearray()
    while chunk := response.raw.read(1 << 16, decode_content=True):
        body += chunk
        if len(body) > limit:
            raise _TooLargeError
    return bytes(body)


def _answer(question: Question, response: requests.Response, body: bytes | None) -> Answer:
    """What the body says; raises ValueError, its text for people, where that makes no sense."""
    if body is None:
        raise ValueError("the answer is larger than any that Twilio gives")
    found = jsonobject.parse(body)
    request_id = problems.request_id(response)
    if question.kind is Kind.PAGE:
        return _page(found, response, request_id)
    sid = found.get("sid")
    if sid is not None and str(sid).upper() != question.sid.upper():
        raise ValueError(f"asked for {question.sid}, the answer is about {printable(sid)}")
    if question.kind is Kind.BUILD:
        return _build({**found, "sid": question.sid})._replace(request_id=request_id)
    status = found.get("status")
    if not isinstance(status, str) or status not in [s.value for s in Status]:
        raise ValueError(f"the answer's status is {printable(repr(status), 60)}")
    account, service, url = (_text(found.get(n)) for n in ("account_sid", "service_sid", "url"))
    return BuildStatus(Status(status), sid, account, service, url, request_id)


def _page(found: dict[str, Any], response: requests.Response, request_id: str | None) -> Page:
    builds, meta = found.get("builds"), found.get("meta")
    if not isinstance(builds, list) or not isinstance(meta, dict):
        raise ValueError("the answer is no page of Builds")  # noqa: TRY004 - of what came, not of ours
    if not all(
        isinstance(b, dict) and _text(b.get("sid")) and _text(b.get("status")) for b in builds
    ):
        raise ValueError("the answer lists a Build without sid or status")
    next_url = meta.get("next_page_url")
    if next_url is not None and not isinstance(next_url, str):
        raise ValueError("the answer's next_page_url is not a text")
    query = next_url.partition("#")[0].partition("?")[2] if next_url else None
    asked = problems.sent(response) or datetime.now(timezone.utc)
    return Page(tuple(map(_build, builds)), query, asked, request_id)


def _build(found: dict[str, Any]) -> Build:
    listed = found.get("dependencies")
    dependencies = [d for d in listed if isinstance(d, dict)] if isinstance(listed, list) else []
    return Build(
        sid=found["sid"],
        status=_text(found.get("status")) or "",
        created=_time(found.get("date_created")),
        updated=_time(found.get("date_updated")),
        runtime=_text(found.get("runtime")),
        functions=_count(found.get("function_versions")),
        assets=_count(found.get("asset_versions")),
        dependencies=tuple(
            " ".join(part for part in (_text(d.get("name")), _text(d.get("version"))) if part)
            for d in dependencies
        ),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return len(value) if isinstance(value, list) else None


def _time(value: object) -> datetime | None:
    """An ISO 8601 time; Python 3.10 reads no Z."""
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
