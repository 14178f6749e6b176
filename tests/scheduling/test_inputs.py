from pathlib import Path

import pytest

from constrictor.scheduling.inputs import Inputs
from constrictor.scheduling.paths import Layout
from constrictor.scheduling.wildcards import wildcards_of

NODE = "results/small/reviews/seed1"
TASK = "data/small/tasks/reviews"


@pytest.fixture
def inputs(larger):
    """The inputs of the larger study with changes."""

    def make(changes=None) -> Inputs:
        plan = larger(changes)
        return Inputs(plan, Layout(plan.study))

    return make


def at(lineage: str, replicate: str = "seed1", **further: str):
    return wildcards_of({"task": "reviews", "replicate": replicate, "lineage": lineage, **further})


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ({"path": "reviews.csv"}, ["reviews.csv"]),
        ({"train": {"path": "reviews.csv"}, "test": {"path": "held_out.csv"}}, ["reviews.csv", "held_out.csv"]),
        ({"hub": "stanfordnlp/sst2"}, []),
        ({"train": {"hub": "stanfordnlp/sst2"}, "validation": {"path": "reviews.csv"}}, ["reviews.csv"]),
    ],
)
def test_local_files_of_a_task_are_inputs(inputs, source, files):
    Path("held_out.csv").touch()
    assert inputs({"tasks.reviews.source": source}).data_source(wildcards_of({"name": "reviews"})) == files


def test_a_corpus_and_a_further_test_set_are_read_from_their_files(inputs):
    assert inputs().data_source(wildcards_of({"name": "corn"})) == ["reviews.csv"]
    assert inputs().extra_test_source(wildcards_of({"name": "reviews", "part": "more_of_it"})) == ["reviews.csv"]


def test_every_file_that_is_copied_of_a_local_model_is_an_input(inputs):
    wanted = [
        *("config.json", "merges.txt", "model-00001-of-00002.safetensors", "model.safetensors.index.json"),
        *("special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"),
        *("vocab.json", "vocab.txt"),
    ]
    for name in (*wanted, "pytorch_model.bin", "README.md", "optimizer.pt"):
        Path("tiny", name).touch()
    Path("tiny/tokenizer_files").mkdir()
    files = [f"tiny/{name}" for name in wanted]
    assert sorted(inputs().checkpoint_source(wildcards_of({"name": "tiny"}))) == sorted(files)
    Path("held_out.csv").touch()
    everything = inputs({"tasks.reviews.extra_test_sets.more_of_it": {"path": "held_out.csv"}}).all_sources()
    assert {"data/small", "results/small", "reviews.csv", "held_out.csv", *files} == set(map(str, everything))


def test_pickled_weights_are_inputs_where_they_are_converted(inputs):
    for name in ("pytorch_model-1.bin", "pytorch_model.bin.index.json", "optimizer.bin"):
        Path("tiny", name).touch()
    of_tiny = wildcards_of({"name": "tiny"})
    pickles = {"tiny/pytorch_model-1.bin", "tiny/pytorch_model.bin.index.json"}
    with_key = inputs({"models.tiny.convert_pickle": True})
    assert {file for file in with_key.checkpoint_source(of_tiny) if "bin" in file} == pickles
    assert not pickles & set(inputs().checkpoint_source(of_tiny))
    Path("tiny/model.safetensors").touch()  # which is used then
    assert not pickles & set(with_key.checkpoint_source(of_tiny))


def test_a_hub_model_has_no_local_files(inputs):
    assert inputs({"models.tiny": {"hub": "a/b"}}).checkpoint_source(wildcards_of({"name": "tiny"})) == []


def test_a_selection_from_a_corpus_avoids_everything_that_is_held_out(inputs):
    wildcards = wildcards_of({"name": "some", "fold": ""})
    held_out = [f"{TASK}/validation.parquet", f"{TASK}/test.parquet", f"{TASK}/extra_test_sets/more_of_it.parquet"]
    assert inputs().pool(wildcards) == "data/small/corpora/corn/texts.parquet"
    assert inputs().task_of_pool(wildcards) == []
    assert inputs().held_out(wildcards) == held_out
    folds = inputs({"replicates": {"folds": 3}})
    assert folds.held_out(wildcards) == [f"{TASK}/train.parquet", *held_out]  # each example is in the test of some fold


