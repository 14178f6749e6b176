import csv
import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from heads import task_record
from scipy.special import softmax
from sklearn import metrics as reference

from constrictor.comparison.collect import collect
from constrictor.comparison.compare import compare
from constrictor.comparison.differences import Difference, paired_difference
from constrictor.comparison.intervals import Replicated, Scores, scores
from constrictor.comparison.plots import plot_quality_latency
from constrictor.comparison.row import Comparison, Row
from constrictor.comparison.significance import holm
from constrictor.comparison.table_csv import table_csv
from constrictor.comparison.table_markdown import table_markdown
from constrictor.data.outputs import Predictions, write_predictions
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import AdapterRecord, FileEntry, Manifest, StepRecord
from constrictor.tasks.manifest import TaskManifest
from constrictor.tasks.registry import kind_of

EXAMPLES = {"validation": 40, "test": 120}
SHARES = {"teacher": 0.9, "teacher/kd": 0.85, "teacher/kd/mag": 0.8, "small": 0.6}
BYTES = {"teacher": 4_000_000, "teacher/kd": 2_000_000, "teacher/kd/mag": 2_000_000, "small": 2_000_000}
SECONDS = {"teacher": 100.0, "teacher/kd": 50.0, "small": 30.0}
COSTS = {
    "teacher": {"trainable_parameters": 1000, "peak_memory_bytes": 900_000_000, "energy_joules": 70.0},
    "teacher/kd": {"trainable_parameters": 400, "peak_memory_bytes": 800_000_000},
    "small": {"trainable_parameters": 1000, "peak_memory_bytes": 700_000_000},
}
SETTINGS = Comparison(
    recipes={"base": "teacher", "sparse": "teacher/kd/mag", "control": "small"}, baseline="base", control="control",
    margin=0.05, replicates=["seed1", "seed2"], gates={"teacher/kd/mag": 0.01, "teacher/kd": 0.5},
)  # fmt: skip
TASK = TaskManifest(
    task=task_record(["a", "b", "c"]), metric="macro_f1", rows=EXAMPLES, classes={},
    dropped={}, fingerprint={},
)  # fmt: skip


def _outputs(lineage: str, replicate: int, split: str) -> Predictions:
    count = EXAMPLES[split]
    labels = np.random.default_rng(count).integers(0, 3, count)
    generator = np.random.default_rng([replicate, count, len(lineage)])
    right = generator.random(count) < SHARES[lineage]
    logits = generator.normal(size=(count, 3)) + 20 * np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    return Predictions([f"{split}{number}" for number in range(count)], labels, {"logits": logits.astype(np.float32)})


def _measured(outputs: Predictions) -> dict[str, float]:
    labels, answers = outputs.labels, outputs.outputs["logits"].argmax(1)
    return {
        "accuracy": reference.accuracy_score(labels, answers),
        "macro_f1": reference.f1_score(labels, answers, average="macro"),
        "weighted_f1": reference.f1_score(labels, answers, average="weighted"),
        "mcc": reference.matthews_corrcoef(labels, answers),
        "loss": reference.log_loss(labels, softmax(outputs.outputs["logits"].astype(float), axis=1)),
    }


LENGTH_FACTORS = {32: 1, "task": 0.5}
THREAD_FACTORS = {2: 1, 1: 3}


