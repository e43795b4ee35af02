"""Projects that are made up from a seed, to be built by two programs that must make the same of them.

Every element needs a base that holds a shell and a few programs.  What elements do with files is as odd
as the commands of a shell allow; none of it depends on time, on the machine or on the order of jobs.
"""

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_NAMES = ("a", "b", "data", "Über", "with space", "x.so", "x.a", "tool", "%odd", "-dash", "z", "conf.d")
_FOLDERS = (
    "usr/bin",
    "usr/lib",
    "usr/share/doc",
    "usr/include",
    "etc",
    "opt/deep/er",
    "srv",
    "usr/lib/debug",
)
_BELOW = 5  # elements of a project inside another
_LINKED = ("lib", "bin", "opt/link", "etc/deep/lib")  # some elements have links of these names
_DOMAINS = ("runtime", "devel", "debug", "doc", "locale", "own")


@dataclass(slots=True)
class Project:
    """One project under construction; what is chosen depends on `chance` alone."""

    directory: Path
    chance: random.Random
    names: list[str] = field(default_factory=list)  # of elements so far
    kinds: dict[str, str] = field(default_factory=dict)

    def few(self, choices: tuple[str, ...] | list[str], most: int) -> list[str]:
        """Up to MOST different ones."""
        return self.chance.sample(list(choices), min(len(choices), self.chance.randint(0, most)))

    def likely(self, share: float) -> bool:
        return self.chance.random() < share

    def path(self) -> str:
        folder = self.chance.choice(_LINKED if self.likely(0.1) else _FOLDERS)
        return f"{folder}/{self.chance.choice(_NAMES)}"

    def write(self, name: str, element: dict[str, object]) -> None:
        """Adds an element; JSON is YAML."""
        kind = str(element["kind"])
        if kind == "manual" and self.likely(0.2):
            element["runtime-depends"] = self.few([n for n in self.names if self.kinds[n] != "filter"], 2)
        if self.likely(0.3):
            element["public"] = {"bst": self.public()}
        path = self.directory / "elements" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(element, indent=1), encoding="utf-8")
        self.names.append(name)
        self.kinds[name] = kind

    def public(self) -> dict[str, object]:
        public: dict[str, object] = {}
        if self.likely(0.5):
            public["integration-commands"] = [f"mkdir -p /var/log; echo '{self.path()}' >> /var/log/list"]
        if self.likely(0.3):
            public["integration-commands"] = [
                self.chance.choice(_INTEGRATION).format(self.path(), self.path()) for _ in range(2)
            ]
        if self.likely(0.5):
            public["overlap-whitelist"] = self.chance.choice(
                (["**"], ["/usr/**"], ["%{bindir}/*"], ["/etc/[ab]"])
            )
        if self.likely(0.5):
            public["split-rules"] = {
                "own": self.chance.choice(
                    (["/usr/lib/*"], ["/etc", "/etc/**"], ["/opt/?eep/**"], ["**/*.so"])
                )
            }
        return public


def write_project(directory: Path, seed: int, count: int) -> None:
    """A project of COUNT elements and `all.bst` in DIRECTORY, some of them of another one in it.

    The content of `files/base` of each is left to the caller.
    """
    project = Project(directory, random.Random(seed))
    chance = project.chance
    configuration: dict[str, object] = {
        "name": f"random-{seed}",
        "min-version": "2.0",
        "element-path": "elements",
        "environment": {"PATH": "/usr/bin:/bin"},
    }
    if project.likely(0.2):
        configuration["fatal-warnings"] = project.few(["overlaps", "unstaged-files", "unaliased-url"], 2)
    if project.likely(0.3):
        configuration["split-rules"] = {"own": ["/srv/**"]}
    (directory / "elements").mkdir(parents=True)
    (directory / "project.conf").write_text(json.dumps(configuration), encoding="utf-8")
    base = {"kind": "import", "sources": [{"kind": "local", "path": "files/base"}]}
    (directory / "elements" / "base.bst").write_text(json.dumps(base), encoding="utf-8")
    writers: tuple[Callable[[Project, int], None], ...] = (
        _import,
        _import,
        _manual,
        _manual,
        _manual,
        _compose,
        _filter,
        _script,
        _stack,
    )
    if seed % 10 < 3 and count > _BELOW:
        write_project(directory / "below", seed * 1000 + 5, _BELOW)
        junction = {"kind": "junction", "sources": [{"kind": "local", "path": "below"}]}
        (directory / "elements" / "below.bst").write_text(json.dumps(junction), encoding="utf-8")
        for path in (directory / "below" / "elements").glob("[a-z][0-9]*.bst"):
            name = f"below.bst:{path.name}"
            project.names.append(name)
            project.kinds[name] = json.loads(path.read_text(encoding="utf-8"))["kind"]
        project.names.sort()
    for number in range(count):
        writer = chance.choice(writers if number > 3 else (_import, _manual))
        writer(project, number)
    everything = {"kind": "stack", "depends": ["base.bst", *project.names]}
    (directory / "elements" / "all.bst").write_text(json.dumps(everything), encoding="utf-8")


