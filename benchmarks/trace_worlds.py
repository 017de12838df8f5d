"""Generated tasks with a known truth: a random composition over scripted tools, played for traces.

A task is a composition file with expressions from a fixed list of forms (see `_FORMS`), over tools
whose results are drawn from their arguments and the seed of a world. Values are drawn from small
pools on purpose, so that a value often stands in several places by chance. The real engine plays
the task; what it calls is the trace. Trouble that clients have (a failed call and its retry, a
read that led nowhere, the same read twice) is put in between.

Two things are made easier than chance would: a param differs from one trace to the next (somebody
who always says the same gives no sign that it could differ), and truth values, counts and statuses
are passed on less often than names and ids, as is so with real tools.

What this generator cannot say: its forms are forms that the compiler knows, so the figures tell how
well the right one is told from the coincidences, not how many tasks of real people have such forms.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.lowlevel

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.domain.tool import Effects
from podium.domain.trace import Trace, TracedCall
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator, parse
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, FakeUpstreams, MemoryJournal

NAMES = ["Alice", "Bruno", "Chloé", "David", "Emma", "Farid", "Gwen", "Hugo", "Inès", "Jules"]
WORDS = [
    "report",
    "invoice",
    "draft",
    "budget",
    "travel",
    "notes",
    "minutes",
    "plan",
    "photo",
    "letter",
]
STATUSES = ["open", "closed", "waiting", "urgent"]
CITIES = ["Paris", "Lyon", "Nantes", "Lille", "Brest", "Tours", "Reims", "Dijon"]
MONTHS = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
NOUNS = [
    "user",
    "order",
    "ticket",
    "file",
    "city",
    "invoice",
    "project",
    "message",
    "task",
    "event",
]
VERBS = ["get", "find", "fetch", "load", "read", "check"]
WRITES = ["send", "create", "update", "post"]
FIELDS: dict[str, Callable[[random.Random], Any]] = {
    "id": lambda r: r.randint(1, 60),
    "ref": lambda r: f"{r.choice('ABC')}-{r.randint(1, 40)}",
    "name": lambda r: r.choice(NAMES),
    "title": lambda r: f"{r.choice(WORDS)} {r.randint(1, 9)}",
    "status": lambda r: r.choice(STATUSES),
    "city": lambda r: r.choice(CITIES),
    "count": lambda r: r.randint(0, 12),
    "price": lambda r: r.randint(1, 900) / 4,
    "email": lambda r: f"{r.choice(NAMES).lower()}@{r.choice(['x', 'y', 'z'])}.fr",
    "date": lambda r: f"2026-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "path": lambda r: f"/{r.choice(WORDS)}/{r.choice(WORDS)}.{r.choice(['md', 'txt', 'pdf'])}",
    "active": lambda r: r.random() < 0.5,
}


@dataclass(frozen=True, slots=True)
class ToolShape:
    """What a generated tool returns: scalar fields, a list of objects, an object inside."""

    name: str
    fields: tuple[str, ...]
    list_name: str = ""
    list_fields: tuple[str, ...] = ()
    inner: str = ""
    inner_fields: tuple[str, ...] = ()
    effects: Effects = "read"


@dataclass(slots=True)
class Task:
    """One task: its tools, its true composition, and how its params and requests are drawn."""

    composition: dict[str, Any]
    shapes: dict[str, ToolShape]
    params: dict[str, str]  # name -> kind of value
    kinds: set[str] = field(default_factory=set)

    def edges(self) -> set[tuple[str, str, str]]:
        """Return the true data flow: (step, argument, what it reads)."""
        return edges_of(self.composition)


def edges_of(composition: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Return (step, argument, step or param that it reads); a loop's element is its list's step."""
    found = set()
    steps = {step["id"] for step in composition["steps"]}
    for step in composition["steps"]:
        array = step.get("iterations")
        around = parse(array).names if array else frozenset()
        for argument, source in step.get("input_mapping", {}).items():
            expression = parse(source, iterating=array is not None)
            names = expression.names - {"item", "index", "i"}
            if "$item" in source and "function($item)" not in source:
                names |= around
            found |= {
                (step["id"], argument, name if name in steps else f"param {name}") for name in names
            }
    return found


