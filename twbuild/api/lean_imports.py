"""Import requests without modules that it needs for nothing."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

# urllib3 and requests load these if they are installed; twbuild needs none: they guess encodings of
# text, decompress what was not requested, and parse JSON.
_OPTIONAL = (
    "chardet",
    "charset_normalizer",
    "brotli",
    "brotlicffi",
    "backports.zstd",
    "compression.zstd",
    "simplejson",
)


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Import requests in here: without these modules a short run takes a tenth less.

    requests works without them, but warns, as it warns of versions that it was not tested with.
    """
    modules: dict[str, Any] = dict.fromkeys(_OPTIONAL)
    modules["importlib.metadata"] = SimpleNamespace(version=_version)  # urllib3: for HTTP/2 alone
    replaced = [name for name in modules if name not in sys.modules]
    sys.modules.update({name: modules[name] for name in replaced})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in replaced:
            del sys.modules[name]


def _version(name: str) -> Any:
    return importlib.import_module("importlib.metadata").version(name)