def _import(project: Project, number: int) -> None:
    name = f"i{number}"
    tree = project.directory / "files" / name
    for _ in range(project.chance.randint(1, 8)):
        _put(project, tree)
    if project.likely(0.15):
        link = tree / project.chance.choice(_LINKED)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(link):
            link.symlink_to(project.chance.choice(("usr/lib", "/usr/bin", "../usr/lib", "etc", "../../usr")))
    source: dict[str, object] = {"kind": "local", "path": f"files/{name}"}
    if project.likely(0.2):
        source["directory"] = project.chance.choice(("sub", "usr/lib", "a/b"))
    sources = [source]
    if project.likely(0.2):
        _put(project, project.directory / "files" / f"{name}-more")
        sources.append({"kind": "local", "path": f"files/{name}-more"})
    element: dict[str, object] = {"kind": "import", "sources": sources}
    config = {}
    if project.likely(0.2):
        config["source"] = project.chance.choice(("/", "usr", "/usr/lib", "etc", "none"))
    if project.likely(0.3):
        config["target"] = project.chance.choice(("/", "/usr", "%{prefix}/x", "opt"))
    if config:
        element["config"] = config
    if project.likely(0.2):
        element["depends"] = project.few(project.names, 2)
    project.write(f"{name}.bst", element)


def _put(project: Project, tree: Path) -> None:
    """One more thing at a random place in TREE."""
    path = tree / project.path()
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = project.chance.choice(("file", "file", "file", "program", "link", "link", "folder", "secret"))
    if os.path.lexists(path):
        return
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        goals = ("b", "../lib", "/usr/bin", "/etc/a", "nowhere", "..", "../../usr/share/doc/a", ".")
        path.symlink_to(project.chance.choice(goals))
    else:
        path.write_text(f"{project.chance.randint(0, 9)}\n" * project.chance.choice((0, 1, 1, 4000)))
        path.chmod({"file": 0o644, "program": 0o755, "secret": 0o600}[kind])


def _dependencies(project: Project, most: int = 3) -> list[object]:
    names: list[object] = ["base.bst"]
    for name in project.few(project.names, most):
        if project.likely(0.15):
            location = project.chance.choice(("/sysroot", "/opt/root", "/"))
            names.append({"filename": name, "config": {"location": location}})
        else:
            names.append(name)
    return names


_STATUS = "%n %F %a %u %g %h %s %Y"
_INTEGRATION = (  # what changes files of dependencies, where that is allowed
    "if [ -f '/{0}' ]; then echo more >> '/{0}'; fi",
    "if [ -f '/{0}' ]; then chmod 755 '/{0}'; fi",
    "if [ -f '/{0}' ]; then ln '/{0}' '/{1}'; fi",
    "if [ -f '/{0}' ]; then mv '/{0}' '/{1}'; fi",
    "if [ -f '/{0}' ]; then cp -p '/{0}' '/{1}'; fi",
    "if [ -f '/{0}' ]; then sed -i 's/1/one/' '/{0}'; fi",
    "rm -rf '/{0}'",
    "rm -rf '/{0}'; mkdir -p '/{0}'; echo in > '/{0}/it'",
    "rm -rf /etc; ln -s usr/etc /etc; mkdir -p /usr/etc",
    "mkdir -p /var /usr/share/doc; mv /usr/share/doc /var/doc; ln -s ../../var/doc /usr/share/doc",
    "if [ -d /srv ]; then mv /srv /moved.srv; mkdir /srv; echo again > /srv/again; fi",
    "mkdir -p /etc; echo new > /etc/new; chmod 600 /etc/new; ln -s new /etc/newer",
    "mkfifo /etc/pipe; mkdir -p /run/x; echo 1 > /run/x/pid; echo 1 > /tmp/left",
    "find /etc /srv /opt -type f -exec touch -d '2005-05-05' {{}} +",
    "find /usr/share /srv /opt -type f -exec gzip -f {{}} +",
)

