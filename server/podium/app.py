"""The only wiring: a workspace becomes an orchestrator, by plain constructor arguments."""

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from podium.compositions.checker import Checker, Tools
from podium.compositions.library import CompositionLibrary
from podium.compositions.plans import LibraryPlans
from podium.compositions.synthesizer.flows import flows_of
from podium.compositions.synthesizer.planner import Planner
from podium.compositions.synthesizer.sketching import Sketcher
from podium.config import CONFIG_NAME, Config, OAuthSection, ServerConfig, load_config
from podium.domain.breaker import BreakerRules
from podium.domain.composition import all_calls
from podium.domain.errors import (
    ConfigError,
    PodiumError,
    UnknownServerError,
    WorkspaceError,
)
from podium.domain.findings import Finding
from podium.domain.learning import LearningRules
from podium.domain.naming import did_you_mean
from podium.domain.ports import Conversations, PlanWriter
from podium.domain.redaction import Redactor, SecretReferences
from podium.domain.serving import HttpLimits
from podium.domain.tool import Tool, UpstreamStatus
from podium.execution.runner import Runner, RunnerSettings
from podium.intents.checks import check_patterns
from podium.intents.gate import CorpusGate
from podium.intents.live import LivePatterns
from podium.intents.matcher import Matcher
from podium.intents.runtime_lists import RuntimeLists
from podium.learning import Learning
from podium.mapping.expressions import Evaluator
from podium.monitor.schemas import ObservedSchemas
from podium.monitor.traces.learner import Learner, LearnerSettings, Proposal
from podium.monitor.traces.recorder import Recorder
from podium.orchestrator import Orchestrator as PlainOrchestrator
from podium.stages import Stages
from podium.storage.checkpoints import CheckpointFolder
from podium.storage.conversations import SqliteConversations
from podium.storage.eras import EraFile
from podium.storage.journal import SqliteJournal
from podium.storage.memory_server import MemoryServerConversations
from podium.storage.pins import PinFile
from podium.storage.result_cache import DiskResultCache
from podium.storage.shelf import FileShelf
from podium.storage.statistics import SqliteStatistics
from podium.storage.system import RandomIds, SystemClock
from podium.storage.tokens import TokenFolder
from podium.storage.traces import LearntFolder, SqliteTraces
from podium.synthesis import Makers, Synthesis
from podium.tracing import Tracing
from podium.upstreams.addresses import network_of
from podium.upstreams.catalog import Catalog
from podium.upstreams.login import Show, log_in
from podium.upstreams.oauth import Login
from podium.upstreams.pool import UpstreamPool
from podium.upstreams.relay import UpstreamRelay
from podium.upstreams.settings import OAuthSettings, UpstreamSettings
from podium.workspace import WorkspaceData, config_path, understanding_of


