import concurrent.futures
import json
import pathlib

import pytest
from rich.console import Console

from odapi.data.problems import OUTCOMES, Problems


def test_a_place_counts_once():
    problems = Problems()
    for _ in range(3):
        problems.found("NaN box", "a, object 1")
    problems.found("NaN box", "a, object 2")
    assert problems.count("NaN box") == 2
    assert len(problems) == 2


def test_first_offenders_are_named_and_all_are_counted():
    problems = Problems()
    for i in range(100):
        problems.found("corrupt image", f"{i}.jpg")
    (problem,) = problems
    assert problem.first == [f"{i}.jpg" for i in range(5)]
    assert problem.count == 100
    assert problem.outcome == "skipped"


def test_table_and_json_tell_the_same():
    problems = Problems()
    assert not problems
    problems.add("EXIF orientation", "kept", "x.jpg")
    for i in range(7):
        problems.found("box without area", f"{i}")
    assert problems
    found = json.loads(json.dumps(problems.as_dict()))
    assert [(p["kind"], p["outcome"], p["count"]) for p in found] == [
        ("box without area", "dropped", 7),
        ("EXIF orientation", "kept", 1),
    ]
    console = Console(width=100)
    with console.capture() as shown:
        console.print(problems.table())
    assert "box without area" in shown.get()
    assert "0, 1, 2, 3, 4, ..." in shown.get()


def test_limit_that_would_be_enough_is_shown():
    problems, others = Problems(), Problems()
    problems.found("more boxes than max_number_of_boxes", "a", count=3, enough=103)
    others.found("more boxes than max_number_of_boxes", "b", count=9, enough=109)
    problems.merge(others)
    (problem,) = problems.as_dict()
    assert (problem["count"], problem["enough"]) == (12, 109)
    console = Console(width=160)
    with console.capture() as shown:
        console.print(problems.table())
    assert "a, b; a limit of 109 drops none" in shown.get()


def test_threads_lose_no_problem():
    problems = Problems()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: problems.found("NaN box", str(i % 500)), range(4000)))
    assert problems.count("NaN box") == 500


def test_merged_problems_add_up():
    one, other = Problems(), Problems()
    one.found("NaN box", "a")
    other.found("NaN box", "b")
    one.merge(other)
    assert one.count("NaN box") == 2


@pytest.mark.parametrize("kind", OUTCOMES)
def test_docs_name_every_kind_and_its_outcome(kind, root):
    outcome, _ = OUTCOMES[kind]
    text = pathlib.Path(root / "docs" / "data.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(f"| {kind} ")]
    assert len(rows) == 1
    assert f"| {outcome} " in rows[0]
