"""Search spaces: text to parameters."""

import pytest

from odapi.errors import ConfigError
from odapi.tuning.search_space import parse_parameter, parse_space, sampled_overrides


@pytest.mark.parametrize(
    ("text", "paths", "extremes", "canonical"),
    [
        ("a.b=log(1e-4,1e-1)", ("a.b",), (1e-4, 0.1), "a.b=log(0.0001, 0.1)"),
        ("a = uniform( 0 , 1 )", ("a",), (0.0, 1.0), "a=uniform(0, 1)"),
        ("a=uniform(0,1,0.25)", ("a",), (0.0, 1.0), "a=uniform(0, 1, 0.25)"),
        ("a=int(1,8)", ("a",), (1, 8), "a=int(1, 8)"),
        ("a=int(16, 64, 16)", ("a",), (16, 64), "a=int(16, 64, 16)"),
        ("a=LogInt(1, 64)", ("a",), (1, 64), "a=logint(1, 64)"),
        ("a=choice(x, y)", ("a",), ("x", "y"), "a=choice(x, y)"),
        ("a.h,a.w=choice(128,160)", ("a.h", "a.w"), ("128", "160"),
         "a.h,a.w=choice(128, 160)"),
        ("a=choice({ x: 1, y: 2 }, 'a,b')", ("a",), ("{ x: 1, y: 2 }", "'a,b'"),
         "a=choice({ x: 1, y: 2 }, 'a,b')"),
    ],
)  # fmt: skip
def test_forms(text, paths, extremes, canonical):
    parameter = parse_parameter(text)
    assert (parameter.paths, parameter.extremes()) == (paths, extremes)
    assert [type(v) for v in parameter.extremes()] == [type(v) for v in extremes]
    assert parameter.text == canonical
    assert parse_parameter(canonical) == parameter


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "has another form than PATH=KIND(...)"),
        ("a=3", "has another form"),
        ("=int(1, 2)", "has another form"),
        ("a,=int(1, 2)", "has another form"),
        ("a=ints(1, 2)", "unknown kind 'ints'; known are log, uniform, int"),
        ("a=int(1)", "has 1 value"),
        ("a=log(1, 2, 3)", "has 3 values"),
        ("a=int(1, 2.5)", "'2.5' is not a whole number"),
        ("a=int(1, x)", "'x' is not a number"),
        ("a=uniform(0, inf)", "'inf' is not a finite number"),
        ("a=uniform(1, 1)", "1 is not below 1"),
        ("a=log(0, 1)", "0 has no logarithm"),
        ("a=logint(-1, 4)", "-1 has no logarithm"),
        ("a=int(1, 4, 5)", "the step 5 does not fit"),
        ("a=uniform(0, 1, 0)", "the step 0 does not fit"),
        ("a=choice(x)", "needs two or more choices"),
        ("a=choice(x,)", "needs two or more choices"),
        ("a=choice(x, x)", "has a choice twice"),
    ],
)
def test_mistakes_name_the_text(text, problem):
    with pytest.raises(ConfigError) as caught:
        parse_parameter(text)
    assert caught.value.place == f"--search {text}"
    assert caught.value.problem.startswith(problem)


def test_the_hint_of_a_misspelled_kind():
    with pytest.raises(ConfigError, match="did you mean 'choice'"):
        parse_parameter("a=choise(x, y)")


@pytest.mark.parametrize(
    ("texts", "problem"),
    [([], "is missing"), (["a=int(1, 2)", "b,a=int(1, 3)"], "is given twice")],
)
def test_spaces_that_cannot_be_searched(texts, problem):
    with pytest.raises(ConfigError, match=problem):
        parse_space(texts)


def test_overrides_of_a_trial():
    space = parse_space(["a.h,a.w=int(1, 8)", "b=log(1e-5, 1)", "c=choice(x, y)"])
    values = {"a.h,a.w": 4, "b": 0.000123456789, "c": "y"}
    assert sampled_overrides(space, values) == [
        "a.h=4", "a.w=4", "b=0.0001234568", "c=y",
    ]  # fmt: skip
