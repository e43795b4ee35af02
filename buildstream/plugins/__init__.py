"""The kinds that need no declaration in a project."""
