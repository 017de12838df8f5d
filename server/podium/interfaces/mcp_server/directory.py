"""Prompts and resources of exposed upstreams: how clients see them, and where each one is.

Prompts are named like tools. A URI stays as it is, unless two upstreams list the same one: then
each becomes `podium://server/…`. What nobody lists is looked for where a template fits, and then
wherever there are resources.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import anyio
import mcp_types as types
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from pydantic import BaseModel, ValidationError

from podium.domain.errors import PodiumError
from podium.domain.ports import Relay
from podium.domain.relay import Message, PeerError
from podium.interfaces.mcp_server.lines import Listing

SCHEME = "podium://"
LONGEST_URI = 8_192

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where something is: the upstream, and the name or URI that it has there."""

    server_id: str
    name: str


@dataclass(slots=True)
class _List:
    """One kind of list: from what it was made, what clients see, and where each item is."""

    sources: list[list[Message]] = field(default_factory=list)
    shown: Listing = field(default_factory=Listing)
    places: dict[str, Place] = field(default_factory=dict)


class Directory:
    """The lists of all exposed upstreams as one; each is made anew when an upstream's changes."""

    def __init__(self, relay: Relay, globs: Sequence[str], prefix: str) -> None:
        self._relay = relay
        self._globs = globs
        self._prefix = prefix
        self._lists = {method: _List() for method in _KINDS}

    async def shown(self, method: str) -> list[Message]:
        """Return what clients see for a list method, in the order of the configuration."""
        return (await self._list(method)).shown

    async def prompt(self, name: str) -> Place | None:
        """Return where a prompt is."""
        return (await self._list("prompts/list")).places.get(name)

    async def resource(self, uri: str) -> list[Place]:
        """Return where a resource is, or may be, the likeliest place first."""
        if len(uri) > LONGEST_URI:
            return []
        if (place := _named_place(uri)) is not None:
            return [place] if self._exposes(place.server_id, place.name) else []
        if (place := (await self._list("resources/list")).places.get(uri)) is not None:
            return [place]
        templates = (await self._list("resources/templates/list")).places
        fitting = [p.server_id for template, p in templates.items() if _fits(template, uri)]
        if fitting:
            return [Place(fitting[0], uri)]
        return [Place(s, uri) for s in self._relay.server_ids() if self._exposes(s, uri)]

    async def template(self, uri_template: str) -> Place | None:
        """Return where a template, or a resource of that URI, is."""
        place = (await self._list("resources/templates/list")).places.get(uri_template)
        if place is not None:
            return place
        return next(iter(await self.resource(uri_template)), None)

    def shown_uri(self, server_id: str, uri: str) -> str:
        """Return the URI by which clients know a resource of an upstream."""
        if self._lists["resources/list"].places.get(uri) is not None:
            return uri
        named = _name_for(server_id, uri)
        return named if named in self._lists["resources/list"].places else uri

    def may_expose(self, server_id: str) -> bool:
        """Whether any glob may fit something of an upstream, so that it is worth asking."""
        heads = [glob.partition(".")[0] if "." in glob else "*" for glob in self._globs]
        return any("*" in head or fnmatchcase(server_id, head) for head in heads)

    # --- inside

    async def _list(self, method: str) -> _List:
        servers = [s for s in self._relay.server_ids() if self.may_expose(s)]
        found: dict[str, list[Message]] = {}

        async def ask(server_id: str) -> None:
            try:
                found[server_id] = await self._relay.listed(server_id, method)
            except (PodiumError, PeerError) as error:
                _log.warning("%s of '%s': %s", method, server_id, error)

        async with anyio.create_task_group() as tasks:
            for server_id in servers:
                tasks.start_soon(ask, server_id)
        kept = self._lists[method]
        sources = [found.get(server_id, []) for server_id in servers]
        if len(kept.sources) == len(sources) and all(map(_is_same, kept.sources, sources)):
            return kept
        kept = self._lists[method] = self._made(method, servers, sources)
        return kept

    def _made(self, method: str, servers: list[str], sources: list[list[Message]]) -> _List:
        key, model, naming = _KINDS[method]
        items = [
            (Place(server_id, item[key]), item)
            for server_id, source in zip(servers, sources, strict=True)
            for item in source
            if _is_sound(item, model) and self._exposes(server_id, item[key])
        ]
        made = _List(sources)
        names = naming([place for place, _item in items], self._prefix)
        for name, (place, item) in zip(names, items, strict=True):
            if name not in made.places:
                made.places[name] = place
                made.shown.append({**item, key: name})
        return made

    def _exposes(self, server_id: str, name: str) -> bool:
        return any(fnmatchcase(f"{server_id}.{name}", glob) for glob in self._globs)


def unique_names(places: Iterable[Place], prefix: str, taken: Iterable[str] = ()) -> list[str]:
    """Return the name that each gets under the prefix.

    A name that is already taken, or that two upstreams claim, becomes `server__name` for all who
    claim it: if the first simply won, the name would mean something else whenever that upstream is
    down.
    """
    wanted = [(place, prefix.replace("{server}", place.server_id) + place.name) for place in places]
    claims = Counter([*taken, *(name for _, name in wanted)])
    return [
        name if claims[name] == 1 else f"{place.server_id}__{place.name}" for place, name in wanted
    ]


def _unique_uris(places: Sequence[Place], _prefix: str) -> list[str]:
    servers: dict[str, set[str]] = {}
    for place in places:
        servers.setdefault(place.name, set()).add(place.server_id)
    return [place.name if len(servers[place.name]) == 1 else _name_for(*place) for place in places]


def _same_names(places: Sequence[Place], _prefix: str) -> list[str]:
    return [place.name for place in places]


_KINDS: dict[str, tuple[str, type[BaseModel], Callable[[list[Place], str], list[str]]]] = {
    "prompts/list": ("name", types.Prompt, unique_names),
    "resources/list": ("uri", types.Resource, _unique_uris),
    "resources/templates/list": ("uriTemplate", types.ResourceTemplate, _same_names),
}


def _name_for(server_id: str, uri: str) -> str:
    return f"{SCHEME}{quote(server_id, safe='')}/{quote(uri, safe='')}"


def _named_place(uri: str) -> Place | None:
    if not uri.startswith(SCHEME):
        return None
    server_id, separator, name = uri.removeprefix(SCHEME).partition("/")
    return Place(unquote(server_id), unquote(name)) if separator else None


def _fits(template: str, uri: str) -> bool:
    try:
        return UriTemplate.parse(template).match(uri) is not None
    except InvalidUriTemplate:
        return False


def _is_sound(item: Any, model: type[BaseModel]) -> bool:
    """Whether clients can take an item; they reject a whole list for one odd item."""
    try:
        model.model_validate(item, by_name=False)
    except ValidationError:
        return False
    return True


def _is_same(one: object, other: object) -> bool:
    return one is other
