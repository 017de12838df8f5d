"""Values and rules, no input or output; every other package builds on these words."""
