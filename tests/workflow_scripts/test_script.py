import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.steps.prune import Magnitude
from constrictor.study.training_plan import TrainingPlan, TrainingSet
from workflow_scripts._script import NamedFiles, json_of, node_folder, run
from workflow_scripts._training import add_compression_arguments

SCRIPTS = [
    file.stem for file in Path(__file__).parents[2].joinpath("workflow_scripts").glob("*.py") if file.stem[0] != "_"
]


def test_mistake_of_a_user_ends_with_its_message_and_without_a_traceback(capsys):
    def main() -> None:
        raise ConstrictorError("this is wrong, do that")

    with pytest.raises(SystemExit) as caught:
        run(main, argparse.Namespace())
    assert caught.value.code == 1
    assert capsys.readouterr().err == "Error: this is wrong, do that\n"


def test_mistake_of_ours_keeps_its_traceback():
    def main(value: int) -> None:
        raise KeyError(value)

    with pytest.raises(KeyError):
        run(main, argparse.Namespace(value=3))


def test_ctrl_c_ends_with_a_word_and_the_code_that_shells_give_it(capsys):
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run(main, argparse.Namespace())
    assert caught.value.code == 130
    assert capsys.readouterr().err == "Interrupted. The same command goes on from here.\n"


@pytest.mark.parametrize(("gpu", "seen"), [(True, "1"), (False, "1,2")])
def test_script_that_computes_on_a_gpu_sees_the_one_that_it_leased(monkeypatch, tmp_path, gpu, seen):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    found = []
    run(lambda: found.append(os.environ["CUDA_VISIBLE_DEVICES"]), argparse.Namespace(), gpu=gpu)
    assert found == [seen]


@pytest.mark.parametrize(
    "name", "finetune distil prune quantize evaluate teacher_outputs fair_baseline latency".split()
)
def test_every_script_that_can_compute_on_a_gpu_leases_one(name):
    source = Path(__file__).parents[2] / "workflow_scripts" / f"{name}.py"
    assert re.search(r"\n    run\(main, .*, gpu=(?!False)", source.read_text(encoding="utf-8"))


def test_settings_are_read_from_json():
    settings = Magnitude(stage="prune", method="magnitude", sparsity=0.3)
    assert json_of(Magnitude)(settings.canonical()) == settings


def test_settings_that_do_not_fit_are_refused_with_the_key():
    with pytest.raises(argparse.ArgumentTypeError, match=r"sparsity\n +Input should be less than 1"):
        json_of(Magnitude)('{"stage": "prune", "method": "magnitude", "sparsity": 3}')


def test_a_training_without_a_plan_is_null():
    assert json_of(TrainingPlan | None)("null") is None
    plan = TrainingPlan(sets=[TrainingSet(examples=Path("a b.parquet"), outputs=[Path("t.parquet")], repeats=3)])
    assert json_of(TrainingPlan | None)(plan.canonical()) == plan


def test_training_arguments_are_those_of_a_rule_that_trains_and_of_one_that_does_not():
    arguments = argparse.ArgumentParser()
    add_compression_arguments(arguments)
    common = [
        "--parent",
        "p/manifest.json",
        "--task",
        "t/manifest.json",
        "--output",
        "n/model/manifest.json",
        "--seed",
        "1",
    ]
    plan = TrainingPlan(sets=[TrainingSet(examples=Path("train.parquet"))])
    parsed = arguments.parse_args(
        [*common, "--plan", plan.canonical(), "--validation", "v.parquet", "--calibration", "c"]
    )
    assert (parsed.plan, parsed.validation, parsed.calibration) == (plan, Path("v.parquet"), [Path("c")])
    # Snakemake leaves nothing behind the name of an argument whose input is empty.
    parsed = arguments.parse_args([*common, "--calibration", "--plan", "null", "--validation", "v.parquet"])
    assert (parsed.plan, parsed.calibration) == (None, [])


def test_files_are_given_names_on_the_command_line(capsys):
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--splits", action=NamedFiles, nargs="+", required=True)
    arguments.add_argument("--more", action=NamedFiles, nargs="*", default={})
    parsed = arguments.parse_args(["--splits", "validation=a=b/v.parquet", "test=t.parquet", "--more"])
    assert parsed.splits == {"validation": Path("a=b/v.parquet"), "test": Path("t.parquet")}
    assert parsed.more == {}
    assert arguments.parse_args(["--splits", "test=t"]).more == {}
    with pytest.raises(SystemExit):
        arguments.parse_args(["--splits", "test.parquet"])
    assert "'test.parquet' is not NAME=FILE" in capsys.readouterr().err


def test_node_of_a_manifest():
    assert node_folder(Path("results/a/teacher/kd/model/manifest.json")) == Path("results/a/teacher/kd")


def test_a_script_reports_a_mistake_on_the_command_line(tmp_path):
    command = [sys.executable, "-m", "workflow_scripts.download_dataset", "--output", str(tmp_path / "manifest.json")]
    task = '{"source": {"path": "nowhere.csv"}}'
    done = subprocess.run([*command, "--task", task], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the file nowhere.csv does not exist")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_a_main_function_and_a_guard(name):
    source = Path(__file__).parents[2] / "workflow_scripts" / f"{name}.py"
    text = source.read_text(encoding="utf-8")
    assert "def main(" in text
    assert 'if __name__ == "__main__":' in text
