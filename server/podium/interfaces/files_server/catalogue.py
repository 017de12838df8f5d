"""The tools as clients see them: one table of names, schemas, annotations and functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import mcp_types as types
from jsonschema import Draft202012Validator

from podium.interfaces.files_server import tools
from podium.interfaces.files_server.tools import Run

MAX_PATH_CHARACTERS = 4_096
MAX_QUERY_CHARACTERS = 1_000
MAX_PATTERN_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool's definition, its function, and what checks its arguments.

    `threaded` ones may take a while; reading one file is quicker without a change of thread.
    """

    definition: types.Tool
    run: Run
    threaded: bool
    validator: Draft202012Validator


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _count(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description, **more}


def _flag(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "boolean", "description": description, **more}


def _list(description: str, items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": items}


_FILE_PATH = _text(
    "Path of the file, relative to the served folder, with '/'.",
    minLength=1,
    maxLength=MAX_PATH_CHARACTERS,
)
_DIRECTORY = _text(
    "The folder, relative to the served one; '.' is the served one itself.",
    minLength=1,
    maxLength=MAX_PATH_CHARACTERS,
    default=".",
)
_PATTERN = _text(
    "Glob on the name, such as '*.md'; with a '/' on the path below the folder, "
    "where '**' stands for any number of folders. Letter case makes no difference.",
    maxLength=MAX_PATTERN_CHARACTERS,
)
_SERVED_PATH = _text("Path relative to the served folder.")
_PATHS = {"type": "string"}
_TYPE = _text("What it is.", enum=["file", "directory", "other"])
_SIZE = _count("Bytes.")
_MODIFIED = _text("Time of the last change, ISO 8601 in UTC.")
_TRUNCATED = _flag("Whether a limit cut the result short.")
_SKIPPED = _count("Entries left out: unreadable, or links that lead outside the served folder.")

_READS = {"read_only": True, "destructive": False, "idempotent": True}
# Appending twice adds twice, and writing replaces what was there.
_WRITES = {"read_only": False, "destructive": True, "idempotent": False}


def _tool(
    run: Run,
    title: str,
    description: str,
    *,
    arguments: dict[str, Any],
    result: dict[str, Any],
    hints: Mapping[str, bool],
    threaded: bool,
) -> ServedTool:
    definition = types.Tool(
        name=run.__name__,
        title=title,
        description=description,
        input_schema=arguments,
        output_schema=result,
        annotations=types.ToolAnnotations(
            title=title,
            read_only_hint=hints["read_only"],
            destructive_hint=hints["destructive"],
            idempotent_hint=hints["idempotent"],
            open_world_hint=False,
        ),
    )
    return ServedTool(definition, run, threaded, Draft202012Validator(arguments))


_ALL = (
    _tool(
        tools.list_directory,
        "List a folder",
        "List the files and folders of a folder, sorted by name. `files` holds the paths to give "
        "to read_file.",
        arguments=_object(
            [],
            directory=_DIRECTORY,
            pattern=_PATTERN,
            recursive=_flag("Whether to list what is in its folders as well.", default=False),
            hidden=_flag("Whether to list names that begin with a dot.", default=False),
            limit=_count(
                "Most entries to return.",
                minimum=1,
                maximum=tools.MAX_LIST_LIMIT,
                default=tools.LIST_LIMIT,
            ),
        ),
        result=_object(
            ["directory", "files", "directories", "entries", "truncated", "skipped"],
            directory=_SERVED_PATH,
            files=_list("Paths of the files.", _PATHS),
            directories=_list("Paths of the folders.", _PATHS),
            entries=_list(
                "Everything that was found.",
                _object(
                    ["path", "name", "type", "size", "modified"],
                    path=_SERVED_PATH,
                    name=_text("The last part of the path."),
                    type=_TYPE,
                    size=_SIZE,
                    modified=_MODIFIED,
                ),
            ),
            truncated=_TRUNCATED,
            skipped=_SKIPPED,
        ),
        hints=_READS,
        threaded=True,
    ),
    _tool(
        tools.read_file,
        "Read a file",
        "Read a text file. The encoding is recognised; a binary file is an error.",
        arguments=_object(
            ["file_path"],
            file_path=_FILE_PATH,
            max_bytes=_count(
                "Most bytes to read; a longer file is cut there.",
                minimum=1,
                maximum=tools.MAX_READ_BYTES,
                default=tools.MAX_READ_BYTES,
            ),
        ),
        result=_object(
            ["file_path", "text", "size", "encoding", "truncated"],
            file_path=_SERVED_PATH,
            text=_text("What is in the file."),
            size=_SIZE,
            encoding=_text("How the file is encoded; cp1252 and latin-1 are guesses."),
            truncated=_TRUNCATED,
        ),
        hints=_READS,
        threaded=False,
    ),
    _tool(
        tools.search_files,
        "Search in files",
        "Find the lines that hold a text, in the text files of a folder and below it. Letter case "
        "and accents make no difference. Binary files and names that begin with a dot are left "
        "out.",
        arguments=_object(
            ["query"],
            query=_text(
                "The text to find, within one line.", minLength=1, maxLength=MAX_QUERY_CHARACTERS
            ),
            directory=_DIRECTORY,
            pattern=_PATTERN,
            case_sensitive=_flag(
                "Whether letter case and accents must be the same.", default=False
            ),
            limit=_count(
                "Most matching lines to return.",
                minimum=1,
                maximum=tools.MAX_SEARCH_LIMIT,
                default=tools.SEARCH_LIMIT,
            ),
        ),
        result=_object(
            ["query", "directory", "matches", "files", "searched", "skipped", "truncated"],
            query=_text("What was searched for."),
            directory=_SERVED_PATH,
            matches=_list(
                "The matching lines.",
                _object(
                    ["file_path", "line", "text"],
                    file_path=_SERVED_PATH,
                    line=_count("Number of the line, from 1."),
                    text=_text("The line; a long one is cut round the match."),
                ),
            ),
            files=_list("Paths of the files with a match.", _PATHS),
            searched=_count("How many text files were searched."),
            skipped=_SKIPPED,
            truncated=_TRUNCATED,
        ),
        hints=_READS,
        threaded=True,
    ),
    _tool(
        tools.file_info,
        "Describe a file",
        "Return type, size and times of a file or folder, and the number of lines of a text file.",
        arguments=_object(["file_path"], file_path=_FILE_PATH),
        result=_object(
            ["file_path", "type", "size", "modified"],
            file_path=_SERVED_PATH,
            type=_TYPE,
            size=_SIZE,
            modified=_MODIFIED,
            created=_text("Time it was made, where the system knows it."),
            lines=_count("Number of lines of a text file."),
        ),
        hints=_READS,
        threaded=False,
    ),
    _tool(
        tools.write_file,
        "Write a file",
        "Write a UTF-8 text file: whole, replacing what was there, or appended to its end.",
        arguments=_object(
            ["file_path", "text"],
            file_path=_FILE_PATH,
            text=_text("What to write.", maxLength=tools.MAX_WRITE_CHARACTERS),
            append=_flag("Whether to add to the end of the file instead.", default=False),
            create_directories=_flag("Whether to make the folders of the path.", default=True),
            overwrite=_flag("Whether an existing file may be replaced.", default=True),
        ),
        result=_object(
            ["file_path", "size", "created", "appended"],
            file_path=_SERVED_PATH,
            size=_SIZE,
            created=_flag("Whether the file is new."),
            appended=_flag("Whether the text was added to the end."),
        ),
        hints=_WRITES,
        threaded=True,
    ),
)

TOOLS: Mapping[str, ServedTool] = MappingProxyType({tool.definition.name: tool for tool in _ALL})