class Orchestrator(PlainOrchestrator):
    """An orchestrator over a workspace."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: str | Path = CONFIG_NAME,
        *,
        environ: Mapping[str, str] | None = None,
        makers: Makers | None = None,
        plan_writer: PlanWriter | None = None,
    ) -> AsyncIterator[Self]:
        """Open a workspace by its folder or its `config.yaml`; upstreams start when first needed.

        `makers` make compositions for requests that nothing answers, in place of Podium's own;
        `plan_writer` is a model that is asked for a plan where they make none that is good enough.

        Raises:
            ConfigError: the configuration cannot be used.
            MissingVariableError: a `${VAR}` outside an upstream's entry is not set.

        """
        environ = os.environ if environ is None else environ
        settings = load_config(config_path(Path(config)), environ)
        data = WorkspaceData(settings)
        clock = SystemClock()
        async with AsyncExitStack() as stack:
            stack.callback(data.evaluator.close)
            journal = await stack.enter_async_context(
                SqliteJournal.open(
                    settings.state_folder / "journal.sqlite3",
                    redactor=Redactor(settings.secrets),
                    limits=settings.limits,
                )
            )
            upstreams = await stack.enter_async_context(pool_of(settings, clock))
            cache = await stack.enter_async_context(
                DiskResultCache.open(
                    settings.state_folder / "results",
                    size_bytes=settings.cache.size_bytes,
                    value_bytes=settings.cache.value_bytes,
                )
            )
            checkpoints = _checkpoints(settings)
            statistics = SqliteStatistics(
                settings.state_folder / "statistics.sqlite3",
                clock=clock,
                redactor=Redactor(settings.secrets),
            )
            stack.push_async_callback(statistics.close)
            options = settings.orchestrator
            lists = RuntimeLists(upstreams, data.evaluator, clock)
            patterns = data.live_patterns(lists, clock)
            checker = Checker(
                max_steps=options.max_steps_per_composition,
                max_depth=options.max_depth,
                max_rounds=settings.limits.max_iterations,
                library=data.compositions,
            )
            traces = _traces(settings, clock)
            schemas = ObservedSchemas(traces)
            learning = _learning(
                settings, data, checker, journal, upstreams, statistics, clock, schemas
            )
            stack.push_async_callback(learning.aclose)
            stack.callback(learning.start(upstreams.spawn, upstreams.listen))
            tracing = _tracing(settings, data, patterns, learning, traces, schemas, clock)
            stack.push_async_callback(tracing.aclose)
            tracing.start(upstreams.spawn)
            runner = Runner(
                upstreams=upstreams,
                evaluator=data.evaluator,
                journal=journal,
                clock=clock,
                limits=settings.limits,
                settings=RunnerSettings(
                    execution_seconds=options.execution_timeout,
                    is_parallel=options.parallel_execution,
                    max_retries=options.max_retries if options.retry_failed_steps else 0,
                    ask_wait_seconds=settings.execution.ask_wait_seconds,
                    strategy_limits={
                        "serial": 1,
                        "parallel_limited": settings.execution.parallel_limited,
                        "parallel_full": settings.execution.parallel_full,
                    },
                    process_slots=settings.execution.workers,
                    max_depth=options.max_depth,
                    max_steps=options.max_steps_per_composition,
                    retry_budget=settings.execution.retry_budget,
                    default_cache_seconds=settings.cache.ttl_seconds,
                ),
                plans=LibraryPlans(data.compositions, checker),
                checkpoints=checkpoints,
                cache=cache,
                cache_seconds=_cache_seconds(settings),
                profiles=learning.profiles,
                on_result=tracing.saw,
            )
            understanding = understanding_of(patterns, data.compositions, past=journal, clock=clock)
            learning.listen(understanding.renew)
            yield cls(
                Stages(
                    matcher=patterns,
                    lists=lists,
                    compositions=data.compositions,
                    checker=checker,
                    runner=runner,
                    upstreams=upstreams,
                    relay=UpstreamRelay(upstreams),
                    journal=journal,
                    conversations=_conversations(settings, journal, upstreams, clock),
                    conversation_bounds=settings.conversations.bounds(),
                    understanding=understanding,
                    learning=learning,
                    tracing=tracing,
                    synthesis=_synthesis(
                        settings,
                        data,
                        checker,
                        journal,
                        upstreams,
                        clock,
                        makers or _makers(data, clock, schemas),
                        plan_writer,
                    ),
                    checkpoints=checkpoints,
                    transformers=data.transformers,
                    clock=clock,
                    ids=RandomIds(),
                    limits=settings.limits,
                    default_intent_type=options.default_intent_type,
                    expose=settings.expose,
                    prefix=settings.prefix,
                    drain_seconds=settings.health.drain_seconds,
                    http=http_limits_of(settings),
                    faults=data.lasting_faults,
                )
            )


def _conversations(
    settings: Config, journal: SqliteJournal, upstreams: UpstreamPool, clock: SystemClock
) -> Conversations:
    """Return the store of conversations that the configuration names."""
    section, redactor = settings.conversations, Redactor(settings.secrets)
    if section.store == "memory_server":
        return MemoryServerConversations(
            upstreams, section.server, clock=clock, redactor=redactor, bounds=section.bounds()
        )
    return SqliteConversations(
        journal.writer, clock=clock, redactor=redactor, bounds=section.bounds()
    )


def _learning(
    settings: Config,
    data: WorkspaceData,
    checker: Checker,
    journal: SqliteJournal,
    upstreams: UpstreamPool,
    statistics: SqliteStatistics,
    clock: SystemClock,
    schemas: ObservedSchemas,
) -> Learning:
    options = settings.orchestrator
    return Learning(
        statistics=statistics,
        shelf=FileShelf(settings.folder(options.compositions_path), clock=clock),
        rules=LearningRules(
            min_success_rate=options.min_success_rate,
            min_executions=options.min_executions,
            promotion_confidence=options.promotion_confidence,
            is_enabled=options.learning_enabled,
        ),
        clock=clock,
        source=random.Random(),  # noqa: S311 - it chooses compositions, no secrets
        library=data.compositions,
        folder=data.composition_folder,
        checker=checker,
        journal=journal,
        upstreams=upstreams,
        known_tools=upstreams.tools,
        described=schemas.described,
    )


def _traces(settings: Config, clock: SystemClock) -> SqliteTraces:
    return SqliteTraces(
        settings.state_folder / "traces.sqlite3",
        clock=clock,
        redactor=Redactor(settings.secrets),
    )


def _tracing(
    settings: Config,
    data: WorkspaceData,
    patterns: LivePatterns,
    learning: Learning,
    traces: SqliteTraces,
    schemas: ObservedSchemas,
    clock: SystemClock,
) -> Tracing:
    options = settings.orchestrator
    pattern_folder = settings.folder(options.intent_patterns_path)
    recorder = Recorder(clock=clock, ids=RandomIds(), redactor=Redactor(settings.secrets))

    async def serve(proposals: Sequence[Proposal]) -> None:
        patterns.expire()
        for each in proposals:
            await learning.born(each.composition_id, each.baseline)

    return Tracing(
        recorder=recorder,
        learner=Learner(
            recorder=recorder,
            store=traces,
            files=LearntFolder(settings.folder(options.compositions_path), pattern_folder),
            make_evaluator=lambda: Evaluator(
                data.transformers, clock=clock, limits=settings.limits
            ),
            clock=clock,
            gate=CorpusGate(
                pattern_folder, lambda library: Matcher(library, limits=settings.limits)
            ),
            settings=LearnerSettings(
                is_enabled=options.learning_enabled,
                most_steps=options.max_steps_per_composition,
            ),
        ),
        schemas=schemas,
        clock=clock,
        is_enabled=options.learning_enabled,
        on_learnt=serve,
    )


def _synthesis(
    settings: Config,
    data: WorkspaceData,
    checker: Checker,
    journal: SqliteJournal,
    upstreams: UpstreamPool,
    clock: SystemClock,
    makers: Makers,
    plan_writer: PlanWriter | None,
) -> Synthesis | None:
    options = settings.orchestrator
    if not options.synthesis:
        return None
    folders = options.compositions_path, options.intent_patterns_path
    return Synthesis(
        makers,
        upstreams=upstreams,
        known_tools=upstreams.tools,
        past=journal,
        library=data.compositions,
        checker=checker,
        clock=clock,
        redactor=Redactor(settings.secrets),
        files=LearntFolder(*map(settings.folder, folders)) if options.learning_enabled else None,
        plan_writer=plan_writer,
    )


def _makers(data: WorkspaceData, clock: SystemClock, schemas: ObservedSchemas) -> Makers:
    """Return Podium's own makers: no model, only past plans, schemas and words."""

    def planner(tools: Sequence[Tool]) -> Planner:
        return Planner(
            search=Catalog(tools).search,
            now=lambda: datetime.fromtimestamp(clock.now()).astimezone(),
            schemas=lambda tool: schemas.described(tool).output_schema,
            flows=flows_of(stored.composition for stored in data.compositions.all()),
        )

    return Makers(lambda tools: Sketcher(tools, Catalog(tools).search), planner)


