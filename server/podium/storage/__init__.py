"""Adapter to what survives a restart: the journal and the remembered protocol eras."""
