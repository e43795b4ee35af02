"""The time left of a session, from the start to the end."""

from buildstream._plan.timeleft import TimeLeft
from tests.plan.graph import Graph, seconds


def test_time_left() -> None:
    graph = Graph("cached 0:", "base 2: cached", "long 10: base", "short 1: base", "top 3: long short")
    left = TimeLeft(graph.order, seconds, 1)
    assert left.left_s({}) == 16.0  # all, one after the other
    assert left.left_s({"base": 1.5}) == 14.5
    left.end("base")
    left.end("base")  # a second time is nothing new
    left.end("cached")
    assert left.left_s({"long": 4.0}) == 10.0
    # what takes longer than it should may end at any moment
    assert left.left_s({"long": 40.0}) == 4.0
    for name in ("long", "short", "top"):
        left.end(name)
    assert left.left_s({}) == 0.0


def test_path_counts_where_there_are_many_builders() -> None:
    graph = Graph("a 2:", "b 5:", "c 4: a", "d 1: c b")
    left = TimeLeft(graph.order, seconds, 0)
    assert left.left_s({}) == 7.0
    left.end("a")
    assert left.left_s({"c": 1.0, "b": 1.0}) == 5.0