def _checkpoints(settings: Config) -> CheckpointFolder:
    return CheckpointFolder(
        settings.state_folder / "unfinished",
        references=SecretReferences(settings.secrets),
        most=settings.execution.resume_most,
        most_bytes=settings.execution.resume_bytes,
        keep_seconds=settings.execution.resume_days * 86_400,
    )


def _cache_seconds(settings: Config) -> Callable[[Tool], float | None]:
    """Return what tells for how long the result of a tool may be used again, if at all."""
    rules = {server.server_id: server.entry.cache for server in settings.servers}

    def seconds(tool: Tool) -> float | None:
        for glob, ttl in rules.get(tool.server_id, {}).items():
            if fnmatchcase(tool.name, glob):
                return ttl
        return None

    return seconds


def http_limits_of(settings: Config) -> HttpLimits:
    """Return how much the configuration lets a server over HTTP take on."""
    given = settings.http
    return HttpLimits(given.requests, given.connections, given.head_bytes, given.request_seconds)


def pool_of(settings: Config, clock: SystemClock) -> UpstreamPool:
    """Return the pool of the configured upstreams."""
    return UpstreamPool(
        [_upstream(server, settings) for server in settings.servers],
        eras=EraFile(settings.state_folder / "eras.json"),
        pins=PinFile(settings.state_folder / "pins.json"),
        clock=clock,
        limits=settings.limits,
        redactor=Redactor(settings.secrets),
        rules=BreakerRules(
            failures=settings.health.open_after_failures,
            open_seconds=settings.health.open_seconds,
        ),
    )


