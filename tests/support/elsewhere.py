"""A network of its own, whose hosts file leads localhost to another machine.

`unshare … python -m tests.support.elsewhere URL WORDS` runs the command WORDS there, `{port}` in
URL replaced, and prints its exit code and the connections to this machine and to the other one.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
from contextlib import ExitStack

from tests.support.sockets import Server, answering, good

OTHER = "192.0.2.1"


def main(url: str, *words: str) -> None:
    """Make the network, and run the command in it."""
    with tempfile.NamedTemporaryFile("w") as hosts, ExitStack() as stack:
        hosts.write(f"{OTHER} localhost\n")
        hosts.flush()
        for command in (
            f"mount --bind {hosts.name} /etc/hosts",
            "ip link set lo up",
            f"ip address add {OTHER}/32 dev lo",
        ):
            subprocess.run(command.split(), check=True)
        context = None
        if url.startswith("https"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.environ["CERTIFICATE"])
        here = stack.enter_context(Server(answering(good("completed")), context))
        other = Server(answering(good("failed")), context, host=OTHER, port=here.port)
        stack.enter_context(other)
        env = {**os.environ, "TWBUILD_API_URL": url.format(port=here.port)}
        done = subprocess.run(words, env=env, check=False, stdout=subprocess.DEVNULL)
        print(json.dumps([done.returncode, here.accepted, other.accepted]))


if __name__ == "__main__":
    main(*sys.argv[1:])
