"""A request that no composition answers to a composition made for it: sketch, plan, check."""
