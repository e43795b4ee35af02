"""Everything is declared in pyproject.toml; this file serves tools that know only setup.py."""

from setuptools import setup

setup()