def _names(step: Mapping[str, Any]) -> set[str]:
    """Return every name that a step reads."""
    sources = [*step.get("input_mapping", {}).values(), step.get("iterations", "'none'")]
    return {name for source in sources for name in parse(source, iterating=True).names}


# --- tasks


def random_task(source: random.Random) -> Task:
    """Return a task of two to six steps."""
    return _Maker(source).task()


class _Maker:
    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.shapes: dict[str, ToolShape] = {}
        self.params: dict[str, str] = {}
        self.steps: list[dict[str, Any]] = []
        self.loops: set[str] = set()
        self.kinds: set[str] = set()
        self.unread: list[str] = []

    def task(self) -> Task:
        for number in range(self.random.randint(2, 6)):
            self._add_step(number)
        self._leave_out_useless_reads()
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            step["depends_on"] = [before["id"]]  # a client makes one call after the other
        schema = {
            "type": "object",
            "properties": {name: {} for name in self.params},
            "required": list(self.params),
        }
        composition = {
            "id": "truth",
            "input_schema": schema,
            "steps": self.steps,
            "output": {step["id"]: step["id"] for step in self.steps},
        }
        return Task(composition, self.shapes, self.params, self.kinds)

    def _leave_out_useless_reads(self) -> None:
        """Leave out reads that no later step reads, but for those at the very end (the answer).

        Nobody makes them to solve a task; a compiler leaves them out on purpose.
        """
        is_end = True
        for step in reversed(list(self.steps)):
            later = self.steps[self.steps.index(step) + 1 :]
            is_read = any(step["id"] in _names(other) for other in later)
            is_write = self._of(step).effects != "read"
            takes = "input_mapping" in step
            if is_read or is_write:
                is_end = False
            elif not (is_end and (takes or not later)):
                self.steps.remove(step)
        used = {edge[2][6:] for edge in edges_of({"steps": self.steps}) if edge[2][:6] == "param "}
        self.params = {name: kind for name, kind in self.params.items() if name in used}

    def _add_step(self, number: int) -> None:
        shape = self._shape(number)
        self.shapes[shape.name] = shape
        step: dict[str, Any] = {"id": shape.name, "server_id": "s", "tool_id": shape.name}
        mapping: dict[str, str] = {}
        fixed: dict[str, Any] = {}
        lists = [s for s in self.steps if s["id"] not in self.loops and self._of(s).list_name]
        if lists and self.random.random() < 0.35:
            self._loop(step, self.random.choice(lists), mapping)
        for _ in range(self.random.randint(0 if mapping else 1, 2)):
            self._argument(mapping, fixed)
        if not mapping and self.steps:
            self._flow(mapping)
        step |= {"input_mapping": mapping} if mapping else {}
        step |= {"arguments": fixed} if fixed else {}
        self.steps.append(step)

    def _shape(self, number: int) -> ToolShape:
        is_write = number > 0 and self.random.random() < 0.2
        verb = self.random.choice(WRITES if is_write else VERBS)
        name = f"{verb}_{self.random.choice(NOUNS)}"
        while name in self.shapes:
            name = f"{self.random.choice(VERBS)}_{self.random.choice(NOUNS)}_{number}"
        return ToolShape(
            name,
            self._fields(2, 4),
            self.random.choice(["items", "results", "rows"]) if self.random.random() < 0.6 else "",
            self._fields(2, 4),
            self.random.choice(["owner", "meta"]) if self.random.random() < 0.4 else "",
            self._fields(1, 2),
            "write" if is_write else "read",
        )

    def _fields(self, least: int, most: int) -> tuple[str, ...]:
        return tuple(self.random.sample(sorted(FIELDS), self.random.randint(least, most)))

    def _of(self, step: Mapping[str, Any]) -> ToolShape:
        return self.shapes[step["id"]]

    def _loop(self, step: dict[str, Any], over: dict[str, Any], mapping: dict[str, str]) -> None:
        shape = self._of(over)
        step["iterations"] = f"{over['id']}.{shape.list_name}"
        self.loops.add(step["id"])
        self.kinds.add("loop")
        # An element is told by what is unlike others; by a truth value it never is.
        telling = [f for f in shape.list_fields if f not in ("active", "status", "count")]
        if not telling:
            telling = ["id"]
            self.shapes[shape.name] = replace_fields(shape, (*shape.list_fields, "id"))
        chosen = self.random.choice(telling)
        mapping[self._name(chosen, mapping)] = f"$item.{chosen}"

    def _argument(self, mapping: dict[str, str], fixed: dict[str, Any]) -> None:
        roll = self.random.random()
        if roll < 0.2 or (not self.steps and roll < 0.8):
            self._param(mapping)
        elif roll < 0.35 or not self.steps:
            kind = self.random.choice(["status", "count", "active"])
            fixed[self._name(kind, {**mapping, **fixed})] = FIELDS[kind](self.random)
            self.kinds.add("constant")
        else:
            self._flow(mapping)

    def _param(self, mapping: dict[str, str]) -> None:
        kind = self.random.choice(["name", "city", "ref", "date", "title", "id", "email"])
        name = next(
            (n for n, k in self.params.items() if k == kind and self.random.random() < 0.4),
            f"{kind}_{len(self.params) + 1}",
        )
        self.params[name] = kind
        expression = name
        if kind == "date":
            form = self.random.choice(["", ", '%d/%m/%Y'"])
            expression = f"$to_date({name}{form})"
            self.kinds.add("date")
        self.kinds.add("param")
        mapping[self._name(kind, mapping)] = expression

    def _name(self, kind: str, taken: Mapping[str, Any]) -> str:
        """Return an argument's name: the kind's own, or one that tells nothing."""
        names = [kind, f"the_{kind}", self.random.choice(["value", "target", "key", "input"])]
        self.random.shuffle(names)
        return next((n for n in names if n not in taken), f"{kind}_{len(taken)}")

    def _flow(self, mapping: dict[str, str]) -> None:
        over = self.steps[-1] if self.random.random() < 0.5 else self.random.choice(self.steps)
        shape, head = self._of(over), over["id"]
        forms = _LOOP_FORMS if head in self.loops else _FORMS
        usable = [form for form in forms if form.fits(shape, self)]
        form = self.random.choices(usable, [form.weight for form in usable])[0]
        kind, expression = form.make(self, shape, head)
        self.kinds.add(form.name)
        mapping[self._name(kind, mapping)] = expression


