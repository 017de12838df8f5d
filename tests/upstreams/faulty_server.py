# ruff: noqa: ARG001, ARG005, PLW0603, PTH110, PTH123, T201 - a script, kept flat on purpose
"""A stdio MCP server that misbehaves on purpose: `faulty_server.py MODE [RECORD]`.

It speaks without any SDK. With RECORD, every message it receives is appended to that file as a
line of JSON, beginning with its own process id. The modes are the keys of the tables below; a mode
that is in none of them behaves well.
"""

import json
import os
import signal
import subprocess
import sys
import time

MODE = sys.argv[1]
RECORD = sys.argv[2] if len(sys.argv) > 2 else None
ECHO = {"name": "echo", "description": "Say it back", "inputSchema": {"type": "object"}}
MODERN = "2026-07-28"
ENDLESS_SECONDS = 600

ODD_TOOLS = [
    ECHO,
    {"name": "no_schema"},
    {"name": "any_of", "inputSchema": {"type": ["object", "null"]}},
    {"name": "no_type", "inputSchema": {"properties": {"a": {"type": "string"}}}},
    {"name": "", "inputSchema": {"type": "object"}},
    {"name": 7, "inputSchema": {"type": "object"}},
    {"name": "x" * 200, "inputSchema": {"type": "object"}},
    {"name": "odd\u001b[31m", "inputSchema": {"type": "object"}},
    "not even an object",
    ECHO,
    {**ECHO, "name": "hints", "annotations": {"readOnlyHint": "yes", "idempotentHint": True}},
    {**ECHO, "name": "null_output", "outputSchema": None, "description": None, "vendor": 1},
]

is_ready = False
lists = 0