_COMMANDS = (
    "mkdir -p 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\"; echo {1} > 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\"; echo {1} > 'R/{0}'; chmod 755 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\"; echo {1} > 'R/{0}'; chmod 4711 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\"; echo {1} > 'R/{0}'; chmod 000 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\"; ln -s '{2}' 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\"; ln -s '/{2}' 'R/{0}'",
    "mkdir -p \"$(dirname 'R/{0}')\" R; echo {1} > R/linked; ln R/linked 'R/{0}'",
    "mkdir -p R/usr; if [ -e '/{2}' ]; then cp -R '/{2}' R/usr/copied; fi",
    "rm -rf '/{2}'; mkdir -p R",
    "mkdir -p R/etc; find /usr /etc /opt -type f | sort > R/etc/found",
    "mkdir -p R/etc; find /usr /etc /opt /sysroot -type l | sort > R/etc/links || true",
    "mkdir -p R/gone; rm -r R/gone",
    "mkdir -p R; pwd > R/pwd; id -u > R/uid; umask > R/umask",
    "mkdir -p R; touch -d '2001-01-01 00:00:00' R/old",
    "mkdir -p R/private; chmod 700 R/private; echo x > R/private/x; chmod 640 R/private/x",
    "if [ -d '/{2}' ]; then mv '/{2}' /moved || true; fi; mkdir -p R",
    "mkdir -p R; cat '/{2}' > R/content || true",
    "mkdir -p R; env | sort > R/environment",
    "mkdir -p R; find / -xdev ! -type d ! -newermt 2012-01-01 -exec stat -c '{3}' {{}} + | sort > R/stats",
    "mkdir -p R/etc; find / -xdev -type f -printf '%i\\n' | sort | uniq -d | wc -l > R/etc/linked",
    "mkdir -p R; tar -cf R/t /usr /etc || true; tar -tvf R/t | cut -c 1 | sort | uniq -c > R/types; rm R/t",
    "mkdir -p R; gzip -c '/{2}' > R/packed || true; gzip '/{2}' 2> R/said || true",
    "mkdir -p R; cp -a /etc R/etc.copy; cp -al R/etc.copy R/etc.links",
    "mkdir -p R; cp -p '/{2}' R/kept || true; stat -c '%a %s %Y %h' R/kept > R/kept.stat || true",
    *(f"mkdir -p R; {command} || true" for command in _INTEGRATION),
)


def _commands(project: Project, most: int) -> list[str]:
    commands = []
    for _ in range(project.chance.randint(0, most)):
        text = project.chance.choice(_COMMANDS)
        root = project.chance.choice(("%{install-root}", "%{install-root}", "."))
        text = text.format(project.path(), project.chance.randint(0, 99), project.path(), _STATUS)
        commands.append(
            text.replace("%odd", "odd")
            .replace("-dash", "dash")
            .replace("R/", root + "/")
            .replace(" R;", f" {root};")
        )
    if project.likely(0.04):
        commands.append("false")
    return commands


def _manual(project: Project, number: int) -> None:
    config: dict[str, object] = {
        "build-commands": _commands(project, 3),
        "install-commands": ["mkdir -p %{install-root}", *_commands(project, 4)],
    }
    element: dict[str, object] = {"kind": "manual", "build-depends": _dependencies(project), "config": config}
    if project.likely(0.3):
        tree = project.directory / "files" / f"m{number}"
        for _ in range(3):
            _put(project, tree)
        element["sources"] = [{"kind": "local", "path": f"files/m{number}"}]
    if project.likely(0.2):
        element["environment"] = {"V": "%{element-name} %{max-jobs}", "EMPTY": ""}
    if project.likely(0.15):
        element["variables"] = {"strip-binaries": "", "notparallel": True}
    if project.likely(0.1):
        element["sandbox"] = {"build-uid": 1023, "build-gid": 3490}
    project.write(f"m{number}.bst", element)


def _compose(project: Project, number: int) -> None:
    config: dict[str, object] = {}
    if project.likely(0.5):
        config["integrate"] = project.likely(0.5)
    config.update(_selection(project, 0.5, 0.5))
    needs = [need for need in _dependencies(project, 5) if isinstance(need, str)]
    project.write(f"c{number}.bst", {"kind": "compose", "build-depends": needs, "config": config})


def _selection(project: Project, included: float, excluded: float) -> dict[str, object]:
    """What `compose` and `filter` choose files by; how likely it names domains to include and to exclude."""
    config: dict[str, object] = {}
    if project.likely(included):
        config["include"] = project.few(list(_DOMAINS), 3)
    if project.likely(excluded):
        config["exclude"] = project.few(list(_DOMAINS), 3)
    if project.likely(0.4):
        config["include-orphans"] = project.likely(0.5)
    return config


def _filter(project: Project, number: int) -> None:
    goals = [name for name in project.names if project.kinds[name] in ("manual", "import", "compose")]
    if not goals:
        return
    config = _selection(project, 0.6, 0.4)
    if project.likely(0.4):
        config["pass-integration"] = True
    goal = project.chance.choice(goals)
    project.write(f"f{number}.bst", {"kind": "filter", "build-depends": [goal], "config": config})


def _script(project: Project, number: int) -> None:
    commands = ["mkdir -p %{install-root}", *_commands(project, 4)]
    config: dict[str, object] = {"commands": commands}
    if project.likely(0.3):
        config["root-read-only"] = True
    needs = _dependencies(project)
    element: dict[str, object] = {"kind": "script", "build-depends": needs, "config": config}
    project.write(f"s{number}.bst", element)


def _stack(project: Project, number: int) -> None:
    element: dict[str, object] = {"kind": "stack", "depends": project.few(project.names, 3)}
    project.write(f"k{number}.bst", element)


def change(directory: Path, seed: int) -> None:
    """Changes some sources of the project of SEED, as somebody who works on it."""
    chance = random.Random(f"change {seed}")
    files = sorted(
        path for path in (directory / "files").glob("[im]*/**/*") if path.is_file() and not path.is_symlink()
    )
    for path in chance.sample(files, min(len(files), 2)):
        if chance.random() < 0.3:
            path.unlink()
        else:
            path.write_text("changed\n", encoding="utf-8")
