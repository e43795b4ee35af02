"""Generated projects that vary every key of the project format: see `generate.py`."""
