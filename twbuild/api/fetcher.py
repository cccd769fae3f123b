"""The small requests-based fetcher: one request, one model or one FetchError."""

from __future__ import annotations

from urllib.parse import urlsplit

from twbuild.api import connection_errors, http_errors, parsing
from twbuild.api.models import Answer, Request, Resource, Response
from twbuild.api.network import Network
from twbuild.api.redaction import Redactor, secrets
from twbuild.api.sent_request import SentRequest
from twbuild.api.transport import Session, TransportError
from twbuild.config.settings import Settings
from twbuild.errors import FetchError, TransientError

MIB = 1 << 20
MAX_ERROR_BYTES = MIB
MAX_BYTES = {Resource.STATUS: MIB, Resource.BUILD: 2 * MIB, Resource.PAGE: 8 * MIB}
PAGE_SIZE = 20  # a build may list 1,050 versions, so that 50 builds can exceed 10 MiB


class Fetcher:
    """Requests about one service over one kept connection. For one thread at a time."""

    def __init__(self, settings: Settings, network: Network, service: str) -> None:
        self._settings = settings._replace(base_url=network.base_url)
        self._network = network
        self._builds_url = f"{network.base_url}/v1/Services/{service}/Builds"
        self._service = service
        found = settings.credentials
        self._redactor = Redactor(*secrets(found, network.secrets))
        self._session = Session(network, (found.username, found.password))

    def url(self, request: Request) -> str:
        """The URL of `request`, to be shown."""
        return self._builds_url + self._shown_tail(request)

    def fetch(self, request: Request) -> Answer:
        """The API's answer; raises FetchError where none came that can be used.

        An answer that names no build, and an error that ends a watch, count only where no other
        request was sent on the connection: each may be a late answer to that one.
        Sources: https://www.twilio.com/docs/serverless/api/resource/build-status and
        https://www.twilio.com/docs/serverless/api/resource/build
        """
        answer, is_certain = self._fetch(request)
        if not is_certain:
            answer, _ = self._fetch(request)
        if isinstance(answer, FetchError):
            raise answer
        return answer

    def cancel(self) -> None:
        """End the request in flight, from another thread; it raises an error there."""
        self._session.cancel()

    def overdue(self, request: Request, seconds: float) -> FetchError:
        """The error for the request in flight, which did not end within `seconds`."""
        return connection_errors.timed_out(self._attempt(request), seconds)

    def _shown_tail(self, request: Request) -> str:
        """The end of the URL; only the query of a page came from the server."""
        tail = _tail(request)
        return self._redactor.redacted(tail) if request.query else tail

    def _fetch(self, request: Request) -> tuple[Answer | FetchError, bool]:
        """What one GET comes to, and whether that is certainly the answer to it."""
        sent = self._sent(request)
        url = self._builds_url + _tail(request)
        try:
            response = self._session.exchange(url, MAX_BYTES[request.resource], MAX_ERROR_BYTES)
        except TransportError as error:
            raise connection_errors.from_exception(self._attempt(request), error) from None
        answer, is_named = self._read(sent, response)
        if not is_named:
            self._session.drop()  # so that the next answer is certain
        return answer, is_named or response.is_first

    def _sent(self, request: Request) -> SentRequest:
        path = urlsplit(self._builds_url).path + self._shown_tail(request)
        return SentRequest(
            request,
            self._service,
            path,
            self._settings,
            self._network.proxy_name,
            self._redactor.redacted,
        )

    def _attempt(self, request: Request) -> connection_errors.Attempt:
        sent = self._sent(request)
        return connection_errors.Attempt(sent, self._network, self._session.phase)

    def _read(self, sent: SentRequest, response: Response) -> tuple[Answer | FetchError, bool]:
        """What a response comes to, and whether it says itself what it answers."""
        content = parsing.content(response, sent.request.resource)
        if response.status != 200 or http_errors.is_error(content):
            refused = http_errors.from_response(sent, response, content)
            return refused, isinstance(refused, TransientError)
        try:
            if content.defect:
                raise ValueError(content.defect)
            return parsing.read(sent, response, content.found)
        except ValueError as error:
            self._session.drop()  # what follows may be late answers, too
            return http_errors.from_invalid_answer(sent, response, content, *error.args), True


def _tail(request: Request) -> str:
    """What follows the URL of a service's Builds."""
    if request.resource is Resource.PAGE:
        return f"?{request.query or f'PageSize={PAGE_SIZE}'}"
    return f"/{request.sid}/Status" if request.resource is Resource.STATUS else f"/{request.sid}"
