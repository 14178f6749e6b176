"""The registry, and that no module outside the kinds checks which kind a task is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from constrictor.errors import ConstrictorError
from constrictor.models.manifest import TaskRecord
from constrictor.study.tasks import AnyTask
from constrictor.tasks.registry import KINDS, kind_of

ROOT = Path(__file__).parents[2]
KIND_FOLDERS = ("constrictor/tasks", "constrictor/study/tasks")
OUTPUTS = {"logits", "start_logits", "end_logits"}
CONFIGURATION = {"problem_type", "num_labels", "id2label", "label2id"}
# The number of outputs is how transformers sizes any head; a checkpoint's is compared with the kind's own names.
ALLOWED = {("constrictor/models/torch_model.py", "num_labels")}


def modules() -> list[Path]:
    files = [file for room in ("constrictor", "workflow_scripts") for file in sorted((ROOT / room).rglob("*.py"))]
    return [file for file in files if not file.relative_to(ROOT).as_posix().startswith(KIND_FOLDERS)]


def questions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that depend on the kind of a task, with what they name."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in documentation and text in {
                *KINDS,
                *OUTPUTS,
                *CONFIGURATION,
            }:
                yield node.lineno, text
            case ast.Attribute(attr=name) if name in OUTPUTS | CONFIGURATION:
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(attr="argmax")) if _over_classes(node):
                yield node.lineno, "argmax over classes"
            case ast.ImportFrom(module=str(name)) if name.startswith(tuple(KINDS.values())):
                yield node.lineno, name
            case ast.Import(names=names):
                yield from ((node.lineno, part.name) for part in names if part.name.startswith(tuple(KINDS.values())))


def _over_classes(call: ast.Call) -> bool:
    axes = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in ("axis", "dim"))]
    return any(ast.unparse(axis) in ("1", "-1") for axis in axes)


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_module_outside_the_kinds_checks_which_kind_a_task_is(file):
    name = file.relative_to(ROOT).as_posix()
    found = [
        (line, what)
        for line, what in questions(ast.parse(file.read_text(encoding="utf-8")))
        if (name, what) not in ALLOWED
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'if task.kind == "regression": pass',
        'values = outputs["logits"]',
        "values = found.logits",
        "predictions = values.argmax(1)",
        "predictions = values.argmax(axis=-1)",
        'config.problem_type = "x"',
        "from constrictor.tasks.classification.metrics import accuracy",
        "import constrictor.tasks.multilabel",
    ],
)
def test_the_scan_finds_what_it_looks_for(line):
    assert list(questions(ast.parse(line)))


def test_documentation_may_name_kinds():
    assert list(questions(ast.parse('def f():\n    """classification"""\n    return 1\n'))) == []


def test_every_kind_has_settings_and_settings_have_a_kind():
    union = get_args(AnyTask)[0]
    settings = [get_args(member)[0] for member in get_args(union)]
    assert sorted(get_args(member.model_fields["kind"].annotation)[0] for member in settings) == sorted(KINDS)


def test_an_unknown_kind_is_refused_with_the_nearest_name():
    with pytest.raises(ConstrictorError, match=r"there is no kind of task 'regresion'\. Did you mean 'regression'"):
        kind_of(TaskRecord(kind="regresion", max_length=8))