def raw(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def out(message):
    raw((json.dumps(message) + "\n").encode())


def answer(identifier, result):
    out({"jsonrpc": "2.0", "id": identifier, "result": result})


def fail(identifier, code, message, data=None):
    error = {"code": code, "message": message, "data": data}
    out({"jsonrpc": "2.0", "id": identifier, "error": error})


def texts(*words):
    return {"content": [{"type": "text", "text": word} for word in words]}


def record(message):
    if RECORD:
        with open(RECORD, "a") as file:
            file.write(json.dumps(message) + "\n")


# --- what happens at the start


def ignore_the_end():
    grandchild = subprocess.Popen([sys.executable, "-c", STUBBORN], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    record({"grandchild": grandchild.pid})


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


def leave_an_orphan():
    grandchild = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep({ENDLESS_SECONDS})"]
    )
    record({"grandchild": grandchild.pid})


def exit_with_words():
    print("\033[31mcannot open the database\033[0m", file=sys.stderr)
    sys.exit(3)


STARTS = {
    "exits_at_start": exit_with_words,
    "never_answers": lambda: time.sleep(ENDLESS_SECONDS),
    "noisy": lambda: [raw(b"INFO starting up, line %d\n" % line) for line in range(50_000)],
    "stubborn": ignore_the_end,
    "orphan": leave_an_orphan,
    "slow_start": lambda: time.sleep(float(os.environ["SLOW_SECONDS"])),
}


# --- what happens in a call


def big(identifier):
    answer(identifier, texts("x" * 20_000_000))


def big_id_last(identifier):
    result = texts("x" * 20_000_000)
    out({"result": result, "jsonrpc": "2.0", "id": identifier})


def deep(identifier):
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    head = b'{"jsonrpc": "2.0", "id": %d, "result": {"structuredContent": ' % identifier
    raw(head + nested + b"}}\n")


def bad_utf8(identifier):
    raw(b'{"jsonrpc":"2.0","id":%d,"result":{"content":"\xff\xfe"}}\n' % identifier)


def noise_then_answer(identifier):
    raw(b"\xff\xfe\x80 binary\nthis is no JSON\n{half a line\n")
    raw(b'{"level": "info", "msg": "a log line in JSON"}\n[1, 2]\n\n')
    for odd in ([1], {"a": 1}, 1.5, None, True):
        out({"jsonrpc": "2.0", "id": odd, "result": {}})
    out({"jsonrpc": "2.0", "method": "notifications/progress", "params": [1]})
    out({"jsonrpc": "2.0", "id": 99_999, "result": texts("not for you")})
    answer(identifier, texts("hi"))
    answer(identifier, texts("twice"))


def flood(identifier):
    for _ in range(50_000):
        params = {"level": "info", "data": "x" * 200}
        out({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
    answer(identifier, texts("hi"))


def noise_flood(identifier):
    for number in range(200_000):
        raw(b"DEBUG step %d of a loop that somebody forgot to silence\n" % number)
    answer(identifier, texts("hi"))


def progress_flood(identifier):
    for number in range(20_000):
        params = {"progressToken": identifier, "progress": number, "message": "x" * 200}
        out({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    answer(identifier, texts("hi"))


def change_flood(identifier):
    for _ in range(20_000):
        out({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    answer(identifier, texts("hi"))


def huge(identifier):
    raw(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"' % identifier)
    for _ in range(100):
        raw(b"x" * 1_000_000)
    raw(b'"}]}}\n')


def drip(identifier):
    for character in json.dumps({"jsonrpc": "2.0", "id": identifier, "result": texts("hi")}):
        raw(character.encode())
        time.sleep(0.01)
    raw(b"\n")


def drip_for_ever(identifier):
    raw(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"' % identifier)
    while True:
        raw(b"x")
        time.sleep(0.05)


def answer_often(identifier):
    for odd in (identifier + 1_000, "nobody", -1):
        answer(odd, texts("not for you"))
    for _ in range(3):
        answer(identifier, texts("hi"))


def close_stdin(identifier):
    time.sleep(0.3)  # so that the calls sent together are all out: none has to wait for a new life
    os.close(0)
    time.sleep(ENDLESS_SECONDS)


def stderr_flood(identifier):
    sys.stderr.write("e" * (8 << 20))
    sys.stderr.flush()
    answer(identifier, texts("hi"))


def ask_for_sampling(identifier):
    out({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}})
    out({"jsonrpc": "2.0", "id": "p1", "method": "ping"})
    for _ in range(2):
        record(json.loads(sys.stdin.readline()))
    answer(identifier, texts("hi"))


def progress(identifier):
    for step in (1, 2):
        params = {"progressToken": identifier, "progress": step, "total": 2, "message": "\033[1mon"}
        out({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    time.sleep(0.2)
    answer(identifier, texts("hi"))


def change_tools(identifier):
    answer(identifier, texts("hi"))
    out({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})


def crash(identifier):
    print("segmentation fault", file=sys.stderr, flush=True)
    os._exit(9)


def crash_once(identifier):
    marker = RECORD + ".crashed"
    if not os.path.exists(marker):
        open(marker, "w").close()
        crash(identifier)
    answer(identifier, texts("hi"))


def ill_while_marked(identifier):
    if os.path.exists(RECORD + ".ill"):
        bad_utf8(identifier)
    else:
        answer(identifier, texts("hi"))


def take_a_second(identifier):
    time.sleep(1)
    answer(identifier, texts("hi"))


def close_stdout(identifier):
    os.close(1)
    time.sleep(ENDLESS_SECONDS)


CALLS = {
    "crashes": crash,
    "crashes_once": crash_once,
    "hangs": lambda identifier: None,
    "big": big,
    "big_id_last": big_id_last,
    "deep": deep,
    "bad_utf8": bad_utf8,
    "noise_then_answer": noise_then_answer,
    "flood": flood,
    "stderr_flood": stderr_flood,
    "noise_flood": noise_flood,
    "progress_flood": progress_flood,
    "change_flood": change_flood,
    "huge": huge,
    "drip": drip,
    "drips_for_ever": drip_for_ever,
    "answers_often": answer_often,
    "closes_stdin": close_stdin,
    "asks_for_sampling": ask_for_sampling,
    "progress": progress,
    "changes_tools": change_tools,
    "closes_stdout": close_stdout,
    "takes_a_second": take_a_second,
    "ill_while_marked": ill_while_marked,
    "stuck": lambda identifier: time.sleep(ENDLESS_SECONDS),
    "error_result": lambda i: answer(i, {**texts("no such file"), "isError": True}),
    "rpc_error": lambda i: fail(i, -32602, "\033[31munknown\033[0m tool\u0007 " + "x" * 2000),
    "odd_error": lambda i: out({"jsonrpc": "2.0", "id": i, "result": {}, "error": "broken"}),
    "input_required": lambda i: answer(i, {"resultType": "input_required", "inputRequests": {}}),
    "task": lambda i: answer(i, {"resultType": "task", "taskId": "1"}),
    "no_content": lambda i: answer(i, {"bogus": 1}),
    "structured_only": lambda i: answer(i, {"structuredContent": {"a": 1}}),
    "null_structured": lambda i: answer(i, {**texts("hi"), "structuredContent": None}),
    "odd_content": lambda i: answer(i, {"content": ["x", {"type": "hologram", "vendor": 1}]}),
    "list_result": lambda i: answer(i, [1, 2]),
}


# --- what it lists


def page(params):
    cursor = int((params or {}).get("cursor", 0))
    tools = [{**ECHO, "name": f"tool_{cursor}_{n}"} for n in range(3)]
    is_last = MODE == "paged" and cursor == 2
    return {"tools": tools} if is_last else {"tools": tools, "nextCursor": str(cursor + 1)}


def is_second_life():
    with open(RECORD) as file:
        return sum('"pid"' in line for line in file) > 1


def tools(params):
    global lists
    lists += 1
    if MODE in ("paged", "endless_pages"):
        return page(params)
    if MODE == "same_cursor":
        return {"tools": [{**ECHO, "name": f"tool_{lists}"}], "nextCursor": "again"}
    if MODE == "odd_tools":
        return {"tools": ODD_TOOLS}
    if MODE == "tools_no_list":
        return {"tools": {"echo": ECHO}}
    if MODE == "other_tools_next_time" and is_second_life():
        return {"tools": [{**ECHO, "name": "renamed"}]}
    if MODE == "changes_tools" and lists > 1:
        return {"tools": [{**ECHO, "name": "renamed"}]}
    return {"tools": [ECHO]}


# --- the two eras

KNOWS_DISCOVER = ("modern", "slow_start", "input_required")


def discover(identifier):
    if MODE == "silent_discover":
        return
    if MODE == "dies_of_discover":
        sys.exit(1)
    if MODE not in KNOWS_DISCOVER:
        fail(identifier, -32601, "Method not found")
        return
    capabilities = {"tools": {}}
    answer(identifier, {"supportedVersions": [MODERN], "capabilities": capabilities})


def initialize(identifier):
    global is_ready
    if MODE in KNOWS_DISCOVER:
        data = {"supported": [MODERN], "requested": "2025-11-25"}
        fail(identifier, -32022, "Unsupported protocol version", data)
        return
    is_ready = True
    version = "1999-01-01" if MODE == "old_revision" else "2025-11-25"
    server = {"name": "faulty", "version": "1"}
    capabilities = {} if MODE == "no_tools" else {"tools": {"listChanged": True}}
    result = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": server}
    answer(identifier, result)


def handle(message):
    identifier, method, params = message["id"], message.get("method"), message.get("params")
    if method == "server/discover":
        discover(identifier)
    elif method == "initialize":
        initialize(identifier)
    elif MODE == "refuses_early_requests" and not is_ready:
        fail(identifier, -32600, "Received a request before initialization")
    elif method == "tools/list" and MODE == "no_tools":
        fail(identifier, -32601, "Method not found")
    elif method == "tools/list":
        answer(identifier, tools(params))
    elif method == "tools/call" and MODE in CALLS:
        CALLS[MODE](identifier)
    elif method == "tools/call":
        answer(identifier, texts(json.dumps(params["arguments"])))
    else:
        fail(identifier, -32601, "Method not found")


def main():
    record({"pid": os.getpid()})
    STARTS.get(MODE, lambda: None)()
    for line in iter(sys.stdin.readline, ""):
        message = json.loads(line)
        record(message)
        if "id" in message:
            handle(message)
    if MODE == "stubborn":
        time.sleep(ENDLESS_SECONDS)


main()
