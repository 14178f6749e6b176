"""The jobs of the small study, written down by hand and not asked of the code under test."""

from __future__ import annotations

from workbench import Job

LINEAGES = [
    "teacher",
    "teacher/onnx",
    "teacher/onnx/int8",
    "small",
    "teacher/kd",
    "teacher/kd/mag",
    "teacher/kd/mag/fp16",
    "teacher/kd/onnx",
    "teacher/kd/onnx/int8",
    "teacher/kd/mag/onnx",
    "teacher/kd/mag/onnx/int8",
    "teacher/kd/int8",
]
TRAINED = ["teacher", "small", "teacher/kd", "teacher/kd/mag"]
TIMED = [
    "teacher",
    "teacher/onnx/int8",
    "small",
    "teacher/kd",
    "teacher/kd/mag/fp16",
    "teacher/kd/onnx/int8",
    "teacher/kd/mag/onnx/int8",
    "teacher/kd/int8",
]
STAGES = {
    "teacher": "finetune",
    "small": "finetune",
    "kd": "distil",
    "mag": "prune",
    "fp16": "quantize",
    "int8": "quantize",
    "onnx": "export",
}
COMPARE: Job = ("compare", "animals")
DATA_JOBS: set[Job] = {
    ("download_dataset", "animals"),
    ("download_corpus", "corn"),
    ("download_model", "tiny"),
    ("select_subset", "corn_30"),
}
LABELLING: set[Job] = {("teacher_outputs", "train with teacher"), ("teacher_outputs", "corn_30 with teacher")}


def built(*lineages: str) -> set[Job]:
    """The jobs that build these models."""
    return {(STAGES[lineage.rpartition("/")[2]], lineage) for lineage in lineages}


def measured(*lineages: str) -> set[Job]:
    """The jobs that measure them: quality of all, speed of those that end a recipe."""
    return {("evaluate", lineage) for lineage in lineages} | {
        ("latency", lineage) for lineage in lineages if lineage in TIMED
    }


def from_step(step: str) -> list[str]:
    """The lineages that hold a step: all that has to be built again when it changes."""
    return [lineage for lineage in LINEAGES if step in lineage.split("/")]


def rebuilt(step: str) -> set[Job]:
    """All jobs that follow from a change of a step that no other model is timed against."""
    return {*built(*from_step(step)), *measured(*from_step(step)), COMPARE}


FAIR_BASELINE: Job = ("fair_baseline", "teacher")
TIMING: set[Job] = {("latency", lineage) for lineage in TIMED}
MODEL_JOBS: set[Job] = {*LABELLING, *built(*LINEAGES), *measured(*LINEAGES), FAIR_BASELINE}
EVERYTHING: set[Job] = {*DATA_JOBS, *MODEL_JOBS, COMPARE}
