"""project.conf with every key that it may have, and the files that it includes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import dedent

from tests.corpus import elements, sources
from tests.corpus.chances import Chances
from tests.corpus.texts import STANDARD, WORDS, Options, directed, text, texts
from tests.corpus.yamltext import Data

# writes a file of the project: its path, and data or text
Write = Callable[[str, "dict[str, Data] | str"], None]

_WARNINGS = ["overlaps", "ref-not-in-track", "custom:token", "unstaged-files", "unavailable-source-info"]
_ELEMENT_PLUGIN = """\
    from buildstream import Element


    class Labelled(Element):
        BST_MIN_VERSION = "2.0"

        def configure(self, node):
            node.validate_keys(["label", "size"])
            self.label = node.get_str("label")
            self.size = node.get_int("size", 5)

        def preflight(self):
            pass

        def get_unique_key(self):
            return {"label": self.label, "size": self.size, "flags": [True, None, 1.5]}

        def configure_sandbox(self, sandbox):
            pass

        def stage(self, sandbox):
            pass

        def assemble(self, sandbox):
            return "/"


    def setup():
        return Labelled
    """
_MIRROR_PLUGIN = """\
    from buildstream import SourceMirror


    class Prefixed(SourceMirror):
        BST_MIN_VERSION = "2.2"

        def configure(self, node):
            node.validate_keys(["prefix"])
            self.set_supported_aliases(["mirrored"])
            self.prefix = node.get_str("prefix")

        def translate_url(self, *, alias, alias_url, source_url, extra_data):
            return self.prefix + source_url


    def setup():
        return Prefixed
    """


class ConfMaker:
    """Makes the project.conf of one project.

    Args:
        chances: What decides.
        options: Declared already.
        write: Writes the files that are included, and local plugins.
        fragments: Includes that junctions offer, for environments.

    Attributes:
        own: Variables of the project that texts may refer to.
        kinds: Of elements that the project can use.
        kinds_of_sources: The same for sources.
    """

    def __init__(self, chances: Chances, options: Options, write: Write, fragments: Sequence[str]) -> None:
        self._chances = chances
        self._options = options
        self._write = write
        self._fragments = fragments
        self._standard = [*STANDARD, *options.exported]
        self.own: list[str] = []
        self.kinds = list(elements.CORE)
        self.kinds_of_sources = list(sources.CORE)

    def make(
        self, name: str, element_path: str, plugins_of_junction: Data | None, *, has_packages: bool
    ) -> dict[str, Data]:
        """The project.conf of the project NAME; a few sections end up in files that it includes."""
        chances = self._chances
        conf: dict[str, Data] = {"name": name, "min-version": chances.pick(["2.0", "2.4", "2.8", "2.0.5"])}
        if element_path:
            conf["element-path"] = element_path
        if chances.take("project/fatal-warnings", 0.3):
            conf["fatal-warnings"] = chances.some(_WARNINGS, 3) * chances.pick([1, 1, 2])
        if chances.take("project/fail-on-overlap", 0.1):
            conf["fail-on-overlap"] = chances.pick(["True", "false"])
        self._add_plugins(conf, plugins_of_junction, has_packages=has_packages)
        if self._options.declared:
            conf["options"] = self._options.declared
        if chances.take("project/variables", 0.7):
            conf["variables"] = self._variables()
        self._add_environment(conf)
        self._add_split_rules(conf)
        if chances.take("project/sandbox", 0.3):
            conf["sandbox"] = self._sandbox()
        self._add_places(conf)
        if chances.take("project/elements", 0.5):
            conf["elements"] = self._overrides()
        if chances.take("project/sources", 0.4):
            conf["sources"] = self._source_overrides()
        if chances.take("project/defaults", 0.2):
            conf["defaults"] = {"targets": ["everything.bst"]}
        if chances.take("project/shell", 0.3):
            conf["shell"] = self._shell()
        self._add_attributes(conf)
        self._add_conditional(conf)
        return self._with_includes(conf)

    @property
    def variables(self) -> list[str]:
        """What texts of elements may refer to."""
        return [*self._standard, *self.own]

    # plugins

    def _add_plugins(self, conf: dict[str, Data], of_junction: Data | None, *, has_packages: bool) -> None:
        chances = self._chances
        plugins: list[Data] = []
        # one kind can come from one package only
        taken: set[str] = set()
        for package in chances.some(list(elements.PACKAGED) if has_packages else [], 2):
            chances.used["plugins/pip"] += 1
            requirement = package + chances.pick(["", "", ">=2.0", " >= 2.0, < 3"])
            chosen = [kind for kind in sources.PACKAGED[package] if kind not in taken]
            taken.update(chosen)
            self.kinds += elements.PACKAGED[package]
            self.kinds_of_sources += chosen
            plugins.append(
                {
                    "origin": "pip",
                    "package-name": requirement,
                    "elements": [self._plugin(kind) for kind in elements.PACKAGED[package]],
                    "sources": [self._plugin(kind) for kind in chosen],
                }
            )
        if of_junction is not None and chances.take("plugins/junction"):
            plugins.append(of_junction)
            self.kinds += elements.LOCAL * 2
        elif chances.take("plugins/local", 0.3):
            plugins.append({"origin": "local", "path": "plugins", "elements": list(elements.LOCAL)})
            self.kinds += elements.LOCAL * 2
            self._write("plugins/labelled.py", dedent(_ELEMENT_PLUGIN))
            if chances.take("plugins/defaults"):
                defaults = {
                    "variables": {"from-defaults": "%{prefix}/d"},
                    "config": {"size": "42"},
                    "environment": {"FROM_DEFAULTS": "%{from-defaults}"},
                    "public": {"bst": {"split-rules": {"devel": {"(>)": ["/from/defaults"]}}}},
                }
                self._write("plugins/labelled.yaml", defaults)
        for plugin in plugins:
            if chances.take("plugins/allow-deprecated", 0.1):
                plugin["allow-deprecated"] = "True"
        if plugins:
            conf["plugins"] = plugins

    def _plugin(self, kind: str) -> Data:
        if self._chances.take("plugins/kind mapping", 0.05):
            return {"kind": kind, "allow-deprecated": "True"}
        return kind

    # values

    def _variables(self) -> dict[str, Data]:
        chances, few = self._chances, self._standard[:4]
        own = chances.some(WORDS, 5)
        block: dict[str, Data] = {name: text(chances, few) for name in own}
        if own and chances.take("include/variables", 0.4):
            fragment: dict[str, Data] = {own[0]: "included", "only-included": "%{prefix}/i"}
            if chances.take("include/variables conditional"):
                fragment["(?)"] = self._options.conditional(chances, lambda: {own[0]: text(chances, few)})
            if chances.take("include/chain", 0.3):
                fragment["(@)"] = "include/deeper.yml"
                self._write("include/deeper.yml", {"deeper": "%{sysconfdir}/d", own[0]: "deep"})
                own.append("deeper")
            self._write("include/variables.yml", fragment)
            own.append("only-included")
            block["(@)"] = chances.pick(["include/variables.yml", ["include/variables.yml"]])
        if own and chances.take("project/variables conditional"):
            block["(?)"] = self._options.conditional(chances, lambda: {chances.pick(own): text(chances, few)})
        if chances.take("variables/built-in", 0.3):
            block["libdir"] = "%{prefix}/lib64"
        if chances.take("variables/nested", 0.3):
            block.update({"outer": "%{inner}/o", "inner": "%{innermost}", "innermost": "%{prefix}/i"})
            own += ["outer", "inner"]
        if chances.take("variables/notparallel", 0.05):
            block["notparallel"] = "True"
        self.own = own
        return block

    def _add_environment(self, conf: dict[str, Data]) -> None:
        chances = self._chances
        if chances.take("project/environment", 0.6):
            names = chances.some(["PATH", "TERM", "EXTRA", "JOBS", "A_B"], 3)
            conf["environment"] = {name: text(chances, self.variables) for name in names}
            if chances.take("project/environment conditional", 0.3):
                conf["environment"]["(?)"] = self._options.conditional(
                    chances, lambda: {"COND": text(chances, self.variables)}
                )
            if self._fragments and chances.take("include/project.conf across junction"):
                conf["environment"]["(@)"] = [chances.pick(self._fragments)]
        if chances.take("project/environment-nocache", 0.4):
            names = chances.some(["JOBS", "EXTRA", "TERM", "NONE"], 2)
            conf["environment-nocache"] = directed(chances, list(names), ["plain", "append"])

    def _add_split_rules(self, conf: dict[str, Data]) -> None:
        chances = self._chances
        if chances.take("project/split-rules", 0.4):
            conf["split-rules"] = {
                "devel": directed(chances, ["%{prefix}/" + chances.pick(WORDS)]),
                "mine": ["%{datadir}/**", "/[ab]?c"],
            }

    def _sandbox(self) -> dict[str, Data]:
        chances = self._chances
        sandbox: dict[str, Data] = {}
        if chances.take("sandbox/build-arch"):
            sandbox["build-arch"] = chances.pick(["x86_64", "arm", "PPC64le", "riscv64"])
        if chances.take("sandbox/build-os", 0.3):
            sandbox["build-os"] = chances.pick(["linux", "Linux"])
        if chances.take("sandbox/build-uid", 0.3):
            sandbox["build-uid"] = chances.pick(["0", "+7", "1_0"])
        if chances.take("sandbox/remote-apis-socket", 0.3):
            socket = {"path": "/tmp/%{project-name}.sock"}
            if chances.take("sandbox/action-cache-enable-update"):
                socket["action-cache-enable-update"] = chances.pick(["True", "False"])
            sandbox["remote-apis-socket"] = socket
        return sandbox

    def _overrides(self) -> dict[str, Data]:
        chances = self._chances
        kinds = [kind for kind in self.kinds if kind in elements.COMMAND_KINDS]
        overrides: dict[str, Data] = {
            kind: self._override(kind) for kind in {"manual", chances.pick(kinds)} if kind in kinds
        }
        overrides["unused"] = {"variables": {"a": "b"}, "unknown-section": ["x"]}
        if chances.take("override/compose", 0.3):
            overrides["compose"] = {"config": {"exclude": directed(chances, ["doc"])}}
        return dict(sorted(overrides.items()))

    def _override(self, kind: str) -> dict[str, Data]:
        chances = self._chances
        chances.used[f"override/kind={kind}"] += 1
        override: dict[str, Data] = {"environment": {"SHAPE": text(chances, self.variables)}}
        if chances.take("override/variables"):
            override["variables"] = {"shape": text(chances, STANDARD[:4])}
            if chances.take("override/variables conditional", 0.3):
                override["variables"]["(?)"] = self._options.conditional(
                    chances, lambda: {"shape": text(chances, STANDARD[:4])}
                )
        if chances.take("override/config"):
            commands = directed(chances, [text(chances, self.variables)])
            override["config"] = {"build-commands": commands}
        if chances.take("override/sandbox", 0.3):
            override["sandbox"] = {"build-gid": "77"}
        if chances.take("override/environment-nocache", 0.3):
            override["environment-nocache"] = ["SHAPE"]
        if chances.take("override/public", 0.3):
            override["public"] = {"bst": {"split-rules": {"more": ["%{bindir}/*"]}, "lost": ["x"]}}
        return override

    def _source_overrides(self) -> dict[str, Data]:
        chances = self._chances
        overrides: dict[str, Data] = {
            "tar": {"config": {"base-dir": chances.pick(["", "*", "x-*"])}},
            "unused": {"config": {"a": "b"}},
        }
        if chances.take("sources/remote"):
            overrides["remote"] = {"config": {"executable": "True"}}
        if chances.take("sources/git", 0.4):
            overrides["git"] = {"config": {"checkout-submodules": "False"}}
        return overrides

    def _shell(self) -> dict[str, Data]:
        shell: dict[str, Data] = {"command": ["sh", "-e"]}
        if self._chances.take("shell/environment"):
            shell["environment"] = {"A": "$HOME", "B": "${USER}-%{prefix}"}
        if self._chances.take("shell/host-files"):
            shell["host-files"] = ["/etc/hosts", {"path": "/x", "host_path": "/etc/x", "optional": "True"}]
        return shell

    # places

    def _add_places(self, conf: dict[str, Data]) -> None:
        chances = self._chances
        conf["aliases"] = {
            "ex": "https://example.com/",
            "two": "https://%{project-name}.example.com/",
            "mirrored": "https://upstream.example.com/",
            "here": chances.pick(["file://%{project-root}/", "%{toplevel-root-uri}/"]),
        }
        if chances.take("project/aliases conditional", 0.2):
            conf["aliases"]["(?)"] = self._options.conditional(
                chances, lambda: {"ex": "https://other.example/"}
            )
        if chances.take("project/mirrors", 0.3):
            conf["mirrors"] = self._mirrors(conf)
        for key in ("artifacts", "source-caches"):
            if chances.take(f"project/{key}", 0.2):
                conf[key] = [self._remote(key) for _ in range(chances.pick([0, 1, 1, 2]))]

    def _mirrors(self, conf: dict[str, Data]) -> list[Data]:
        chances = self._chances
        mirrors: list[Data] = [{"name": "near", "aliases": {"mirrored": ["https://near.example.com/"]}}]
        if chances.take("mirrors/default kind", 0.4):
            several = ["https://%{project-name}.far.example/", "https://b.example/"]
            mirrors.insert(0, {"name": "far", "kind": "default", "aliases": {"ex": several}})
        if chances.take("mirrors/plugin", 0.3):
            plugins = conf.setdefault("plugins", [])
            plugins.append({"origin": "local", "path": "mirrors", "source-mirrors": ["prefixed"]})
            self._write("mirrors/prefixed.py", dedent(_MIRROR_PLUGIN))
            config = {"prefix": "https://%{project-name}.example/"}
            mirrors.append({"name": "odd", "kind": "prefixed", "config": config})
        return mirrors

    def _remote(self, key: str) -> dict[str, Data]:
        chances = self._chances
        remote: dict[str, Data] = {"url": "https://127.0.0.1:9", "push": chances.pick(["True", "0"])}
        if chances.take(f"{key}/type", 0.3):
            remote["type"] = chances.pick(["index", "storage", "all"])
        if chances.take(f"{key}/instance-name", 0.3):
            remote["instance-name"] = "main"
        if chances.take(f"{key}/connection-config", 0.3):
            remote["connection-config"] = {"keepalive-time": "60", "retry-limit": "0", "request-timeout": "1"}
        return remote

    # the top level

    def _add_attributes(self, conf: dict[str, Data]) -> None:
        """Lets sources have the provenance `homepage` whatever is declared."""
        if self._chances.take("project/source-provenance-attributes", 0.5):
            conf["source-provenance-attributes"] = {"homepage": "Where it comes from", "licence": "Its terms"}

    def _add_conditional(self, conf: dict[str, Data]) -> None:
        chances = self._chances
        if not chances.take("project/root conditional", 0.3):
            return

        def fragment() -> dict[str, Data]:
            section = chances.choose("root conditional", ["variables", "environment", "split-rules"])
            if section == "split-rules":
                return {section: {"conditional": texts(chances, self.variables)}}
            if section == "environment":
                return {section: {"ROOT": text(chances, self.variables)}}
            return {section: {"shape": text(chances, STANDARD[:4])}}

        conf["(?)"] = self._options.conditional(chances, fragment)

    def _with_includes(self, conf: dict[str, Data]) -> dict[str, Data]:
        """CONF with some sections moved to files that it includes."""
        chances = self._chances
        movable = [
            key for key in ("environment", "split-rules", "elements", "sandbox", "aliases") if key in conf
        ]
        if not movable or not chances.take("include/project.conf", 0.3):
            return conf
        names = []
        for key in chances.some(movable, 2):
            names.append(f"include/{key}.yml")
            self._write(names[-1], {key: conf.pop(key)})
        return {**conf, "(@)": names} if names else conf
