"""JSON to JSON: expressions and the transformers they call."""
