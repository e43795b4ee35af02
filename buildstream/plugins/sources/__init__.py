"""The core source kinds; the module name is the kind."""
