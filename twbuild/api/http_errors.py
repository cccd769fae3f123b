"""Responses that are not the answer asked for, as FetchErrors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from twbuild.api.models import Content, Request, Response
from twbuild.config.settings import Settings
from twbuild.durations import duration
from twbuild.errors import (
    FetchError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnauthorizedError,
)
from twbuild.text import MAX_CHARACTERS, printable

MAX_RETRY_AFTER = 300.0
REDIRECTS = (301, 302, 303, 307, 308)
TEST_CREDENTIALS = 20008
# Other APIs answer in the same shape, with their own numbers or the HTTP status as `code`.
# Source: https://www.twilio.com/docs/api/errors
TWILIO_CODES = range(10_000, 1_000_000)
MAX_TEXT = 10_000  # characters of a text from a server that are looked at
STATUS = "https://status.twilio.com"
PORTAL = "A captive portal, a proxy or a gateway may have answered instead of Twilio."
PROXY_LOGIN = "Check the user name and password in the proxy's address: USER:PASSWORD@HOST:PORT."


def is_transient(status: int) -> bool:
    """Whether another try may help where an answer of this HTTP status is not Twilio's."""
    return status >= 500 or status < 300 or status in (404, 408, 425, 429)


class SentRequest(NamedTuple):
    """A request as errors describe it: its path, the account, the proxy.

    `redacted` removes secrets from a text of the server's.
    """

    request: Request
    service: str
    path: str
    settings: Settings
    proxy: str | None
    redacted: Callable[[str], str]

    def text(self, value: object) -> str | None:
        """A text of the server's without secrets, None for any other value."""
        return self.redacted(value[:MAX_TEXT]) if isinstance(value, str) else None

    def shown(self, text: str, limit: int = MAX_CHARACTERS) -> str:
        """A text of the server's without secrets, to be printed."""
        return printable(self.redacted(text[:MAX_TEXT]), limit)

    @property
    def host(self) -> str:
        """Host and port."""
        return printable(urlsplit(self.settings.base_url).netloc)

    @property
    def hostname(self) -> str:
        """The host's name."""
        return printable(urlsplit(self.settings.base_url).hostname)

    @property
    def host_settings(self) -> str:
        """The settings that the host's name was made from, with their values; "" for none."""
        found = self.settings.credentials
        used = (found.region, found.edge) if self.settings.is_regional else ()
        return " and ".join(f"{place} ({printable(value)})" for value, place in used if value)

    @property
    def resource(self) -> str:
        """What was asked for: a build of a service, or a service."""
        sid = self.request.sid
        return f"build {sid} in service {self.service}" if sid else f"service {self.service}"

    @property
    def place(self) -> str:
        """The host, where its name came from, and the proxy on the way."""
        made_from = f" (from {self.host_settings})" if self.host_settings else ""
        proxy = f", through {self.proxy}" if self.proxy else ""
        return f"{self.host}{made_from}{proxy}"

    @property
    def description(self) -> str:
        """Method, path and host, and the proxy it went through."""
        return f"GET {printable(self.path)} at {self.place}"

    @property
    def api(self) -> str:
        """What answers, as messages name it."""
        return "the API" if self.settings.is_custom else "Twilio"

    @property
    def identity(self) -> str:
        """The account that was used, and where its credentials came from: a sentence."""
        found = self.settings.credentials
        kind = {"AC": "Account ", "SK": "API key "}.get(found.shown_name[:2], "")
        other = found.account and found.account != found.username
        account = f" of account {printable(found.account)}" if other else ""
        return f"{kind}{found.shown_name}{account} was used (from {found.source})."


def request_id(sent: SentRequest, response: Response) -> str | None:
    """Twilio's id of the request; some answers carry it twice, joined by a comma."""
    found = response.headers.get("Twilio-Request-Id", "").partition(",")[0].strip()
    return sent.shown(found, 100) or None


def date_of(response: Response) -> datetime | None:
    """When the server answered, by its own clock."""
    return _date(response.headers.get("Date", ""))


def is_error(content: Content) -> bool:
    """Whether a body is one of Twilio's errors, whatever its HTTP status."""
    is_resource = isinstance(content.found.get("status"), str)
    return not is_resource and _code(content.found) is not None


def from_invalid_answer(
    sent: SentRequest, response: Response, content: Content, why: str, *hints: str
) -> TransientError:
    """An answer with HTTP 200 that is not what the API promises."""
    if content.kind:
        why = f"{content.kind} came instead of JSON ({_size(sent, response, content)})"
        hints = (PORTAL,)
    found_id = request_id(sent, response)
    return TransientError(
        why,
        why,
        *hints,
        short="bad answer",
        details=_details(sent, found_id),
        http_status=response.status,
        request_id=found_id,
        retry_after=_retry_after(response),
    )


