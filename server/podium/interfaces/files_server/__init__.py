"""A small MCP file server, confined to one folder (`podium upstream files DIR`).

It speaks both protocol eras on stdio and has five tools: list_directory, read_file, search_files,
file_info and write_file. `folder` keeps every path inside, `reading` makes text of bytes, `tools`
are the five functions, `catalogue` is what clients see of them, `server` answers the calls.
"""

from podium.interfaces.files_server.server import build_server, main, serve

__all__ = ["build_server", "main", "serve"]
