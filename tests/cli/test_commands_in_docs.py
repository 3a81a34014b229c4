"""Commands in the documentation, in recipes and in messages parse; none is run."""

import ast
import pathlib
import re
import shlex

import pytest

from command_tree import COMMANDS, GROUPS, ROOT

FOLDER = pathlib.Path(__file__).resolve().parents[2]
PAGES = [FOLDER / "README.md", FOLDER / "CONTRIBUTING.md", FOLDER / "CHANGELOG.md"]
PAGES += sorted((FOLDER / "docs").glob("*.md"))
SOURCES = [p for p in (FOLDER / "src").rglob("*.py") if not p.name.endswith("_pb2.py")]
_PROMPT = re.compile(r"^\s*(?:[$!%#] ?)?((?:[A-Z_]+=\S+ )*odapi .*)$")


def _fenced(text):
    """Yields line number and command of the blocks, continuation lines joined."""
    inside = False
    lines = enumerate(text.splitlines(), 1)
    for number, line in lines:
        if line.lstrip().startswith("```"):
            inside = not inside
            continue
        found = _PROMPT.match(line) if inside else None
        if found:
            command = found[1]
            while command.endswith("\\"):
                command = command[:-1] + next(lines)[1]
            yield number, command


def _inline(text):
    text = re.sub(
        r"```.*?```", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL
    )
    for found in re.finditer(r"`(odapi [^`]+)`", text):
        yield text[: found.start()].count("\n") + 1, found[1]


def _problem(command):
    """Returns why a command does not parse; "" if it does."""
    command = re.split(r" [|>&]|;| \(", command)[0]
    words = [
        w
        for w in shlex.split(command, comments=True)
        if "=" not in w.split(".")[0] or w.startswith("-")
    ]
    words = words[words.index("odapi") + 1 :]
    if words[:1] and words[0].startswith("--"):
        return _unknown_options((), words, ROOT)
    path = tuple(words[:2]) if tuple(words[:1]) in GROUPS else tuple(words[:1])
    if path in GROUPS or path[1:] == ("...",):
        return ""
    if path not in COMMANDS:
        return f"no such command: {' '.join(path)}"
    return _unknown_options(path, words[len(path) :], COMMANDS[path])


def _unknown_options(path, words, command):
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    if "--" in words:
        words = words[: words.index("--")]
    given = {w.split("=")[0] for w in words if re.match(r"--?[A-Za-z]", w)}
    wrong = sorted(given - known - {"--help", "-h"} - _COMPLETION)
    return f"no such option of {' '.join(path)}: {', '.join(wrong)}" if wrong else ""


_COMPLETION = {"--install-completion", "--show-completion"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page(page):
    text = page.read_text("utf-8")
    found = [*_fenced(text), *_inline(text)]
    problems = [f"{n}: {c}: {p}" for n, c in found if (p := _problem(c))]
    assert problems == []


def _usage_error(command):
    """Returns the message with which a whole command ends before it runs."""
    words = shlex.split(re.split(r" [|>&]", command)[0], comments=True)
    words = words[words.index("odapi") + 1 :]
    path = tuple(words[:2]) if tuple(words[:1]) in GROUPS else tuple(words[:1])
    if path not in COMMANDS or "..." in words or "--help" in words:
        return ""
    try:
        COMMANDS[path].make_context(" ".join(path), words[len(path) :])
    except Exception as error:  # UsageError; its module differs between versions.
        shown = getattr(error, "format_message", error.__repr__)
        message = shown()
        return "" if "does not exist" in message else message
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_have_whole_commands(page):
    found = _fenced(page.read_text("utf-8"))
    problems = [f"{n}: {c}: {p}" for n, c in found if (p := _usage_error(c))]
    assert problems == []


def test_an_argument_that_is_missing_is_found():
    assert _usage_error("odapi predict runs/a") == "Missing argument 'SOURCE'."


def test_the_pages_have_commands():
    text = (FOLDER / "README.md").read_text("utf-8")
    assert len(list(_fenced(text))) >= 5


def _texts(path):
    """Yields line and text of strings, values of f-strings replaced by X."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {
        id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (
                v.value if isinstance(v, ast.Constant) else "X" for v in node.values
            )
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in inside:
                yield node.lineno, node.value


def test_commands_in_messages_name_commands_and_options_that_exist():
    problems = []
    for path in SOURCES:
        for line, text in _texts(path):
            for found in re.finditer(
                r"(?<![\w/.])odapi ((?:[a-z]+)(?: [a-z-]+)?)((?:(?!odapi )[^\n`;()])*)",
                text,
            ):
                words = found[1].split()
                command = (
                    tuple(words) if tuple(words[:1]) in GROUPS else tuple(words[:1])
                )
                if command not in COMMANDS:
                    continue
                options = re.findall(r"(?<![\w-])--[a-z][\w-]*", found[2])
                if problem := _unknown_options(command, options, COMMANDS[command]):
                    problems.append(f"{path.name}:{line}: {problem}")
    assert problems == []


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("odapi train a.config --model-dir b", ""),
        ("KERAS_BACKEND=jax odapi eval runs/a --json | head", ""),
        ("odapi trian a", "no such command: trian"),
        ("odapi train a --model_dir b", "no such option of train: --model_dir"),
        ("odapi data convert a --too b", "no such option of data convert: --too"),
    ],
)
def test_mistakes_are_found(command, problem):
    assert _problem(command) == problem