def from_response(sent: SentRequest, response: Response, content: Content) -> FetchError:
    """A response whose HTTP status is not 200, or whose body is one of Twilio's errors."""
    status = response.status
    code = _code(content.found)
    is_from_twilio = code is not None
    text = f"code {code}: {_text(sent, content.found)}" if is_from_twilio else ""
    reason = f"HTTP {status} with an error inside" if status == 200 else f"HTTP {status}"
    what = text or (_size(sent, response, content) if content.size else "")
    message = f"{reason}{':' if status == 200 else ','} {what}" if what else reason
    error: type[FetchError] = PermanentError
    hints: list[str] = []
    twilio_says: list[str] = []
    if status == 404 and is_from_twilio:
        error = NotFoundError
        message = f"{sent.api} found no {sent.resource} (HTTP 404)"
        hints = list(_not_found(sent))
        twilio_says = [text]
    elif is_transient(status):
        error = TransientError
        hints = {404: _not_twilio(sent), 511: [PORTAL]}.get(status) or _unavailable(sent, status)
    elif status in (401, 403) and is_from_twilio:
        error = UnauthorizedError
        message = f"{sent.api} refused the credentials ({reason})"
        hints = list(_refusal(sent, code))
        twilio_says = [text]
    elif status in (401, 403):
        message = f"a proxy or gateway rejected the request, not Twilio ({message})"
        hints = _not_twilio(sent)
    elif status == 407:
        hints = [PROXY_LOGIN]
    elif status in REDIRECTS:
        message = f"{reason}, a redirect{_target(sent, response)}"
        hints = [PORTAL, "Redirects are not followed: the credentials would go with them."]
    elif status < 400:
        message = f"unexpected {reason}"
    found_id = request_id(sent, response)
    retry_after = _retry_after(response) if error in (TransientError, NotFoundError) else 0
    if retry_after:
        hints.append(f"The server asks to retry after {duration(retry_after)} (Retry-After).")
    return error(
        reason,
        message,
        *hints,
        short=f"error {code}" if status == 200 else reason,
        detail=_text(sent, content.found) if is_from_twilio else None,
        details=[*twilio_says, *_details(sent, found_id, *twilio_says)],
        http_status=status,
        code=code,
        request_id=found_id,
        retry_after=retry_after,
    )


def _target(sent: SentRequest, response: Response) -> str:
    """The host that a redirect leads to, and no more of its address."""
    try:
        host = urlsplit(sent.redacted(response.headers.get("Location", ""))).hostname
    except ValueError:
        host = None
    return f" to {printable(host, 100)}" if host else ""


def _not_twilio(sent: SentRequest) -> list[str]:
    proxy = f"the {sent.proxy}" if sent.proxy else "a proxy, VPN, gateway or ingress on the way"
    return [f"This is not Twilio's answer. Check {proxy}."]


def _details(sent: SentRequest, found_id: str | None, text: str = "") -> list[str]:
    """What was requested, unless Twilio's text names the path, and the request's id."""
    path = printable(sent.path).removeprefix("/v1")
    what = sent.description if path not in text else f"GET from {sent.place}"
    return [what, *([f"request {found_id}"] if found_id else [])]


def _not_found(sent: SentRequest) -> Iterator[str]:
    named = "the service and the Build SID. They" if sent.request.sid else "the service. It"
    yield f"Check {named} may also belong to another account or region."
    if sent.settings.is_custom:
        yield "TWBUILD_API_URL is set: check it, too."
    yield sent.identity


def _unavailable(sent: SentRequest, status: int) -> list[str]:
    if status < 500:
        return []
    return ["Check TWBUILD_API_URL." if sent.settings.is_custom else f"Twilio's status: {STATUS}"]


def _refusal(sent: SentRequest, code: int | None) -> Iterator[str]:
    if code == TEST_CREDENTIALS:
        yield "Test credentials cannot be used for Serverless: use live ones."
    else:
        secret = "key" if sent.settings.credentials.username.startswith("SK") else "token"
        yield f"Check that the {secret} is active and belongs to this account and region."
    yield sent.identity
    if hint := sent.settings.credentials.hint:
        yield hint


def _code(found: dict[str, Any]) -> int | None:
    """The code of one of Twilio's two error shapes, None for anything else.

    `{code, message, more_info, status}`, or RFC 9457's `{type, title, status, code, detail}`.
    """
    code = found.get("code")
    if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code):
        code = int(code)
    is_code = isinstance(code, int) and code in TWILIO_CODES
    return code if is_code and any(_texts(found)) else None


def _texts(found: dict[str, Any]) -> list[str]:
    texts = [found.get(name) for name in ("message", "title", "detail")]
    return [text for text in texts if isinstance(text, str) and text]


def _text(sent: SentRequest, found: dict[str, Any]) -> str:
    """Twilio's own words, and the address of their explanation."""
    more = found.get("more_info") or found.get("moreInfo") or found.get("type")
    link = f" ({sent.shown(more)})" if isinstance(more, str) else ""
    return ": ".join(map(sent.shown, _texts(found))) + link


def _size(sent: SentRequest, response: Response, content: Content) -> str:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return f"{sent.shown(kind, 60) or 'a body of no type'}, {content.size} bytes"


def _retry_after(response: Response) -> float:
    """Seconds in Retry-After: a whole number, or a date measured from the answer's own Date."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value), MAX_RETRY_AFTER)
    until, now = _date(value), date_of(response)
    if until is None or now is None:
        return 0
    return min(max((until - now).total_seconds(), 0), MAX_RETRY_AFTER)


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(
            timezone.utc
        )
    except (ValueError, TypeError, OverflowError):
        return None