def replace_fields(shape: ToolShape, list_fields: tuple[str, ...]) -> ToolShape:
    """Return the shape with other fields of its list."""
    return ToolShape(
        shape.name, shape.fields, shape.list_name, list_fields, shape.inner, shape.inner_fields,
        shape.effects,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    weight: float
    fits: Callable[[ToolShape, _Maker], bool]
    make: Callable[[_Maker, ToolShape, str], tuple[str, str]]


_RARELY = {"active": 0.1, "status": 0.4, "count": 0.4}


def _one_of(maker: _Maker, names: tuple[str, ...]) -> str:
    return maker.random.choices(names, [_RARELY.get(name, 1.0) for name in names])[0]


def _leaf(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = _one_of(maker, shape.fields)
    return name, f"{head}.{name}"


def _nested(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = _one_of(maker, shape.inner_fields)
    return name, f"{head}.{shape.inner}.{name}"


def _first(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = _one_of(maker, shape.list_fields)
    return name, f"{head}.{shape.list_name}[0].{name}"


def _last(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = _one_of(maker, shape.list_fields)
    return name, f"{head}.{shape.list_name}[-1].{name}"


def _all(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = _one_of(maker, shape.list_fields)
    return f"{name}s", f"[{head}.{shape.list_name}.{name}]"


def _join(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = maker.random.choice([f for f in shape.list_fields if f in _TEXTS])
    return "text", f"$join({head}.{shape.list_name}.{name}, ', ')"


def _count(_: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    return "count", f"$count({head}.{shape.list_name})"


def _sum(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = maker.random.choice([f for f in shape.list_fields if f in ("price", "count")])
    return "total", f"$sum({head}.{shape.list_name}.{name})"


def _template(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = maker.random.choice([f for f in shape.fields if f in _TEXTS])
    words = maker.random.choice(["Bonjour {0}, c'est prêt", "About {0}", "[{0}] new", "./{0}"])
    before, _, after = words.partition("{0}")
    tail = f" & {json.dumps(after, ensure_ascii=False)}" if after else ""
    return "message", f"{json.dumps(before, ensure_ascii=False)} & {head}.{name}{tail}"


def _date(_: _Maker, __: ToolShape, head: str) -> tuple[str, str]:
    return "day", f"$to_date({head}.date, '%d/%m/%Y')"


def _upper(_: _Maker, __: ToolShape, head: str) -> tuple[str, str]:
    return "name", f"$uppercase({head}.name)"


def _domain(_: _Maker, __: ToolShape, head: str) -> tuple[str, str]:
    return "domain", f"$split({head}.email, '@')[-1]"


def _each(maker: _Maker, shape: ToolShape, head: str) -> tuple[str, str]:
    name = _one_of(maker, shape.fields)
    return f"{name}s", f"[{head}.{name}]"


def _has_list(shape: ToolShape, _: _Maker) -> bool:
    return bool(shape.list_name)


def _has(*names: str) -> Callable[[ToolShape, _Maker], bool]:
    return lambda shape, _: any(name in shape.fields for name in names)


def _list_has(*names: str) -> Callable[[ToolShape, _Maker], bool]:
    return lambda shape, _: bool(shape.list_name) and any(n in shape.list_fields for n in names)


_TEXTS = ("name", "title", "city", "email", "ref", "path")
_FORMS = (
    _Form("leaf", 6, lambda _, __: True, _leaf),
    _Form("nested", 2, lambda shape, _: bool(shape.inner), _nested),
    _Form("first", 2, _has_list, _first),
    _Form("last", 0.5, _has_list, _last),
    _Form("all", 1, _has_list, _all),
    _Form("join", 0.7, _list_has(*_TEXTS), _join),
    _Form("count", 0.4, _has_list, _count),
    _Form("sum", 0.4, _list_has("price", "count"), _sum),
    _Form("template", 1, _has(*_TEXTS), _template),
    _Form("date form", 0.7, _has("date"), _date),
    _Form("upper", 0.4, _has("name"), _upper),
    _Form("domain", 0.4, _has("email"), _domain),
)
_LOOP_FORMS = (_Form("each", 1, lambda _, __: True, _each),)


# --- worlds


def result_of(shape: ToolShape, arguments: Mapping[str, Any], world: int) -> dict[str, Any]:
    """Return what a tool answers in a world: the same for the same arguments."""
    key = f"{world}|{shape.name}|{json.dumps(arguments, sort_keys=True)}"
    source = random.Random(key)  # noqa: S311 - a reproducible world
    value: dict[str, Any] = {name: FIELDS[name](source) for name in shape.fields}
    if shape.inner:
        value[shape.inner] = {name: FIELDS[name](source) for name in shape.inner_fields}
    if shape.list_name:
        value[shape.list_name] = [
            {name: FIELDS[name](source) for name in shape.list_fields}
            for _ in range(source.choice([0, 1, 2, 2, 3, 3, 4, 5]))
        ]
    return value


def draw_params(
    task: Task, source: random.Random, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return params for one play, other than those before; a date as a person writes it."""
    drawn: dict[str, Any] = {}
    for name, kind in task.params.items():
        drawn[name] = _spoken(kind, source)
        while before and drawn[name] == before[name]:
            drawn[name] = _spoken(kind, source)
    return drawn


def _spoken(kind: str, source: random.Random) -> Any:
    if kind != "date":
        return FIELDS[kind](source)
    day, month = source.randint(1, 28), source.randint(1, 12)
    return source.choice(
        [
            f"{day} {MONTHS[month - 1]} 2026",
            f"2026-{month:02}-{day:02}",
            f"{day:02}/{month:02}/2026",
        ]
    )


def request_of(task: Task, params: Mapping[str, Any], source: random.Random) -> str:
    """Return what a person may have said for these params."""
    said = [f"{task.params[name]} {value}" for name, value in params.items()]
    lead = source.choice(["Peux-tu regarder", "Please handle", "Occupe-toi de", "Take care of"])
    return f"{lead} {', '.join(said)}" if said else lead


def played(
    composition: Mapping[str, Any],
    shapes: Mapping[str, ToolShape],
    params: Mapping[str, Any],
    world: int,
) -> tuple[list[TracedCall], str]:
    """Play a composition with the real engine; return its calls and the execution's status."""
    return anyio.run(_played, composition, shapes, params, world)


async def _played(
    composition: Mapping[str, Any],
    shapes: Mapping[str, ToolShape],
    params: Mapping[str, Any],
    world: int,
) -> tuple[list[TracedCall], str]:
    upstreams, calls, clock = FakeUpstreams(), list[TracedCall](), FakeClock()
    for shape in shapes.values():
        upstreams.add(f"s.{shape.name}", _handler(shape, world, calls), effects=shape.effects)
    limits = Limits()
    runner = Runner(
        upstreams=upstreams,
        evaluator=Evaluator(Transformers(), clock=clock, limits=limits),
        journal=MemoryJournal(),
        clock=clock,
        limits=limits,
        settings=RunnerSettings(is_parallel=False, max_retries=0),
        source=random.Random(1),  # noqa: S311
    )
    model = Composition.model_validate(composition)
    execution = Execution("exec_1", model.id, dict(params))
    await runner.run(build_plan(model, params.keys()), execution, {})
    return calls, execution.status


def _handler(shape: ToolShape, world: int, calls: list[TracedCall]) -> Any:
    async def handle(arguments: dict[str, Any]) -> Any:
        await anyio.lowlevel.checkpoint()
        value = result_of(shape, arguments, world)
        calls.append(TracedCall("s", shape.name, dict(arguments), value, effects=shape.effects))
        return value

    return handle


def troubled(
    calls: list[TracedCall], source: random.Random, share: float
) -> tuple[TracedCall, ...]:
    """Return the calls with some trouble in between: failures, dead ends, the same read again."""
    out: list[TracedCall] = []
    for call in calls:
        roll = source.random()
        if roll < share:
            failed = {"text": "failed"}
            out.append(replace(call, value=failed, is_error=True))
        elif roll < 2 * share:
            out.append(
                TracedCall("s", "list_tools", {}, {"entries": [], "total": 0}, effects="read")
            )
        out.append(call)
        if roll > 1 - share and call.effects == "read":
            out.append(call)
    return tuple(out)


def traces_of(
    task: Task, count: int, source: random.Random, *, share: float = 0.05
) -> list[tuple[Trace, dict[str, Any]]]:
    """Return traces of a task, each in a world of its own, with the params of each."""
    pairs: list[tuple[Trace, dict[str, Any]]] = []
    for world in range(count):
        params = draw_params(task, source, pairs[-1][1] if pairs else None)
        pairs.append((_trace(task, world, params, source, share), params))
    return pairs


def _trace(
    task: Task, world: int, params: dict[str, Any], source: random.Random, share: float
) -> Trace:
    calls, status = played(task.composition, task.shapes, params, world)
    if status != "success":
        raise ValueError(f"the truth itself fails: {status}")
    request = request_of(task, params, source)
    return Trace(f"t{world}", troubled(calls, source, share), "u", f"c{world}", request)
