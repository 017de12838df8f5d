"""Executions and traces observed, to what is learnt from them."""
