"""A digest of the code that a stage runs, so that a changed line reruns exactly the stages that import it.

The digest covers the syntax trees of a module and of everything of ours that it imports, without docstrings:
comments, formatting, documentation and fresh checkouts change nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("constrictor", "workflow_scripts")


@cache
def code_digest(*modules: str) -> str:
    """Digest of some modules of ours and of all modules of ours that they reach, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(set().union(*map(_reach, modules))):
        digest.update(f"{name}:{_tree_digest(_file_of(name))}\n".encode())
    return digest.hexdigest()[:16]


def _reach(module: str) -> set[str]:
    """The module, its packages and everything of ours that they import, directly or not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        parent = name.rpartition(".")[0]
        waiting.extend(([parent] if parent else []) + list(_imports(_file_of(name))))
    return found


@cache
def _imports(file: Path) -> frozenset[str]:
    """The modules of ours that a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in _nodes_that_run(_parse(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.split(".")[0] in PACKAGES and _exists(name))


def _nodes_that_run(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes of a tree but those below ``if TYPE_CHECKING:``."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _tree_digest(file: Path) -> str:
    tree = _parse(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    """A docstring, or the text below a constant that documents it."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