def test_a_selection_from_a_task_reads_the_training_split_of_its_fold(inputs):
    wildcards = wildcards_of({"name": "few", "fold": "fold1/"})
    assert inputs().pool(wildcards) == f"{TASK}/fold1/train.parquet"
    assert inputs().task_of_pool(wildcards) == [f"{TASK}/fold1/manifest.json"]
    assert inputs().held_out(wildcards) == []


def test_a_training_starts_from_a_checkpoint_or_from_the_parent(inputs):
    assert inputs().initial_model(at("teacher")) == "data/small/models/tiny/manifest.json"
    assert inputs().initial_model(at("teacher/kd")) == f"{NODE}/teacher/model/manifest.json"
    assert inputs().initial_model(at("teacher/kd_wide")) == "data/small/models/tiny/manifest.json"
    assert inputs().parent_model(at("teacher/kd/mag")) == f"{NODE}/teacher/kd/model/manifest.json"


def test_what_is_timed_takes_turns_with_the_baselines(inputs):
    manifests = [f"{NODE}/{lineage}/model/manifest.json" for lineage in ("teacher", "teacher/onnx")]
    assert inputs().baseline_models(at("teacher/kd")) == manifests
    assert inputs().named_baselines(at("teacher/kd")) == [f"torch fp32={manifests[0]}", f"ONNX fp32={manifests[1]}"]
    assert inputs().fair_baseline(at("teacher/kd")) == f"{NODE}/teacher/fair_baseline.json"


def test_an_evaluation_reads_the_splits_and_the_further_test_sets(inputs):
    wildcards = at("teacher", "seed1-fold1")
    assert inputs().task_manifest(wildcards) == f"{TASK}/fold1/manifest.json"
    assert inputs().validation(wildcards) == f"{TASK}/fold1/validation.parquet"
    assert inputs().test(wildcards) == f"{TASK}/fold1/test.parquet"
    further = f"{TASK}/extra_test_sets/more_of_it.parquet"
    assert inputs().extra_test_sets(wildcards) == [further]
    assert inputs().named_extra_test_sets(wildcards) == [f"more_of_it={further}"]


def test_a_teacher_labels_the_examples_of_a_subset(inputs):
    assert inputs().labelled_subset(at("teacher", subset="some")) == "data/small/subsets/some.parquet"


@pytest.mark.parametrize(
    ("lineage", "files"),
    [
        ("teacher/wanda", [f"{TASK}/train.parquet"]),
        ("teacher/static", [f"{TASK}/train.parquet"]),
        ("teacher/words", [f"{TASK}/train.parquet", "data/small/subsets/some.parquet"]),
        ("teacher/int8", []),
        ("teacher/kd/mag", []),
        ("teacher/qat", []),
    ],
)
def test_a_method_calibrates_on_the_examples_that_its_step_names(inputs, lineage, files):
    assert inputs().calibration(at(lineage)) == files


def test_one_replicate_is_timed_and_all_are_evaluated(inputs):
    wanted = inputs().outputs_of(["teacher", "teacher/kd"], ["metrics.json", "latency.json"])
    assert wanted == [
        *(f"results/small/reviews/seed{seed}/{lineage}/metrics.json" for seed in (1, 2) for lineage in ("teacher", "teacher/kd")),
        *(f"{NODE}/{lineage}/latency.json" for lineage in ("teacher", "teacher/kd")),
    ]  # fmt: skip
    assert inputs().outputs_of(["teacher"], ["metrics.json"], []) == []


def test_the_comparison_reads_the_quality_of_every_model_and_the_speed_of_recipes(inputs, larger):
    wildcards, plan = wildcards_of({"task": "reviews"}), larger()
    quality, speed = inputs().quality(wildcards), inputs().speed(wildcards)
    assert len(set(quality)) == len(quality) == 3 * 2 * len(plan.lineages)
    assert speed == [f"{NODE}/{lineage}/latency.json" for lineage in plan.study.recipes.values()]
