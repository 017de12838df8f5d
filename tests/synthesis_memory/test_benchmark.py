"""The benchmark of synthesis: its measures by hand, and a run over a tiny set."""

import json
from pathlib import Path

import pytest

from benchmarks.synthesis import judged, main, voted


@pytest.mark.parametrize(
    ("found", "needed", "node", "link", "exact"),
    [
        ("ab", "ab", 1.0, 1.0, 1.0),
        ("ba", "ab", 1.0, 0.0, 1.0),
        ("abc", "ab", 0.8, 2 / 3, 0.0),
        ("a", "ab", 2 / 3, 0.0, 0.0),
        ("a", "a", 1.0, 1.0, 1.0),
        ("cd", "ab", 0.0, 0.0, 0.0),
        ("", "ab", 0.0, 0.0, 0.0),
    ],
)
def test_the_measures_are_those_worked_out_by_hand(
    found: str, needed: str, node: float, link: float, exact: float
) -> None:
    assert judged(tuple(found), tuple(needed)) == pytest.approx((node, link, exact))


def test_a_vote_takes_as_many_tools_as_its_plans_have_in_their_order() -> None:
    plans = [(("login", "pay"), 0.9), (("login", "balance"), 0.5), (("login", "pay"), 0.4)]

    assert voted(plans) == ("login", "pay")


def test_the_benchmark_runs_over_a_tiny_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_set(tmp_path)
    monkeypatch.setattr("sys.argv", ["synthesis.py", str(tmp_path)])

    code = main()

    printed = capsys.readouterr().out
    assert code == 0
    assert "3 tools, 6 past requests, 2 asked" in printed
    assert "podium, 6 past requests" in printed
    assert "the targets are reached" in printed


def test_without_data_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["synthesis.py", str(tmp_path)])

    assert main() == 2
    assert "There is no gnn4plan_data.json" in capsys.readouterr().err


def write_tiny_set(folder: Path) -> None:
    trains = [f"Find a train to {city}" for city in ("Rome", "Oslo", "Nice")]
    seats = [f"Take my seat {seat} back" for seat in ("A1", "B2", "C3")]
    asked = ["Find a train to Lyon", "Take my seat D4 back"]
    rows = [
        {
            "id": str(number),
            "user_request": text,
            "task_nodes": [{"task": "search"}, {"task": "book" if "train" in text else "cancel"}],
        }
        for number, text in enumerate([*trains, *seats, *asked])
    ]
    nodes = [{"id": name, "desc": f"{name} a thing"} for name in ("search", "book", "cancel")]
    (folder / "gnn4plan_data.json").write_text("\n".join(map(json.dumps, rows)))
    (folder / "gnn4plan_split_ids.json").write_text('{"test_ids": {"chain": ["6", "7"]}}')
    (folder / "gnn4plan_tool_desc.json").write_text(json.dumps({"nodes": nodes}))
