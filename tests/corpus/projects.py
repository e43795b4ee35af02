"""Whole projects: project.conf, elements, includes, and projects behind junctions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from tests.corpus import elements, sources
from tests.corpus.chances import Chances
from tests.corpus.elements import ElementMaker
from tests.corpus.projectconf import ConfMaker
from tests.corpus.texts import STANDARD, WORDS, Options, text
from tests.corpus.yamltext import Data, to_yaml


class ProjectMaker:
    """Writes one project, and those behind its junctions.

    Args:
        seed: Decides everything.
        directory: Of the project; does not exist yet.
        used: Counts the constructs of the format that were written.
        element_count: How many elements; a few if None.
        depth: How many projects are above this one.
        has_packages: Whether kinds of installed packages may be used.
    """

    def __init__(
        self,
        seed: str,
        directory: Path,
        used: Counter[str],
        *,
        element_count: int | None = None,
        depth: int = 0,
        has_packages: bool = True,
    ) -> None:
        self._random = Random(seed)
        self._chances = Chances(self._random, used)
        self._name = f"p-{seed.replace('/', '-')}"
        self._seed = seed
        self._directory = directory
        self._depth = depth
        self._has_packages = has_packages
        self._is_large = element_count is not None
        count = element_count or self._chances.pick([3, 4, 6, 9])
        self._options = Options()
        self._path = self._chances.pick(["", "elements", "some/elements"])
        folders = ["", "", "sub/", "deep/er/"]
        self.names = [
            f"{self._chances.pick(folders)}{self._chances.pick(WORDS)}-{number}.bst"
            for number in range(count)
        ]
        self._below = _Below()
        self._has_refs = False
        self.has_plugins = False

    @property
    def option_values(self) -> dict[str, str]:
        """Values for all options, not the default ones, as given on the command line."""
        return self._options.values

    @property
    def option_lists(self) -> set[str]:
        """The options whose values are lists."""
        return {
            name
            for name, option in self._options.declared.items()
            if option["type"] in ("flags", "element-mask")
        }

    def write(self) -> None:
        """Writes everything; `everything.bst` needs all other elements."""
        chances = self._chances
        self._directory.mkdir(parents=True)
        sources.write_files(self._directory)
        self._options.declare(chances, self.names)
        probability = 1.0 if self._is_large else 0.35
        if self._depth < 3 and chances.take("junction", probability):
            self._write_junctions()
        maker = ConfMaker(chances, self._options, self._write, self._below.fragments)
        conf = maker.make(self._name, self._path, self._below.plugins, has_packages=self._has_packages)
        conf.update(self._junction_rules())
        self.has_plugins = "labelled" in maker.kinds and "junction" not in str(conf.get("plugins"))
        self._write_shared(maker.variables)
        self._has_refs = chances.take("refs/project.refs", 0.15)
        if self._has_refs:
            conf["ref-storage"] = "project.refs"
            # these have refs of other keys, crash without one, or can't have one there
            unfit = ("cpan", "cargo2", "quilt")
            maker.kinds_of_sources = [kind for kind in maker.kinds_of_sources if kind not in unfit]
        elif chances.take("refs/inline", 0.1):
            conf["ref-storage"] = "inline"
        self._write("project.conf", conf)
        made = self._make_elements(maker, has_attributes="source-provenance-attributes" in conf)
        if self._has_refs:
            self._move_refs(made)
        for name, element in made.items():
            self._write(f"{self._path}/{name}", element)
        self._write(
            f"{self._path}/everything.bst", {"kind": "stack", "depends": self.names + self._below.outside}
        )

    def _write(self, name: str, data: dict[str, Data] | str) -> None:
        path = self._directory / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else to_yaml(self._random, data), encoding="utf-8")

    # elements

    def _make_elements(self, conf: ConfMaker, *, has_attributes: bool) -> dict[str, dict[str, Data]]:
        maker = ElementMaker(
            self._chances, self._options, conf.variables, conf.kinds, conf.kinds_of_sources,
            has_attributes=has_attributes,
        )  # fmt: skip
        made = {}
        for position, name in enumerate(self.names):
            element = maker.make(name, self.names[:position][-40:], self._below.outside)
            made[name] = self._with_includes(position, element)
        return made

    def _with_includes(self, position: int, element: dict[str, Data]) -> dict[str, Data]:
        """ELEMENT with some of it moved to files that it includes."""
        chances = self._chances
        if element["kind"] == "link":
            return element
        includes = []
        sections = ["config", "environment", "public", "depends", *([] if self._has_refs else ["sources"])]
        movable = [key for key in sections if key in element]
        if movable and chances.take("include/element", 0.15):
            for key in chances.some(movable, 2):
                includes.append(f"include/{position}-{key}.yml")
                self._write(includes[-1], {key: element.pop(key)})
        if chances.take("include/shared", 0.15):
            includes.append("include/shared.yml")
        if self._below.fragments and chances.take("include/element across junction", 0.2):
            environment = element.setdefault("environment", {})
            environment.setdefault("(@)", []).append(chances.pick(self._below.fragments))
        if not includes:
            return element
        if len(includes) == 1 and chances.take("include/scalar"):
            return {"(@)": includes[0], **element}
        if includes == ["include/shared.yml"] and chances.take("include/below conditional", 0.3):
            return {**element, "(?)": [{self._options.expression(chances): {"(@)": includes}}, {"true": {}}]}
        return {"(@)": includes, **element}

    def _write_shared(self, variables: list[str]) -> None:
        """Writes what several elements include, and what projects above can include from this one."""
        chances = self._chances
        self._write(
            "include/shared.yml",
            {
                "variables": {"shared": text(chances, STANDARD[:4])},
                "environment": {
                    "SHARED": text(chances, variables),
                    "(?)": self._options.conditional(chances, lambda: {"SHARED": chances.pick(WORDS)}),
                },
            },
        )
        outer = [name for name in variables if name not in ("element-name", "build-root")]
        self._write(
            "include/offered.yml",
            {
                "OFFERED": text(chances, outer),
                "(?)": self._options.conditional(chances, lambda: {"OFFERED": text(chances, outer)}),
            },
        )

    # junctions

    def _write_junctions(self) -> None:
        chances = self._chances
        for number in range(chances.pick([1, 1, 2])):
            folder = f"subprojects/s{number}"
            below = ProjectMaker(
                f"{self._seed}/{number}",
                self._directory / folder,
                chances.used,
                element_count=60 if self._is_large else None,
                depth=self._depth + 1,
                has_packages=self._has_packages,
            )
            below.write()
            self._write_junction(f"j{number}.bst", number, folder, below)

    def _write_junction(self, name: str, number: int, folder: str, below: ProjectMaker) -> None:
        chances = self._chances
        source = {"kind": "local", "path": folder}
        config = self._junction_config(number, below)
        if chances.take("junction/path", 0.2):
            source["path"], config["path"] = "subprojects", f"s{number}"
        junction: dict[str, Data] = {"kind": "junction", "sources": [source]}
        if config and chances.take("junction/conditional", 0.2):
            junction["(?)"] = [{"true": {"config": config}}]
        elif config:
            junction["config"] = config
        self._write(f"{self._path}/{name}", junction)
        self._below.add(name, below)
        if chances.take("junction/link", 0.2):
            self._write(f"{self._path}/to-{name}", {"kind": "link", "config": {"target": name}})
            self._below.outside.append(f"to-{name}:{below.names[0]}")
        elif not below._below.outside and chances.take("junction/twice", 0.3):
            self._write(
                f"{self._path}/again-{name}",
                {
                    "kind": "junction",
                    "sources": [dict(source)],
                    "config": ({"path": config["path"]} if "path" in config else {}),
                },
            )
            self._below.outside.append(f"again-{name}:{below.names[-1]}")
            self._below.twice[below._name] = [name, f"again-{name}"]

    def _junction_config(self, number: int, below: ProjectMaker) -> dict[str, Data]:
        chances = self._chances
        config: dict[str, Data] = {}
        if below.option_values and chances.take("junction/options"):
            chosen = dict(chances.some(sorted(below.option_values.items()), 3))
            config["options"] = {
                name: value.split(",") if name in below.option_lists else value
                for name, value in chosen.items()
            }
            config["options"] = {name: value for name, value in config["options"].items() if value != [""]}
        if chances.take("junction/aliases", 0.3):
            config["aliases"] = {"ex": "two", "two": "mirrored"}
        if chances.take("junction/map-aliases", 0.3):
            config["map-aliases"] = chances.pick(["none", "identity"])
        if chances.take("junction/overrides", 0.3):
            target = f"instead-{number}.bst"
            self._write(f"{self._path}/{target}", {"kind": "manual", "description": "Instead of another"})
            config["overrides"] = {below.names[0]: target}
        return config

    def _junction_rules(self) -> dict[str, Data]:
        chances = self._chances
        rules: dict[str, Data] = {}
        for name, junctions in self._below.twice.items():
            if chances.take("junctions/duplicates"):
                rules.setdefault("duplicates", {})[name] = junctions
            else:
                chances.used["junctions/internal"] += 1
                rules.setdefault("internal", []).extend(junctions[1:])
        if chances.take("junctions/disallow-subproject-uris", 0.1) and not self._below.outside:
            rules["disallow-subproject-uris"] = "True"
        return {"junctions": rules} if rules else {}

    # refs

    def _move_refs(self, made: dict[str, dict[str, Data]]) -> None:
        """Gives sources their refs from project.refs instead."""
        refs: dict[str, Data] = {}
        for name, element in made.items():
            found = [
                {"ref": source.pop("ref")} if "ref" in source else {} for source in element.get("sources", [])
            ]
            if any(found):
                refs[name] = found
        projects: dict[str, Data] = {self._name: refs}
        if self._below.outside and self._chances.take("refs/of subproject"):
            projects["nobody"] = {"x.bst": [{"ref": "0"}]}
        self._write("project.refs", {"projects": projects})


class _Below:
    """What junctions give to the project that declares them.

    Attributes:
        outside: Elements of their projects, as the project above names them.
        fragments: Files of their projects that environments can include.
        plugins: An origin of plugins.
        twice: Junctions that lead to the same project, by its name.
    """

    def __init__(self) -> None:
        self.outside: list[str] = []
        self.fragments: list[str] = []
        self.plugins: dict[str, Data] | None = None
        self.twice: dict[str, list[str]] = {}

    def add(self, name: str, below: ProjectMaker) -> None:
        """Takes over what the junction NAME leads to."""
        self.outside += [f"{name}:{element}" for element in below.names[-2:]]
        self.outside += [f"{name}:{element}" for element in below._below.outside[:2]]
        self.fragments.append(f"{name}:include/offered.yml")
        self.fragments += [f"{name}:{fragment}" for fragment in below._below.fragments[:1]]
        if below.has_plugins:
            self.plugins = {"origin": "junction", "junction": name, "elements": list(elements.LOCAL)}
