"""The environment that commands have where a project says nothing, in its order."""

DEFAULT_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "SHELL": "/bin/sh",
    "TERM": "dumb",
    "USER": "tomjon",
    "USERNAME": "tomjon",
    "LOGNAME": "tomjon",
    "LC_ALL": "C",
    "HOME": "/tmp",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": "1321009871",
}
