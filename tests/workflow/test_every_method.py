"""A study in which every method of pruning, quantization and export occurs, from nothing to its report."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from expected import COMPARE
from workbench import EVERY_NODE, Workbench

from constrictor.study.steps.export import Export
from constrictor.study.steps.prune import AnyPrune
from constrictor.study.steps.quantize import AnyQuantize

pytestmark = pytest.mark.long

REPORT = "reports/every_method/animals"

# Format and precision of every model.
MODELS = {
    "teacher": ("torch", "fp32"),
    "teacher/gradual": ("torch", "fp32"),
    "teacher/gradual/two_four": ("torch", "fp32"),
    "teacher/gradual/two_four/fp16": ("torch", "fp16"),
    "teacher/movement": ("torch", "fp32"),
    "teacher/movement/ruined": ("torch", "fp32"),
    "teacher/movement/ruined/bf16": ("torch", "bf16"),
    "teacher/words": ("torch", "fp32"),
    "teacher/words/slim": ("torch", "fp32"),
    "teacher/words/slim/short": ("torch", "fp32"),
    "teacher/words/slim/short/int8": ("torch-int8", "int8"),
    "teacher/words/slim/short/static8": ("torch-int8", "int8"),
    "teacher/bnb8": ("bitsandbytes", "llm_int8"),
    "teacher/nf4": ("bitsandbytes", "nf4"),
    "teacher/onnx": ("onnx", "fp32"),
    "teacher/onnx/int4": ("onnx", "int4"),
    "teacher/onnx/emb4": ("onnx", "int4 embeddings"),
    "teacher/onnx/emb4/int8": ("onnx", "int8"),
    "teacher/onnx/emb4/int8/ort": ("ort", "int8"),
    "teacher/onnx/openvino": ("openvino", "fp32"),
    "teacher/lean": ("onnx", "fp32"),
    "teacher/lean/fp16": ("onnx", "fp16"),
    "teacher/fixed": ("onnx", "fp32"),
    "teacher/fixed/static8": ("onnx", "int8"),
    "teacher/qat": ("torch", "fp32"),
    "teacher/qat/onnx": ("onnx", "fp32"),
    "teacher/qat/onnx/int8": ("onnx", "int8"),
}
# What is damaged on purpose, and what comes of it.
RUINED = {"teacher/movement/ruined", "teacher/movement/ruined/bf16"}


@pytest.fixture(scope="module")
def table(every_method: Workbench) -> dict[str, dict[str, str]]:
    """The rows of the table by lineage."""
    with open(every_method.path(f"{REPORT}/table.csv"), encoding="utf-8", newline="") as stream:
        return {row["lineage"]: row for row in csv.DictReader(stream)}


def record(bench: Workbench, lineage: str, name: str = "model/manifest.json") -> dict[str, Any]:
    """A JSON file of a model."""
    return json.loads(bench.path(f"{EVERY_NODE}/{lineage}/{name}").read_text(encoding="utf-8"))


def methods_of(union: Any) -> set[str]:
    """The methods of a union of settings models."""
    return {
        name for model in get_args(get_args(union)[0]) for name in get_args(model.model_fields["method"].annotation)
    }


def test_every_method_and_format_occurs(every_method: Workbench) -> None:
    study = every_method.study()
    used = {name for recipe in study["recipes"].values() for name in recipe.split("/")}
    steps = [study["steps"][name] for name in used]
    methods = {step.get("method") for step in steps}
    # fp4 and nf4 differ in a table of 16 numbers.
    assert methods_of(AnyPrune) | methods_of(AnyQuantize) - {"fp4"} <= methods
    formats = set(get_args(Export.model_fields["format"].annotation))
    assert {step.get("format", "onnx") for step in steps if step["stage"] == "export"} == formats


def test_every_model_is_in_the_table_and_better_than_chance(table: dict[str, dict[str, str]]) -> None:
    assert set(table) == set(MODELS)
    accuracy = {lineage: float(row["test_accuracy"]) for lineage, row in table.items()}
    assert {lineage for lineage, share in accuracy.items() if share < 0.8} == RUINED, accuracy


@pytest.mark.parametrize("lineage", MODELS)
def test_format_and_precision(every_method: Workbench, lineage: str) -> None:
    manifest = record(every_method, lineage)
    assert (manifest["format"], manifest["precision"]) == MODELS[lineage]
    assert "/".join(step["step"] for step in manifest["lineage"]) == lineage


def test_what_pruning_left(every_method: Workbench, table: dict[str, dict[str, str]]) -> None:
    pruned = {lineage: record(every_method, lineage)["details"].get("pruned") for lineage in MODELS}
    for lineage, zeros in {
        "teacher/gradual": 0.5,
        "teacher/movement": 0.5,
        "teacher/movement/ruined": 0.98,
    }.items():
        assert pruned[lineage]["sparsity"] == pytest.approx(zeros, abs=0.01), lineage
    # The zeros from before, and of every four weights at least two.
    assert 0.5 < pruned["teacher/gradual/two_four"]["sparsity"] < 0.75
    chain = ["teacher", "teacher/words", "teacher/words/slim", "teacher/words/slim/short"]
    parameters = [int(table[lineage]["parameters"]) for lineage in chain]
    assert parameters == sorted(set(parameters), reverse=True)
    assert parameters[-1] < parameters[0] / 3


def test_a_recovery_finetuning_reads_unlabelled_text_with_the_named_teacher(every_method: Workbench) -> None:
    rows = json.loads(every_method.path("data/every_method/tasks/animals/manifest.json").read_text("utf-8"))["rows"]
    wanted = rows["train"] + 2 * 30  # train_on: {train: 1, corn_30: 2}
    assert wanted <= record(every_method, "teacher/words/slim", "training.json")["examples"] < wanted + 32
    labelled = sorted(file.stem for file in every_method.path(EVERY_NODE).rglob("outputs/*.parquet"))
    assert labelled == ["corn_30", "train"]
    assert every_method.path(f"{EVERY_NODE}/teacher/outputs/corn_30.parquet").is_file()


def test_a_gate_rejects_its_model_and_the_rest_goes_on(
    every_method: Workbench, table: dict[str, dict[str, str]]
) -> None:
    assert {lineage for lineage, row in table.items() if row["rejected"]} == {"teacher/movement/ruined"}
    assert table["teacher/movement/ruined"]["rejected"].endswith("points below its parent, more than the gate's 10")
    assert table["teacher/movement/ruined/bf16"]["p50_ms_b8_stask_t1"]
    assert "- `teacher/movement/ruined` rejected: " in every_method.path(f"{REPORT}/table.md").read_text(
        encoding="utf-8"
    )


def test_speed_is_that_of_one_and_of_all_threads_at_the_tasks_own_lengths(
    every_method: Workbench, table: dict[str, dict[str, str]]
) -> None:
    timed = set(every_method.study()["recipes"].values())
    for length, threads in itertools.product(("8", "task"), (2, 1)):
        column, expected = f"b8_s{length}_t{threads}", timed if threads == 1 else {"teacher"}
        assert {lineage for lineage, row in table.items() if row[f"p50_ms_{column}"]} == expected
        for name in ("torch fp32", "ONNX fp32"):
            assert all(float(table[lineage][f"speedup_over_{name}_{column}"]) > 0 for lineage in expected)
    fastest = record(every_method, "teacher", "fair_baseline.json")["fastest"]
    assert {record(every_method, lineage, "latency.json")["torch_variant"] for lineage in timed} == {fastest}


def test_the_same_call_again_has_nothing_to_do(every_method: Workbench) -> None:
    assert every_method.plan() == set()


@pytest.mark.parametrize("gate", [{"max_drop": 0.9}, None])
def test_a_changed_gate_reruns_the_comparison_and_nothing_else(
    every_method: Workbench, tmp_path: Path, gate: dict[str, float] | None
) -> None:
    bench = every_method.copy_to(tmp_path / "bench")
    bench.change_study(lambda study: study["steps"]["ruined"].update(gate=gate))
    assert bench.plan() == {COMPARE}
