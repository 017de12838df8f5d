"""An intent to a composition: the library of files, the dependency graph, the checker."""