def _upstream(server: ServerConfig, settings: Config) -> UpstreamSettings:
    entry = server.entry
    return UpstreamSettings(
        server_id=server.server_id,
        command=entry.command,
        args=entry.args,
        env=entry.env,
        cwd=settings.folder(entry.cwd) if entry.cwd else settings.workspace,
        url=entry.url,
        headers=entry.headers,
        allow=entry.allow,
        deny=entry.deny,
        effects=entry.effects,
        start_seconds=entry.start_seconds or settings.limits.start_seconds,
        sleep_after_seconds=entry.sleep_after_seconds,
        oauth=_oauth(entry.oauth),
        tokens=TokenFolder(settings.state_folder / "tokens"),
        allow_addresses=tuple(map(network_of, entry.allow_addresses)),
        result_bytes=entry.limits.result_bytes or settings.limits.result_bytes,
        concurrent_calls=(
            entry.limits.concurrent_calls or settings.limits.concurrent_calls_per_server
        ),
        calls_per_minute=entry.limits.calls_per_minute,
        disabled=entry.disabled,
        fault=server.fault,
    )


def _oauth(section: OAuthSection | None) -> OAuthSettings | None:
    if section is None:
        return None
    return OAuthSettings(
        scopes=section.scopes,
        client_id=section.client_id,
        client_secret=section.client_secret,
        client_metadata_url=section.client_metadata_url,
        redirect_port=section.redirect_port,
    )


async def log_in_to(
    server_id: str, folder: Path, show: Show, *, environ: Mapping[str, str] | None = None
) -> Login:
    """Have a person log in to an upstream of a workspace; `show` gets the address to open.

    Raises:
        UnknownServerError, ConfigError: no such upstream, or none that one logs in to.
        LoginFailedError: it was not completed.

    """
    settings = load_config(config_path(folder), os.environ if environ is None else environ)
    servers = {server.server_id: server for server in settings.servers}
    if server_id not in servers:
        raise UnknownServerError(
            f"no upstream is called '{server_id}'", hint=did_you_mean(server_id, servers)
        )
    upstream = _upstream(servers[server_id], settings)
    if upstream.fault is not None:
        raise upstream.fault
    if upstream.oauth is None or upstream.tokens is None:
        raise ConfigError(
            f"'{server_id}' is not set up for a login",
            hint=f"add `oauth: {{}}` to mcpServers.{server_id} in config.yaml; it needs a `url`",
        )
    return await log_in(upstream, upstream.tokens, show)


@asynccontextmanager
async def upstreams_of(
    folder: Path, *, environ: Mapping[str, str] | None = None
) -> AsyncIterator[UpstreamPool]:
    """Open only the upstreams of a workspace, none of them started.

    Raises:
        ConfigError: the configuration cannot be used.

    """
    settings = load_config(config_path(folder), os.environ if environ is None else environ)
    async with pool_of(settings, SystemClock()) as upstreams:
        yield upstreams


# --- podium check


