"""Settings of Sphinx.  The pages are plain reStructuredText and read well without it."""

project = "BuildStream"
project_copyright = "the BuildStream authors"
version = release = "2.8.1"
html_theme = "alabaster"
exclude_patterns = ["examples"]
