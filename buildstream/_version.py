"""The version of the program, as plugins and projects see it."""

__version__ = "2.8.1"
