"""What the program's own source must not hold, whoever writes it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("actors", "cli", "drill", "protocols", "settings", "storage", "supervision", "web")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

UNSAFE_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "yaml", "xml", "telnetlib", "ftplib"}
CONSTANT = re.compile(r"_?[A-Z][A-Z_]*")
FRAGMENTS = {
    ("accounts.py", "assignments"),
    ("accounts.py", "condition"),
    ("accounts.py", "marks"),
    ("contacts.py", "condition"),
    ("contacts.py", "', '.join(_COLUMNS)"),
    ("database.py", "pragma"),
    ("file_uploads.py", "condition"),
    ("messages.py", "above"),
}
"""Parts of statements that are chosen in the same module among literals, or made of its columns' names and of marks."""

UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 80


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_turns_data_into_code(path: Path) -> None:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            assert not {name.name.partition(".")[0] for name in node.names} & UNSAFE_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in UNSAFE_MODULES
        elif isinstance(node, ast.Call):
            assert not (isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS)
            shell = [word.value for word in node.keywords if word.arg == "shell"]
            assert not shell, "commands are lists of arguments"


@pytest.mark.parametrize("path", sorted((ROOT / "storage").rglob("*.py")), ids=lambda path: path.name)
def test_values_reach_sql_as_parameters_only(path: Path) -> None:
    for node in nodes(path):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in {"execute", "executemany"} or not node.args:
            continue
        statement = node.args[0]
        place = f"{path.name}, line {node.lineno}"
        assert isinstance(statement, ast.Constant | ast.Name | ast.JoinedStr), f"{place} assembles SQL"
        for part in ast.walk(statement):
            if isinstance(part, ast.FormattedValue):
                name = ast.unparse(part.value)
                assert CONSTANT.fullmatch(name) or (path.name, name) in FRAGMENTS, f"{place} puts {name} into SQL"
