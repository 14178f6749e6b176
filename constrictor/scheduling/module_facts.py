"""Facts of a module for the digest of our code: its imports, and a hash that comments do not change."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterator
from typing import NamedTuple


class Facts(NamedTuple):
    """What the digests need of a module.

    Attributes:
        tree: hash of its syntax tree.
        imports: the names of ours that it may import, wherever in it the import stands.
    """

    tree: str
    imports: list[str]


def facts_of(text: str, packages: Collection[str]) -> Facts:
    """The facts of a module.

    Args:
        text: its source.
        packages: the packages that are ours.

    >>> facts_of("import json, pkg.other  # both", ["pkg"]).imports
    ['pkg.other']
    """
    tree = ast.parse(text)
    return Facts(
        imports=sorted({name for name in _imports(tree) if name.split(".")[0] in packages}), tree=_digest(tree)
    )


def _imports(tree: ast.Module) -> Iterator[str]:
    """The names that a module may import."""
    for node in _nodes_that_run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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


def _digest(tree: ast.Module) -> str:
    """Hash of a syntax tree, which loses its docstrings."""
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
