"""Whole projects: project.conf, elements, includes, and projects behind junctions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from textwrap import dedent

from tests.corpus import elements, sources
from tests.corpus.chances import Chances
from tests.corpus.elements import ElementMaker
from tests.corpus.texts import STANDARD, WORDS, Options, directed, text
from tests.corpus.yamltext import Data, to_yaml

_WARNINGS = ["overlaps", "ref-not-in-track", "unaliased-url", "custom:token", "unstaged-files"]
_PLUGIN = """\
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


class ProjectMaker:
    """Writes one project, and those behind its junctions.

    Args:
        seed: Decides everything.
        directory: Of the project; does not exist yet.
        used: Counts the constructs of the format that were written.
        element_count: How many elements; a few if None.
        depth: How many projects are above this one.
    """

    def __init__(
        self,
        seed: str,
        directory: Path,
        used: Counter[str],
        *,
        element_count: int | None = None,
        depth: int = 0,
    ) -> None:
        self._random = Random(seed)
        self._chances = Chances(self._random, used)
        self._seed = seed
        self._directory = directory
        self._depth = depth
        self._count = element_count or self._chances.pick([3, 4, 6, 9])
        self._options = Options()
        self._junctions: dict[str, dict[str, Data]] = {}
        self._outside: list[str] = []
        self._path = self._chances.pick(["", "elements", "some/elements"])
        self._names = [
            f"{self._chances.pick(['', '', 'sub/', 'deep/er/'])}{self._chances.pick(WORDS)}-{number}.bst"
            for number in range(self._count)
        ]

    @property
    def option_values(self) -> dict[str, str]:
        """Values for all options, not the default ones."""
        return self._options.values

    @property
    def element_names(self) -> list[str]:
        """All elements, as seen from the project itself."""
        return self._names

    def write(self) -> None:
        """Writes everything; `everything.bst` needs all other elements."""
        self._directory.mkdir(parents=True)
        sources.write_files(self._directory)
        self._options.declare(self._chances, self._names)
        if self._depth < 3 and self._chances.take("junction", 0.35):
            self._write_junctions()
        variables = [*STANDARD, *self._options.exported]
        packages = self._chances.some(list(elements.PACKAGED), 2)
        has_local = self._chances.take("plugins/local", 0.3)
        conf = self._project_conf(variables, packages, has_local=has_local)
        self._write("project.conf", conf)
        kinds = [*elements.CORE, *(elements.LOCAL * 2 if has_local else [])]
        kinds_of_sources = list(sources.CORE)
        for package in packages:
            kinds += elements.PACKAGED[package]
            kinds_of_sources += sources.PACKAGED[package]
        maker = ElementMaker(self._chances, self._options, [*variables, *self._own], kinds, kinds_of_sources)
        for position, name in enumerate(self._names):
            element = maker.make(name, self._names[:position][-40:], self._outside)
            if self._chances.take("include/element", 0.1) and element.get("config"):
                self._write(f"include/{position}.yml", {"config": element.pop("config")})
                element = {"(@)": f"include/{position}.yml", **element}
            self._write(f"{self._path}/{name}", element)
        for name, junction in self._junctions.items():
            self._write(f"{self._path}/{name}", junction)
        self._write(f"{self._path}/everything.bst", {"kind": "stack", "depends": self._names})
        if self._chances.take("refs/project.refs", 0.15):
            self._move_refs()

    def _write(self, name: str, data: dict[str, Data]) -> None:
        path = self._directory / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(self._random, data), encoding="utf-8")

    # project.conf

    def _project_conf(self, variables: list[str], packages: list[str], *, has_local: bool) -> dict[str, Data]:
        chances = self._chances
        conf: dict[str, Data] = {
            "name": f"p-{self._seed.replace('/', '-')}",
            "min-version": chances.pick(["2.0", "2.4", "2.8"]),
        }
        if self._path:
            conf["element-path"] = self._path
        if chances.take("project/fatal-warnings", 0.3):
            chosen = chances.some(_WARNINGS, 3)
            conf["fatal-warnings"] = [token for token in chosen if token != "unaliased-url"]
        conf.update(self._plugins(packages, has_local=has_local))
        if self._options.declared:
            conf["options"] = self._options.declared
        self._own: list[str] = []
        if chances.take("project/variables", 0.7):
            conf["variables"] = self._variables(variables)
        usable = [*variables, *self._own]
        self._add_environment(conf, usable)
        if chances.take("project/split-rules", 0.4):
            conf["split-rules"] = {
                "devel": directed(chances, ["%{prefix}/" + chances.pick(WORDS)]),
                "mine": ["%{datadir}/**"],
            }
        if chances.take("project/sandbox", 0.3):
            conf["sandbox"] = {"build-arch": chances.pick(["x86_64", "arm", "PPC64le", "riscv64"])}
            if chances.take("sandbox/remote-apis-socket", 0.3):
                conf["sandbox"]["remote-apis-socket"] = {"path": "/tmp/socket"}
        self._add_places(conf)
        if chances.take("project/elements", 0.5):
            conf["elements"] = {"manual": self._override(usable), "unused": {"variables": {"a": "b"}}}
        if chances.take("project/sources", 0.3):
            conf["sources"] = {"tar": {"config": {"base-dir": chances.pick(["", "*", "x-*"])}}}
        if chances.take("project/defaults", 0.2):
            conf["defaults"] = {"targets": ["everything.bst"]}
        if chances.take("project/shell", 0.2):
            conf["shell"] = {"command": ["sh"], "environment": {"A": "b"}, "host-files": ["/etc/hosts"]}
        conf["source-provenance-attributes"] = {"homepage": "Where it comes from"}
        return conf

    def _plugins(self, packages: list[str], *, has_local: bool) -> dict[str, Data]:
        plugins: list[Data] = []
        for package in packages:
            self._chances.used["plugins/pip"] += 1
            plugin: dict[str, Data] = {"origin": "pip", "package-name": package}
            plugin["elements"] = list(elements.PACKAGED[package])
            plugin["sources"] = list(sources.PACKAGED[package])
            plugins.append(plugin)
        if has_local:
            plugins.append({"origin": "local", "path": "plugins", "elements": list(elements.LOCAL)})
            folder = self._directory / "plugins"
            folder.mkdir()
            (folder / "labelled.py").write_text(dedent(_PLUGIN))
            if self._chances.take("plugins/defaults"):
                defaults = {"variables": {"from-defaults": "%{prefix}/d"}, "config": {"size": "42"}}
                self._write("plugins/labelled.yaml", defaults)
        return {"plugins": plugins} if plugins else {}

    def _variables(self, variables: list[str]) -> dict[str, Data]:
        chances = self._chances
        own = chances.some(WORDS, 5)
        block: dict[str, Data] = {name: text(chances, variables[:4]) for name in own}
        if own and chances.take("include/variables", 0.4):
            self._write("include/variables.yml", {own[0]: "included", "only-included": "%{prefix}/i"})
            own.append("only-included")
            block["(@)"] = chances.pick(["include/variables.yml", ["include/variables.yml"]])
        if own and chances.take("project/variables conditional"):
            block["(?)"] = self._options.conditional(
                chances, lambda: {chances.pick(own): text(chances, variables[:4])}
            )
        if chances.take("variables/built-in", 0.3):
            block["libdir"] = "%{prefix}/lib64"
        if chances.take("variables/nested", 0.3):
            block.update({"outer": "%{inner}/o", "inner": "%{innermost}", "innermost": "%{prefix}/i"})
            own += ["outer", "inner"]
        self._own = own
        return block

    def _add_environment(self, conf: dict[str, Data], usable: list[str]) -> None:
        chances = self._chances
        if chances.take("project/environment", 0.5):
            names = chances.some(["PATH", "TERM", "EXTRA", "JOBS", "A_B"], 3)
            conf["environment"] = {name: text(chances, usable) for name in names}
            if chances.take("project/environment conditional", 0.3):
                conf["environment"]["(?)"] = self._options.conditional(
                    chances, lambda: {"COND": text(chances, usable)}
                )
        if chances.take("project/environment-nocache", 0.4):
            conf["environment-nocache"] = chances.some(["JOBS", "EXTRA", "TERM", "NONE"], 2)

    def _add_places(self, conf: dict[str, Data]) -> None:
        chances = self._chances
        conf["aliases"] = {
            "ex": "https://example.com/",
            "two": "https://%{project-name}.example.com/",
            "mirrored": "https://upstream.example.com/",
        }
        if chances.take("project/mirrors", 0.3):
            conf["mirrors"] = [{"name": "near", "aliases": {"mirrored": ["https://near.example.com/"]}}]
        if chances.take("project/artifacts", 0.2):
            conf["artifacts"] = [{"url": "https://127.0.0.1:9", "push": "True"}]
        if chances.take("project/source-caches", 0.2):
            conf["source-caches"] = {"url": "https://127.0.0.1:9", "type": "storage"}

    def _override(self, usable: list[str]) -> dict[str, Data]:
        chances = self._chances
        override: dict[str, Data] = {"environment": {"SHAPE": text(chances, usable)}}
        if chances.take("override/variables"):
            override["variables"] = {"shape": text(chances, STANDARD[:4])}
        if chances.take("override/config"):
            override["config"] = {"build-commands": directed(chances, [text(chances, usable)])}
        if chances.take("override/sandbox", 0.3):
            override["sandbox"] = {"build-gid": "77"}
        if chances.take("override/environment-nocache", 0.3):
            override["environment-nocache"] = ["SHAPE"]
        if chances.take("override/public", 0.3):
            override["public"] = {"bst": {"split-rules": {"more": ["%{bindir}/*"]}}}
        return override

    # junctions

    def _write_junctions(self) -> None:
        chances = self._chances
        for number in range(chances.pick([1, 1, 2])):
            folder = f"subprojects/s{number}"
            below = ProjectMaker(
                f"{self._seed}/{number}", self._directory / folder, chances.used, depth=self._depth + 1
            )
            below.write()
            name = f"j{number}.bst"
            config: dict[str, Data] = {}
            if below.option_values and chances.take("junction/options"):
                config["options"] = dict(chances.some(sorted(below.option_values.items()), 3))
            if chances.take("junction/map-aliases", 0.3):
                config["map-aliases"] = {"ex": "two"}
            if chances.take("junction/overrides", 0.3):
                target = f"instead-{number}.bst"
                self._write(f"{self._path}/{target}", {"kind": "stack", "depends": []})
                config["overrides"] = {below.element_names[0]: target}
            self._junctions[name] = {"kind": "junction", "sources": [{"kind": "local", "path": folder}]}
            if config:
                self._junctions[name]["config"] = config
            self._outside += [f"{name}:{element}" for element in below.element_names[-2:]]

    # refs

    def _move_refs(self) -> None:
        """Gives sources their refs from project.refs, to which those of remote files are moved."""
        import yaml

        conf_path = self._directory / "project.conf"
        refs: dict[str, Data] = {}
        for name in self._names:
            path = self._directory / self._path / name
            element = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
            found = [
                {"ref": source["ref"]} if source.get("kind") in ("tar", "remote", "zip") else {}
                for source in element.get("sources", [])
            ]
            if any(found):
                refs[name] = found
        conf = yaml.load(conf_path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        conf_path.write_text(conf_path.read_text(encoding="utf-8") + "ref-storage: project.refs\n")
        self._write("project.refs", {"projects": {conf["name"]: refs}})
