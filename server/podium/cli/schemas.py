"""The kinds of hand-written files to JSON Schemas, so that an editor completes and checks them."""

from typing import Any, Literal, get_args

from pydantic import BaseModel

from podium.config import ConfigFile
from podium.domain.composition import STEP_KINDS, Composition
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
    schema = _without_titles(model.model_json_schema(by_alias=True))
    if kind == "composition":
        schema = _with_one_step(schema)
    return {"$schema": DIALECT, **schema, "title": title}


def _without_titles(part: Any) -> Any:
    """Leave out the titles that only repeat a key; editors show the key anyway."""
    if isinstance(part, list):
        return [_without_titles(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _without_titles(value)
        for key, value in part.items()
        if key != "title" or not isinstance(value, str)
    }


def _with_one_step(schema: dict[str, Any]) -> dict[str, Any]:
    """Name the choice between the kinds of steps once, and each kind by its key."""
    choice = schema["properties"]["steps"]["items"]
    schema = _replaced(schema, choice, {"$ref": "#/$defs/Step"})
    for key, model in STEP_KINDS.items():
        schema["$defs"][model.__name__]["title"] = f"step with `{key}`"
    about = f"A step is what its key makes it: {', '.join(STEP_KINDS)}."
    schema["$defs"]["Step"] = {"description": about, **choice}
    return schema


def _replaced(part: Any, old: Any, new: Any) -> Any:
    if part == old:
        return new
    if isinstance(part, list):
        return [_replaced(each, old, new) for each in part]
    if isinstance(part, dict):
        return {key: _replaced(value, old, new) for key, value in part.items()}
    return part
