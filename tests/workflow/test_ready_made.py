"""A recipe that begins with a fine-tuned checkpoint: it is evaluated without a training, its labels matched by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inputs import write_inputs
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForSequenceClassification
from workbench import NODES, Workbench


def _begin_with_a_checkpoint(study: dict[str, Any]) -> None:
    for unused in ("corpora", "subsets"):
        del study[unused]
    study["models"] = {"mine": {"path": "inputs/mine"}}
    study["steps"] = {"mine": {"stage": "checkpoint", "model": "mine"}}
    study["recipes"] = {"baseline": "mine"}
    del study["report"]["control"]


def test_fine_tuned_checkpoint_is_evaluated_as_it_is(tmp_path: Path) -> None:
    bench = Workbench.with_workflow(tmp_path / "bench")
    write_inputs(bench.path("inputs"))
    config = AutoConfig.from_pretrained(bench.path("inputs/tiny_bert"), id2label={0: "GOOD", 1: "BAD"})
    model = AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(bench.path("inputs/mine"))
    tokenizer = bench.path("inputs/tiny_bert/tokenizer.json").read_bytes()
    bench.path("inputs/mine/tokenizer.json").write_bytes(tokenizer)
    bench.change_study(_begin_with_a_checkpoint)
    node = f"{NODES}/seed42/mine"
    bench.build("--", f"{node}/metrics.json")
    with safe_open(bench.path(f"{node}/model/model.safetensors"), "pt") as taken:
        assert taken.get_tensor("classifier.weight").equal(model.classifier.weight.flip(0))
    metrics = json.loads(bench.path(f"{node}/metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"] >= 0
    assert not bench.path(f"{node}/training.json").exists()
    assert not bench.plan(f"{node}/metrics.json")
