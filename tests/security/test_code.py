"""What the code itself must not do: open pickles, unpack archives, run texts, trust code from outside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

Node = TypeVar("Node", bound=ast.AST)
ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(file for folder in ("constrictor", "workflow_scripts") for file in (ROOT / folder).rglob("*.py"))
MODULES = {"joblib", "dill", "cloudpickle", "marshal", "shelve", "zipfile", "tarfile"}
CALLS = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load", "torch.hub.load", "torch.jit.load"),
    *("np.load", "numpy.load", "pd.read_pickle", "pandas.read_pickle", "shutil.unpack_archive"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load"),
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "os.system",
        "os.popen",
        "runpy.run_path",
        "importlib.util.spec_from_file_location",
    ),
}
READER = ROOT / "constrictor/models/pickle_reader.py"
"""The one module that opens a pickle: for tensors only, in a process of its own."""
OPENS = re.compile(r"Auto\w+\.from_pretrained")
ARGUMENTS = {"trust_remote_code", "allow_pickle", "shell", "weights_only"}


def offences(tree: ast.AST) -> Iterator[str]:
    """Everything in a module that can run what comes from outside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES | {"pickle"}:
            yield node.module or ""
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS:
                yield name
            for argument in node.keywords:
                allowed = argument.arg == "weights_only"  # which is the only one of them that has to be true
                if argument.arg in ARGUMENTS and not (
                    isinstance(argument.value, ast.Constant) and argument.value.value is allowed
                ):
                    yield f"{argument.arg}={ast.unparse(argument.value)}"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_runs_what_comes_from_outside(file: Path) -> None:
    allowed = ["torch.load"] if file == READER else []
    assert list(offences(ast.parse(file.read_text(encoding="utf-8")))) == allowed


def test_the_reader_of_pickles_opens_tensors_only_and_runs_by_itself() -> None:
    """Others know its name, to start it as a process, and call nothing of it."""
    (call,) = [node for node in _nodes(READER, ast.Call) if ast.unparse(node.func) == "torch.load"]
    assert "weights_only=True" in map(ast.unparse, call.keywords)
    for file in SOURCES:
        assert "constrictor.models.pickle_reader" not in [node.module for node in _nodes(file, ast.ImportFrom)], file
        used = {node.attr for node in _nodes(file, ast.Attribute) if ast.unparse(node.value).endswith("pickle_reader")}
        assert used <= {"__name__"}, file


def _nodes(file: Path, kind: type[Node]) -> list[Node]:
    return [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, kind)]


@pytest.mark.parametrize(
    "line",
    [
        *("import joblib", "import zipfile", "from tarfile import open", "from pickle import loads"),
        *("pickle.load(stream)", "torch.load(file)", "np.load(file)", "eval(text)", "shutil.unpack_archive(a, b)"),
        *("yaml.load(text, Loader=yaml.Loader)", "yaml.unsafe_load(text)"),
        *("f(trust_remote_code=True)", "f(trust_remote_code=x)", "np.load(f, allow_pickle=True)", "run(a, shell=True)"),
        "g(weights_only=False)",
    ],
)
def test_such_a_line_would_be_found(line: str) -> None:
    assert list(offences(ast.parse(line)))


def test_models_are_opened_without_remote_code() -> None:
    """Left out, `trust_remote_code` asks whoever sits at the terminal."""
    every = [node for file in SOURCES for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    calls = [node for node in every if isinstance(node, ast.Call) and OPENS.fullmatch(ast.unparse(node.func))]
    assert calls
    for call in calls:
        assert "trust_remote_code" in {argument.arg for argument in call.keywords}, ast.unparse(call)
