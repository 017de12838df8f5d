"""Adapter to the MCP servers that Podium calls."""
