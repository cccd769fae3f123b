"""Requests without a complete response: exceptions into FetchErrors.

The text of an exception is never shown: it may quote passwords of proxies or parts of a token.
What is shown are the system's and OpenSSL's own words for its number.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import NamedTuple

import requests
import urllib3

from twbuild.api.connector import Phase
from twbuild.api.http_errors import PORTAL, PROXY_LOGIN, is_transient
from twbuild.api.models import REQUEST_SECONDS
from twbuild.api.network import Network, is_loopback
from twbuild.api.sent_request import SentRequest
from twbuild.api.transport import TransportError
from twbuild.durations import duration
from twbuild.errors import FetchError, PermanentError, TransientError
from twbuild.text import strerror

# OpenSSL's X509_V_ERR_* numbers.
# Source: https://github.com/openssl/openssl/blob/openssl-3.0/include/openssl/x509_vfy.h.in
_CLOCK = (9, 10)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)  # a host, an address
_STRICT = range(80, 94)  # X509_V_FLAG_X509_STRICT, which Python sets since 3.13

_CHECK_NETWORK = "Check the network, and a VPN if you use one."
_CHECK_FIREWALL = "A firewall or sandbox on this machine may forbid the connection."
_HINTS = {
    **dict.fromkeys((errno.ENETUNREACH, errno.EHOSTUNREACH), _CHECK_NETWORK),
    **dict.fromkeys((errno.ENETDOWN, errno.EHOSTDOWN), _CHECK_NETWORK),
    **dict.fromkeys((errno.EACCES, errno.EPERM), _CHECK_FIREWALL),
    errno.EMFILE: "Raise the limit of open files (ulimit -n), or wait for fewer builds at once.",
}
# OpenSSL's reasons, and words in them.
_NO_TLS = ("wrong version number", "http request", "record layer failure")
_OLD_TLS = "The server may speak an old version of TLS only; twbuild needs TLS 1.2 or newer."
_TLS_HINTS = {
    "protocol version": _OLD_TLS,
    "unsupported protocol": _OLD_TLS,
    "certificate required": "The server requires a client certificate, which twbuild cannot send.",
    "handshake failure": "The server may require a client certificate, which twbuild cannot send.",
}
# The first that fits: http.client derives RemoteDisconnected from BadStatusLine.
_MALFORMED = (
    (http.client.IncompleteRead, "was cut short"),
    (http.client.LineTooLong, "has a head of over 64 KiB"),
    ((http.client.BadStatusLine, http.client.UnknownProtocol), "is not HTTP"),
    (urllib3.exceptions.InvalidHeader, "has headers that contradict each other"),
    (http.client.HTTPException, "has over 100 header lines"),
)


class Attempt(NamedTuple):
    """A request, and what it waited for when it failed."""

    sent: SentRequest
    network: Network
    phase: Phase

    @property
    def peer(self) -> str:
        """Whom the connection, TLS or a certificate is about: the host, or the proxy before it."""
        before = (Phase.NAME, Phase.CONNECTION, Phase.PROXY, Phase.PROXY_TLS)
        return (self.sent.proxy if self.phase in before else None) or self.sent.host

    def error(
        self,
        kind: type[FetchError],
        reason: str,
        *hints: str,
        short: str = "",
        http_status: int | None = None,
    ) -> FetchError:
        """The error of this kind, with what was sent and what nearly counted."""
        near = self.network.proxy_hint if self.phase in (Phase.NAME, Phase.CONNECTION) else ""
        hints = (*hints, near) if near else hints
        details = [self.sent.description]
        return kind(reason, reason, *hints, short=short, details=details, http_status=http_status)


def from_exception(attempt: Attempt, error: TransportError) -> FetchError:
    """The FetchError for a TransportError, by what it was raised from."""
    causes = list(_causes(error))
    if refused := _of_connect(attempt, causes) or _of_certificate(attempt, causes):
        return refused
    if any("Auth" in type(cause).__name__ for cause in _raised_by_socks(causes)):
        reason = f"{attempt.sent.proxy} refused the user name and password, or requires them"
        return attempt.error(PermanentError, reason, PROXY_LOGIN)
    if _has(causes, TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError):
        return timed_out(attempt, REQUEST_SECONDS)
    for classify in (_of_tls, _of_name, _of_connecting, _of_socks, _of_answer):
        if found := classify(attempt, causes):
            short, *words = found
            return attempt.error(TransientError, *words, short=short)
    if _has(causes, ValueError):
        reason = "the request was not sent: its URL, or the proxy's, is not valid for requests"
        return attempt.error(PermanentError, reason)
    hint = _check_address(attempt.sent)
    return attempt.error(TransientError, "connection lost", hint, short="disconnected")


def timed_out(attempt: Attempt, seconds: float) -> FetchError:
    """The FetchError for a request that did not end within `seconds`."""
    sent, peer = attempt.sent, attempt.peer
    if attempt.phase in (Phase.NAME, Phase.NAME_FOR_PROXY):
        name, hint = _name_and_hint(attempt)
        reason = f"could not resolve {name} (no answer from DNS)"
        return attempt.error(TransientError, reason, hint, short="DNS")
    through = f" through {sent.proxy}" if sent.proxy else ""
    short, reason = {
        Phase.CONNECTION: ("timed out", f"connection to {peer} timed out"),
        Phase.PROXY: ("proxy", f"no answer from {peer}"),
        Phase.PROXY_TLS: ("TLS", f"the TLS handshake with {peer} timed out"),
        Phase.TLS: ("TLS", f"the TLS handshake with {peer} timed out"),
        Phase.ANSWER: ("no answer", f"no answer within {duration(seconds)}{through}"),
    }[attempt.phase]
    return attempt.error(TransientError, reason, _check_address(sent), short=short)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, and all that it was raised from, holds as its reason, or among its args."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            yield current
            waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]
            waiting += current.args


def _raised_by_socks(causes: list[BaseException]) -> list[BaseException]:
    return [cause for cause in causes if type(cause).__module__ == "socks"]


Words = tuple[str, ...] | None  # what happened: in short, and in full; then what to do


def _of_tls(attempt: Attempt, causes: list[BaseException]) -> Words:
    """TLS that failed for another reason than the certificate."""
    cause = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if cause is None:
        return None
    words = (getattr(cause, "reason", None) or "").replace("_", " ").lower()
    is_handshake = attempt.phase is not Phase.ANSWER
    failed = f"the TLS {'handshake' if is_handshake else 'connection'} failed"
    if isinstance(cause, ssl.SSLEOFError) or "eof" in words:
        words = "connection lost"
    if not re.fullmatch("[a-z0-9 .]{1,80}", words):
        return ("TLS", failed)
    if is_handshake and words in _NO_TLS:
        message = f"{failed}: {attempt.peer} does not speak TLS ({words})"
        if attempt.phase is Phase.PROXY_TLS:
            hint = "The proxy's address begins with https://: write http:// there."
        else:
            is_local = is_loopback(attempt.sent.hostname)
            hint = "Write http:// in TWBUILD_API_URL." if is_local else PORTAL
        return ("TLS", message, hint)
    hints = [hint for key, hint in _TLS_HINTS.items() if key in words]
    return ("TLS", f"{failed}: {words}", *(hints or [_check_address(attempt.sent)]))


def _of_name(attempt: Attempt, causes: list[BaseException]) -> Words:
    """A host or proxy whose name does not resolve."""
    if not any(isinstance(cause, socket.gaierror) for cause in causes):
        return None
    name, hint = _name_and_hint(attempt)
    return ("DNS", f"could not resolve {name}", hint)


def _name_and_hint(attempt: Attempt) -> tuple[str, str]:
    """The name that was looked up, and what to do."""
    sent = attempt.sent
    if attempt.phase is Phase.NAME_FOR_PROXY:
        return sent.hostname, "With socks5h:// or socks4a:// the proxy resolves it."
    if sent.host_settings and not sent.proxy:
        return sent.hostname, "Check the region and the edge, the network and DNS."
    return sent.proxy or sent.hostname, "Check the network or DNS."


def _of_socks(attempt: Attempt, causes: list[BaseException]) -> Words:
    """What a SOCKS proxy answered, in the words that PySocks has for its number."""
    raised = _raised_by_socks(causes)
    for cause in raised:
        text = str(getattr(cause, "msg", ""))
        if match := re.fullmatch(r"0x[0-9a-fA-F]+: ([A-Za-z ,-]{1,80})", text):
            return ("proxy", f"{attempt.sent.proxy} could not connect: {match[1].lower()}")
    if any(type(cause).__name__ == "GeneralProxyError" for cause in raised):
        return ("proxy", f"{attempt.sent.proxy} did not answer as a SOCKS proxy")
    return None


def _of_connecting(attempt: Attempt, causes: list[BaseException]) -> Words:
    """A connection that could not be made, or did not last."""
    peer = attempt.sent.proxy or attempt.sent.host
    found = (getattr(cause, "errno", None) for cause in causes)
    numbers = [number for number in found if isinstance(number, int) and number > 0]
    if _has(causes, ConnectionRefusedError):
        return ("refused", f"connection refused by {peer}", _check_address(attempt.sent))
    if _has(causes, ConnectionError) or errno.ENOTCONN in numbers:
        return ("disconnected", "connection lost", _check_address(attempt.sent))
    if _has(causes, MemoryError):
        return ("unreachable", f"could not reach {peer}: {strerror(errno.ENOMEM)}")
    if numbers:
        hints = (_HINTS[number] for number in numbers[:1] if number in _HINTS)
        return ("unreachable", f"could not reach {peer}: {strerror(numbers[0])}", *hints)
    return None


def _check_address(sent: SentRequest) -> str:
    if sent.proxy:
        return "Check the proxy's address, and the network."
    return "Check TWBUILD_API_URL." if sent.settings.is_custom else _CHECK_NETWORK


def _of_answer(attempt: Attempt, causes: list[BaseException]) -> Words:
    """An answer that did not come, or not as HTTP has it."""
    found = [words for kind, words in _MALFORMED if _has(causes, kind)]
    if attempt.phase is Phase.ANSWER and _has(causes, ValueError):
        found.append("is not HTTP")
    if not found:
        return None
    whose = f" of {attempt.peer}" if attempt.phase is Phase.PROXY else ""
    return ("bad answer", f"the answer{whose} {found[0]}", _check_address(attempt.sent))


def _has(causes: list[BaseException], *kinds: type | tuple[type, ...]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _of_connect(attempt: Attempt, causes: list[BaseException]) -> FetchError | None:
    """A CONNECT that a proxy refused; http.client tells its HTTP status in a text only."""
    texts = (str(cause.args[0]) for cause in causes if isinstance(cause, OSError) and cause.args)
    answers = (re.match(r"Tunnel connection failed: ([0-9]{3})\b", text) for text in texts)
    answer = next(filter(None, answers), None)
    if answer is None:
        return None
    status = int(answer[1])
    kind = TransientError if is_transient(status) else PermanentError
    reason = f"the {attempt.sent.proxy or 'proxy'} refused CONNECT: HTTP {status}"
    forbidden = f"Check the proxy: it may not allow or reach {attempt.sent.host}."
    hint = PROXY_LOGIN if status == 407 else forbidden
    return attempt.error(kind, reason, hint, short=f"proxy {status}", http_status=status)


def _of_certificate(attempt: Attempt, causes: list[BaseException]) -> FetchError | None:
    error = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
    if error is None:
        return None
    code = error.verify_code
    words = re.sub(r"[^ -~]", "", error.verify_message)[:200].strip().rstrip(".")
    hints = []
    if code in _UNKNOWN_AUTHORITY:
        hints = list(attempt.network.authority_hints)
        words = f"signed by an unknown authority ({words})"
    elif code in _CLOCK:
        now = datetime.now(timezone.utc)
        hints = [f"Check this machine's clock: it says {now:%Y-%m-%d %H:%M} UTC."]
    elif code in _OTHER_NAME:
        hints = [PORTAL]
    elif code in _STRICT:
        hints = [
            "Python 3.13 and newer verify more strictly. Ask the issuer of the certificate for a",
            "CA certificate that follows RFC 5280, or run twbuild with Python 3.12.",
        ]
    reason = f"the certificate of {attempt.peer} does not verify: {words}"
    return attempt.error(PermanentError, reason, *hints)
