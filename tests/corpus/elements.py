"""Elements of every kind."""

from __future__ import annotations

from collections.abc import Sequence

from tests.corpus.chances import Chances
from tests.corpus.sources import make_source
from tests.corpus.texts import WORDS, Options, directed, text, texts
from tests.corpus.yamltext import Data

CORE = ["manual"] * 5 + ["import", "stack", "compose", "script", "filter", "link"]
PACKAGED = {
    "buildstream-plugins": ["autotools", "cmake", "make", "meson", "pip", "setuptools"],
    "buildstream-plugins-community": [
        "bazel_build", "bazelize", "cargo", "check_forbidden", "collect_integration", "collect_manifest",
        "dpkg_build", "dpkg_deploy", "flatpak_image",
        "flatpak_repo", "makemaker", "modulebuild", "oci", "pyproject", "qmake", "snap_image", "tar_element",
        "x86image",
    ],
}  # fmt: skip
LOCAL = ["labelled"]
_COMMANDS = ["configure-commands", "build-commands", "install-commands", "strip-commands"]
COMMAND_KINDS = {"manual", "autotools", "cmake", "make", "meson", "pip", "setuptools", "qmake", "makemaker"}
_BUILD_ONLY = {
    "compose", "script", "filter", "check_forbidden", "collect_integration", "collect_manifest",
    "flatpak_image", "flatpak_repo", "tar_element", "dpkg_deploy",
    "oci", "snap_image", "x86image", "bazelize",
}  # fmt: skip
# kinds that get one element as what they work on
_INPUT = {"dpkg_deploy", "x86image"}
_NEEDS_ONE = _INPUT | {
    "filter", "check_forbidden", "collect_manifest", "flatpak_image", "flatpak_repo", "tar_element", "link",
    "snap_image", "oci",
}  # fmt: skip
_FIXED: dict[str, dict[str, Data]] = {
    "collect_integration": {"script-path": "/x/y.sh"},
    "collect_manifest": {"path": "/manifest.json"},
    "check_forbidden": {"forbidden": ["z.bst"]},
    "snap_image": {"directory": "/snap", "metadata": {"name": "x"}},
    "oci": {
        "mode": "oci",
        "images": [{"os": "linux", "architecture": "amd64", "comment": "%{project-name}"}],
    },
    "flatpak_image": {"directory": "%{prefix}", "metadata": {"Runtime": {"name": "org.example"}}},
}
_SOURCES = COMMAND_KINDS | {"import", "cargo", "pyproject", "modulebuild", "bazel_build", "dpkg_build"}


