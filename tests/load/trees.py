"""Short ways to make trees and to state which error is expected."""

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

import pytest

from buildstream._exceptions import LoadError
from buildstream._load.yaml import load_text
from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode, NodeFile


def tree(text: str, name: str = "a.bst") -> MappingNode:
    """The YAML document TEXT, as if it came from a file called NAME."""
    return load_text(dedent(text), NodeFile(f"/project/{name}", name, name))


def composed(lower: str, *uppers: str) -> Any:
    """Plain data of the documents UPPERS composed onto LOWER in turn."""
    target = tree(lower, "lower")
    for upper in uppers:
        tree(upper, "upper")._composite(target)
    return target.strip_node_info()


@contextmanager
def load_error(reason: LoadErrorReason, place: str = "") -> Iterator[pytest.ExceptionInfo[LoadError]]:
    """Expects a LoadError for REASON whose message begins with PLACE."""
    with pytest.raises(LoadError) as caught:
        yield caught
    assert caught.value.reason is reason
    assert str(caught.value).startswith(place)
