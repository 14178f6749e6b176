"""What a user reads on the screen when the study, the data or a model is not right: one message, no traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from inputs import write_table
from workbench import Finished, Workbench

# What is wrong: the text of the study that is replaced, by what, and words that the message must hold.
STUDY_MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "a misspelled key": (
        "finetune, model: tiny, epochs: 1, lr",
        "finetune, model: tiny, epoch: 1, lr",
        ["steps.teacher.epoch", "Did you mean 'epochs'?"],
    ),
    "a misspelled key of a section": ("margin: 0.05", "margn: 0.05", ["report.margn", "Did you mean 'margin'?"]),
    "an unknown step": (
        "teacher/kd/onnx/int8",
        "teacher/kdd/onnx/int8",
        ["recipes.cpu", "'kdd'", "Did you mean 'kd'?"],
    ),
    "an unknown model": ("finetune, model: tiny,", "finetune, model: tini,", ["'tini'", "Did you mean 'tiny'?"]),
    "an unknown subset": ("corn_30: 1}", "corn_3: 1}", ["'corn_3'", "Did you mean 'corn_30'?"]),
    "an unknown recipe": ("control: control", "control: kontrol", ["'kontrol'", "Did you mean 'control'?"]),
    "a chain that cannot work": ("half: teacher/kd/mag/fp16", "half: teacher/fp16/mag", ["'mag' prunes", "fp16"]),
    "a layer that is not there": ("from: tiny, layers: [0, 2]", "from: tiny, layers: [0, 4]", ["no layer 4", "0 to 3"]),
    "a missing file": (
        "inputs/animals.csv",
        "inputs/beasts.csv",
        ["tasks.animals.source", "inputs/beasts.csv does not exist"],
    ),
    "a missing model": (
        "{path: inputs/tiny_bert}",
        "{path: inputs/tiny}",
        ["models.tiny", "inputs/tiny does not exist"],
    ),
    "a missing package": (
        "{path: inputs/tiny_bert}",
        "{package: no-such-package, folder: model}",
        ["'no-such-package' is not installed", "pip install"],
    ),
    "a value out of range": ("sparsity: 0.4", "sparsity: 40", ["steps.mag", "sparsity", "40"]),
}


def assert_said_plainly(run: Finished) -> None:
    """It failed, with words instead of a traceback and without a word about our code, and before any job."""
    assert run.code == 1, run.screen
    assert "Traceback" not in run.screen
    assert ".smk" not in run.screen
    assert "Job stats" not in run.screen


@pytest.mark.parametrize("mistake", STUDY_MISTAKES)
def test_a_mistake_in_the_study_is_named_with_its_file_and_line(fresh: Workbench, tmp_path: Path, mistake: str) -> None:
    old, new, words = STUDY_MISTAKES[mistake]
    bench = fresh.copy_to(tmp_path / "bench")
    bench.edit("study.yaml", old, new)
    run = bench.snakemake()
    assert_said_plainly(run)
    assert run.screen.count("\nError: The study has one mistake") == 1
    lines = bench.path("study.yaml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, start=1) if new.strip() in text)
    assert f"study.yaml:{line}: " in run.screen, run.screen
    assert [word for word in words if word not in run.screen] == [], run.screen


def test_all_mistakes_of_a_study_are_named_at_once(fresh: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    for mistake in ("an unknown step", "an unknown model", "an unknown subset"):
        old, new, _ = STUDY_MISTAKES[mistake]
        bench.edit("study.yaml", old, new)
    run = bench.snakemake()
    assert_said_plainly(run)
    assert "The study has 3 mistakes" in run.screen
    for name in ("'kdd'", "'tini'", "'corn_3'"):
        assert name in run.screen


def test_a_study_that_is_no_yaml_is_refused_by_snakemake(fresh: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    bench.edit("study.yaml", "name: small_study\n", "name: [small_study\n")
    run = bench.snakemake()
    assert_said_plainly(run)
    assert "Config file is not valid JSON or YAML" in run.screen


@pytest.mark.parametrize(
    "arguments", [["snakemake", "--dry-run"], ["workflow_scripts.plan"], ["constrictor.study.read", "config.yaml"]]
)
def test_a_study_that_is_no_yaml_is_named_with_its_line(fresh: Workbench, tmp_path: Path, arguments: list[str]) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    bench.edit("study.yaml", "  tiny: {path", "\ttiny: {path")
    bench.path("study.yaml").rename(bench.path("config.yaml"))
    run = bench.python("-m", *arguments)
    assert_said_plainly(run)
    line = 1 + bench.path("config.yaml").read_text(encoding="utf-8").splitlines().index(
        "\ttiny: {path: inputs/tiny_bert}"
    )
    assert re.search(rf"^Error: config\.yaml:{line}: invalid YAML: found character", run.screen, re.MULTILINE)
    assert run.screen.endswith("Indent with spaces, not with tabs.\n")


def test_what_the_command_line_lays_over_a_study_is_named(fresh: Workbench, tmp_path: Path) -> None:
    run = fresh.copy_to(tmp_path / "bench").snakemake("--config", "nmae=x")
    assert_said_plainly(run)
    assert "\n  --config: nmae: unknown key. Did you mean 'name'?" in run.screen


@pytest.mark.parametrize(
    "target",
    ["results/small_study/animls/seed42/teacher/metrics.json", "data/small_study/tasks/animls/manifest.json", "cpuu"],
)
def test_a_target_that_nothing_makes_is_named(fresh: Workbench, tmp_path: Path, target: str) -> None:
    run = fresh.copy_to(tmp_path / "bench").snakemake("--dry-run", "--", target)
    assert run.code == 1
    assert f"No rule to produce {target}" in run.screen
    assert "KeyError" not in run.screen
    assert "Traceback" not in run.screen


def test_a_recipe_with_a_grid_is_a_target(fresh: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    bench.change_study(lambda study: study["steps"]["kd"].update(grid={"temperature": [2, 4]}))
    built = {what for rule, what in bench.plan("cpu") if rule == "latency"}
    assert built == {f"teacher/kd-temperature{value}/onnx/int8" for value in (2, 4)}


def test_a_file_where_results_belong_is_named_before_any_job(fresh: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    bench.path("results").write_text("", encoding="utf-8")
    run = bench.snakemake()
    assert run.code == 1
    assert "results is a file, and a folder is needed there" in run.screen
    assert "Traceback" not in run.screen
    assert "Fetch the model" not in run.screen


# What is wrong with a source: the task, and words that the message must hold.
SOURCE_MISTAKES: dict[str, list[str]] = {
    "no_column": ["inputs/no_column.csv has no column 'text'", "Known: label, txt", "Did you mean 'txt'?"],
    "empty_text": ["2 rows have no text (column 'text')", "counted from 0: 3, 5."],
    "latin_1": ["inputs/latin_1.csv is not UTF-8: byte 0xe9", "iconv"],
    "one_class": ["all rows have the label 'good' (column 'label')"],
}


def write_bad_sources(folder: Path) -> None:
    """A file a mistake, named after it."""
    rows = [(f"a calm cow number {number}", "good" if number % 2 else "bad") for number in range(40)]
    write_table(folder / "no_column.csv", ["txt", "label"], rows)
    gaps = [("  " if number in (3, 5) else text, label) for number, (text, label) in enumerate(rows)]
    write_table(folder / "empty_text.csv", ["text", "label"], gaps)
    accents = [(f"{text} in a café", label) for text, label in rows]
    write_table(folder / "latin_1.csv", ["text", "label"], accents, encoding="latin-1")
    write_table(folder / "one_class.csv", ["text", "label"], [(text, "good") for text, _ in rows])


@pytest.fixture(scope="module")
def bad_sources(fresh: Workbench, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workbench, Finished]:
    """One run of a study in which every task has a bad source, and the model is only a pickle."""
    bench = fresh.copy_to(tmp_path_factory.mktemp("bad") / "bench")
    write_bad_sources(bench.path("inputs"))
    model = bench.path("inputs/tiny_bert")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")

    def change(study: dict[str, Any]) -> None:
        study["tasks"] = {name: {"source": {"path": f"inputs/{name}.csv"}} for name in SOURCE_MISTAKES}
        study["subsets"] = {"corn_30": {"of": "corn", "size": 30}}

    bench.change_study(change)
    return bench, bench.snakemake()


@pytest.mark.parametrize("task", SOURCE_MISTAKES)
def test_a_bad_source_is_named_on_the_screen(bad_sources: tuple[Workbench, Finished], task: str) -> None:
    _, run = bad_sources
    messages = [line for line in run.screen.splitlines() if line.startswith("Error: ")]
    wanted = SOURCE_MISTAKES[task]
    found = [message for message in messages if wanted[0] in message]
    assert len(found) == 1, run.screen
    assert [word for word in wanted if word not in found[0]] == []


def test_a_model_that_is_only_a_pickle_is_refused_on_the_screen(bad_sources: tuple[Workbench, Finished]) -> None:
    _, run = bad_sources
    assert run.screen.count("inputs/tiny_bert has its weights only as a pickle (pytorch_model.bin)") == 1
    assert "save_pretrained" in run.screen


def test_bad_sources_end_with_code_1_without_a_traceback_and_before_any_training(
    bad_sources: tuple[Workbench, Finished],
) -> None:
    bench, run = bad_sources
    assert run.code == 1
    assert "Traceback" not in run.screen
    assert "Fine-tune" not in run.screen
    # All of them in one run: the others went on when the first failed (`keep-going` of the default profile), and their
    # messages, which the jobs write to their logs, came to the screen (`show-failed-logs`).
    assert sum(line.startswith("Error: ") for line in run.screen.splitlines()) == len(SOURCE_MISTAKES) + 1
    assert not bench.path("results").exists() or not list(bench.path("results").rglob("manifest.json"))
    assert not list(bench.path("data").rglob("tasks/*/*.parquet"))