class ElementMaker:
    """Makes the elements of one project.

    Args:
        chances: What decides.
        options: Of the project.
        variables: Names that texts may refer to.
        kinds: Of elements.
        sources: Kinds of sources.
        has_attributes: Whether the project declares attributes of sources beside the built-in ones.
    """

    def __init__(
        self,
        chances: Chances,
        options: Options,
        variables: Sequence[str],
        kinds: list[str],
        sources: list[str],
        *,
        has_attributes: bool,
    ) -> None:
        self._chances = chances
        self._options = options
        self._variables = list(variables)
        self._kinds = kinds
        self._sources = sources
        self._attribute = "licence" if has_attributes else "issue-tracker"
        self._kind_of: dict[str, str] = {}
        self._current = ""

    def make(self, name: str, before: Sequence[str], outside: Sequence[str]) -> dict[str, Data]:
        """The element NAME, which may need elements BEFORE it, and those OUTSIDE, beyond junctions."""
        chances = self._chances
        # what is empty can be filtered by nobody, and what a link leads to is not looked at
        targets = [other for other in before if self._kind_of[other] not in ("stack", "link")]
        kind = chances.choose("kind", [kind for kind in self._kinds if targets or kind not in _NEEDS_ONE])
        self._kind_of[name] = kind
        self._current = name
        if kind == "link":
            return {"kind": "link", "config": {"target": chances.pick([*targets, *outside])}}
        element: dict[str, Data] = {"kind": kind}
        if chances.take("element/description", 0.3):
            element["description"] = text(chances, [])
        if kind in _NEEDS_ONE:
            self._add_input(element, targets)
        else:
            element.update(self._dependencies(kind, [*before, *outside]))
        self._add_variables(element, kind)
        own = [key for key in element.get("variables", {}) if key.startswith("own")]
        usable = [*self._variables, *own]
        self._add_sections(element, usable)
        config = self._config(kind, usable)
        if kind in COMMAND_KINDS and config and chances.take("element/config conditional", 0.3):
            key = chances.pick(list(config))
            config["(?)"] = self._options.conditional(chances, lambda: {key: {"(>)": texts(chances, usable)}})
        if config:
            element["config"] = config
        if kind in _SOURCES and (kind == "import" or chances.take("element/sources", 0.4)):
            count = chances.pick([1, 1, 2, 3])
            element["sources"] = [
                make_source(chances, self._sources, self._attribute, is_first=not i) for i in range(count)
            ]
        self._add_conditional(element)
        keys = list(element)
        chances.random.shuffle(keys)
        return {key: element[key] for key in keys}

    def _add_input(self, element: dict[str, Data], targets: Sequence[str]) -> None:
        """Has ELEMENT work on one of TARGETS."""
        kind, name = element["kind"], self._chances.pick(targets)
        element["build-depends"] = [name]
        if kind in _INPUT:
            element["build-depends"] = [{"filename": name, "config": {"input": "true"}}]
        elif kind == "oci":
            element["build-depends"] = [name]
        elif kind == "flatpak_repo":
            images = [target for target in targets if self._kind_of[target] == "flatpak_image"]
            element["build-depends"] = [
                {"filename": image, "config": {"flatpak-image": "true"}} for image in images
            ]
            # the defaults of the kind need the variables `arch` and `branch`
            if images:
                element["variables"] = {"arch": "%{lib}", "branch": "1"}
            else:
                element["kind"] = self._kind_of[self._current] = "manual"

    def _add_conditional(self, element: dict[str, Data]) -> None:
        """Lets options decide about whole sections of ELEMENT."""
        chances = self._chances
        if not chances.take("element/root conditional", 0.15):
            return

        def fragment() -> dict[str, Data]:
            section = chances.choose(
                "element conditional", ["variables", "environment", "public", "description"]
            )
            value: Data = {"conditional": text(chances, self._variables)}
            if section == "description":
                value = text(chances, [])
            elif section == "public":
                value = {"domain": value}
            return {section: value}

        element["(?)"] = self._options.conditional(chances, fragment)
        if (
            element["kind"] == "manual"
            and "config" not in element
            and chances.take("element/conditional kind", 0.2)
        ):
            element["(?)"].append({"true": {"kind": "make"} if "make" in self._kinds else {"kind": "manual"}})

    def _dependencies(self, kind: str, candidates: Sequence[str]) -> dict[str, Data]:
        chances = self._chances
        fields: dict[str, list[Data]] = {"build-depends": [], "runtime-depends": [], "depends": []}
        for path in chances.some(candidates, 6):
            junction, _, name = path.rpartition(":")
            spelled = chances.pick([name, name, name, f"./{name}"])
            if kind == "stack":
                field = "depends"
            elif kind in _BUILD_ONLY:
                field = "build-depends"
            else:
                field = chances.choose("dependency", list(fields))
            whole = f"{junction}:{spelled}" if junction else spelled
            if chances.take("dependency/short", 0.5):
                fields[field].append(whole)
                continue
            entry: dict[str, Data] = {"filename": whole}
            if junction and chances.take("dependency/junction"):
                entry = {"junction": junction, "filename": spelled}
            elif chances.take("dependency/list", 0.3):
                second = chances.pick(candidates)
                entry["filename"] = [whole] if second == path else [whole, second]
            is_runtime = field == "runtime-depends"
            if field == "depends" and kind != "stack":
                entry["type"] = chances.choose("dependency/type", ["build", "runtime", "all"])
                is_runtime = entry["type"] == "runtime"
            if not is_runtime and kind != "stack" and chances.take("dependency/strict", 0.25):
                entry["strict"] = "True"
            if not is_runtime and kind in ("manual", "script") and chances.take("dependency/config", 0.3):
                entry["config"] = {"location": f"/{chances.pick(WORDS)}"}
                if kind == "manual" and chances.take("dependency/digest-environment", 0.3):
                    entry["config"]["digest-environment"] = chances.pick(["DIGEST", "OTHER"])
            fields[field].append(entry)
        return {field: entries for field, entries in fields.items() if entries}

    def _add_variables(self, element: dict[str, Data], kind: str) -> None:
        chances = self._chances
        if not chances.take("element/variables", 0.6):
            return
        safe = [name for name in self._variables if name not in ("prefix", "build-root", "install-root")]
        own: dict[str, Data] = element.get("variables", {})
        for key in chances.some(["own-one", "own-two", "prefix", "notparallel", "command-subdir"], 4):
            if key == "notparallel":
                own[key] = chances.pick(["True", "False", "1", "0"])
            elif key == "prefix":
                own[key] = "/opt"
            else:
                own[key] = text(chances, safe)
        if chances.take("element/variables conditional", 0.3):
            own["(?)"] = self._options.conditional(chances, lambda: {"own-three": chances.pick(WORDS)})
        element["variables"] = own

    def _add_sections(self, element: dict[str, Data], usable: Sequence[str]) -> None:
        chances = self._chances
        if chances.take("element/environment", 0.4):
            element["environment"] = {chances.pick(["OWN", "TERM", "EXTRA", "PATH"]): text(chances, usable)}
        if chances.take("element/environment-nocache", 0.2):
            element["environment-nocache"] = chances.some(["OWN", "EXTRA"], 2)
        if chances.take("element/sandbox", 0.2):
            element["sandbox"] = {"build-uid": chances.pick(["5", "010"]), "build-os": "Linux"}
            if chances.take("sandbox/element build-gid"):
                element["sandbox"]["build-gid"] = "-3"
            if chances.take("sandbox/element build-arch"):
                element["sandbox"]["build-arch"] = chances.pick(["x86-64", "aarch64", "I686"])
        if chances.take("element/public", 0.4):
            public: dict[str, Data] = {
                "domain": {"key": text(chances, usable), "list": ["b", {"n": "m"}, ["x"]]}
            }
            if chances.take("public/bst", 0.6):
                rules = {"devel": directed(chances, ["/x/%{element-name}"]), "extra": ["/e"]}
                public["bst"] = {"integration-commands": texts(chances, usable), "split-rules": rules}
                if chances.take("public/overlap-whitelist", 0.3):
                    public["bst"]["overlap-whitelist"] = ["/etc/**", "%{bindir}/*"]
            element["public"] = public

    def _config(self, kind: str, usable: Sequence[str]) -> dict[str, Data]:
        chances = self._chances
        if kind in COMMAND_KINDS:
            # `make` has no commands to configure, so that nothing can be added to them
            commands = _COMMANDS[1:] if kind == "make" else _COMMANDS
            return {key: directed(chances, texts(chances, usable)) for key in chances.some(commands, 3)}
        if kind in _FIXED:
            return dict(_FIXED[kind])
        maker = getattr(self, f"_{kind}", None)
        return {} if maker is None else maker(usable)

    def _import(self, _: Sequence[str]) -> dict[str, Data]:
        chances = self._chances
        if not chances.take("import/config"):
            return {}
        return {chances.pick(["source", "target"]): f"/{chances.pick(WORDS)}"}

    def _compose(self, _: Sequence[str]) -> dict[str, Data]:
        chances = self._chances
        config: dict[str, Data] = {}
        if chances.take("compose/integrate"):
            config["integrate"] = chances.pick(["True", "False"])
        if chances.take("compose/include"):
            config["include"] = ["runtime", "devel"]
        if chances.take("compose/exclude"):
            config["exclude"] = directed(chances, ["locale", "debug"])
        return config

    def _filter(self, _: Sequence[str]) -> dict[str, Data]:
        chances = self._chances
        config: dict[str, Data] = {"include": chances.some(["runtime", "devel", "doc"], 2)}
        if chances.take("filter/include-orphans"):
            config["include-orphans"] = "True"
        return config

    def _script(self, usable: Sequence[str]) -> dict[str, Data]:
        config: dict[str, Data] = {"commands": texts(self._chances, usable)}
        if self._chances.take("script/root-read-only"):
            config["root-read-only"] = "True"
        return config

    def _tar_element(self, _: Sequence[str]) -> dict[str, Data]:
        return {"filename": "all", "compression": self._chances.pick(["none", "gzip"])}

    def _labelled(self, usable: Sequence[str]) -> dict[str, Data]:
        return {"label": text(self._chances, usable), "size": self._chances.pick(["1", "007", "-3"])}
