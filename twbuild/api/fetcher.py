"""The small requests-based fetcher: one request, one model or one FetchError."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import requests
import urllib3
from urllib3.util import parse_url

from twbuild import __version__, strict_json
from twbuild.api import connection_errors, http_errors, parsing
from twbuild.api.models import Answer, Request, Resource
from twbuild.api.network import Network
from twbuild.api.transport import InvalidBodyError, Session
from twbuild.config.endpoint import Settings
from twbuild.errors import FetchError, TransientError

MIB = 1 << 20
MAX_ERROR_BYTES = MIB
MAX_BYTES = {Resource.STATUS: MIB, Resource.BUILD: 2 * MIB, Resource.PAGE: 8 * MIB}
FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    MemoryError,
)
SHOWN_HEADERS = ("Content-Type", "Twilio-Request-Id")
REDACTED = "[secret]"
SHORT, BEGINNING = 6, 8  # characters of a secret
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ESCAPE = (
    r"(?:\\u00|\\x|&#[xX]0{0,4})([0-9a-fA-F]{2});?|&#0{0,4}([0-9]{2,3});?"
    rf"|&({'|'.join(_ENTITIES)});|\\([^ux])"
)
PAGE_SIZE = 20  # a build may list 1,050 versions, so that 50 builds can exceed 10 MiB


class Fetcher:
    """Requests about one service over one kept connection. For one thread at a time."""

    def __init__(self, settings: Settings, network: Network, service: str) -> None:
        self._settings = settings
        self._network = network
        self._builds_url = f"{settings.base_url}/v1/Services/{service}/Builds"
        found = settings.credentials
        basic = base64.b64encode(f"{found.username}:{found.password}".encode()).decode()
        self._secrets = _any_of(found.password, basic, *network.secrets)
        self._session = Session(network)
        self._session.auth = (found.username, found.password)
        self._session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Cache-Control": "no-cache",
                "User-Agent": f"twbuild/{__version__} {requests.utils.default_user_agent()}",
            }
        )

    def url(self, request: Request) -> str:
        """The URL of `request`, to be shown."""
        return self._builds_url + self._shown_tail(request)

    def fetch(self, request: Request) -> Answer:
        """The API's answer; raises FetchError where none came that can be used.

        An answer that does not name its build, or an error that no retry would mend, counts only
        from a connection used for no other build: it may be a late answer about one of those.
        Sources: https://www.twilio.com/docs/serverless/api/resource/build-status and
        https://www.twilio.com/docs/serverless/api/resource/build
        """
        try:
            answer = self._fetch(request)
        except TransientError:
            raise
        except FetchError:
            if self._session.is_used_only_for(request.sid):
                raise
        else:
            if parsing.is_named(answer) or self._session.is_used_only_for(request.sid):
                return answer
        self._session.drop()
        return self._fetch(request)

    def cancel(self) -> None:
        """End the request in flight, from another thread; it raises an error there."""
        self._session.cancel()

    def _shown_tail(self, request: Request) -> str:
        """The end of the URL; only the query of a page came from the server."""
        tail = _tail(request)
        return str(self._redacted(tail)) if request.query else tail

    def _fetch(self, request: Request) -> Answer:
        path = parse_url(self._builds_url).request_uri + self._shown_tail(request)
        sent = http_errors.SentRequest(path, self._settings, self._network.proxy_name)
        body: bytes | None
        try:
            url = self._builds_url + _tail(request)
            response, body = self._session.exchange(
                url, request.sid, MAX_BYTES[request.resource], MAX_ERROR_BYTES
            )
            unreadable = None
        except InvalidBodyError as error:
            response, body, unreadable = error.response, None, str(error)
        except FAILURES as error:
            raise connection_errors.from_exception(sent, error) from None
        for name in SHOWN_HEADERS:
            response.headers[name] = self._redacted(response.headers.get(name, ""))
        if response.status_code != 200:
            raise http_errors.from_response(sent, response, self._redacted_body(body))
        try:
            if body is None:
                raise ValueError(unreadable)
            return parsing.read(request, response, body, self._redacted)
        except ValueError as error:
            why, *hints = map(self._redacted, error.args)
            raise http_errors.from_invalid_answer(sent, response, body, why, *hints) from None

    def _redacted_body(self, body: bytes | None) -> bytes | None:
        """The body; its texts without secrets, in whichever way JSON wrote them."""
        try:
            return json.dumps(self._redacted(strict_json.parse(body or b""))).encode()
        except strict_json.NotAnObjectError:
            return body

    def _redacted(self, value: Any) -> Any:
        """`value` as JSON has it, its texts without the secrets that a server may repeat."""
        if isinstance(value, str):
            text = self._secrets.sub(REDACTED, value)
            return REDACTED if any(map(self._secrets.search, _readings(text))) else text
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        if isinstance(value, dict):
            return {name: self._redacted(item) for name, item in value.items()}
        return value


def _tail(request: Request) -> str:
    """What follows the URL of a service's Builds."""
    if request.resource is Resource.PAGE:
        return f"?{request.query or f'PageSize={PAGE_SIZE}'}"
    return f"/{request.sid}/Status" if request.resource is Resource.STATUS else f"/{request.sid}"


def _any_of(*secrets: str) -> re.Pattern[str]:
    """Any of these texts, also as a URL has them; Base64 with its padding or without.

    Of a long one its beginning is enough, as a server may have cut it. A short one counts as a
    word only: it is a part of many others, which would show it by what is missing in them.
    """
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
    stripped = {form.removesuffix("%3D%3D").removesuffix("%3D").rstrip("=") for form in forms}
    longest_first = sorted(forms | stripped, key=len, reverse=True)
    whole = [
        re.escape(form) if len(form) >= SHORT else rf"(?<![^\W_]){re.escape(form)}(?![^\W_])"
        for form in longest_first
        if form
    ]
    begun = [
        rf"{re.escape(form[:BEGINNING])}[\w+/%=-]*"
        for form in longest_first
        if len(form) >= 2 * BEGINNING
    ]
    return re.compile("|".join([*whole, *begun]))


def _readings(text: str) -> Iterator[str]:
    """How else a text can be read: escaped as in URLs, JSON and HTML, once or twice."""
    if any(character in text for character in "%\\&"):
        for _ in range(2):
            text = re.sub(_ESCAPE, _character, unquote(text))
        yield text
    if "-" in text or "_" in text:
        yield text.replace("-", "+").replace("_", "/")  # the other Base64
    if "+" in text:
        yield text.replace("+", " ")


def _character(escape: re.Match[str]) -> str:
    hexadecimal, decimal, entity, character = escape.groups()
    if entity or character:
        return _ENTITIES[entity] if entity else str(character)
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))
