"""The kinds of hand-written files to JSON Schemas, so that an editor completes and checks them."""

from typing import Any, Literal, get_args

from pydantic import BaseModel

from podium.config import ConfigFile
from podium.domain.composition import Composition
from podium.intents.files import PatternFile
from podium.mapping.files import TransformerFile

Kind = Literal["config", "patterns", "composition", "transformer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_MODELS: dict[Kind, tuple[type[BaseModel], str]] = {
    "config": (ConfigFile, "Podium settings (config.yaml)"),
    "patterns": (PatternFile, "Podium patterns (patterns/*.json)"),
    "composition": (Composition, "A Podium composition (compositions/**/*.json)"),
    "transformer": (TransformerFile, "Podium transformers (transformers/*.json)"),
}


def schema_of(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a kind of file."""
    model, title = _MODELS[kind]
    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True), "title": title}
