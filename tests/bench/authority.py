"""A test authority: `python -m tests.bench.authority FOLDER`, run in a process of its own.

It loads trustme, which would make the process that measures larger than those that it measures.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import certifi

from tests.support.authority import Authority


def create(folder: Path) -> None:
    """Write `server.pem`, and a copy of certifi that trusts the authority which signed it.

    The copy, on PYTHONPATH, is what requests trusts where no variable names a bundle. Its
    `cacert.pem` is a bundle as large as real ones are.
    """
    authority = Authority(folder)
    authority.key_file("127.0.0.1")
    copy = folder / "certifi"
    shutil.copytree(Path(certifi.__file__).parent, copy)
    authority.ca.cert_pem.write_to_path(str(copy / "cacert.pem"), append=True)


if __name__ == "__main__":
    create(Path(sys.argv[1]))
