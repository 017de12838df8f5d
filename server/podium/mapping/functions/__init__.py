"""The transformers that Podium ships: plain functions value -> value, by the name they are called.

All of them take what JSONata hands over: nothing found arrives as None, and a list of one element
may arrive as the element. They raise UnusableError with a sentence for
people.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

from podium.mapping.functions.dates import to_date
from podium.mapping.functions.formats import csv_parse, json_parse, json_stringify, yaml_parse
from podium.mapping.functions.html import html_to_text
from podium.mapping.functions.lists import (
    extract_first,
    extract_last,
    flatten,
    group_by,
    list_to_str,
    sort_by,
    str_to_list,
    unique,
)
from podium.mapping.functions.numbers import to_number
from podium.mapping.functions.objects import pick, rename
from podium.mapping.functions.texts import excerpt, regex_extract, template

__all__ = ["BUILT_IN"]

BUILT_IN: Final = MappingProxyType[str, Callable[..., Any]](
    {
        function.__name__: function
        for function in (
            str_to_list, list_to_str, json_parse, json_stringify, extract_first, extract_last,
            flatten, unique, sort_by, group_by, pick, rename, to_number, to_date, template, excerpt,
            regex_extract, html_to_text, csv_parse, yaml_parse,
        )
    }
)  # fmt: skip
