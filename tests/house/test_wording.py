"""Standard English in names, docstrings, comments, messages and documentation.

The rules, with what to write instead, are in CONTRIBUTING.md under "Wording".
"""

import ast
import io
import itertools
import pathlib
import re
import tokenize

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted(
    p for p in (ROOT / "src").rglob("*.py") if not p.name.endswith("_pb2.py")
)
# Their docstrings follow the rule of openings too.
SUPPORT = sorted(p for f in ("tests", "benchmarks") for p in (ROOT / f).rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted(
    p for p in (ROOT / "docs").rglob("*.md") if p.name != "config_reference.md"
)

_COUNTED = (
    "anchors?|arrays?|box(es)?|bytes|columns?|dicts?|entr(y|ies)|errors?|files?|"
    "images?|keypoints?|lines?|lists?|maps?|masks?|milliseconds|modules?|ms|names?|"
    "numbers?|objects?|one|pixels?|points?|rows?|scores?|seconds|shards?|steps?|times|"
    "two|values?"
)
_PER = (
    "anchor|annotation|axis|batch|box|call|category|cell|channel|checkpoint|class|"
    "detection|epoch|file|image|keypoint|level|line|model|object|pixel|process|record|"
    "region|row|sample|second|shard|step|worker"
)
DISTRIBUTIVE = re.compile(rf"\b({_COUNTED}) an? ({_PER})\b(?! (of|with|that|in|at)\b)")

# Phrases that a reader has to decode, and what to write instead.
PHRASES = {
    r"\bpictures?\b": "image",
    r"\bnobody\b": "name the subject",
    r"\bin vain\b": "redundantly",
    r"\bin (their|its) stead\b": "instead",
    r"\ball the same\b": "nevertheless",
    r"\b(go|goes|going|went) on (with|from)\b": "resume",
    r"\blearnt by heart\b": "overfit",
    r"\bmade new\b": "modern",
    r"\btold apart\b": "distinguished",
    r"\bwhere there is (one|none|any)\b": "optional / if present",
    r"\bcan do without\b": "optional",
    r"\bsuppression\b(?! \(NMS\))(?<!non-maximum suppression)": "NMS",
}
BRITISH = re.compile(
    r"\b\w*(colour|centre(?!d?net)|normalis|initialis|optimis|regularis|recognis|"
    r"serialis|behaviour|neighbour|licence)\w*\b",
    re.IGNORECASE,
)
# Names of an older vocabulary.
IDENTIFIERS = {
    "AT_ONCE", "Clock", "Draw", "Fed", "Feed", "Guard", "Parts", "Reading", "Rivals",
    "Safely", "Setting", "SeveralMetrics", "Supervisor", "Turn", "_go_on",
    "_looked_at_again", "as_ours", "box_sigma", "chance", "chances", "check_idle",
    "class_slots", "describer", "fit_in", "pick_softly", "rises", "rivals",
    "whole_anchors",
}  # fmt: skip


def _nodes(path):
    return ast.walk(ast.parse(path.read_text()))


def _docstrings(path):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in _nodes(path):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def _texts(path):
    """Yields line and text of each docstring, message and comment, unwrapped."""
    if path.suffix == ".md":
        inside = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            inside ^= line.lstrip().startswith("```")
            if not inside:
                yield number, re.sub(r"`[^`]*`|\]\([^)]*\)", "", line)
        return
    source = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in _nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if " " in node.value:
                text = re.sub(r"`[^`]*`", "", node.value)
                yield node.lineno, re.sub(r"\s+", " ", text)


def _where(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def docstring_openings():
    return [
        f"{_where(path, line)}: {text.splitlines()[0]}"
        for path in [*SOURCES, *SUPPORT]
        for line, text in _docstrings(path)
        if re.match(r"(What|How|Which|Whether)\b", text)
    ]


def distributives():
    return [
        f"{_where(path, line)}: {found.group()} -> per"
        for path in [*SOURCES, *PAGES]
        for line, text in _texts(path)
        for found in DISTRIBUTIVE.finditer(text)
    ]


def phrases():
    return [
        f"{_where(path, line)}: {found.group()} -> {instead}"
        for path in [*SOURCES, *PAGES]
        for line, text in _texts(path)
        for pattern, instead in PHRASES.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]


def british_spellings():
    return [
        f"{_where(path, line)}: {found.group()}"
        for path in [*SOURCES, *PAGES]
        for line, text in _texts(path)
        for found in BRITISH.finditer(text)
    ] + [
        f"{_where(path, line)}: {name}"
        for path in SOURCES
        for line, name in _identifiers(path)
        if BRITISH.search(name)
    ]


def old_identifiers():
    return [
        f"{_where(path, line)}: {name}"
        for path in SOURCES
        for line, name in _identifiers(path)
        if name in IDENTIFIERS
    ]


def _identifiers(path):
    for node in _nodes(path):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


_NOUNS = re.compile(
    r" (boxes|bytes|classes|entries|errors|files|images|keypoints|levels|lines|masks|"
    r"names|numbers|objects|records|rows|steps|values|variables|warnings)\b(?!/)"
)
_COUNTS = re.compile(r"(len|sum)\(.*\)|(.*[._])?(num_\w+|count|total|number|steps)")


def uncounted():
    """Returns messages that may read "1 images": `counted` has the singular."""
    return [
        f"{_where(path, node.lineno)}: {ast.unparse(value.value)}{noun.group()} "
        "-> odapi.wording.counted"
        for path in SOURCES
        for node in _nodes(path)
        if isinstance(node, ast.JoinedStr)
        for value, text in itertools.pairwise(node.values)
        if isinstance(value, ast.FormattedValue)
        and isinstance(text, ast.Constant)
        and (noun := _NOUNS.match(text.value))
        and _COUNTS.fullmatch(ast.unparse(value.value))
    ]


RULES = [
    uncounted,
    docstring_openings,
    distributives,
    phrases,
    british_spellings,
    old_identifiers,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_wording(rule):
    assert rule() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one dict an image", "dict an image"),
        ("ms an image", "ms an image"),
        ("objects an image of 3", None),  # Not distributive: "an image of".
        ("finds an image", None),
        ("one number per level", None),
    ],
)
def test_a_distributive_article_is_found(text, expected):
    found = DISTRIBUTIVE.search(text)
    assert (found.group() if found else None) == expected
