import json
import shutil
from pathlib import Path

import pytest
from heads import evaluate_on, task_in
from safetensors.torch import load_file

from constrictor.errors import ConstrictorError
from constrictor.models.manifest import read_manifest
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel
from constrictor.study.steps.checkpoint import Checkpoint
from constrictor.training.node import Node
from constrictor.training.take_checkpoint import take_checkpoint


def _take(start: Path, task: Path, folder: Path, **settings) -> Node:
    node = Node(folder, "mine", seed=3)
    step = Checkpoint.model_validate({"stage": "checkpoint", "model": "mine", **settings})
    take_checkpoint(step, start, task_in(task), node)
    return node


@pytest.fixture
def ready(tiny_teacher, tmp_path):
    """A fetched checkpoint that somebody has fine-tuned: its outputs have no names, the second means `bad`."""
    theirs = tmp_path / "theirs"
    shutil.copytree(tiny_teacher, theirs, ignore=shutil.ignore_patterns("manifest.json"))
    config = json.loads((theirs / "config.json").read_text(encoding="utf-8"))
    names = {"id2label": {"0": "Bad", "1": "GOOD"}, "label2id": {"Bad": 0, "GOOD": 1}}
    (theirs / "config.json").write_text(json.dumps({**config, **names}), encoding="utf-8")
    fetch_model(LocalModel(path=str(theirs)), tmp_path / "fetched")
    return tmp_path / "fetched"


def test_checkpoint_is_taken_as_it_is_and_scores_as_it_did(ready, tiny_teacher, tiny_task, tmp_path):
    node = _take(ready, tiny_task, tmp_path / "mine")
    weights, taken = load_file(tiny_teacher / "model.safetensors"), load_file(node.model / "model.safetensors")
    assert all(weights[name].equal(taken[name]) for name in weights)
    manifest = read_manifest(node.model)
    assert manifest.details == {"outputs_of_checkpoint": ["Bad", "GOOD"]}
    assert [record.step for record in manifest.lineage] == ["mine"]
    assert manifest.trained_for().labels == ["bad", "good"]
    assert not (node.folder / "training.json").exists()
    scores = {}
    for name, artifact in (("as it is", node.model), ("before", tiny_teacher)):
        evaluate_on(artifact, tiny_task, tmp_path / "metrics.json", tmp_path / "predictions.parquet")
        scores[name] = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["test"]
    assert scores["as it is"] == scores["before"]
    assert scores["before"]["accuracy"] > 0.9


def test_checkpoint_without_a_head_is_refused(tiny_model, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match=r"has no head of a text classifier \(its config.json says BertModel\)"):
        _take(tiny_model, tiny_task, tmp_path / "mine")
    assert not (tmp_path / "mine" / "model").exists()


def test_labels_that_are_no_outputs_are_refused(ready, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match=r"has no output 'LABEL_0'\. Its outputs: Bad, GOOD"):
        _take(ready, tiny_task, tmp_path / "mine", labels={"LABEL_0": "good"})
