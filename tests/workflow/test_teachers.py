"""Several teachers, and teachers that compute along: what is built for them, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench import NODES, Workbench

MAG = f"{NODES}/seed42/teacher/kd/mag/model/manifest.json"


def _distilled_from_several(study: dict[str, Any]) -> None:
    study["steps"]["kd"] |= {
        "co_teachers": ["control", "teacher_cpu"],
        "hidden": {},
        "alpha": {"from": 0.9, "to": 0.1},
    }
    study["steps"]["mag"] |= {"attention": {"values": True}, "train_on": ["train", "corn_30"]}


def test_every_teacher_is_built_once(fresh: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    bench.change_study(_distilled_from_several)
    jobs = bench.plan(MAG)  # which fails if a job is planned twice
    teachers = ("teacher", "small", "teacher/onnx/int8")
    assert {what for rule, what in jobs if rule == "teacher_outputs"} == {
        f"{subset} with {teacher}" for teacher in teachers for subset in ("train", "corn_30")
    }
    assert {what for rule, what in jobs if rule == "finetune"} == {"teacher", "small"}


def test_the_student_is_distilled_from_all_teachers(bench: Workbench) -> None:
    bench.change_study(_distilled_from_several)
    assert {rule for rule, _ in bench.plan(MAG)} == {"teacher_outputs", "distil", "prune"}
    bench.build("--", MAG)
    steps = json.loads(bench.path(MAG).read_text(encoding="utf-8"))["lineage"]
    assert [step["step"] for step in steps] == ["teacher", "kd", "mag"]
    assert steps[1]["settings"]["co_teachers"] == ["control", "teacher_cpu"]
    assert bench.plan(MAG) == set()
