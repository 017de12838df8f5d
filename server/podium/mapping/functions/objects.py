"""Objects: some of their fields, or their fields under other names."""

from typing import Any

from podium.mapping.functions.common import UnusableError, as_list, brief


def pick(value: Any, names: Any) -> Any:
    """Keep only the named fields of an object, or of every object in a list.

    Fields that are not there are left out. Nothing gives null.
    """
    wanted = as_list(names)
    if not all(isinstance(name, str) for name in wanted):
        raise UnusableError("the names of the fields are texts: $pick(value, ['a', 'b'])")
    return _each(value, lambda item: {name: item[name] for name in wanted if name in item})


def rename(value: Any, names: Any) -> Any:
    """Give fields of an object, or of every object in a list, other names: `{"old": "new"}`.

    Other fields stay, and the order too. Nothing gives null.
    """
    if not isinstance(names, dict) or not all(isinstance(new, str) for new in names.values()):
        raise UnusableError("the names are an object of texts: $rename(value, {'old': 'new'})")
    return _each(value, lambda item: _renamed(item, names))


def _each(value: Any, change: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if not isinstance(value, dict):
        raise UnusableError(f"it takes an object or a list of objects, not {brief(value)}")
    return change(value)


def _renamed(item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in item.items():
        new = names.get(name, name)
        if new in renamed:
            raise UnusableError(f"two fields would have the name '{new}'")
        renamed[new] = value
    return renamed
