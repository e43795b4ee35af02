"""Texts, variables, conditionals and list directives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.corpus.chances import Chances
from tests.corpus.yamltext import Data

WORDS = (
    "alpha", "beta", "gamma", "delta", "kilo", "lima", "mike", "oscar", "romeo", "sierra", "tango", "zulu",
)  # fmt: skip
STANDARD = (
    "prefix", "bindir", "libdir", "datadir", "sysconfdir", "project-name", "element-name", "install-root",
    "build-root",
)  # fmt: skip
_TEXTS = [
    "plain", "with space", "a: b", "x #y", "- dash", "*star", "&amp", "!bang", "é日本😀", "tab\there",
    "'quoted'", "~", "null", "yes", "0x10", "1.50", "007", "", "  strip  ", "{brace}", "[bracket]",
    "back\\slash", "%%", "$HOME ${X}", "a,b", "x:", "---", "?", "? x", "|", ">", "=", "<<", "\x7f",
    "\u2028z", "on", "2024-01-01", "1_000", "1e3", "%{ no }", "line one\nline two", "very " * 40 + "long",
    "@at", "`tick`", '"double"', "\u00a0", "(?)", "%{1no}",
]  # fmt: skip
_FORMS = ("plain", "plain", "append", "prepend", "both", "replace")


def text(chances: Chances, variables: Sequence[str]) -> str:
    """Any text, often with references to VARIABLES."""
    parts = [chances.pick(_TEXTS) for _ in range(chances.pick([1, 1, 2]))]
    if variables and chances.take("variables/reference", 0.6):
        parts.insert(chances.random.randint(0, len(parts)), f"%{{{chances.pick(list(variables))}}}")
    # a reference to what is not there may have come about
    return chances.pick(["", " ", "/"]).join(parts).replace("%{brace}", "% {brace}")


def texts(chances: Chances, variables: Sequence[str], most: int = 3) -> list[str]:
    """A list of texts, maybe empty."""
    return [text(chances, variables) for _ in range(chances.random.randint(0, most))]


def directed(chances: Chances, items: list[Data], among: Sequence[str] = _FORMS) -> Data:
    """A list, or directives that change the one below; the form is one of AMONG."""
    form = chances.choose("list", among)
    forms = {"append": ["(>)"], "prepend": ["(<)"], "both": ["(<)", "(>)"], "replace": ["(=)"]}
    return items if form == "plain" else {directive: list(items) for directive in forms[form]}


class Options:
    """The options of a project and expressions over them."""

    def __init__(self) -> None:
        self.declared: dict[str, Data] = {}
        self.exported: list[str] = []
        # what each is set to on the command line
        self.values: dict[str, str] = {}
        self._terms: list[str] = ["true", "false", "not false", "1 < 2", '"a" == "a"']

    def declare(self, chances: Chances, elements: Sequence[str]) -> None:
        """Declares a few options; ELEMENTS may be masked."""
        kinds = ["bool", "enum", "flags", "arch", "os", "element-mask"]
        for number, kind in enumerate(chances.random.choices(kinds, k=chances.pick([0, 2, 4, 6]))):
            name = f"{kind.replace('-', '_')}_{number}"
            chances.used[f"options/{kind}"] += 1
            declaration: dict[str, Data] = {"type": kind, "description": f"Option {number}"}
            getattr(self, f"_{kind.replace('-', '_')}")(chances, name, declaration, elements)
            if chances.take("options/variable", 0.7):
                declaration["variable"] = f"of-{name.replace('_', '-')}"
                self.exported.append(declaration["variable"])
            self.declared[name] = declaration

    def expression(self, chances: Chances, depth: int = 0) -> str:
        """A condition."""
        term = chances.pick(self._terms)
        if depth < 2 and chances.take("expression/compound", 0.4):
            return f"({term}) {chances.pick(['and', 'or'])} ({self.expression(chances, depth + 1)})"
        return term

    def conditional(self, chances: Chances, fragment: Callable[[], dict[str, Data]], depth: int = 0) -> Data:
        """The value of a `(?)` whose fragments are made by FRAGMENT."""
        items = []
        for _ in range(chances.pick([1, 1, 2, 3])):
            body = dict(fragment())
            if depth < 2 and chances.take("conditional/nested", 0.25):
                body["(?)"] = self.conditional(chances, fragment, depth + 1)
            items.append({self.expression(chances): body})
        if chances.take("conditional/assertion", 0.2):
            items.append({"false": {"(!)": "Never reached"}})
        return items

    def _bool(self, chances: Chances, name: str, declaration: dict[str, Data], _: Sequence[str]) -> None:
        declaration["default"] = chances.pick(["True", "False", "true", "0"])
        self.values[name] = chances.pick(["True", "False"])
        self._terms += [name, f"not {name}", f"{name} == true", f"{name} != True"]

    def _enum(self, chances: Chances, name: str, declaration: dict[str, Data], _: Sequence[str]) -> None:
        declaration["values"] = ["x", "y", "z"]
        declaration["default"] = chances.pick(["x", "y"])
        self.values[name] = "z"
        self._terms += [f"{name} == 'x'", f'{name} != "z"', f"{name} in ('y', 'z')", f"{name} not in ['x']"]

    def _flags(self, chances: Chances, name: str, declaration: dict[str, Data], _: Sequence[str]) -> None:
        declaration["values"] = ["p", "q", "r"]
        if chances.take("options/flags-default"):
            declaration["default"] = chances.some(["p", "q", "r"])
        self.values[name] = chances.pick(["r,p", "q", "p,p"])
        self._terms += [f"'p' in {name}", f"not ('q' in {name})", f"{name}|length > 1"]

    def _arch(self, chances: Chances, name: str, declaration: dict[str, Data], _: Sequence[str]) -> None:
        declaration["values"] = ["aarch64", "x86_64", "i686"]
        self.values[name] = "i686"
        self._terms += [f"{name} == 'x86_64'", f"{name} != 'aarch64'"]

    def _os(self, chances: Chances, name: str, declaration: dict[str, Data], _: Sequence[str]) -> None:
        declaration["values"] = ["Linux", "Darwin"]
        self.values[name] = "Darwin"
        self._terms += [f"{name} == 'Linux'", f"{name} in ('Darwin', 'AIX')"]

    def _element_mask(
        self, chances: Chances, name: str, declaration: dict[str, Data], elements: Sequence[str]
    ) -> None:
        declaration["default"] = chances.some(elements, 2)
        self.values[name] = chances.pick(list(elements))
        self._terms += [f"'{chances.pick(list(elements))}' in {name}"]
