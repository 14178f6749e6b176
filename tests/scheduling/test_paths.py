from pathlib import Path

import pytest

from constrictor.errors import ConstrictorError
from constrictor.scheduling.paths import Layout


def test_a_model_lies_at_its_lineage(plan):
    layout = Layout(plan.study)
    named = {"task": "reviews", "replicate": "seed1", "lineage": "teacher/kd"}
    assert layout.node.format(**named) == "results/small/reviews/seed1/teacher/kd"
    assert layout.node_file(*named.values(), "metrics.json") == "results/small/reviews/seed1/teacher/kd/metrics.json"


def test_a_replicate_with_a_fold_reads_the_files_of_its_fold(plan):
    layout = Layout(plan.study)
    assert layout.task_file("reviews", "seed1", "test.parquet") == "data/small/tasks/reviews/test.parquet"
    assert layout.task_file("reviews", "seed1-fold2", "test.parquet") == "data/small/tasks/reviews/fold2/test.parquet"


@pytest.mark.parametrize(
    ("subset", "replicate", "file"),
    [
        ("train", "seed1", "tasks/reviews/train.parquet"),
        ("train", "seed1-fold0", "tasks/reviews/fold0/train.parquet"),
        ("some", "seed1", "subsets/some.parquet"),
        ("some", "seed1-fold0", "subsets/some.parquet"),  # of a corpus, which has no folds
        ("few", "seed1", "subsets/few.parquet"),
        ("few", "seed1-fold0", "subsets/fold0/few.parquet"),  # of the task
    ],
)
def test_examples_of_a_subset(larger, subset, replicate, file):
    assert Layout(larger().study).examples("reviews", replicate, subset) == f"data/small/{file}"


def test_every_file_of_the_folds(larger):
    files = Layout(larger({"replicates": {"folds": 2}}).study).folds("{name}")
    assert len(set(files)) == 8
    assert "data/small/tasks/{name}/fold1/manifest.json" in files
    assert Layout(larger().study).folds("{name}") == []


def test_a_file_in_the_place_of_a_folder_is_refused(plan):
    layout = Layout(plan.study)
    layout.refuse_files()
    layout.refuse_unwritable()
    Path("results").touch()
    with pytest.raises(ConstrictorError, match="results"):
        layout.refuse_files()
