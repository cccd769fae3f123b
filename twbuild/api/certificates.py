"""CA certificates from a file or a folder, and what is wrong with one that cannot be used."""

from __future__ import annotations

import os
import re
import ssl
import stat

from twbuild.errors import CommandHint, UsageError
from twbuild.text import pasteable, printable, strerror, visible

MAX_BYTES = 1 << 24  # read to say what is wrong; the bundle of Mozilla has 0.3 MiB

_BLOCK = rb"-----BEGIN CERTIFICATE-----.*?(?:-----END CERTIFICATE-----|(?=-----BEGIN)|\Z)"
_JOINED = rb"-----END [A-Z0-9 ]+-----[ \t]*-----BEGIN"
_WANTED = "Set {} to a file with CA certificates in PEM form, or unset it."
_HASHED = r"[0-9a-f]{8}\.[0-9]+"  # what OpenSSL looks for in a folder
_QUOTES = "\"'"
_DER = b"\x30"  # the first byte of any certificate in DER: an ASN.1 SEQUENCE

# Where distributions keep the certificates that the whole machine trusts.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

Fault = tuple[str, ...]  # what is wrong, then what to do; empty for nothing


def trust(context: ssl.SSLContext, name: str, path: str) -> None:
    """Let `context` verify with the certificates at `path`, which the setting `name` has.

    Only files that can be read without blocking are opened. Raises UsageError.
    """
    fault = _fault(context, path)
    if fault:
        seen = visible(path)
        rest, end = (seen, path.removeprefix(seen)) if path.startswith(seen) else (path, "")
        shown = printable(rest) + ascii(end)[1:-1]
        why, *hints = fault
        hints = hints or [_WANTED.format(name)]
        if path[0] in _QUOTES or path[-1] in _QUOTES:
            hints = ["Remove the quotation marks around it."]
        elif path.startswith("~"):
            hints = ["It begins with ~, which was not expanded. Write $HOME in its place."]
        elif end and os.path.exists(rest):
            hints = [f"Remove {end!a} at its end: {printable(rest)} exists."]
        raise UsageError(f"{name} cannot be used: {shown}: {why}", *hints)


def is_special(path: str) -> bool:
    """Whether something exists at `path` that is no regular file, as a FIFO: opening may block."""
    return os.path.exists(path) and not os.path.isfile(path)


def authority_hint(variable: str | None, path: str) -> str:
    """What to do where a certificate's authority is unknown; `variable` names what was read."""
    paths = (*_BUNDLES, ssl.get_default_verify_paths().openssl_cafile)
    own = next(filter(os.path.isfile, paths), None)
    wanted = "the CA certificate of your company or proxy"
    if variable:
        use = f", or set it to this machine's own: {own}" if own and own != path else ""
        return f"{variable} ({printable(path)}) does not contain it. Add {wanted} to it{use}"
    machine = f" (this machine's own: {own})" if own else ""
    return f"Set REQUESTS_CA_BUNDLE to a file with {wanted}{machine}"


def _fault(context: ssl.SSLContext, path: str) -> Fault:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            context.load_verify_locations(capath=path)
            return _fault_of_folder(path)
        if not stat.S_ISREG(mode):
            return ("not a regular file",)
        context.load_verify_locations(path)
    except ssl.SSLError:
        with open(path, "rb") as file:
            return _fault_of_file(path, file.read(MAX_BYTES))
    except OSError as error:
        return (strerror(error.errno),)
    return ()


def _fault_of_folder(path: str) -> Fault:
    names = os.listdir(path)
    if any(re.fullmatch(_HASHED, name) for name in names):
        return ()
    if not names:
        return ("contains no certificate",)
    rehash = CommandHint("Run: ", pasteable(["openssl", "rehash", path]))
    return ("contains no certificate under the name of its hash", rehash)


def _fault_of_file(path: str, content: bytes) -> Fault:
    if b"-----BEGIN" not in content and content.startswith(_DER):
        words = ["openssl", "x509", "-inform", "der", "-in", path, "-out", "ca.pem"]
        return ("is in DER format, not PEM", CommandHint("Convert it: ", pasteable(words)))
    if re.search(_JOINED, content):
        hint = "Begin a new line before each -----BEGIN CERTIFICATE-----."
        return ("two certificates are joined without a line end", hint)
    for number, block in enumerate(re.findall(_BLOCK, content, re.DOTALL), 1):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
                cadata=block.decode("ascii", "replace") + "\n"
            )
        except (ssl.SSLError, TypeError):
            return (f"certificate {number} in it is damaged", "Copy it again from its source.")
    return ("contains no certificate",)
