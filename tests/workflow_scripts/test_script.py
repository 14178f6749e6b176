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
from workflow_scripts._script import json_of, node_folder, run
from workflow_scripts._training import lessons_of

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


def test_lessons_pair_examples_with_outputs_and_passes():
    one, two, three, four = map(Path, "abcd")
    assert [tuple(lesson) for lesson in lessons_of([one, two], [three, four], {"imdb_60k": 3, "train": 1})] == [
        (one, three, 3, ()),
        (two, four, 1, ()),
    ]
    both = lessons_of([one, two], [three, four, one, two], {"imdb_60k": 1, "train": 1})  # teacher by teacher
    assert [lesson.answers for lesson in both] == [[three, one], [four, two]]
    assert [lesson.passes for lesson in lessons_of([one], [], {"train": 1})] == [1]
    with pytest.raises(ValueError, match=r"shorter|longer"):
        lessons_of([one, two], [three], {"imdb_60k": 3, "train": 1})


def test_node_of_a_manifest():
    assert node_folder(Path("results/a/teacher/kd/model/manifest.json")) == Path("results/a/teacher/kd")


def test_a_script_says_what_is_wrong_from_the_command_line(tmp_path):
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
