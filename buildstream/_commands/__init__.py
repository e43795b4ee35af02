"""One module a command: load, plan, act, report.  Commands return data; printing is for the front end."""
