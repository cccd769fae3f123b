"""Twilio's API: requests out, models or typed errors back."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
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


class _Metadata(ModuleType):
    """importlib.metadata, loaded only if used: urllib3 imports it for HTTP/2 alone."""

    def version(self, name: str) -> Any:
        return self.__getattr__("version")(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system looks for
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Import requests in here without modules that it needs for nothing: a tenth of a short run.

    requests works without them, but warns, as it warns of versions that it was not tested with.
    """
    modules: dict[str, Any] = dict.fromkeys(_OPTIONAL)
    modules["importlib.metadata"] = _Metadata("importlib.metadata")
    replaced = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(replaced)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, module in replaced.items():
            if name in sys.modules and sys.modules[name] is module:
                del sys.modules[name]
