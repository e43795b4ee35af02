"""The core source mirror kinds; the module name is the kind."""
