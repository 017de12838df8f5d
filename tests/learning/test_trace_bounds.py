"""Traces that are long, large, too alike or contradictory: bounded work, a clear refusal."""

from typing import Any

import pytest

from podium.domain.trace import Trace, TracedCall
from podium.monitor.traces.cleaning import MOST_CALLS
from podium.monitor.traces.compiler import Compiled, Refusal, compile_traces
from podium.monitor.traces.solving import Budget
from tests.learning.recorded import new_evaluator


def read(tool: str, arguments: dict[str, Any], value: Any) -> TracedCall:
    return TracedCall("s", tool, arguments, value, effects="read")


def write(tool: str, arguments: dict[str, Any], value: Any = None) -> TracedCall:
    return TracedCall("s", tool, arguments, value, effects="write")


def compiled(*traces: Trace, work: int | None = None) -> Compiled | Refusal:
    return compile_traces(traces, new_evaluator(), work=work)


def test_five_hundred_rounds_over_one_list_are_two_steps() -> None:
    names = [f"file-{number:03}.txt" for number in range(MOST_CALLS - 1)]
    calls = [read("list", {"directory": "/srv/data"}, {"files": names})]
    calls += [read("read", {"path": name}, {"text": name.upper()}) for name in names]

    result = compiled(Trace("long", tuple(calls)))

    assert isinstance(result, Compiled)
    assert [step.get("iterations") for step in result.composition["steps"]] == [None, "list.files"]


def test_a_trace_of_more_calls_than_the_bound_is_refused() -> None:
    calls = [write("note", {"text": f"note {number}"}) for number in range(MOST_CALLS + 1)]

    result = compiled(Trace("long", tuple(calls)))

    assert isinstance(result, Refusal)
    assert (result.code, str(MOST_CALLS) in result.message) == ("too_long", True)


def test_five_hundred_calls_without_a_pattern_are_refused_as_too_many_steps() -> None:
    calls = [write(f"tool_{number}", {"x": f"X-{number}"}) for number in range(MOST_CALLS)]

    result = compiled(Trace("long", tuple(calls)))

    assert isinstance(result, Refusal)
    assert result.code == "too_many_steps"


def test_the_bound_on_work_gives_a_refusal() -> None:
    rows = [{"a": n % 7, "b": f"name {n % 5}", "c": f"K-{n % 9}"} for n in range(50)]
    calls = [read("dump", {}, {"rows": rows}), write("save", {"a": 3, "b": "name 2", "c": "K-4"})]

    result = compiled(Trace("t", tuple(calls)), work=5)

    assert isinstance(result, Refusal)
    assert result.code == "too_much_work"


@pytest.mark.parametrize("shape", ["long list", "long text", "deep", "wide"])
def test_a_result_of_five_megabytes_costs_bounded_work(shape: str) -> None:
    deep: Any = "bottom"
    for _ in range(90):
        deep = {"in": deep}
    values: dict[str, Any] = {
        "long list": [{"id": f"row-{n}", "text": "x" * 40} for n in range(70_000)],
        "long text": "word " * 1_000_000,
        "deep": [deep] * 500,
        "wide": {f"key {n}": f"value {n}" for n in range(100_000)},
    }
    calls = [
        read("dump", {"table": "T-100"}, {"data": values[shape], "next_step": "step-774"}),
        read("load", {"step": "step-774"}, {"n": 1}),
    ]

    result = compiled(Trace("large", tuple(calls)), work=200_000)

    assert isinstance(result, Compiled)
    assert result.composition["steps"][1]["input_mapping"] == {"step": "dump.next_step"}


def test_a_value_in_ten_thousand_places_costs_bounded_work() -> None:
    rows = [{"owner": "ahmed.k", "editor": "ahmed.k", "n": number} for number in range(5_000)]
    calls = [read("dump", {"t": "T-5"}, {"rows": rows}), write("grant", {"to": "ahmed.k"})]

    result = compiled(Trace("t", tuple(calls)), work=100_000)

    assert isinstance(result, Compiled)
    assert result.composition["steps"][1]["input_mapping"]["to"].startswith("dump.rows[0]")
    assert "one conversation only" in result.evidence.fragile[0]


def test_traces_that_differ_in_a_write_are_refused_and_named() -> None:
    one = Trace("first", (read("a", {"id": "K-1"}, {"n": 1}), write("b", {"id": "K-1"})))
    two = Trace("second", (read("a", {"id": "K-2"}, {"n": 1}), write("c", {"id": "K-2"})))

    result = compiled(one, two)

    assert isinstance(result, Refusal)
    assert result.code == "contradictory"
    assert "'first'" in result.message or "'second'" in result.message


def test_a_value_that_a_list_does_not_explain_is_no_loop() -> None:
    calls = [
        read("list", {"q": "Q-1"}, {"ids": ["id-1", "id-2", "id-3"]}),
        write("set", {"id": "id-1", "rank": 17}),
        write("set", {"id": "id-2", "rank": 5}),
        write("set", {"id": "id-3", "rank": 90}),
    ]

    result = compiled(Trace("t", tuple(calls)))

    # Three calls with ranks of the client's own: steps of their own, not a loop with wrong ranks.
    assert isinstance(result, Compiled)
    assert [step["arguments"]["rank"] for step in result.composition["steps"][1:]] == [17, 5, 90]


def test_a_budget_counts_down_to_its_end() -> None:
    budget = Budget(2)

    budget.spend()
    budget.spend()

    assert budget.left == 0


def test_names_of_results_never_stand_in_for_an_optional_param() -> None:
    traces = [
        Trace("a", (read("f", {"q": "alpha-1"}, {"lang": "xx"}), read("g", {"lang": "fr"}, {}))),
        Trace("b", (read("f", {"q": "beta-22"}, {"lang": "yy"}), read("g", {}, {}))),
        Trace("c", (read("f", {"q": "gamma-3"}, {"lang": "zz"}), read("g", {"lang": "en"}, {}))),
    ]

    result = compiled(*traces)

    assert isinstance(result, Compiled)
    properties = result.composition["input_schema"]["properties"]
    assert "lang" not in properties
    assert result.composition["input_schema"]["required"] == ["q"]


def test_no_trace_at_all_is_a_refusal() -> None:
    assert compiled() == Refusal("empty", "there is no trace")


def test_leaving_one_of_three_traces_out_changes_nothing_where_all_agree() -> None:
    traces = [
        Trace(
            f"t{n}",
            (
                read("find", {"name": name}, {"user": {"id": f"usr-{n}{n}{n}"}}),
                read("notes", {"user_id": f"usr-{n}{n}{n}"}, {"notes": []}),
            ),
        )
        for n, name in enumerate(["Alice Roy", "Jean Petit", "Chloé Dubois"])
    ]

    result = compiled(*traces)

    assert isinstance(result, Compiled)
    assert (result.evidence.stable, result.evidence.subsets) == (3, 3)
