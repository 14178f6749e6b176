from pathlib import Path

import pytest

from constrictor.scheduling.causes import FOLLOWS, cause_of, count_causes
from constrictor.scheduling.jobs import Job

PARAMS = "Params have changed since last execution: Union of exclusive params before and now across all output: "
KD = Job("distil", {"task": "reviews", "replicate": "seed1", "lineage": "teacher/kd"}, Path())


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Missing output files: a/metrics.json", "outputs are missing"),
        ("Input files updated by another job: a.json, b.json", FOLLOWS),
        ("Updated input files: reviews.csv", "an input file has changed: reviews.csv"),
        (
            "Updated input files: a.csv, b.csv, c.csv, d.csv; Input files updated by another job: e.json",
            "an input file has changed: a.csv, b.csv and 2 more",
        ),
        (
            "Input files updated by another job: a.json; Set of input files has changed since last execution",
            "the set of input files has changed",
        ),
        ("Forced execution", "forced on the command line"),
        ("Incomplete output files: a.json", "an earlier run was interrupted"),
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
        # A job with settings and a training plan: what the user has changed comes first.
        (
            PARAMS + """before: '{"alpha":0.5}','{"sets":[],"soft_targets":{"alpha":0.5}}' """
            """now: '{"alpha":0.9}','{"sets":[],"soft_targets":{"alpha":0.9}}' """,
            "settings of kd have changed: alpha 0.5 → 0.9",
        ),
        (
            PARAMS + """before: '{"sets":[],"soft_targets":{"alpha":0.5}}','{"alpha":0.5}' """
            """now: '{"alpha":0.9}','{"sets":[],"soft_targets":{"alpha":0.9}}' """,
            "settings of kd have changed: alpha 0.5 → 0.9",
        ),
        (
            PARAMS
            + """before: '{"sets":[],"soft_targets":{"alpha":0.5}}' now: '{"sets":[],"soft_targets":{"alpha":0.9}}' """,
            "the training plan of kd has changed: soft_targets.alpha 0.5 → 0.9",
        ),
        (
            PARAMS
            + """before: '{"sets":[{"examples":"a/train.parquet","repeats":1},{"examples":"b.parquet","repeats":1}]}' """
            """now: '{"sets":[{"examples":"a/train.parquet","repeats":3},{"examples":"b.parquet","repeats":1}]}' """,
            "the training plan of kd has changed: sets.train.repeats 1 → 3",
        ),
        (
            PARAMS + """before: 'null' now: '{"sets":[{"examples":"train.parquet"}]}' """,
            "the training plan of kd has changed: sets.train.examples – → train.parquet",
        ),
        (
            PARAMS
            + """before: '0123456789abcdef','{"sets":[]}' now: 'fedcba9876543210','{"sets":[],"teacher":"t"}' """,
            "the code of distil has changed",
        ),
        (
            PARAMS + "before: 'content of a.csv: 12' now: 'content of a.csv: 34' ",
            "the content of kd has changed",
        ),
        (PARAMS + "before: 42 now: 43 ", "parameters of distil have changed"),
        (PARAMS + "before: <nothing exclusive> now: 'x y' ", "parameters of distil have changed"),
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
        ("outputs are missing", 1),
        (FOLLOWS, 5),
    ]
