"""What was seen to work: flows read from compositions and from traces."""

from typing import Any

from podium.compositions.synthesizer.flows import flows_of, flows_of_traces
from podium.domain.composition import Composition
from podium.domain.synthesis import Flow
from podium.domain.trace import Trace, TracedCall


def test_arguments_that_read_earlier_steps_are_flows_rounds_included() -> None:
    composition = Composition.model_validate(
        {
            "id": "many",
            "steps": [
                {
                    "id": "find", "server_id": "crm", "tool_id": "find",
                    "input_mapping": {"name": "who"},
                },
                {
                    "id": "orders", "server_id": "crm", "tool_id": "orders",
                    "input_mapping": {"customer": "find.customers[0].id"},
                },
                {
                    "id": "detail", "server_id": "crm", "tool_id": "order",
                    "iterations": "orders.orders", "input_mapping": {"order": "$item.ref"},
                },
                {
                    "id": "mark", "server_id": "crm", "tool_id": "mark",
                    "iterations": "orders.orders", "as": "one",
                    "input_mapping": {"order": "$one.ref", "at": "orders.orders[i].date"},
                },
                {
                    "id": "sum", "server_id": "crm", "tool_id": "sum",
                    "input_mapping": {"total": "$sum(orders.orders.total)"},
                },
            ],
        }
    )  # fmt: skip

    assert flows_of([composition]) == {
        Flow("crm.find", "customers.id", "crm.orders", "customer"),
        Flow("crm.orders", "orders.ref", "crm.order", "order"),
        Flow("crm.orders", "orders.ref", "crm.mark", "order"),
        Flow("crm.orders", "orders.date", "crm.mark", "at"),
    }


def test_two_different_values_in_common_are_a_flow() -> None:
    traces = [trace("Dupont", "cus_8812"), trace("Martin", "cus_4410")]

    assert flows_of_traces(traces) == {Flow("crm.find", "found.ref", "crm.orders", "customer")}


def test_one_value_or_the_same_one_twice_is_no_flow() -> None:
    traces = [trace("Dupont", "cus_8812"), trace("Dupont", "cus_8812")]

    assert flows_of_traces(traces) == frozenset()


def test_short_values_are_the_same_by_chance() -> None:
    assert flows_of_traces([trace("Dupont", "12"), trace("Martin", "13")]) == frozenset()


def test_a_result_that_echoes_the_request_is_no_flow() -> None:
    traces = [
        trace("Dupont", "cus_8812", request="orders of cus_8812"),
        trace("Martin", "cus_4410", request="orders of cus_4410"),
    ]

    assert flows_of_traces(traces) == frozenset()


def test_a_result_that_echoes_an_argument_is_no_flow() -> None:
    traces = [
        Trace(
            value, (call("a.first", {"x": value}, {"x": value}), call("b.second", {"y": value}, 0))
        )
        for value in ["value-one", "value-two"]
    ]

    assert flows_of_traces(traces) == frozenset()


def trace(name: str, ref: str, request: str = "") -> Trace:
    found = {"found": [{"ref": ref, "name": name}]}
    calls = (call("crm.find", {"name": name}, found), call("crm.orders", {"customer": ref}, {}))
    return Trace(name, calls, request=request)


def call(tool: str, arguments: dict[str, Any], value: Any) -> TracedCall:
    server_id, _, tool_id = tool.partition(".")
    return TracedCall(server_id, tool_id, arguments, value)
