"""What the conformance suite starts as a client: it has its scenario played, and ends as that went.

The suite starts all its clients at once. Podium plays the scenarios in one process beside
(`conformance_user`), a few at a time; this stays small, and stands alone on the standard library.
"""

import json
import os
import socket
import sys


def main() -> int:
    """Pass on what the suite says in arguments and environment; return the exit code."""
    port, url = sys.argv[1:]
    asked = {
        "name": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "version": os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}"),
        "url": url,
    }
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        connection.sendall(json.dumps(asked).encode() + b"\n")
        with connection.makefile() as answer:
            failure = json.loads(answer.readline())["failure"]
    if failure:
        sys.stderr.write(failure + "\n")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
