"""Requests without a complete response: exceptions into FetchErrors.

The text of an exception is never shown: it may quote passwords of proxies or parts of a token.
What is shown are the system's and OpenSSL's own words for its number.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone

import requests
import urllib3
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from twbuild.api.http_errors import PROXY_LOGIN, SentRequest, is_transient
from twbuild.api.transport import TransportError
from twbuild.errors import FetchError, PermanentError, TransientError
from twbuild.text import strerror

# Where distributions keep the certificates that the whole machine trusts.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# OpenSSL's X509_V_ERR_* numbers.
# Source: https://github.com/openssl/openssl/blob/openssl-3.0/include/openssl/x509_vfy.h.in
_CLOCK = (9, 10)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_STRICT = range(80, 94)  # X509_V_FLAG_X509_STRICT, which Python sets since 3.13

_LOST = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN)
_CHECK_NETWORK = "Check the network, and a VPN if you use one."
_CHECK_FIREWALL = "A firewall or sandbox on this machine may forbid the connection."
_HINTS = {
    errno.ENETUNREACH: _CHECK_NETWORK,
    errno.EHOSTUNREACH: _CHECK_NETWORK,
    errno.ENETDOWN: _CHECK_NETWORK,
    errno.EHOSTDOWN: _CHECK_NETWORK,
    errno.EACCES: _CHECK_FIREWALL,
    errno.EPERM: _CHECK_FIREWALL,
    errno.EMFILE: "Raise the limit of open files (ulimit -n), or wait for fewer builds at once.",
}
# Words in OpenSSL's reasons.
_OLD_TLS = "The server may speak an old version of TLS only; twbuild needs TLS 1.2 or newer."
_TLS_HINTS = {
    "protocol version": _OLD_TLS,
    "unsupported protocol": _OLD_TLS,
    "certificate required": "The server requires a client certificate, which twbuild cannot send.",
    "handshake failure": "The server may require a client certificate, which twbuild cannot send.",
}


def from_exception(sent: SentRequest, error: TransportError) -> FetchError:
    """The FetchError for a TransportError, by what it was raised from."""
    causes = list(_causes(error))
    if status := _refused_by_proxy(causes):
        return _of_connect(sent, status)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _of_certificate(sent, cause, _peer(sent, causes))
    if any("Auth" in type(cause).__name__ for cause in _raised_by_socks(causes)):
        refused = f"{sent.proxy} refused the user name and password, or requires them"
        return PermanentError(refused, refused, PROXY_LOGIN, details=[sent.description])
    for classify in (_of_tls, _of_name, _of_connecting, _of_socks, _of_answer):
        if found := classify(sent, causes):
            reason, *hints = found
            return TransientError(reason, reason, *hints, details=[sent.description])
    return TransientError("connection lost", "connection lost", details=[sent.description])


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


def _peer(sent: SentRequest, causes: list[BaseException]) -> str:
    """Whose TLS or certificate is meant: urllib3 raises a ProxyError up to the proxy's own."""
    return sent.proxy if sent.proxy and _has(causes, ProxyError) else sent.host


Words = tuple[str, ...] | None  # what happened, then what to do


def _of_tls(sent: SentRequest, causes: list[BaseException]) -> Words:
    """A TLS handshake that failed for another reason than the certificate."""
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            words = (getattr(cause, "reason", None) or "").replace("_", " ").lower()
            failed = "the TLS handshake failed"
            if isinstance(cause, ssl.SSLEOFError) or "eof" in words:
                return (f"{failed}: connection lost",)
            if not re.fullmatch("[a-z0-9 .]{1,80}", words):
                return (failed,)
            if words in ("wrong version number", "http request", "record layer failure"):
                message = f"{failed}: {_peer(sent, causes)} does not speak TLS ({words})"
                hint = "The proxy's address begins with https://: write http:// there."
                return (message, hint) if _has(causes, ProxyError) else (message,)
            hints = (hint for key, hint in _TLS_HINTS.items() if key in words)
            return (f"{failed}: {words}", *hints)
    return None


def _of_name(sent: SentRequest, causes: list[BaseException]) -> Words:
    """A host or proxy whose name does not resolve."""
    if not any(isinstance(cause, socket.gaierror) for cause in causes):
        return None
    # PySocks has reached a proxy before it raises this, and resolves the host's name for socks5://.
    is_behind = any(type(cause).__name__ == "GeneralProxyError" for cause in causes)
    proxy = None if is_behind else sent.proxy
    hint = "Check the network or DNS."
    if is_behind:
        hint = "With socks5h:// or socks4a:// the proxy resolves it."
    if sent.host_settings and not proxy:
        hint = "Check the region and the edge, the network and DNS."
    return (f"could not resolve {proxy or sent.hostname}", hint)


