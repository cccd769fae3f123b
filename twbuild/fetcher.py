"""The small requests-based fetcher: one question, one answer or one typed error."""

from __future__ import annotations

import urllib3

from twbuild import __version__, answers, mishaps, problems
from twbuild.answers import Answer
from twbuild.events import Kind, Question
from twbuild.leanrequests import requests
from twbuild.network import Network, Session
from twbuild.settings import Settings

CONNECT_SECONDS = 4
READ_SECONDS = 15
LARGEST_STATUS = 1 << 20
LARGEST_BUILDS = 16 << 20
MISHAPS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
PAGE_SIZE = 20  # a build may list 1,050 versions, so that 50 builds can exceed 10 MiB


class Fetcher:
    """Asks the API about one service over one kept connection. For one thread at a time."""

    def __init__(self, settings: Settings, network: Network, service: str) -> None:
        self._settings = settings
        self._network = network
        self._builds_url = f"{settings.base_url}/v1/Services/{service}/Builds"
        self._kept = False
        self._session = Session(network)
        found = settings.credentials
        self._session.auth = (found.username, found.password)
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
        except MISHAPS as error:
            self._kept = False
            raise mishaps.of_exception(asked, error) from None
        except _TooLargeError:
            self._kept = False
            body = None
        else:
            self._kept = True
        if not good:
            raise problems.of_response(asked, response, body)
        try:
            return answers.read(question, response, body)
        except ValueError as error:
            raise problems.of_nonsense(asked, response, body, str(error)) from None

    def abandon(self) -> None:
        """Give up the question under way, from another thread; whoever asked gets an error."""
        self._session.cut()

    def _get(self, url: str) -> requests.Response:
        """One GET; once more where a kept connection proves to have been closed in between."""
        try:
            return self._send(url)
        except requests.ConnectionError as error:
            if not self._kept or self._session.is_cut or isinstance(error, requests.Timeout):
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
