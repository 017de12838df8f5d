"""A request to an intent, without a model: pattern files, matching, ranking."""
