"""Bounds of the MCP way in."""

MESSAGE_BYTES = 4 * 1024 * 1024  # one message of a client; documents belong in files
