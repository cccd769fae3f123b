"""The small requests-based fetcher: one request, one model or one FetchError."""

from __future__ import annotations

import base64

import requests
import urllib3
from urllib3.util import parse_url

from twbuild import __version__
from twbuild.api import connection_errors, http_errors, parsing
from twbuild.api.models import Answer, Request, Resource
from twbuild.api.network import Network
from twbuild.api.redaction import Redactor
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
PAGE_SIZE = 20  # a build may list 1,050 versions, so that 50 builds can exceed 10 MiB


class Fetcher:
    """Requests about one service over one kept connection. For one thread at a time."""

    def __init__(self, settings: Settings, network: Network, service: str) -> None:
        self._settings = settings
        self._network = network
        self._builds_url = f"{settings.base_url}/v1/Services/{service}/Builds"
        found = settings.credentials
        basic = base64.b64encode(f"{found.username}:{found.password}".encode()).decode()
        self._redactor = Redactor(found.password, basic, *network.secrets)
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
        return str(self._redactor.redacted(tail)) if request.query else tail

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
            response.headers[name] = self._redactor.redacted(response.headers.get(name, ""))
        if response.status_code != 200:
            raise http_errors.from_response(sent, response, self._redactor.redacted_body(body))
        try:
            if body is None:
                raise ValueError(unreadable)
            return parsing.read(request, response, body, self._redactor.redacted)
        except ValueError as error:
            why, *hints = map(self._redactor.redacted, error.args)
            raise http_errors.from_invalid_answer(sent, response, body, why, *hints) from None


def _tail(request: Request) -> str:
    """What follows the URL of a service's Builds."""
    if request.resource is Resource.PAGE:
        return f"?{request.query or f'PageSize={PAGE_SIZE}'}"
    return f"/{request.sid}/Status" if request.resource is Resource.STATUS else f"/{request.sid}"
