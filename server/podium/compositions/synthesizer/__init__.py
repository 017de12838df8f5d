"""A request that no composition answers to compositions that may: sketched, then planned."""
