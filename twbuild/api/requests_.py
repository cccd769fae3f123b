"""requests, without what it loads only to guess the encoding of texts: JSON is UTF-8.

That is a tenth of its size and of a short run. requests copes with both guessers missing, but
warns, as it warns of a version that it dislikes.
"""

from __future__ import annotations

import sys
import warnings

_GUESSERS = [name for name in ("chardet", "charset_normalizer") if name not in sys.modules]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sys.modules.update(dict.fromkeys(_GUESSERS))  # type: ignore[arg-type]
    import requests as requests  # noqa: PLC0414 - for others to take from here
for _name in _GUESSERS:
    del sys.modules[_name]
