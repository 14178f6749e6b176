from pathlib import Path

import pytest

from constrictor.scheduling.causes import FOLLOWS, cause_of, count_causes
from constrictor.scheduling.jobs import Job

PARAMS = "Params have changed since last execution: Union of exclusive params before and now across all output: "
KD = Job("distil", {"task": "reviews", "replicate": "seed1", "lineage": "teacher/kd"}, Path())


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Missing output files: a/metrics.json", "what they make is not there"),
        ("Input files updated by another job: a.json, b.json", FOLLOWS),
        ("Updated input files: reviews.csv", "a file that they read has changed: reviews.csv"),
        (
            "Updated input files: a.csv, b.csv, c.csv, d.csv; Input files updated by another job: e.json",
            "a file that they read has changed: a.csv, b.csv and 2 more",
        ),
        (
            "Input files updated by another job: a.json; Set of input files has changed since last execution",
            "other models or data belong to their input",
        ),
        ("Forced execution", "asked for on the command line"),
        ("Incomplete output files: a.json", "an earlier run was killed while they ran"),
        (
            PARAMS + """before: '{"alpha":0.5,"epochs":3}' now: '{"alpha":0.9,"epochs":3}' """,
            "settings of kd have changed: alpha 0.5 → 0.9",
        ),
        (
            PARAMS + """before: '0123456789abcdef','{"student":{"layers":[0]}}' """
            """now: '{"student":{"layers":[0,1]}}','fedcba9876543210' """,
            "settings of kd have changed: student.layers [0] → [0, 1]",
        ),
        (PARAMS + "before: '0123456789abcdef' now: 'fedcba9876543210' ", "the code of distil has changed"),
        (
            "Missing output files: a; " + PARAMS + "before: '0123456789abcdef' now: 'fedcba9876543210' ",
            "the code of distil has changed",
        ),
        (PARAMS + "before: 42 now: 43 ", "what distil is told has changed"),
        (PARAMS + "before: <nothing exclusive> now: 'x y' ", "what distil is told has changed"),
    ],
)
def test_a_reason_becomes_a_cause(reason, cause):
    assert cause_of(KD, reason) == cause


def test_causes_are_counted_and_what_follows_comes_last():
    seeds = [KD._replace(wildcards={**KD.wildcards, "replicate": f"seed{number}"}) for number in range(3)]
    changed = PARAMS + """before: '{"lr":1}' now: '{"lr":2}' """
    reasons = [(job, changed) for job in seeds] + [(KD, "Input files updated by another job: a")] * 5
    assert count_causes([*reasons, (KD, "Missing output files: b")]) == [
        ("settings of kd have changed: lr 1 → 2", 3),
        ("what they make is not there", 1),
        (FOLLOWS, 5),
    ]
