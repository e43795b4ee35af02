"""The core element kinds; the module name is the kind."""
