"""Files in, resolved elements out: YAML, includes, options, variables, plugins, dependencies."""
