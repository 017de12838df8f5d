"""What one misbehaving upstream does to its own calls and to the others, over real processes."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.errors import (
    ArgumentInvalidError,
    MissingVariableError,
    ResultTooLargeError,
    UnknownServerError,
    UnknownToolError,
    UpstreamClosedError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from podium.domain.limits import Limits
from podium.domain.tool import QuarantinedTool, ToolResult
from podium.upstreams.settings import UpstreamSettings
from tests.upstreams.conftest import (
    EraNotes,
    PoolMaker,
    SettableClock,
    eventually,
    faulty,
    is_running,
    methods,
    processes,
    received,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HI = ToolResult(content=({"type": "text", "text": "hi"},))


async def test_dead_slow_and_malformed_upstreams_never_hide_the_others(pool_of: PoolMaker) -> None:
    pool = pool_of(
        faulty("exits_at_start", server_id="dead"),
        faulty("never_answers", server_id="slow", start_seconds=2),
        faulty("odd_tools", server_id="malformed"),
        UpstreamSettings("missing", command="no-such-program-anywhere"),
        UpstreamSettings("unset", command="x", fault=MissingVariableError("$TOKEN is not set")),
        UpstreamSettings("off", command="x", disabled=True),
        faulty("well", server_id="good"),
    )

    async with pool:
        await pool.start_all()
        states = {status.server_id: status for status in pool.statuses()}
        found = [match.tool.full_name for match in await pool.search("", 100)]
        answer = await pool.call_tool("good", "echo", {"é": 1})

    assert {name: status.state for name, status in states.items()} == {
        "dead": "failed",
        "slow": "failed",
        "malformed": "ready",
        "missing": "failed",
        "unset": "failed",
        "off": "disabled",
        "good": "ready",
    }
    assert states["dead"].reason == (
        "while starting it exited with status 3; its last words on stderr: cannot open the database"
    )
    assert states["slow"].reason == "it did not get ready within 2 s"
    assert "'no-such-program-anywhere' was not found on PATH" in states["missing"].reason
    assert str(Path(sys.executable).parent) in states["missing"].reason
    assert states["unset"].reason == "$TOKEN is not set"
    assert found == [
        "malformed.echo",
        "malformed.no_type",
        "malformed.hints",
        "malformed.null_output",
        "good.echo",
    ]
    assert answer.value() == {"é": 1}


async def test_malformed_tools_are_set_aside_one_by_one_with_the_reason(pool_of: PoolMaker) -> None:
    async with pool_of(faulty("odd_tools")) as pool:
        await pool.start_all()
        (status,) = pool.statuses()
        hints = await pool.tool("faulty", "hints")
        with pytest.raises(UnknownToolError) as refused:
            await pool.tool("faulty", "no_schema")

    assert status.tools == 4
    assert status.quarantined == (
        QuarantinedTool("no_schema", "it has no inputSchema"),
        QuarantinedTool("any_of", "its inputSchema is of type ['object', 'null'], not 'object'"),
        QuarantinedTool("tool 5 of the list", "it has no name"),
        QuarantinedTool("tool 6 of the list", "it has no name"),
        QuarantinedTool("x" * 59 + "…", "its name is longer than 128 characters"),
        QuarantinedTool("odd", "its name holds control or invisible characters"),
        QuarantinedTool("tool 9 of the list", "its definition is no JSON object"),
        QuarantinedTool("echo", "another tool has the same name; the first one counts"),
    )
    assert hints.annotations == {"idempotentHint": True}
    assert refused.value.message == "tool 'faulty.no_schema' cannot be used: it has no inputSchema"


@pytest.mark.parametrize(
    ("mode", "error", "code", "words"),
    [
        ("big", ResultTooLargeError, "result_too_large", "longer than 1,000,000 bytes"),
        ("big_id_last", ResultTooLargeError, "result_too_large", "longer than 1,000,000 bytes"),
        ("deep", UpstreamProtocolError, "upstream_protocol", "no valid JSON"),
        ("bad_utf8", UpstreamProtocolError, "upstream_protocol", "no valid JSON"),
        ("list_result", UpstreamProtocolError, "upstream_protocol", "no JSON object"),
        ("no_content", UpstreamProtocolError, "upstream_protocol", "neither content nor"),
        ("odd_error", UpstreamProtocolError, "upstream_protocol", "error that is no object"),
        ("input_required", UpstreamProtocolError, "upstream_protocol", "asks for more input"),
        ("task", UpstreamProtocolError, "upstream_protocol", "answered with a 'task'"),
        ("rpc_error", UpstreamProtocolError, "upstream_protocol", "error -32602: unknown tool x"),
    ],
)
async def test_an_answer_that_cannot_be_used_fails_its_own_call_at_once(
    pool_of: PoolMaker, mode: str, error: type[UpstreamError], code: str, words: str
) -> None:
    async with pool_of(faulty(mode, result_bytes=1_000_000)) as pool:
        with anyio.fail_after(10), pytest.raises(error) as raised:
            await pool.call_tool("faulty", "echo", {})
        tools = await pool.tool("faulty", "echo")
        (status,) = pool.statuses()

    assert (raised.value.code, raised.value.sent) == (code, True)
    assert raised.value.message.startswith("faulty.echo")
    assert words in raised.value.message
    assert "\x1b" not in raised.value.message
    assert len(raised.value.message) < 700
    assert (tools.name, status.state, status.restarts) == ("echo", "ready", 0)


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        ("noise_then_answer", HI),
        ("flood", HI),
        ("stderr_flood", HI),
        ("noisy", ToolResult(content=({"type": "text", "text": "{}"},))),
        ("null_structured", HI),
        ("structured_only", ToolResult(structured={"a": 1}, has_structured=True)),
        ("odd_content", ToolResult(content=({"type": "hologram", "vendor": 1},))),
        (
            "error_result",
            ToolResult(content=({"type": "text", "text": "no such file"},), is_error=True),
        ),
    ],
)
async def test_noise_and_odd_but_usable_answers_come_through(
    pool_of: PoolMaker, mode: str, result: ToolResult
) -> None:
    async with pool_of(faulty(mode)) as pool:
        answer = await pool.call_tool("faulty", "echo", {}, timeout_seconds=30)
        again = await pool.call_tool("faulty", "echo", {}, timeout_seconds=30)

    assert [answer, again] == [result, result]


async def test_a_crash_fails_the_open_calls_at_once_and_the_next_call_restarts(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    failures: list[UpstreamError] = []

    async def call() -> None:
        with pytest.raises(UpstreamClosedError) as raised:
            await pool.call_tool("faulty", "echo", {})
        failures.append(raised.value)

    async with pool_of(faulty("crashes_once", record=record)) as pool:
        await pool.start_all()
        before = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            tasks.start_soon(call)
        seconds = time.monotonic() - before
        answer = await pool.call_tool("faulty", "echo", {})
        (status,) = pool.statuses()

    assert [failure.message for failure in failures] == [
        "faulty.echo: the upstream went away during the call: exited with status 9; "
        "its last words on stderr: segmentation fault"
    ] * 2
    assert seconds < 3
    assert failures[0].sent is True
    assert answer == HI
    assert (status.state, status.restarts) == ("ready", 1)


async def test_an_upstream_that_crashes_in_every_call_is_left_alone_for_a_while(
    pool_of: PoolMaker, clock: SettableClock
) -> None:
    clock.stop()

    async with pool_of(faulty("crashes")) as pool:
        for _ in range(2):
            with pytest.raises(UpstreamClosedError):
                await pool.call_tool("faulty", "echo", {})
        await eventually(lambda: pool.statuses()[0].state == "closed")

        with pytest.raises(UpstreamUnavailableError) as refused:
            await pool.call_tool("faulty", "echo", {})
        clock.added += 1
        with pytest.raises(UpstreamClosedError):
            await pool.call_tool("faulty", "echo", {})

    assert refused.value.sent is False
    assert "it is tried again in 0.5 s" in refused.value.message


async def test_a_failed_start_is_retried_only_after_its_pause_and_the_pauses_grow(
    pool_of: PoolMaker, clock: SettableClock, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    clock.stop()

    async with pool_of(faulty("exits_at_start", record=record)) as pool:
        await pool.start_all()
        first_starts = len(processes(record))
        for _ in range(5):
            with pytest.raises(UpstreamUnavailableError) as refused:
                await pool.call_tool("faulty", "echo", {})
        starts_in_pause = len(processes(record))
        clock.added += 0.6
        await pool.start_all()
        with pytest.raises(UpstreamUnavailableError) as refused_again:
            await pool.tool("faulty", "echo")

    assert starts_in_pause == first_starts
    assert len(processes(record)) > starts_in_pause
    assert "cannot open the database; it is tried again in 0.5 s" in refused.value.message
    assert refused.value.hint == "check mcpServers.faulty in config.yaml"
    assert "it is tried again in 1.0 s" in refused_again.value.message


async def test_a_call_that_takes_too_long_is_cancelled_upstream(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("hangs", record=record)) as pool:
        await pool.start_all()
        before = time.monotonic()
        with pytest.raises(UpstreamTimeoutError) as raised:
            await pool.call_tool("faulty", "echo", {}, timeout_seconds=0.5)
        seconds = time.monotonic() - before
        await eventually(lambda: "notifications/cancelled" in methods(record))

    assert raised.value.message == "faulty.echo did not answer within 0.5 s"
    assert raised.value.sent is True
    assert 0.5 <= seconds < 2


async def test_cancelling_the_caller_cancels_the_call_at_the_upstream(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("hangs", record=record)) as pool:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.call_tool, "faulty", "echo", {})
            await eventually(lambda: "tools/call" in methods(record))
            tasks.cancel_scope.cancel()
        await eventually(lambda: "notifications/cancelled" in methods(record))

    call, cancelled = (
        next(message for message in received(record) if message.get("method") == method)
        for method in ("tools/call", "notifications/cancelled")
    )
    assert cancelled["params"]["requestId"] == call["id"]


async def test_a_call_that_never_got_a_place_was_not_sent(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    settings = faulty("hangs", record=record, concurrent_calls=1)

    async with pool_of(settings) as pool, anyio.create_task_group() as tasks:
        tasks.start_soon(pool.call_tool, "faulty", "echo", {})
        await eventually(lambda: "tools/call" in methods(record))
        with pytest.raises(UpstreamTimeoutError) as raised:
            await pool.call_tool("faulty", "echo", {}, timeout_seconds=0.2)
        tasks.cancel_scope.cancel()

    assert raised.value.sent is False
    assert methods(record).count("tools/call") == 1


async def test_an_upstream_that_no_longer_reads_holds_nobody_beyond_the_limit(
    pool_of: PoolMaker,
) -> None:
    outcomes: list[bool] = []

    async def call(text: str) -> None:
        with pytest.raises(UpstreamTimeoutError) as raised:
            await pool.call_tool("faulty", "echo", {"text": text}, timeout_seconds=1)
        outcomes.append(raised.value.sent)

    async with pool_of(faulty("stuck")) as pool:
        await pool.start_all()
        before = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call, "x" * 500_000)
        seconds = time.monotonic() - before

    assert len(outcomes) == 5
    assert seconds < 4


async def test_an_upstream_that_closes_its_output_but_lives_is_ended(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("closes_stdout", record=record)) as pool:
        with anyio.fail_after(5), pytest.raises(UpstreamClosedError) as raised:
            await pool.call_tool("faulty", "echo", {})
        await eventually(lambda: not any(map(is_running, processes(record))))

    assert "closed its output but went on running" in raised.value.message


async def test_closing_leaves_no_process_even_of_those_that_ignore_sigterm(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    stubborn, orphan, starting = (tmp_path / name for name in ("stubborn", "orphan", "starting"))
    pool = pool_of(
        faulty("stubborn", server_id="stubborn", record=stubborn),
        faulty("orphan", server_id="orphan", record=orphan),
        faulty("never_answers", server_id="starting", record=starting),
    )

    async with pool, anyio.create_task_group() as tasks:
        await pool.tool("stubborn", "echo")
        await pool.tool("orphan", "echo")
        tasks.start_soon(pool.start_all)
        await eventually(lambda: bool(processes(starting)))
        tasks.cancel_scope.cancel()
        before = time.monotonic()
    seconds = time.monotonic() - before

    pids = [*processes(stubborn), *processes(orphan), *processes(starting)]
    assert len(pids) == 5
    await eventually(lambda: not any(map(is_running, pids)))
    assert seconds < 6
    assert {status.state for status in pool.statuses()} == {"closed"}


async def test_cancelling_the_owner_of_the_pool_leaves_no_process(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    with anyio.CancelScope() as scope:
        async with pool_of(faulty("orphan", record=record)) as pool:
            await pool.start_all()
            scope.cancel()
            await anyio.sleep_forever()

    assert len(processes(record)) == 2
    await eventually(lambda: not any(map(is_running, processes(record))))


async def test_a_hundred_first_calls_start_the_upstream_once(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    answers: list[ToolResult] = []

    async def call(number: int) -> None:
        answers.append(await pool.call_tool("faulty", "echo", {"n": number}))

    async with pool_of(faulty("well", record=record)) as pool, anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(call, number)

    assert sorted(answer.value()["n"] for answer in answers) == list(range(100))
    assert methods(record).count("initialize") == 1


async def test_progress_is_forwarded_without_control_characters(pool_of: PoolMaker) -> None:
    steps: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    async with pool_of(faulty("progress")) as pool:
        await pool.call_tool("faulty", "echo", {}, on_progress=on_progress)

    assert steps == [(1, 2, "on"), (2, 2, "on")]


async def test_an_upstream_gets_its_pings_answered_and_everything_else_refused(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("asks_for_sampling", record=record)) as pool:
        answer = await pool.call_tool("faulty", "echo", {})

    replies = {
        message["id"]: message for message in received(record) if message.get("id") in ("s1", "p1")
    }
    assert answer == HI
    assert replies["p1"]["result"] == {}
    assert replies["s1"]["error"]["code"] == -32601


async def test_a_changed_list_of_tools_is_fetched_again(pool_of: PoolMaker) -> None:
    async with pool_of(faulty("changes_tools")) as pool:
        await pool.search("echo", 5)
        await pool.call_tool("faulty", "echo", {})
        await eventually(lambda: [tool.name for tool in pool.tools()] == ["renamed"])
        matches = await pool.search("renamed", 5)
        with pytest.raises(UnknownToolError):
            await pool.tool("faulty", "echo")

    assert [match.tool.name for match in matches] == ["renamed"]


@pytest.mark.parametrize(
    ("mode", "tools", "reason"),
    [
        ("paged", 9, None),
        ("endless_pages", 10, "the upstream lists more than 10 tools; what follows is left out"),
        ("same_cursor", 2, "the upstream's list of tools does not end; what follows is left out"),
        ("no_tools", 0, None),
    ],
)
async def test_pages_of_tools_are_joined_within_bounds(
    pool_of: PoolMaker, mode: str, tools: int, reason: str | None
) -> None:
    async with pool_of(faulty(mode), limits=Limits(tools_per_server=10)) as pool:
        await pool.start_all()
        (status,) = pool.statuses()

    assert (status.state, status.tools) == ("ready", tools)
    assert [quarantined.reason for quarantined in status.quarantined] == (
        [reason] if reason else []
    )


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("old_revision", "it wants the protocol revision '1999-01-01'"),
        ("tools_no_list", "its tools/list holds no list of tools"),
    ],
)
async def test_an_upstream_that_cannot_be_understood_says_so(
    pool_of: PoolMaker, mode: str, words: str
) -> None:
    async with pool_of(faulty(mode)) as pool:
        await pool.start_all()
        (status,) = pool.statuses()

    assert status.state == "failed"
    assert words in status.reason


async def test_the_second_start_of_a_server_that_ignores_discover_is_fast(
    pool_of: PoolMaker, eras: EraNotes, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    settings = faulty("silent_discover", record=record)

    async with pool_of(settings) as first:
        await first.start_all()
    async with pool_of(settings) as second:
        await second.start_all()

    (slow,), (fast,) = first.statuses(), second.statuses()
    assert slow.started_in_ms is not None
    assert fast.started_in_ms is not None
    assert slow.started_in_ms > 2_900
    assert fast.started_in_ms < 2_900
    assert methods(record).count("server/discover") == 1
    assert list(eras.eras.values()) == [{"era": "legacy"}]


async def test_a_server_that_dies_of_discover_is_started_again_without_it(
    pool_of: PoolMaker, eras: EraNotes
) -> None:
    async with pool_of(faulty("dies_of_discover")) as pool:
        answer = await pool.call_tool("faulty", "echo", {})
        (status,) = pool.statuses()

    assert answer.value() == {}
    assert (status.state, status.era, status.restarts) == ("ready", "2025-11-25", 0)
    assert list(eras.eras.values()) == [{"era": "legacy"}]


async def test_a_modern_server_that_starts_slowly_is_still_recognised(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    settings = faulty("slow_start", record=record, env={"SLOW_SECONDS": "3.5"})

    async with pool_of(settings) as pool:
        await pool.start_all()
        (status,) = pool.statuses()

    assert (status.state, status.era) == ("ready", "2026-07-28")
    assert methods(record)[:3] == ["server/discover", "initialize", "server/discover"]


async def test_a_remembered_modern_server_is_not_asked_again(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    settings = faulty("modern", record=record)

    for _ in range(2):
        async with pool_of(settings) as pool:
            answer = await pool.call_tool("faulty", "echo", {"a": 1})

    assert answer.value() == {"a": 1}
    assert methods(record) == [
        "server/discover",
        "tools/list",
        "tools/call",
        "tools/list",
        "tools/call",
    ]


@pytest.mark.parametrize(
    ("remembered", "mode", "era"),
    [
        ({"era": "legacy"}, "modern", "2026-07-28"),
        ({"era": "modern", "version": "2026-07-28"}, "refuses_early_requests", "2025-11-25"),
        ({"era": "modern", "version": "2099-01-01"}, "well", "2025-11-25"),
        ({"era": ["odd"]}, "modern", "2026-07-28"),
    ],
)
async def test_a_wrong_memory_of_the_era_is_corrected(
    pool_of: PoolMaker, eras: EraNotes, remembered: dict[str, Any], mode: str, era: str
) -> None:
    settings = faulty(mode)
    eras.remember("faulty", settings.fingerprint, remembered)

    async with pool_of(settings) as pool:
        await pool.start_all()
        (status,) = pool.statuses()

    assert (status.state, status.era) == ("ready", era)
    assert eras.recall("faulty", settings.fingerprint) != remembered


async def test_names_that_are_unknown_get_the_nearest_one(pool_of: PoolMaker) -> None:
    async with pool_of(faulty("well", server_id="files")) as pool:
        with pytest.raises(UnknownServerError) as server:
            await pool.tool("fils", "echo")
        with pytest.raises(UnknownToolError) as tool:
            await pool.call_tool("files", "ecco", {})

    assert (server.value.message, server.value.hint) == (
        "no upstream is called 'fils'",
        "did you mean 'files'?",
    )
    assert (tool.value.message, tool.value.hint) == (
        "upstream 'files' has no tool 'ecco'",
        "did you mean 'echo'?",
    )


async def test_allow_deny_and_effects_of_the_entry_rule_over_the_upstream(
    pool_of: PoolMaker,
) -> None:
    settings = faulty(
        "paged",
        allow=("tool_*",),
        deny=("tool_2_*",),
        effects={"tool_0_0": "read", "tool_0_*": "destructive"},
    )

    async with pool_of(settings) as pool:
        await pool.start_all()
        effects = {tool.name: tool.effects for tool in pool.tools()}
        with pytest.raises(UnknownToolError) as hidden:
            await pool.tool("faulty", "tool_2_0")

    assert effects == {
        "tool_0_0": "read",
        "tool_0_1": "destructive",
        "tool_0_2": "destructive",
        "tool_1_0": "write",
        "tool_1_1": "write",
        "tool_1_2": "write",
    }
    assert "`allow` or `deny`" in hidden.value.hint


@pytest.mark.parametrize(
    "arguments", [{"a": "\ud800"}, {"a": 2**70}, {"a": {1, 2}}, {"a": object()}]
)
async def test_arguments_that_are_no_json_are_refused_before_anything_is_sent(
    pool_of: PoolMaker, arguments: dict[str, Any]
) -> None:
    async with pool_of(faulty("well")) as pool:
        with pytest.raises(ArgumentInvalidError) as raised:
            await pool.call_tool("faulty", "echo", arguments)
        answer = await pool.call_tool("faulty", "echo", {"emoji": "🎻"})

    assert "faulty.echo" in raised.value.message
    assert answer.value() == {"emoji": "🎻"}


async def test_secrets_stay_out_of_reasons_targets_and_errors(pool_of: PoolMaker) -> None:
    script = "import sys; sys.exit('bad password ' + sys.argv[1])"
    settings = UpstreamSettings(
        "leaky", command=sys.executable, args=("-c", script, "hunter2hunter2")
    )

    async with pool_of(settings, secrets=("hunter2hunter2",)) as pool:
        with pytest.raises(UpstreamUnavailableError) as raised:
            await pool.call_tool("leaky", "any", {})
        (status,) = pool.statuses()

    assert "bad password [redacted]" in raised.value.message
    assert "hunter2" not in f"{raised.value} {status}"


async def test_disabled_faulty_and_closed_upstreams_say_why_they_cannot_be_called(
    pool_of: PoolMaker,
) -> None:
    fault = MissingVariableError("$TOKEN is not set", hint="set it")
    pool = pool_of(
        UpstreamSettings("off", command="x", disabled=True),
        UpstreamSettings("unset", command="x", fault=fault),
        faulty("well"),
    )
    errors: dict[str, UpstreamUnavailableError] = {}

    async def call(server_id: str) -> None:
        with pytest.raises(UpstreamUnavailableError) as raised:
            await pool.call_tool(server_id, "echo", {})
        errors[server_id] = raised.value

    async with pool:
        await call("off")
        await call("unset")
    await call("faulty")

    assert {name: error.message for name, error in errors.items()} == {
        "off": "upstream 'off' is disabled",
        "unset": "upstream 'unset' is not available: $TOKEN is not set",
        "faulty": "the upstreams are closed",
    }
    assert errors["unset"].hint == "set it"
    assert not any(error.sent or error.retryable for error in errors.values())
    assert pool.server_ids() == ("unset", "faulty")


async def test_a_killed_upstream_names_the_signal(pool_of: PoolMaker, tmp_path: Path) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("hangs", record=record)) as pool, anyio.create_task_group() as tasks:

        async def kill() -> None:
            await eventually(lambda: "tools/call" in methods(record))
            (pid,) = processes(record)
            os.kill(pid, signal.SIGKILL)

        tasks.start_soon(kill)
        with pytest.raises(UpstreamClosedError) as raised:
            await pool.call_tool("faulty", "echo", {})

    assert raised.value.message.endswith("was ended by SIGKILL")
