"""A stdio MCP server over a small shop: `shop_server.py DESCRIPTION`, without any SDK.

DESCRIPTION is a file that says what `find_customer` is for; it is read at every `tools/list`. A
call of `announce` says that the list has changed. The orders of customer `odd` are no list.
"""

import json
import sys
from pathlib import Path

CUSTOMERS = {
    "Alice Roy": ("cus-101", ["ord-9001"]),
    "Jean Petit": ("cus-202", ["ord-9002"]),
    "Chloé Dubois": ("cus-303", ["ord-9003"]),
    "Dora Klein": ("cus-404", ["ord-9004"]),
    "Émile Faure": ("cus-505", ["ord-9005"]),
    "Nobody New": ("cus-606", []),
    "Rose Often": ("cus-707", ["ord-9071", "ord-9072", "ord-9073"]),
    "Hugo Twice": ("cus-808", ["ord-9081", "ord-9082"]),
}
PARCELS = {"ord-9001": "par-71", "ord-9002": "par-82", "ord-9003": "par-93", "ord-9004": "par-14"}
PLACES = {"par-71": "Lyon", "par-82": "Nantes", "par-93": "Lille", "par-14": "Brest"}


def find_customer(name):
    return {"customer": {"id": CUSTOMERS[name][0], "name": name, "country": "FR"}}


def list_orders(customer_id, page=1):  # noqa: ARG001 - asked for, and always the first
    if customer_id == "odd":
        return {"orders": "none"}
    found = [
        order for owner, orders in CUSTOMERS.values() if owner == customer_id for order in orders
    ]
    return {"orders": [{"id": order, "state": "sent"} for order in found]}


def get_order(order_id):
    return {"order": {"id": order_id, "parcel_id": PARCELS.get(order_id, "par-55"), "items": 2}}


def track_parcel(parcel_id):
    return {"parcel": parcel_id, "place": PLACES.get(parcel_id, "Metz"), "days": 2}


def note(text):
    return {"noted": text}


def dump(bytes):  # noqa: A002 - the argument's name
    return {"rows": [{"id": f"row-{n}", "text": "x" * 90} for n in range(bytes // 120)]}


TOOLS = {
    "find_customer": (find_customer, {"name": {"type": "string"}}),
    "list_orders": (list_orders, {"customer_id": {"type": "string"}}),
    "get_order": (get_order, {"order_id": {"type": "string"}}),
    "track_parcel": (track_parcel, {"parcel_id": {"type": "string"}}),
    "note": (note, {"text": {"type": "string"}}),
    "dump": (dump, {"bytes": {"type": "integer"}}),
    "announce": (None, {}),
}


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listed(_params):
    described = Path(sys.argv[1]).read_text(encoding="utf-8")
    return {
        "tools": [
            {
                "name": name,
                "description": described if name == "find_customer" else f"Does {name}.",
                "inputSchema": {
                    "type": "object",
                    "properties": properties,
                    "required": list(properties),
                },
                "annotations": {"readOnlyHint": name != "note"},
            }
            for name, (_, properties) in TOOLS.items()
        ]
    }


def called(params):
    function, _ = TOOLS[params["name"]]
    if function is None:
        say({"method": "notifications/tools/list_changed"})
        return {"content": [{"type": "text", "text": "announced"}]}
    try:
        value = function(**params["arguments"])
    except KeyError as error:
        text = f"there is nobody called {error}"
        return {"content": [{"type": "text", "text": text}], "isError": True}
    text = json.dumps(value)
    return {"content": [{"type": "text", "text": text}], "structuredContent": value}


def welcomed(_params):
    return {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "shop", "version": "1"},
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
