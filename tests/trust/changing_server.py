# ruff: noqa: PTH123 - a script, kept flat on purpose
"""A stdio MCP server whose tools stand in a file: `changing_server.py TOOLS.json [CALLS]`.

It reads the file at every `tools/list`, and speaks without any SDK. A call of `announce` says that
the list has changed, one of `big` returns 5,000 characters. With CALLS, the name of each tool that
was called is appended to that file.
"""

import json
import sys


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listed(_params):
    with open(sys.argv[1], encoding="utf-8") as file:
        return {"tools": json.load(file)}


def called(params):
    if len(sys.argv) > 2:
        with open(sys.argv[2], "a", encoding="utf-8") as file:
            file.write(params["name"] + "\n")
    if params["name"] == "announce":
        say({"method": "notifications/tools/list_changed"})
    text = "x" * 5_000 if params["name"] == "big" else f"{params['name']} done"
    return {"content": [{"type": "text", "text": text}]}


def welcomed(_params):
    return {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "changing", "version": "1"},
    }


ANSWERS = {"initialize": welcomed, "tools/list": listed, "tools/call": called}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answer = ANSWERS.get(request["method"])
    if answer is None:
        say({"id": request["id"], "error": {"code": -32601, "message": "unknown method"}})
    else:
        say({"id": request["id"], "result": answer(request.get("params", {}))})
