"""Responses that are not the answer asked for, as FetchErrors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from twbuild.api.models import Content, Response, Status
from twbuild.api.sent_request import SentRequest
from twbuild.durations import duration
from twbuild.errors import (
    FetchError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnauthorizedError,
)
from twbuild.text import printable

MAX_RETRY_AFTER = 300.0
REDIRECTS = (301, 302, 303, 307, 308)
TEST_CREDENTIALS = 20008
# Other APIs answer in the same shape, with their own numbers or the HTTP status as `code`.
# Source: https://www.twilio.com/docs/api/errors
TWILIO_CODES = range(10_000, 1_000_000)
STATUS = "https://status.twilio.com"
PORTAL = "A captive portal, a proxy or a gateway may have answered instead of Twilio."
PROXY_LOGIN = "Check the user name and password in the proxy's address: USER:PASSWORD@HOST:PORT."


def is_transient(status: int) -> bool:
    """Whether another try may help where an answer of this HTTP status is not Twilio's."""
    return status >= 500 or status < 300 or status in (404, 408, 425, 429)


def request_id(sent: SentRequest, response: Response) -> str | None:
    """Twilio's id of the request; some answers carry it twice, joined by a comma."""
    found = response.headers.get("Twilio-Request-Id", "").partition(",")[0].strip()
    return sent.shown(found, 100) or None


def date_of(response: Response) -> datetime | None:
    """When the server answered, by its own clock."""
    return _date(response.headers.get("Date", ""))


def is_error(content: Content) -> bool:
    """Whether a body is one of Twilio's errors, whatever its HTTP status."""
    is_resource = content.found.get("status") in list(Status)
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
    whole = f"{reason}{':' if status == 200 else ','} {what}" if what else reason
    error, message, hints = _meaning(sent, response, code, whole)
    found_id = request_id(sent, response)
    retry_after = _retry_after(response) if error in (TransientError, NotFoundError) else 0
    if retry_after:
        hints.append(f"The server asks to retry after {duration(retry_after)} (Retry-After).")
    twilio_says = [] if message == whole or not text else [text]
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


def _meaning(
    sent: SentRequest, response: Response, code: int | None, whole: str
) -> tuple[type[FetchError], str, list[str]]:
    """The kind of error, its message and its hints; `code` is None where it is not Twilio's.

    `whole` is the message that has all the response says.
    """
    status = response.status
    if status == 404 and code is not None and not sent.request.query:  # a page follows others
        found_no = f"{sent.api} found no {sent.resource} (HTTP 404)"
        return NotFoundError, found_no, list(_not_found(sent))
    if is_transient(status):
        hints = [PORTAL] if status == 511 else _unavailable(sent, status)
        if status == 404 and code is None:
            hints = [f"This is not Twilio's answer. {_check_way(sent)}"]
        return TransientError, whole, hints
    if status in (401, 403) and code is not None:
        refused = f"{sent.api} refused the credentials (HTTP {status})"
        return UnauthorizedError, refused, list(_refusal(sent, code))
    if status in (401, 403):
        rejected = f"a proxy or gateway rejected the request, not Twilio ({whole})"
        return PermanentError, rejected, [_check_way(sent)]
    if status in REDIRECTS:
        not_followed = "Redirects are not followed: the credentials would go with them."
        redirect = f"HTTP {status}, a redirect{_target(sent, response)}"
        return PermanentError, redirect, [PORTAL, not_followed]
    hints = [PROXY_LOGIN if status == 407 and sent.proxy else PORTAL] if code is None else []
    return PermanentError, f"unexpected HTTP {status}" if status < 400 else whole, hints


def _target(sent: SentRequest, response: Response) -> str:
    """The host that a redirect leads to, and no more of its address."""
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return f" to {sent.shown(host, 100)}" if host else ""


def _check_way(sent: SentRequest) -> str:
    proxy = f"the {sent.proxy}" if sent.proxy else "a proxy, VPN, gateway or ingress on the way"
    return f"Check {proxy}."


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
