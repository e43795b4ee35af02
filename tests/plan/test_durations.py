"""Which elements come first, and how long all will take, on small graphs with known times."""

import pytest

from buildstream._plan.durations import (
    JobTime,
    critical_path,
    longest_path_first,
    remaining_after,
    simulate,
    waited_for,
)
from tests.plan.graph import Graph, seconds


def test_time_that_remains_after_each() -> None:
    graph = Graph("base 1:", "lib 5: base", "tool 2: base / lib", "app 3: tool", "doc 1: base")
    after = {element.name: rest for element, rest in remaining_after(graph.order, seconds).items()}
    # the application is staged with the library, which the tool needs at run time
    assert after == {"base": 8.0, "lib": 3.0, "tool": 3.0, "app": 0.0, "doc": 0.0}


def test_longest_path_comes_first() -> None:
    graph = Graph("short 1:", "long 9:", "first 1:", "then 9: first", "top 1: short long then")
    order = [element.name for element in longest_path_first(graph.order, graph.order, seconds)]
    assert order == ["first", "long", "then", "short", "top"]


@pytest.mark.parametrize(("workers", "makespan_s"), [(1, 16.0), (2, 11.0), (0, 11.0)])
def test_forecast(workers: int, makespan_s: float) -> None:
    graph = Graph("short 1:", "long 4:", "first 1:", "then 9: first", "top 1: short long then")
    order = longest_path_first(graph.order, graph.order, seconds)
    forecast = simulate(graph.order, order, seconds, workers)
    assert forecast.makespan_s == makespan_s
    assert forecast.path[-1].name == "top"


def test_forecast_waits_for_what_stacks_need() -> None:
    # a stack takes no time and is never built, but what it stands for has to be there
    graph = Graph("a 2:", "b 3:", "stack 0: / a b", "outer 0: / stack", "app 1: outer")
    forecast = simulate(graph.order, graph.order, seconds, 4)
    assert forecast.makespan_s == 4.0
    assert [element.name for element in forecast.path] == ["b", "app"]


def test_forecast_of_nothing() -> None:
    graph = Graph("a 0:", "b 0: a")
    forecast = simulate(graph.order, graph.order, seconds, 2)
    assert (forecast.makespan_s, forecast.path) == (0.0, ())


def test_forecast_is_linear_in_shared_stacks() -> None:
    # 2,000 elements built with a stack of 2,000: a pair for each edge would be four million
    lines = [f"a{n} 1:" for n in range(2000)]
    lines.append("stack 0: / " + " ".join(f"a{n}" for n in range(2000)))
    lines += [f"b{n} 1: stack" for n in range(2000)]
    graph = Graph(*lines)
    assert simulate(graph.order, graph.order, seconds, 0).makespan_s == 2.0


def test_critical_path_of_what_has_happened() -> None:
    jobs = [
        JobTime("base", "Fetch", 0, 1),
        JobTime("base", "Build", 1, 3),
        JobTime("lib", "Fetch", 0, 4),
        JobTime("lib", "Build", 4, 9),
        JobTime("tool", "Build", 3, 5),
        JobTime("app", "Build", 9, 10),
    ]
    build = {"lib": ["base"], "tool": ["base"], "app": ["stack", "tool"]}
    before = waited_for([job.element for job in jobs], build, {"stack": ["lib"]})
    assert before["app"] == ["tool", "lib"]
    path = critical_path(jobs, before)
    assert [(job.element, job.action) for job in path] == [
        ("lib", "Fetch"),
        ("lib", "Build"),
        ("app", "Build"),
    ]
    assert critical_path([], {}) == []