def _of_socks(sent: SentRequest, causes: list[BaseException]) -> Words:
    """What a SOCKS proxy answered, in the words that PySocks has for its number."""
    raised = _raised_by_socks(causes)
    for cause in raised:
        text = str(getattr(cause, "msg", ""))
        if match := re.fullmatch(r"0x[0-9a-fA-F]+: ([A-Za-z ,-]{1,80})", text):
            return (f"{sent.proxy} could not connect: {match[1].lower()}",)
    if any(type(cause).__name__ == "GeneralProxyError" for cause in raised):
        return (f"{sent.proxy} did not answer as a SOCKS proxy",)
    return None


def _of_connecting(sent: SentRequest, causes: list[BaseException]) -> Words:
    """A connection that could not be made, or did not last."""
    peer = sent.proxy or sent.host
    numbers = [number for cause in causes if isinstance(number := getattr(cause, "errno", 0), int)]
    numbers = [number for number in numbers if number > 0]
    if errno.ECONNREFUSED in numbers or _has(causes, ConnectionRefusedError):
        return (f"connection refused by {peer}", _check_address(sent))
    if any(number in _LOST for number in numbers):
        return ("connection lost",)
    if errno.ETIMEDOUT in numbers:
        return (f"connection to {peer} timed out", _check_address(sent))
    if _has(causes, MemoryError):
        return (f"could not reach {peer}: {strerror(errno.ENOMEM)}",)
    if numbers:
        hints = (_HINTS[number] for number in numbers[:1] if number in _HINTS)
        return (f"could not reach {peer}: {strerror(numbers[0])}", *hints)
    if _has(causes, ConnectTimeoutError, requests.ConnectTimeout) and not _has(
        causes, NewConnectionError
    ):
        return (f"connection to {peer} timed out", _check_address(sent))
    return None


def _check_address(sent: SentRequest) -> str:
    if sent.proxy:
        return "Check the proxy's address, and the network."
    return "Check TWBUILD_API_URL." if sent.settings.replaced else _CHECK_NETWORK


def _of_answer(sent: SentRequest, causes: list[BaseException]) -> Words:  # noqa: ARG001
    """An answer that did not come, or not as HTTP has it."""
    if _has(causes, requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        return ("timed out waiting for an answer",)
    if _has(causes, urllib3.exceptions.IncompleteRead, http.client.IncompleteRead):
        return ("the answer was cut short",)
    if _has(causes, http.client.RemoteDisconnected):
        return ("connection lost",)
    if _has(causes, http.client.LineTooLong):
        return ("the answer has a header line of over 64 KiB",)
    if _has(causes, http.client.BadStatusLine, http.client.UnknownProtocol):
        return ("the answer is not HTTP",)
    if _has(causes, urllib3.exceptions.InvalidHeader):
        return ("the answer has headers that contradict each other",)
    if any(type(cause) is http.client.HTTPException for cause in causes):
        return ("the answer has over 100 header lines",)
    return None


def _has(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _refused_by_proxy(causes: list[BaseException]) -> int | None:
    """The HTTP status of a CONNECT that was refused; http.client tells it in a text only."""
    for cause in causes:
        text = str(cause.args[0]) if isinstance(cause, OSError) and cause.args else ""
        if match := re.match(r"Tunnel connection failed: ([0-9]{3})\b", text):
            return int(match[1])
    return None


def _of_connect(sent: SentRequest, status: int) -> FetchError:
    reason = f"the {sent.proxy or 'proxy'} refused CONNECT: HTTP {status}"
    error = TransientError if is_transient(status) else PermanentError
    hints = [PROXY_LOGIN] if status == 407 else []
    return error(reason, reason, *hints, details=[sent.description], http_status=status)


def _of_certificate(
    sent: SentRequest, error: ssl.SSLCertVerificationError, peer: str
) -> PermanentError:
    code = error.verify_code
    words = re.sub(r"[^ -~]", "", error.verify_message)[:200].strip().rstrip(".")
    hints = []
    if code in _UNKNOWN_AUTHORITY:
        paths = (*_BUNDLES, ssl.get_default_verify_paths().openssl_cafile)
        own = next(filter(os.path.isfile, paths), None)
        hints = [
            "Set REQUESTS_CA_BUNDLE to a file with the CA certificate of your company or proxy"
            + (f" (this machine's own: {own})" if own else "")
        ]
        words = f"signed by an unknown authority ({words})"
    elif code in _CLOCK:
        now = datetime.now(timezone.utc)
        hints = [f"Check this machine's clock: it says {now:%Y-%m-%d %H:%M} UTC."]
    elif code in _STRICT:
        hints = [
            "Python 3.13 and newer verify more strictly. Ask the issuer of the certificate for a",
            "CA certificate that follows RFC 5280, or run twbuild with Python 3.12.",
        ]
    reason = f"the certificate of {peer} does not verify: {words}"
    return PermanentError(reason, reason, *hints, details=[sent.description])
