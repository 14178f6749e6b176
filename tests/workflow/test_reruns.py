"""The table of changes and of exactly the jobs that each brings about, planned on copies of the finished study."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from expected import (
    COMPARE,
    EVERYTHING,
    FAIR_BASELINE,
    LABELLING,
    MODEL_JOBS,
    TIMING,
    built,
    from_step,
    measured,
    rebuilt,
)
from workbench import NODES, TEACHER, Job, Workbench

Change = Callable[[Workbench], None]
MAGNITUDE = "constrictor/compression/pruning/magnitude.py"
FIRST_LINE = "    matrices = encoder_matrices(model)\n"


def setting(path: str, value: Any) -> Change:
    """Set one key of the study."""
    *parents, last = path.split(".")

    def change(study: dict[str, Any]) -> None:
        for name in parents:
            study = study.setdefault(name, {})
        study[last] = value

    return lambda bench: bench.change_study(change)


def line_added(file: str, behind: str = "from __future__ import annotations\n", line: str = "_NEW = 1\n") -> Change:
    """Add a line that does nothing, but is no comment, to a module."""
    return lambda bench: bench.edit(file, behind, behind + line)


def touched(*names: str) -> Change:
    """Give files a new time and leave their content."""
    return lambda bench: [os.utime(bench.path(name)) for name in names] and None


def replaced_by_an_older_one(name: str, old: str, new: str) -> Change:
    """Replace a file by one that is dated earlier, as `cp -p` and `rsync` do."""

    def change(bench: Workbench) -> None:
        bench.edit(name, old, new)
        os.utime(bench.path(name), (1e9, 1e9))

    return change


def deleted(name: str) -> Change:
    """Delete a file or a folder."""

    def change(bench: Workbench) -> None:
        path = bench.path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return change


def nothing(bench: Workbench) -> None:
    """Leave everything as it is."""


def keys_reordered(bench: Workbench) -> None:
    """Write every mapping of the study backwards."""

    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return value

    bench.change_study(lambda study: [study.__setitem__(key, backwards(study.pop(key))) for key in reversed([*study])])


def comment_and_docstring(bench: Workbench) -> None:
    """Edit what a module says to people."""
    bench.edit(MAGNITUDE, "Magnitude pruning: the weights", "Magnitude pruning, told anew: the weights")
    bench.edit(MAGNITUDE, "Zero the smallest weights", "Zero, in place, the smallest weights")
    bench.edit(MAGNITUDE, FIRST_LINE, "    # A comment.\n" + FIRST_LINE)


def fresh_checkout(bench: Workbench) -> None:
    """Give all code a new time."""
    for folder in ("constrictor", "workflow_scripts", "rules"):
        for file in bench.path(folder).rglob("*.*"):
            os.utime(file)
    os.utime(bench.path("Snakefile"))


NOTHING: set[Job] = set()
CHANGES: dict[str, tuple[Change, set[Job]]] = {
    # What changes no result.
    "nothing": (nothing, NOTHING),
    "keys reordered": (keys_reordered, NOTHING),
    "a comment and docstrings": (comment_and_docstring, NOTHING),
    "a fresh checkout of the code": (fresh_checkout, NOTHING),
    "a changed line in code that only plans": (line_added("constrictor/study/check.py"), NOTHING),
    "a step that no recipe uses": (setting("steps.bf16", {"stage": "quantize", "method": "bf16"}), NOTHING),
    "a subset that no step uses": (setting("subsets.spare", {"of": "corn", "size": 3}), NOTHING),
    "a default written out": (setting("steps.int8.per_channel", True), NOTHING),
    "a number spelled differently": (
        lambda bench: bench.edit("study.yaml", "sparsity: 0.4", "sparsity: 0.40"),
        NOTHING,
    ),
    "a touched source": (touched("inputs/animals.csv"), NOTHING),
    "touched manifests": (touched(TEACHER, "data/small_study/tasks/animals/manifest.json"), NOTHING),
    "touched examples": (touched("data/small_study/tasks/animals/train.parquet"), NOTHING),
    # Settings of a step.
    "a setting of the distillation": (setting("steps.kd.alpha", 0.9), rebuilt("kd")),
    "a setting of the pruning": (setting("steps.mag.sparsity", 0.5), rebuilt("mag")),
    "a setting of a quantization": (setting("steps.int8.per_channel", False), rebuilt("int8")),
    "a setting of the control": (setting("steps.small.epochs", 2), rebuilt("small")),
    "a setting of the teacher": (
        setting("steps.teacher.epochs", 2),
        {
            *LABELLING,
            *built(*from_step("teacher")),
            *measured(*from_step("teacher")),
            FAIR_BASELINE,
            *TIMING,
            COMPARE,
        },
    ),
    # Data.
    "max_length of the task": (
        setting("tasks.animals.max_length", 24),
        EVERYTHING - {("download_model", "tiny"), ("download_corpus", "corn")},
    ),
    "the size of a subset": (
        setting("subsets.corn_30.size", 31),
        {("select_subset", "corn_30"), ("teacher_outputs", "corn_30 with teacher"), *rebuilt("kd")},
    ),
    "an edited source": (
        lambda bench: bench.edit("inputs/animals.csv", "text,label\n", "text,label\na further calm cow,good\n"),
        EVERYTHING - {("download_model", "tiny"), ("download_corpus", "corn")},
    ),
    "an edited tokenizer of a local model": (
        lambda bench: bench.edit("inputs/tiny_bert/tokenizer_config.json", "{", '{"edited": true,'),
        EVERYTHING - {("download_dataset", "animals"), ("download_corpus", "corn"), ("select_subset", "corn_30")},
    ),
    "a tokenizer that an older one replaces": (
        replaced_by_an_older_one("inputs/tiny_bert/tokenizer.json", '"lowercase": true', '"lowercase": false'),
        EVERYTHING - {("download_dataset", "animals"), ("download_corpus", "corn"), ("select_subset", "corn_30")},
    ),
    # The report.
    "the margin": (setting("report.margin", 0.02), {COMPARE}),
    "what the intervals are for": (setting("report.intervals", "models"), {COMPARE}),
    "no control": (setting("report.control", None), {COMPARE}),
    "rounds of timing": (setting("report.latency.rounds", 4), {FAIR_BASELINE, *TIMING, COMPARE}),
    "a gate": (setting("steps.mag.gate", {"max_drop": 0.02}), {COMPARE}),
    # Recipes and replicates.
    "a new recipe": (
        setting("recipes.teacher_half", "teacher/fp16"),
        {*built("teacher/fp16"), ("evaluate", "teacher/fp16"), ("latency", "teacher/fp16"), COMPARE},
    ),
    "a recipe less": (lambda bench: bench.change_study(lambda study: study["recipes"].pop("cpu")), {COMPARE}),
    "a recipe that ends at a model that is there": (
        setting("recipes.sparse", "teacher/kd/mag"),
        {("latency", "teacher/kd/mag"), COMPARE},
    ),
    "a further seed": (
        setting("replicates", {"seeds": [42, 43]}),
        {*((rule, f"seed43/{what}") for rule, what in MODEL_JOBS - {*TIMING, FAIR_BASELINE}), COMPARE},
    ),
    # Code.
    "a line of the pruning": (line_added(MAGNITUDE), rebuilt("mag")),
    "a line of the table": (line_added("constrictor/comparison/table_markdown.py"), {COMPARE}),
    "a line of the timing": (line_added("constrictor/evaluation/workers.py"), {FAIR_BASELINE, *TIMING, COMPARE}),
    "a line of the search for the fair baseline": (
        line_added("constrictor/evaluation/fair_baseline.py"),
        {FAIR_BASELINE, *TIMING, COMPARE},
    ),
    "a line of the process that is timed": (
        line_added("constrictor/evaluation/latency_worker.py"),
        {FAIR_BASELINE, *TIMING, COMPARE},
    ),
    "a line of a script": (
        line_added("workflow_scripts/quantize.py", "from pathlib import Path\n"),
        {*rebuilt("int8"), *rebuilt("fp16")},
    ),
    "a line of a package that scripts import": (
        line_added("constrictor/compression/export/__init__.py", '"""Export to the formats of other runtimes."""\n'),
        {
            *built(*from_step("onnx")),
            *measured(*from_step("onnx")),
            FAIR_BASELINE,
            *TIMING,  # the ONNX teacher is one of the baselines
            COMPARE,
        },
    ),
    # Lost files; more of them below.
    "a lost table": (deleted("reports/small_study/animals/table.md"), {COMPARE}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_exactly_what_it_reaches(bench: Workbench, change: str) -> None:
    make, expected = CHANGES[change]
    make(bench)
    assert bench.plan() == expected


def test_another_number_of_cores_reruns_nothing(finished: Workbench) -> None:
    assert finished.plan(cores=1) == NOTHING


def test_lost_metrics_are_made_again(bench: Workbench) -> None:
    deleted(f"{NODES}/seed42/teacher/kd/metrics.json")(bench)
    assert bench.plan("distilled") == {("evaluate", "teacher/kd")}
    assert bench.plan() == {("evaluate", "teacher/kd"), COMPARE}


def test_a_lost_model_of_a_recipe_is_built_again_with_what_follows(bench: Workbench) -> None:
    deleted(f"{NODES}/seed42/teacher/kd/model")(bench)
    assert bench.plan() == rebuilt("kd")


def test_a_model_between_others_may_be_deleted_to_save_space(bench: Workbench) -> None:
    deleted(f"{NODES}/seed42/teacher/kd/mag/model")(bench)
    assert bench.plan() == NOTHING


def test_a_model_that_comes_out_the_same_reruns_nothing_in_the_next_call(bench: Workbench) -> None:
    node = f"{NODES}/seed42/teacher/onnx/int8"
    measurements = [f"{node}/metrics.json", f"{node}/latency.json"]
    line_added("workflow_scripts/quantize.py", "from pathlib import Path\n")(bench)
    # Before, Snakemake cannot know that the model will be the same, and would measure it in the same call.
    assert bench.plan(*measurements) == {*built("teacher/onnx/int8"), *measured("teacher/onnx/int8")}
    bench.build("--", f"{node}/model/manifest.json")
    assert bench.plan(*measurements) == NOTHING


def test_a_further_seed_gives_another_model(bench: Workbench) -> None:
    setting("replicates", {"seeds": [42, 43]})(bench)
    bench.build("--", f"{NODES}/seed43/small/model/manifest.json")
    first, second = (
        json.loads(bench.path(f"{NODES}/seed{seed}/small/model/manifest.json").read_text(encoding="utf-8"))
        for seed in (42, 43)
    )
    assert (first["seed"], second["seed"]) == (42, 43)
    assert first["files"]["model.safetensors"] != second["files"]["model.safetensors"]
