"""An execution to the reply a person reads."""
