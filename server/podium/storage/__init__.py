"""Adapter to what survives a restart: journal, protocol eras, accepted tools, logins."""
