"""Ways to damage a case.  Each takes what it needs from a random generator, so a seed tells what was done."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import yaml

from tests.fuzz.cases import CONFIGURATION, Case

Mutation = Callable[[Random, Case], None]
_FROM_OTHERS = 0.15  # of all changes put a part of another case into this one

_DIRECTIVES = ["(?)", "(!)", "(@)", "(>)", "(<)", "(=)"]
_FRAGMENTS = [
    b"&anchor ", b"*anchor", b"!!python/object:os.system ", b"!custom ", b"{", b"}", b"[", b"]", b": ",
    b"- ", b"? ", b"|\n", b">-\n", b"'", b'"', b"%", b"@", b"`", b"\t", b"\r\n", b"\n---\n",
    b"\n...\n", b"#", b"<<: ", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x85", b"\xe2\x80\xa8",
    b"\x1b[31m", b"~", b"null", b"%{", b"}%{a}", b"%{project-name}", b"%{element-name}", b"..", b"../",
    b"/", b"//", b"\\", b"$(id)", b"99999999999999999999", b"-1", b"1e999", b"0x7f", b"yes", b"\n  ",
    b"\n", "\u202e".encode(), "ä".encode(), "😀".encode(),
]  # fmt: skip
_EXPRESSIONS = [
    "debug.__class__", "().__class__.__bases__[0].__subclasses__()", "range(10**9)|list|length > 1",
    "'a' * 10**10 == ''", "'a' * 10**5 * 10**5", "2 ** 10 ** 8", "[1] * 10 ** 10", "lipsum()",
    "cycler('a')", "{{ debug }}", "{% for x in range(10**9) %}{% endfor %}", "debug |", "debug and",
    "not", "(((", "", "debug == debug == debug", "debug | attr('__class__')", "namespace(a=1)", "self",
    "undefined.attribute", "(" * 500 + "debug" + ")" * 500, "not " * 3000 + "debug", "'%s' % debug",
    "'{0.__class__}'.format(debug)", "1/0", "[0][5]", "{'a': 1}['b']", "debug if", "debug ~ debug",
    "'\\u0000' == debug", "dict()", "' ' * 100000000 == debug", "'x'.center(10**9)",
    "'x'|center(10**9)", "'%1000000000d' % 1",
]  # fmt: skip
_WORDS = [
    "show", "--deps", "all", "-o", "debug", "True", "flavour", "bitter", "features", "-1", "", "*",
    "**", "[", "../x.bst", "/etc/passwd.bst", "a.bst:b.bst", ":", "::", "sub.bst:", ":a.bst",
    "x" * 5000 + ".bst", "a/../b.bst", "\udcff.bst", "ä.bst", "project/element/" + "0" * 64,
    "./all.bst", "--except", "--order", "alpha", "--format", "%{name}", "%{vars}", "%{",
    "%{full-key: >99999}", "%{config}", "%{source-info}", "--no-strict", "\n", "-C", ".", "--config",
    "no-such",
]  # fmt: skip


def mutate(random: Random, seed: Case, others: list[Case]) -> Case:
    """A copy of SEED, damaged in one to four ways."""
    case = seed.copy()
    for _ in range(random.choice([1, 1, 1, 2, 2, 3, 4])):
        if random.random() < _FROM_OTHERS:
            _swap_subtrees(random, case, random.choice(others))
        else:
            random.choice(_MUTATIONS)(random, case)
    return case


def _pick(random: Random, case: Case) -> str | None:
    """The name of a file of data; plugins are programs, which may do what they want."""
    names = [name for name in sorted(case.files) if not name.endswith(".py")]
    important = [name for name in names if name.endswith((".conf", ".refs", ".yml", CONFIGURATION))]
    return random.choice(important if important and random.random() < 0.4 else names) if names else None


# bytes


def _change_bytes(random: Random, case: Case) -> None:
    name = _pick(random, case)
    if not name or not case.files[name]:
        return
    content = bytearray(case.files[name])
    for _ in range(random.choice([1, 1, 2, 5])):
        place = random.randrange(len(content) + 1)
        kind = random.randrange(4)
        if kind == 0 and place < len(content):
            content[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            del content[place : place + random.choice([1, 1, 4, 20])]
        elif kind == 2:
            content[place:place] = random.choice(_FRAGMENTS)
        else:
            content[place:place] = bytes([random.randrange(256)])
    case.files[name] = bytes(content)


def _truncate(random: Random, case: Case) -> None:
    name = _pick(random, case)
    if name:
        case.files[name] = case.files[name][: random.randrange(len(case.files[name]) + 1)]


def _change_lines(random: Random, case: Case) -> None:
    name = _pick(random, case)
    if not name:
        return
    lines = case.files[name].splitlines(keepends=True)
    if not lines:
        return
    place = random.randrange(len(lines))
    kind = random.randrange(5)
    if kind == 0:
        lines.insert(place, random.choice(lines))
    elif kind == 1:
        del lines[place]
    elif kind == 2:
        lines[place] = b"  " + lines[place]
    elif kind == 3:
        lines[place] = lines[place].lstrip()
    else:
        lines[place] = lines[place].rstrip(b"\n") + random.choice(_FRAGMENTS) + b"\n"
    case.files[name] = b"".join(lines)


def _make_extreme(random: Random, case: Case) -> None:
    """Content of a size or depth that nobody writes."""
    name = _pick(random, case)
    if not name:
        return
    depth = random.choice([60, 101, 1000, 10_000])
    case.files[name] += random.choice(
        [
            b"deep: " + b"[" * depth + b"]" * depth + b"\n",
            b"deep: " + b"{a: " * depth + b"1" + b"}" * depth + b"\n",
            b"long: " + b"x" * 1_000_000 + b"\n",
            b"".join(b"key-%d: 1\n" % number for number in range(20_000)),
            b"many:\n" + b"- a\n" * 50_000,
            b"a: &a [x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n",
            b"variables: {"
            + b", ".join(b"v%d: '%%{v%d}%%{v%d}'" % (n, n + 1, n + 1) for n in range(60))
            + b"}\n",
        ]
    )


# trees


def _change_tree(random: Random, case: Case) -> None:
    """One change somewhere in a parsed file, which is written again."""
    name = _pick(random, case)
    tree = _parse(case, name)
    if name and isinstance(tree, dict) and tree:
        random.choice(_CHANGES)(random, *_place_in(random, tree))
        _store(case, name, tree)


def _swap_subtrees(random: Random, case: Case, source: Case) -> None:
    name, other = _pick(random, case), _pick(random, source)
    tree, donor = _parse(case, name), _parse(source, other)
    if name and isinstance(tree, dict) and tree and isinstance(donor, dict) and donor:
        holder, key = _place_in(random, tree)
        from_holder, from_key = _place_in(random, donor)
        holder[key] = from_holder[from_key]
        _store(case, name, tree)


def _swap_within(random: Random, case: Case) -> None:
    _swap_subtrees(random, case, case)


def _parse(case: Case, name: str | None) -> object:
    if name is None or len(case.files[name]) > 100_000:
        return None
    try:
        return yaml.safe_load(case.files[name])
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _store(case: Case, name: str, tree: object) -> None:
    try:
        case.files[name] = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode()
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError):
        return


def _place_in(random: Random, tree: Any) -> tuple[Any, Any]:
    """A container in TREE, whatever YAML holds, and a key of it."""
    holder = tree
    while True:
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        value = holder[key]
        if not isinstance(value, (dict, list)) or not value or random.random() < 0.3:
            return holder, key
        holder = value


def _delete(_: Random, holder: Any, key: Any) -> None:
    del holder[key]


def _change_type(random: Random, holder: Any, key: Any) -> None:
    values: list[Any] = [
        "text",
        "",
        None,
        7,
        True,
        [],
        {},
        ["a"],
        [["a"]],
        [{}],
        {"a": "b"},
        {"a": {"b": ["c"]}},
        -3,
        "%{undefined}",
    ]
    holder[key] = random.choice(values)


def _wrap(random: Random, holder: Any, key: Any) -> None:
    directive = random.choice(_DIRECTIVES)
    value = holder[key]
    holder[key] = random.choice(
        [{directive: value}, [value], {"a": value}, {directive: [value]}, {directive: value, "more": 1}]
    )


def _add_directive(random: Random, holder: Any, key: Any) -> None:
    target = holder[key] if isinstance(holder[key], dict) else holder
    if not isinstance(target, dict):
        return
    directive = random.choice(_DIRECTIVES)
    target[directive] = random.choice(
        [
            [{random.choice(_EXPRESSIONS): {"a": "b"}}],
            [{random.choice(_EXPRESSIONS): {}}],
            [{"debug": "text"}],
            "text",
            ["a", "b"],
            {},
            "project.conf",
            ["include/variables.yml", "include/variables.yml"],
            "sub.bst:project.conf",
            "../../../../etc/passwd",
            "no-such.yml",
            ".",
        ]
    )


def _rename(random: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        names = [
            f"{key}s",
            f"{key} ",
            "",
            "kind",
            "config",
            "(?)",
            "sources",
            "depends",
            "variables",
            "%{a}",
            7,
        ]
        holder[random.choice(names)] = holder.pop(key)


def _change_text(random: Random, holder: Any, key: Any) -> None:
    texts = [
        "%{undefined}", "%{a}%{b}", "a.bst", "all.bst", "top.bst", "sub.bst", "sub.bst:top.bst", "..",
        "/", "/etc", "a\0b", "x" * 300, "x" * 5000, "ä", "😀", "*", "[", "(", "9" * 400, "1.5", "True",
        "-1", "junction", "link", "filter", "compose", "workspace", "local", "http://127.0.0.1:9/x",
        "alias:x", "alias:", ":", "%{project-name}", "%%{a}", "%{",
    ]  # fmt: skip
    holder[key] = random.choice(texts)


_CHANGES: list[Callable[[Random, Any, Any], None]] = [
    _delete,
    _change_type,
    _change_type,
    _wrap,
    _add_directive,
    _add_directive,
    _rename,
    _change_text,
    _change_text,
]


# files and words


def _change_files(random: Random, case: Case) -> None:
    name, other = _pick(random, case), _pick(random, case)
    if not name or not other:
        return
    kind = random.randrange(7)
    if kind == 0:
        del case.files[name]
    elif kind == 1:
        case.files[other] = case.files[name]
    elif kind == 2 and name != CONFIGURATION:
        content = case.files.pop(name)
        case.files[f"{name}/inside"] = content
    elif kind == 3 and name != CONFIGURATION:
        del case.files[name]
        case.links[name] = random.choice([name.rpartition("/")[2], ".", "/dev/null", "/nowhere", "/dev/zero"])
    elif kind == 4 and name != CONFIGURATION:
        del case.files[name]
        case.fifos.append(name)
    elif kind == 5:
        case.files[name] = b""
    else:
        case.files[name + random.choice([" ", "\n", "x", ".bst"])] = case.files.pop(name)


def _change_words(random: Random, case: Case) -> None:
    words = case.arguments
    place = random.randrange(len(words) + 1)
    kind = random.randrange(3)
    if kind == 0 or place == len(words):
        words.insert(place, random.choice(_WORDS))
    elif kind == 1:
        words[place] = random.choice(_WORDS)
    else:
        del words[place]


def _lint_instead(_: Random, case: Case) -> None:
    if "show" in case.arguments:
        case.arguments = ["lint"]


_MUTATIONS: list[Mutation] = [
    _change_bytes,
    _change_bytes,
    _truncate,
    _change_lines,
    _change_lines,
    _make_extreme,
    _change_tree,
    _change_tree,
    _change_tree,
    _change_tree,
    _swap_within,
    _change_files,
    _change_words,
    _lint_instead,
]
