"""A plan to an execution: pure scheduling decides, the runner does."""
