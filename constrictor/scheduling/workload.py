"""How much work each job of a plan is, from the sizes of models and tasks in the manifests that exist so far."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from constrictor.files.reading import read_object
from constrictor.scheduling.wildcards import Wildcards
from constrictor.scheduling.work import Stage, Work
from constrictor.study.chain import model_state
from constrictor.study.lineage import ancestry
from constrictor.study.model_state import ModelState
from constrictor.study.plan import Plan
from constrictor.study.steps.step import Step

# ASSUME: what is not fetched yet is a BERT base, and a task has 100,000 examples.
_PARAMETERS, _LAYERS, _ROWS = 110_000_000, 12, 100_000
_CALIBRATED_AT_ONCE = 32  # examples in memory while a method calibrates or an export is checked

_BUILDS = ("take_checkpoint", "finetune", "distil", "prune", "quantize", "quantize_aware", "export")
_TIMES = ("latency", "fair_baseline")


class _Size(NamedTuple):
    parameters: int
    layers: int


class Workload:
    """The work of every job of a study.

    Args:
        plan: the study's plan.
        data: folder of the study's prepared data, ``data/<study>``.
        has_gpus: whether jobs may have a GPU: this machine has one, or the profile names some.
    """

    def __init__(self, plan: Plan, data: Path, has_gpus: bool) -> None:
        self._plan = plan
        self._data = data
        self._has_gpus = has_gpus

    def of(self, rule: str, wildcards: Wildcards) -> Work:
        """The work of a job: its rule, and what it works on."""
        if rule in _BUILDS:
            return self.building(wildcards.lineage, wildcards.task)
        if rule == "teacher_outputs":
            return self.predicting("label", wildcards.lineage, wildcards.task, wildcards.subset)
        if rule == "evaluate":
            return self.predicting("evaluate", wildcards.lineage, wildcards.task)
        if rule in _TIMES:
            return self.timing(wildcards.lineage, wildcards.task)
        if rule == "download_model":
            return self.fetching(wildcards.name)
        return Work("compare" if rule == "compare" else "read")

    def fetching(self, model: str) -> Work:
        """Fetching a checkpoint, or converting it."""
        size = self._checkpoint(model)
        return Work(
            "convert" if self._plan.study.models[model].convert_pickle else "fetch",
            size.parameters,
            size.layers,
            batch=0,
        )

    def building(self, lineage: str, task: str) -> Work:
        """The step at the end of a lineage: training, or rewriting a model."""
        step = self._plan.step(lineage)
        size, length = self._size(lineage), self._plan.study.tasks[task].max_length
        gpu = self._has_gpus and step.uses_gpu
        if not step.computes_gradients:
            return Work("convert", *size, batch=_CALIBRATED_AT_ONCE, length=length, gpu=gpu)
        batch = max(step.training_batch_size, _CALIBRATED_AT_ONCE if step.reads else 0)
        return Work("train", *size, batch, length, self._rows_of_training(step, task), gpu)

    def predicting(self, stage: Stage, lineage: str, task: str, subset: str | None = None) -> Work:
        """Predicting a subset, or the held-out examples of a task."""
        rows = self._rows(task, subset) if subset else self._held_out(task)
        length = self._plan.study.tasks[task].max_length
        gpu = self._has_gpus and self._moves_to_gpu(lineage)
        return Work(stage, *self._size(lineage), length=length, rows=rows, gpu=gpu)

    def timing(self, lineage: str, task: str) -> Work:
        """Timing a model, in turn with the baselines, which are torch models."""
        latency, longest = self._plan.study.report.latency, self._plan.study.tasks[task].max_length
        length = max(longest if shape == "task" else shape for shape in latency.lengths)
        calls = (latency.rounds + 1) * len(latency.lengths) * len(latency.threads)  # a round to warm up
        rows = calls * sum(latency.batch_sizes) * (1 + len(self._plan.speed_baselines))
        return Work("time", *self._size(lineage), max(latency.batch_sizes), length, rows, self._has_gpus)

    def _moves_to_gpu(self, lineage: str) -> bool:
        """Whether a model computes on a GPU; torch's int8 and the other runtimes are for processors."""
        state = model_state(self._plan.study, lineage)
        return isinstance(state, ModelState) and state.runs_on_gpu

    def _size(self, lineage: str) -> _Size:
        """The largest checkpoint among those that a lineage starts from: no step makes a model larger."""
        starts = {self._plan.start_model(node) for node in ancestry(lineage)} - {None}
        return max(self._checkpoint(str(name)) for name in starts)

    def _checkpoint(self, name: str) -> _Size:
        manifest = _read(self._data / "models" / name / "manifest.json")
        return _Size(manifest.get("parameters") or _PARAMETERS, manifest.get("layers") or _LAYERS)

    def _rows_of_training(self, step: Step, task: str) -> int:
        rows = sum(repeats * self._rows(task, name) for name, repeats in step.training_sets.items())
        return step.training_epochs * rows

    def _rows(self, task: str, subset: str) -> int:
        if subset != "train":
            return self._plan.study.subsets[subset].size
        return int(self._splits(task).get("train", _ROWS))

    def _held_out(self, task: str) -> int:
        splits = self._splits(task)
        # ASSUME: an extra test set is about as large as the test split.
        tests = 1 + len(self._plan.study.tasks[task].extra_test_sets)
        return int(splits.get("validation", _ROWS)) + tests * int(splits.get("test", _ROWS))

    def _splits(self, task: str) -> dict[str, int]:
        return _read(self._data / "tasks" / task / "manifest.json").get("rows", {})


def _read(manifest: Path) -> dict[str, Any]:
    """The content of a manifest; empty while there is none, or only half of one."""
    try:
        return _read_version(manifest, manifest.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=1024)
def _read_version(manifest: Path, _changed: int) -> dict[str, Any]:
    """Thousands of jobs read the same few manifests: each version is read once."""
    return read_object(manifest)
