"""Settings of Sphinx.  The pages are plain reStructuredText and read well without it."""

from buildstream import __version__

project = "BuildStream"
project_copyright = "the BuildStream authors"
version = release = __version__
html_theme = "alabaster"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# docstrings are written for readers of the code: what is in backquotes is code, whatever its role
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# the constructors are for the core: plugins never call nor override them
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