async def check_workspace(
    folder: Path, *, offline: bool = False, environ: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return everything wrong in a workspace: files, patterns with examples, compositions.

    Unless `offline`, the upstreams are started and compositions are held against their tools.
    """
    path = config_path(folder)
    try:
        settings = load_config(path, os.environ if environ is None else environ)
    except WorkspaceError as error:
        return _findings_of(error, path)
    data = WorkspaceData(settings)
    findings = [f for fault in data.faults for f in _findings_of(fault, path)]
    findings += [
        f for server in settings.servers if server.fault for f in _findings_of(server.fault, path)
    ]
    findings += check_patterns(data.patterns, data.matcher)
    findings += _unanswered_intents(data)
    tools, of_upstreams = await _live_tools(settings, data.compositions, offline=offline)
    schemas, of_schemas = await _observed_schemas(settings)
    findings += [replace(finding, source=str(path)) for finding in (*of_upstreams, *of_schemas)]
    tools = tools and {
        key: schemas.described(tool) if isinstance(tool, Tool) else tool
        for key, tool in tools.items()
    }
    checker = Checker(
        max_steps=settings.orchestrator.max_steps_per_composition,
        functions=data.transformers.names(),
        max_depth=settings.orchestrator.max_depth,
        max_rounds=settings.limits.max_iterations,
        library=data.compositions,
    )
    for stored in data.compositions.all():
        document = data.compositions.document(stored.id)
        findings += checker.check(stored, document=document, tools=tools)
    patterns = settings.folder(settings.orchestrator.intent_patterns_path)
    return [_placed(finding, settings.workspace, patterns) for finding in findings]


def _placed(finding: Finding, workspace: Path, patterns: Path) -> Finding:
    """Return the finding with its file named from the workspace, where it lies in there."""
    path = patterns / finding.source  # an absolute source stays as it is
    if not path.is_relative_to(workspace):
        return finding
    return replace(finding, source=path.relative_to(workspace).as_posix())


async def _live_tools(
    settings: Config, compositions: CompositionLibrary, *, offline: bool
) -> tuple[Tools | None, list[Finding]]:
    """Return each tool that a composition names, as its server defines it now, if not offline.

    With them comes what is odd about the servers and their tools.
    """
    wanted = {
        (call.server_id, call.tool_id)
        for stored in compositions.all()
        for call in all_calls(stored.composition.steps)
    }
    found: dict[tuple[str, str], Tool | PodiumError] = {}
    async with pool_of(settings, SystemClock()) as upstreams:
        if offline:
            return None, _findings_of_statuses(upstreams.statuses())
        await upstreams.start_all()
        for server_id, tool_id in sorted(wanted):
            try:
                found[server_id, tool_id] = await upstreams.tool(server_id, tool_id)
            except PodiumError as error:
                found[server_id, tool_id] = error
        return found, _findings_of_statuses(upstreams.statuses())


async def _observed_schemas(settings: Config) -> tuple[ObservedSchemas, list[Finding]]:
    """Return what results look like, with a warning for each tool that changed its mind lately."""
    traces = _traces(settings, SystemClock())
    schemas = ObservedSchemas(traces)
    if not traces.path.exists():
        return schemas, []
    try:
        await schemas.load()
    except PodiumError as error:
        return schemas, [Finding("warning", "", error.message, hint=error.hint)]
    hint = "see whether what uses its result still holds"
    return schemas, [
        Finding(
            "warning", "", drift.message, f"mcpServers.{drift.tool.partition('.')[0]}", hint=hint
        )
        for drift in schemas.drifts()
    ]


def _findings_of_statuses(statuses: Sequence[UpstreamStatus]) -> list[Finding]:
    """Return a warning for each tool that is held back, and for what is odd about the others."""
    findings = [
        Finding(
            "warning",
            "",
            f"tool '{status.server_id}.{held.name}' is held back: {held.reason}",
            f"mcpServers.{status.server_id}",
            hint=f"podium trust {status.server_id} {held.name}" if held.definition else "",
        )
        for status in statuses
        for held in status.held
    ]
    odd: dict[str, str] = {}
    for status in statuses:
        for warning in status.warnings:
            odd.setdefault(warning, status.server_id)
    return findings + [
        Finding("warning", "", warning, f"mcpServers.{server_id}")
        for warning, server_id in odd.items()
    ]


def _unanswered_intents(data: WorkspaceData) -> list[Finding]:
    """Return what is wrong with patterns that no composition answers."""
    findings = []
    for pattern in data.patterns.patterns:
        if pattern.composition is not None:
            try:
                data.compositions.get(pattern.composition)
            except PodiumError as error:
                findings.append(
                    pattern.finding("error", error.message, "composition", hint=error.hint)
                )
        elif data.compositions.for_intent(pattern.name) is None:
            message = f"no composition answers the intent '{pattern.name}'"
            findings.append(pattern.finding("warning", message, "name"))
    return findings


def _findings_of(error: WorkspaceError, path: Path) -> list[Finding]:
    """Return an error about a file as findings, one for each fault."""
    source = error.source or str(path)
    if not error.faults:
        return [
            Finding("error", source, error.message.removeprefix(f"{source}: "), hint=error.hint)
        ]
    return [
        Finding("error", source, fault.message, fault.where, fault.line, fault.hint)
        for fault in error.faults
    ]