def _latency(speedup: float, lengths: tuple[int | str, ...]) -> dict:
    shapes = [
        {"batch": batch, "length": length, "threads": threads, "p50_ms": 8.0 * batch * slow / speedup,
         "p95_ms": 9.0 * batch * slow / speedup, "examples_per_second": 125.0 * speedup / slow,
         "speedup": {"torch fp32": ratio}, "speedup_interval": {"torch fp32": [ratio - 1, ratio + 2]},
         "baseline_p50_ms": {"torch fp32": 8.0 * batch * slow}, "baseline_jitter": {"torch fp32": 0.021},
         "disturbed": []}
        for threads in THREAD_FACTORS
        for batch in (1, 8)
        for length in lengths
        for slow in [LENGTH_FACTORS[length] * THREAD_FACTORS[threads]]
        for ratio in [speedup + LENGTH_FACTORS[length] + 10 * threads + batch]
    ]  # fmt: skip
    return {
        "cold_start_seconds": 1.5, "peak_memory_bytes": 300_000_000, "threads": 2, "rounds": 7, "shapes": shapes,
        "torch_variant": "eager", "search_disturbed": False,
        "processor": {"name": "A processor", "cores": 2, "instructions": ["avx2"]},
    }  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results") / "reviews"
    for replicate in (1, 2):
        for lineage in SHARES:
            node = root / f"seed{replicate}" / lineage
            (node / "model").mkdir(parents=True)
            splits = {split: _outputs(lineage, replicate, split) for split in EXAMPLES}
            write_predictions(node / "predictions.parquet", splits)
            scores = {split: _measured(outputs) for split, outputs in splits.items()}
            (node / "metrics.json").write_text(json.dumps(scores), encoding="utf-8")
            steps = {
                "kd": {"stage": "distil", "train_on": {"train": 1, "kd_500": 2}},
                "mag": {"stage": "prune", "method": "magnitude"},
            }
            manifest = Manifest(
                format="torch", precision="fp32", parameters=1000, nonzero_parameters=600 if "mag" in lineage else 1000,
                lineage=[StepRecord(step=step, settings=steps.get(step, {"stage": "finetune"})) for step in lineage.split("/")],
                files={"model.safetensors": FileEntry(bytes=BYTES[lineage], sha256="0")},
            )  # fmt: skip
            (node / "model" / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
            if lineage in SECONDS:
                record = {"seconds": SECONDS[lineage] * replicate, **COSTS[lineage]}
                (node / "training.json").write_text(json.dumps(record), encoding="utf-8")
            if replicate == 1 and lineage in SETTINGS.recipes.values():
                speedup = {"teacher": 1.0, "teacher/kd/mag": 2.0, "small": 2.5}[lineage]
                # A model that was exported for a short fixed length is not timed at the others.
                lengths = ("task",) if lineage == "small" else (32, "task")
                (node / "latency.json").write_text(json.dumps(_latency(speedup, lengths)), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def report(results, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "tasks" / "reviews" / "report"
    subsets = folder.parents[2] / "subsets"
    for file in (folder / "table.csv", subsets / "fold1" / "kd_500.parquet", subsets / "other.parquet"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    task = folder.parent / "manifest.json"
    task.write_text(TASK.model_dump_json(), encoding="utf-8")
    compare(SETTINGS, task, results, folder, [subsets / "fold1" / "kd_500.parquet", subsets / "other.parquet"])
    return folder


@pytest.fixture(scope="module")
def table(report) -> dict[str, dict[str, str]]:
    with open(report / "table.csv", encoding="utf-8") as stream:
        return {row["lineage"]: row for row in csv.DictReader(stream)}


def _scores(lineage: str, name: str, split: str = "test") -> list[float]:
    return [_measured(_outputs(lineage, replicate, split))[name] for replicate in (1, 2)]


def test_every_node_has_a_row_baseline_and_control_first(table):
    assert list(table) == ["teacher", "small", "teacher/kd", "teacher/kd/mag"]
    assert [row["recipe"] for row in table.values()] == ["base", "control", "", "sparse"]


@pytest.mark.parametrize("lineage", SHARES)
def test_quality_is_the_mean_over_replicates(table, lineage):
    row = table[lineage]
    assert float(row["test_macro_f1"]) == pytest.approx(np.mean(_scores(lineage, "macro_f1")))
    assert float(row["test_macro_f1_sd_over_replicates"]) == pytest.approx(np.std(_scores(lineage, "macro_f1"), ddof=1))
    assert float(row["validation_macro_f1"]) == pytest.approx(np.mean(_scores(lineage, "macro_f1", "validation")))
    for name in ("accuracy", "weighted_f1", "mcc", "loss"):
        assert float(row[f"test_{name}"]) == pytest.approx(np.mean(_scores(lineage, name)))
    assert float(row["test_macro_f1_low"]) < float(row["test_macro_f1"]) < float(row["test_macro_f1_high"])


@pytest.mark.parametrize(
    ("key", "other"), [("difference_from_baseline", "teacher"), ("difference_from_control", "small")]
)
@pytest.mark.parametrize("lineage", SHARES)
def test_differences_are_those_of_the_means(table, lineage, key, other):
    row = table[lineage]
    if lineage == other:
        assert row[key] == row[f"{key}_low"] == ""
        return
    expected = np.mean(_scores(lineage, "macro_f1")) - np.mean(_scores(other, "macro_f1"))
    assert float(row[key]) == pytest.approx(expected)
    assert float(row[f"{key}_low"]) < expected < float(row[f"{key}_high"])


def test_interval_of_a_difference_is_that_of_the_pairs_over_both_seeds(table):
    labels = _outputs("teacher", 1, "test").labels
    measure = kind_of(TASK.task).measures["macro_f1"]

    def scored(lineage: str) -> Scores:
        found = [_outputs(lineage, seed, "test").outputs["logits"].argmax(1) for seed in (1, 2)]
        return scores(measure, Replicated(labels, np.stack(found)))

    expected = paired_difference(scored("small"), scored("teacher"))
    row = table["small"]
    found = [float(row[f"difference_from_baseline{end}"]) for end in ("", "_low", "_high", "_p", "_detectable")]
    assert found == pytest.approx([expected.value, expected.low, expected.high, expected.p, expected.detectable])
    assert row["intervals_for"] == "the recipe"
    assert row["difference_from_baseline_too_few"] == "False"


def test_p_values_are_corrected_for_all_comparisons_of_the_recipes(table):
    pairs = [
        ("small", "baseline"),
        ("teacher/kd/mag", "baseline"),
        ("teacher", "control"),
        ("teacher/kd/mag", "control"),
    ]
    found = [float(table[lineage][f"difference_from_{other}_p"]) for lineage, other in pairs]
    corrected = [float(table[lineage][f"difference_from_{other}_p_holm"]) for lineage, other in pairs]
    assert corrected == pytest.approx(holm(found))
    assert table["teacher/kd"]["difference_from_baseline_p_holm"] == ""  # no recipe ends there


def test_agreement_is_with_the_parent_in_the_same_replicate(table):
    same = [
        _outputs("teacher/kd", replicate, "test").outputs["logits"].argmax(1)
        == _outputs("teacher", replicate, "test").outputs["logits"].argmax(1)
        for replicate in (1, 2)
    ]
    assert float(table["teacher/kd"]["agreement_with_parent"]) == pytest.approx(np.mean(same))
    assert table["teacher"]["agreement_with_parent"] == table["small"]["agreement_with_parent"] == ""


@pytest.mark.parametrize("lineage", ["teacher/kd", "teacher/kd/mag"])
def test_differences_from_the_parent(table, lineage):
    row, parent = table[lineage], lineage.rpartition("/")[0]
    expected = np.mean(_scores(lineage, "macro_f1")) - np.mean(_scores(parent, "macro_f1"))
    assert float(row["difference_from_parent"]) == pytest.approx(expected)
    assert float(row["difference_from_parent_low"]) < expected < float(row["difference_from_parent_high"])
    moved = [
        abs(
            _outputs(lineage, replicate, "test").outputs["logits"]
            - _outputs(parent, replicate, "test").outputs["logits"]
        )
        for replicate in (1, 2)
    ]
    assert float(row["output_difference_from_parent"]) == pytest.approx(np.mean(moved), rel=1e-5)


def test_a_root_has_no_parent_to_differ_from(table):
    for lineage in ("teacher", "small"):
        for key in ("difference_from_parent", "output_difference_from_parent", "rejected"):
            assert table[lineage][key] == ""


def test_a_model_over_its_gate_stays_in_the_report_as_rejected(report, table):
    lost = np.mean(_scores("teacher/kd", "macro_f1")) - np.mean(_scores("teacher/kd/mag", "macro_f1"))
    assert lost > 0.01
    reason = f"rejected: {100 * lost:.2f} points below its parent, more than the gate's 1"
    assert table["teacher/kd/mag"]["rejected"] == reason
    assert table["teacher/kd"]["rejected"] == ""
    text = (report / "table.md").read_text(encoding="utf-8")
    shown = _cells(text)
    assert {name: cells["non-inferior"] == "rejected" for name, cells in shown.items()} == {
        "base": False, "control": False, "sparse": True,
    }  # fmt: skip
    assert f"- `sparse` {reason}" in text.splitlines()


def test_a_rejected_model_that_ends_no_recipe_is_named_below_the_table(results):
    gated = SETTINGS.model_copy(update={"gates": {"teacher/kd": 0.001}})
    text = table_markdown(collect(gated, TASK, results), gated, TASK, "reviews")
    lost = 100 * (np.mean(_scores("teacher", "macro_f1")) - np.mean(_scores("teacher/kd", "macro_f1")))
    assert f"- `teacher/kd` rejected: {lost:.2f} points below its parent, more than the gate's 0.1" in text.splitlines()
    assert text.count("rejected") == 1


@pytest.mark.parametrize(
    ("drop", "gate", "rejected"),
    [(0.03, 0.02, True), (0.02, 0.02, False), (0.01, 0.02, False), (-0.03, 0.02, False), (0.03, None, False)],
)
def test_a_gate_rejects_what_drops_by_more(drop, gate, rejected):
    row = Row.__new__(Row)
    object.__setattr__(row, "gate", gate)
    object.__setattr__(row, "against_parent", Difference(-drop, -drop - 0.5, -drop + 0.5))
    assert bool(row.rejected) == rejected


def test_size_zeros_and_training_time(table):
    row = table["teacher/kd/mag"]
    assert (int(row["file_bytes"]), int(row["parameters"])) == (2_000_000, 1000)
    assert float(row["sparsity"]) == pytest.approx(0.4)
    assert float(row["training_seconds"]) == pytest.approx((150 + 300) / 2)
    assert float(table["small"]["training_seconds"]) == pytest.approx(45)


def test_cost_is_that_of_the_training_the_weights_come_from(table):
    row = table["teacher/kd/mag"]
    assert (int(row["trainable_parameters"]), float(row["peak_training_memory_bytes"])) == (400, 800_000_000)
    assert (row["energy_joules"], float(table["teacher"]["energy_joules"])) == ("", 70)
    points = 100 * float(row["test_macro_f1"])
    assert float(row["points_per_million_parameters"]) == pytest.approx(points / 0.001)
    assert float(row["points_per_training_minute"]) == pytest.approx(points / (225 / 60))


def test_a_record_lists_what_its_model_labelled_of_the_subsets_of_the_study(results, tmp_path):
    results = shutil.copytree(results, tmp_path / "results")
    outputs = results / "seed1" / "teacher" / "outputs"
    outputs.mkdir()
    for name in ("kd_500", "of_an_older_study"):
        (outputs / f"{name}.parquet").touch()
    task = tmp_path / "manifest.json"
    task.write_text(TASK.model_dump_json(), encoding="utf-8")
    compare(SETTINGS, task, results, tmp_path / "report", [tmp_path / "kd_500.parquet", tmp_path / "other.parquet"])
    record = json.loads((tmp_path / "report/records/base.json").read_text(encoding="utf-8"))
    assert record["labelled_for_students"] == [(outputs / "kd_500.parquet").as_posix()]


def test_a_record_a_recipe(report, results, table):
    assert {file.name for file in (report / "records").iterdir()} == {"base.json", "control.json", "sparse.json"}
    record = json.loads((report / "records" / "sparse.json").read_text(encoding="utf-8"))
    checkpoint = record["checkpoints"]["seed2"]
    assert checkpoint["model"] == (results / "seed2/teacher/kd/mag/model").as_posix()
    assert [origin["step"] for origin in checkpoint["started_from"]] == ["teacher", "kd", "mag"]
    assert record["subsets"] == [(report.parents[2] / "subsets/fold1/kd_500.parquet").as_posix()]
    assert record["results"]["seed2"]["test"]["accuracy"] == _scores("teacher/kd/mag", "accuracy")[1]
    assert record["test"]["value"] == float(table["teacher/kd/mag"]["test_macro_f1"])
    assert record["macro_f1_per_million_params"] == pytest.approx(100 * record["test"]["value"] / 0.001)
    assert record["macro_f1_per_minute"] == pytest.approx(100 * record["test"]["value"] / (225 / 60))
    assert record["trainable_parameters"] == 400
    assert record["training_seconds"] == {"last_training": 75, "all_that_led_to_it": 225}


def test_speed_stands_where_it_was_timed(table):
    row = table["teacher/kd/mag"]
    for (length, short), (threads, slow) in itertools.product(LENGTH_FACTORS.items(), THREAD_FACTORS.items()):
        shape = f"b8_s{length}_t{threads}"
        assert float(row[f"p50_ms_{shape}"]) == 32.0 * short * slow
        assert float(row[f"p95_ms_{shape}"]) == 36.0 * short * slow
        assert float(row[f"examples_per_second_{shape}"]) == 250.0 / (short * slow)
        ratio = 2.0 + short + 10 * threads + 8
        ends = [float(row[f"speedup_over_torch fp32_{shape}{end}"]) for end in ("", "_low", "_high")]
        assert ends == [ratio, ratio - 1, ratio + 2]
        assert (float(row[f"jitter_of_torch fp32_{shape}"]), row[f"disturbed_{shape}"]) == (0.021, "")
    assert float(row["cold_start_seconds"]) == 1.5
    assert table["teacher/kd"]["p50_ms_b1_s32_t2"] == ""
    assert (table["small"]["p50_ms_b1_s32_t2"], float(table["small"]["p50_ms_b1_stask_t1"])) == ("", 8 * 0.5 * 3 / 2.5)


def test_verdicts(table):
    assert table["teacher"]["verdict"] == "baseline"
    assert table["small"]["verdict"] == "no"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.04, 0.1, "yes"),
        (-0.06, 0.1, "inconclusive"),
        (-0.09, -0.051, "no"),
        (-0.05, 0.0, "inconclusive"),
        (-0.2, -0.05, "inconclusive"),
    ],
)
def test_verdict_follows_from_interval_and_margin(low, high, verdict):
    row = Row.__new__(Row)
    object.__setattr__(row, "against_baseline", Difference(0.0, low, high))
    assert row.verdict(0.05) == verdict


def _cells(text: str) -> dict[str, dict[str, str]]:
    """The cells of all tables of a text: recipe -> title -> cell."""
    found: dict[str, dict[str, str]] = {}
    titles: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "recipe":
            titles = cells
        elif line.startswith("|") and not cells[0].startswith(":"):
            row = dict(zip(titles, cells, strict=True))
            found.setdefault(row["recipe"], {}).update(row)
    return found


def test_markdown_shows_the_recipes_and_that_sparse_is_not_faster(report, table):
    text = (report / "table.md").read_text(encoding="utf-8")
    shown = _cells(text)
    assert list(shown) == ["base", "control", "sparse"]
    assert shown["sparse"]["test macro_f1"] == f"{100 * float(table['teacher/kd/mag']['test_macro_f1']):.2f}"
    assert shown["sparse"]["steps"] == "teacher/kd/mag"
    assert "40 %" in shown["sparse"]["zeros"]
    assert "sparse, not faster" in shown["sparse"]["zeros"]
    assert "sparse, not faster" not in shown["control"]["zeros"]
    row = table["teacher/kd/mag"]
    for other, key in (("base", "difference_from_baseline"), ("control", "difference_from_control")):
        value, low, high = (100 * float(row[f"{key}{end}"]) for end in ("", "_low", "_high"))
        assert shown["sparse"][f"vs. {other}"] == f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
        assert shown[other][f"vs. {other}"] == "–"
    assert shown["sparse"]["agreement with parent"] == f"{100 * float(row['agreement_with_parent']):.1f} %"
    assert shown["base"]["agreement with parent"] == ""
    assert shown["base"]["non-inferior"] == "baseline"
    assert shown["sparse"]["p (Holm)"] == f"{float(row['difference_from_baseline_p_holm']):.3f}"
    measured = [shown["sparse"][title] for title in ("file", "parameters", "peak memory", "cold start")]
    assert measured == ["2.0 MB", "0.0 M", "300 MB", "1.50 s"]
    sentences = " ".join(text.split())
    for fact in (
        "120 test examples, the mean of 2 replicates",
        "with 95 % intervals for the recipe, over test examples and 2 trainings.",
        "with a margin of 5 points: *yes*, the whole interval lies above −5",
        "finds with a probability of 80 % is",
        "corrected for the 4 comparisons of this table",
        "; *task*: validation inputs at their own lengths)",
        "medians of 7 rounds",
        "shipped of seed1, each",
        "2 threads of A processor",
        "avx2",
        "in the fastest mode of the baseline: eager",
    ):
        assert fact in sentences


def test_no_line_is_wider_than_a_terminal(report, results):
    assert max(map(len, (report / "table.md").read_text(encoding="utf-8").splitlines())) <= 120
    recipes = {f"{name}_as_small_as_possible": lineage for name, lineage in SETTINGS.recipes.items()}
    long = SETTINGS.model_copy(
        update={"recipes": recipes, "baseline": next(iter(recipes)), "control": list(recipes)[2]}
    )
    text = table_markdown(collect(long, TASK, results), long, TASK, "reviews")
    assert max(map(len, text.splitlines())) <= 120
    assert _cells(text)["sparse_as_small_as_possible"].keys() >= {"test macro_f1", "steps", "cold start"}


def test_with_one_seed_the_intervals_are_labelled_as_those_of_these_models(report, results, tmp_path):
    alone = SETTINGS.model_copy(update={"replicates": ["seed1"]})
    compare(alone, report.parent / "manifest.json", results, tmp_path / "report", [])
    sentences = " ".join((tmp_path / "report" / "table.md").read_text(encoding="utf-8").split())
    assert "95 % intervals for these trained models: they hold for further examples." in sentences
    assert "only several seeds show (`replicates.seeds`)" in sentences
    record = json.loads((tmp_path / "report" / "records" / "sparse.json").read_text(encoding="utf-8"))
    assert record["intervals_for"] == "these trained models"
    with open(tmp_path / "report" / "table.csv", encoding="utf-8") as stream:
        assert {row["intervals_for"] for row in csv.DictReader(stream)} == {"these trained models"}


def test_several_seeds_may_be_taken_as_these_models(results):
    models = SETTINGS.model_copy(update={"intervals": "models"})
    rows, over_trainings = (collect(settings, TASK, results) for settings in (models, SETTINGS))
    assert [row.test.value for row in rows] == [row.test.value for row in over_trainings]
    assert all(row.intervals_for == "these trained models" for row in rows)
    assert all(row.intervals_for == "the recipe" for row in over_trainings)
    sentences = " ".join(table_markdown(rows, models, TASK, "reviews").split())
    assert "95 % intervals for these trained models: they hold for further examples. *non-inferior*" in sentences


def test_what_too_few_examples_decide_is_marked(report, results, table):
    rows = collect(SETTINGS, TASK, results)
    few = Difference(0.01, -0.02, 0.04, few=True, p=0.5, p_holm=1.0, detectable=0.05)
    unknown = Difference(0.01, np.nan, np.nan, few=True)
    rows[1] = dataclasses.replace(rows[1], against_baseline=few)
    rows[3] = dataclasses.replace(rows[3], against_baseline=unknown, gate=None)
    text = table_markdown(rows, SETTINGS, TASK, "reviews")
    shown = _cells(text)
    assert shown["control"]["vs. base"] == "+1.00 [-2.00, +4.00] few"
    assert shown["sparse"]["vs. base"] == "+1.00 [too few]"
    assert shown["sparse"]["non-inferior"] == "inconclusive"
    assert shown["sparse"]["p (Holm)"] == ""
    assert "*few*: so few examples differ" in " ".join(text.split())
    assert "*few*" not in (report / "table.md").read_text(encoding="utf-8")
    record = list(csv.DictReader(table_csv(rows, SETTINGS, "macro_f1").splitlines()))[3]
    assert [record[f"difference_from_baseline{end}"] for end in ("_low", "_high", "_p", "_too_few")] == [
        "",
        "",
        "",
        "True",
    ]


def test_markdown_shows_speed_on_the_first_number_of_threads_at_the_first_and_the_last_shape(report):
    shown = _cells((report / "table.md").read_text(encoding="utf-8"))
    expected = {
        "p50 / p95 at 1×32": "4.00 / 4.50 ms",
        "× torch fp32 at 1×32": "×24.00 [23.00, 26.00]",
        "examples/s at 8×task": "500",
        "× torch fp32 at 8×task": "×30.50 [29.50, 32.50]",
        "jitter at 1×32": "±2.1 %",
        "jitter at 8×task": "±2.1 %",
    }
    assert {title: shown["sparse"][title] for title in expected} == expected
    # Not timed at the first shape: an empty cell, and never the number of another shape.
    assert {title: shown["control"][title] for title in expected} == {
        "p50 / p95 at 1×32": "",
        "× torch fp32 at 1×32": "",
        "examples/s at 8×task": "625",
        "× torch fp32 at 8×task": "×31.00 [30.00, 33.00]",
        "jitter at 1×32": "",
        "jitter at 8×task": "±2.1 %",
    }


def _timed_only_at(results: Path, folder: Path, lengths: list[int | str], batches: tuple[int, ...] = (1, 8)) -> Path:
    """A copy of the results that has only some shapes."""
    root = folder / "reviews"
    shutil.copytree(results, root)
    for file in root.rglob("latency.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        found["shapes"] = [
            shape for shape in found["shapes"] if shape["length"] in lengths and shape["batch"] in batches
        ]
        file.write_text(json.dumps(found), encoding="utf-8")
    return root


def test_a_single_shape_has_its_columns_once(results, tmp_path):
    text = table_markdown(
        collect(SETTINGS, TASK, _timed_only_at(results, tmp_path, [32], (1,))), SETTINGS, TASK, "reviews"
    )
    assert [title for title in _cells(text)["base"] if "1×32" in title] == [
        "p50 / p95 at 1×32",
        "× torch fp32 at 1×32",
        "jitter at 1×32",
        "examples/s at 1×32",
    ]


@pytest.mark.parametrize(("lengths", "label"), [([32, "task"], "32 tokens"), (["task"], "the task's inputs")])
def test_the_figure_names_the_shape(results, tmp_path, lengths, label):
    root = _timed_only_at(results, tmp_path, lengths)
    # Text as text, so that it can be read back.
    with mpl.rc_context({"svg.fonttype": "none"}):
        plot_quality_latency(collect(SETTINGS, TASK, root), "macro_f1", 0.05, tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert f"at batch 1, {label} (log scale" in text
    assert ">sparse<" in text
    assert (">control<" in text) == (lengths == ["task"])  # it was not timed at 32 tokens


@pytest.mark.parametrize("name", ["quality_latency.svg", "stages.svg"])
def test_pictures_are_whole_and_hold_something(report, name):
    root = ElementTree.parse(report / name).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert sum(1 for _ in root.iter("{http://www.w3.org/2000/svg}path")) > 10


def test_same_results_give_the_same_files(report, results, tmp_path):
    subsets = sorted((report.parents[2] / "subsets").rglob("*.parquet"))
    compare(SETTINGS, report.parent / "manifest.json", results, tmp_path / "report", subsets)
    for file in filter(Path.is_file, report.rglob("*")):
        assert (tmp_path / "report" / file.relative_to(report)).read_bytes() == file.read_bytes(), file.name


def test_one_replicate_has_no_spread_and_no_timing_is_no_error(results, tmp_path):
    alone = SETTINGS.model_copy(update={"replicates": ["seed2"], "control": None})
    task = tmp_path / "manifest.json"
    task.write_text(TASK.model_dump_json(), encoding="utf-8")
    rows = collect(alone, TASK, results)
    assert all(row.spread is None and row.latency is None and row.against_control is None for row in rows)
    compare(alone, task, results, tmp_path / "out", [])
    assert "base" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["metrics.json", "predictions.parquet", "model/manifest.json"])
def test_a_file_that_was_deleted_is_called_missing_and_not_damaged(report, results, tmp_path, name):
    root = Path(shutil.copytree(results, tmp_path / "reviews"))
    (root / "seed2/teacher/kd" / name).unlink()
    with pytest.raises(ConstrictorError, match=rf"seed2/teacher/kd/{name} is missing: .*Run snakemake again"):
        compare(SETTINGS, report.parent / "manifest.json", root, tmp_path / "report", [])


@pytest.mark.parametrize("name", ["metrics.json", "training.json", "model/manifest.json", "latency.json"])
def test_a_damaged_record_is_named_with_the_way_out(report, results, tmp_path, name):
    root = Path(shutil.copytree(results, tmp_path / "reviews"))
    file = root / "seed1/teacher" / name
    file.write_text(file.read_text(encoding="utf-8")[:-1], encoding="utf-8")
    with pytest.raises(ConstrictorError, match=rf"{file} is not what was written: .*rm {file}$"):
        compare(SETTINGS, report.parent / "manifest.json", root, tmp_path / "report", [])


def test_alone_and_on_fixed_lengths_less_is_said(results, tmp_path):
    shutil.copytree(results, tmp_path / "reviews")
    for file in (tmp_path / "reviews").rglob("latency.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        found["shapes"] = [{**shape, "threads": 1} for shape in found["shapes"] if shape["length"] == 32]
        file.write_text(json.dumps(found), encoding="utf-8")
    settings = SETTINGS.model_copy(update={"replicates": ["seed1"], "control": None})
    text = " ".join(table_markdown(collect(settings, TASK, tmp_path / "reviews"), settings, TASK, "reviews").split())
    assert "120 test examples, one replicate." in text
    assert "that would be shipped, each model" in text
    assert "rounds, 1 thread of A processor" in text
    assert "*task*" not in text
    assert "vs. control" not in text


def test_tuned_thresholds_have_a_column_where_there_are_any(results, tmp_path):
    shutil.copytree(results, tmp_path / "reviews")
    for replicate, lineage, value in ((1, "teacher", 0.5), (2, "teacher", 0.75), (1, "small", 0.25)):
        file = tmp_path / "reviews" / f"seed{replicate}" / lineage / "metrics.json"
        scores = json.loads(file.read_text(encoding="utf-8"))
        scores["tuned"] = {"test": {"macro_f1": value}}
        file.write_text(json.dumps(scores), encoding="utf-8")
    rows = collect(SETTINGS, TASK, tmp_path / "reviews")
    records = {row["recipe"]: row for row in csv.DictReader(table_csv(rows, SETTINGS, "macro_f1").splitlines())}
    tuned = {name: record["test_macro_f1_at_tuned_thresholds"] for name, record in records.items() if name}
    assert tuned == {"base": "0.625", "control": "0.25", "sparse": ""}
    shown = _cells(table_markdown(rows, SETTINGS, TASK, "reviews"))
    assert {name: cells["tuned threshold"] for name, cells in shown.items()} == {
        "base": "62.50", "control": "25.00", "sparse": "",
    }  # fmt: skip


def test_an_adapter_is_shown_without_its_model(results):
    rows = collect(SETTINGS, TASK, results)
    adapter = AdapterRecord(base="../../teacher/model", base_digest="0", base_bytes=9)
    rows[0] = dataclasses.replace(rows[0], manifest=rows[0].manifest.model_copy(update={"adapter": adapter}))
    shown = _cells(table_markdown(rows, SETTINGS, TASK, "reviews"))
    assert shown["base"]["file"] == "4.0 MB (adapter, without its model)"
    assert shown["control"]["file"] == "2.0 MB"


def test_further_test_sets_and_from_five_replicates_on_the_median(results, tmp_path):
    replicates = [f"seed{number}" for number in range(1, 6)]
    for number, name in enumerate(replicates):
        shutil.copytree(results / f"seed{number % 2 + 1}", tmp_path / name)
        for lineage in SHARES:
            file = tmp_path / name / lineage / "metrics.json"
            scores = json.loads(file.read_text(encoding="utf-8"))
            scores["test"]["macro_f1"] = [0.5, 0.9, 0.6, 0.2, 0.1][number]
            scores["extra_test_sets"] = {"mismatched": {**scores["test"], "macro_f1": 0.1 * number, "accuracy": 0.25}}
            file.write_text(json.dumps(scores), encoding="utf-8")
    settings = SETTINGS.model_copy(update={"replicates": replicates})
    rows = collect(settings, TASK, tmp_path)
    record = next(csv.DictReader(table_csv(rows, settings, "macro_f1").splitlines()))
    assert float(record["test_macro_f1_median_over_replicates"]) == 0.5
    assert float(record["mismatched_macro_f1"]) == pytest.approx(0.2)
    assert float(record["mismatched_accuracy"]) == pytest.approx(0.25)
    cells = _cells(table_markdown(rows, settings, TASK, "reviews"))["base"]
    assert (cells["median of 5"], cells["mismatched macro_f1"]) == ("50.00", "20.00")
    few = table_markdown(collect(SETTINGS, TASK, results), SETTINGS, TASK, "reviews")
    assert "median of" not in few
    assert "mismatched" not in few


@pytest.mark.parametrize(
    ("also", "seen", "sentence"),
    [
        (0, 0, "None of the test examples were seen in training. Differences"),
        (
            9,
            0,
            "None of the test examples were seen in training. The training data also had the texts of 9 test examples",
        ),
        (9, 9, "9 of the test examples were seen in training. Differences"),
    ],
)
def test_the_table_counts_test_examples_that_were_seen_in_training(results, also, seen, sentence):
    given = TASK.model_copy(update={"also_in_training": {"test": also}, "seen_in_training": {"test": seen}})
    rows = collect(SETTINGS, TASK, results)
    assert sentence in " ".join(table_markdown(rows, SETTINGS, given, "reviews").split())
    assert "seen in training" not in table_markdown(rows, SETTINGS, TASK, "reviews")
