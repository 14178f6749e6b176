"""What each script imports: a job that needs no torch does not wait for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = {"torch", "transformers", "accelerate", "peft", "bitsandbytes", "datasets"}
# What a script may import of the heavy packages as it starts, before it knows what it is to do.
AT_START = {
    "compare": {"matplotlib"},
    "make_folds": set(),
    "download_dataset": set(),
    "download_extra_test_set": set(),
    "download_model": {"tokenizers"},
    "evaluate": {"tokenizers"},
    "explain": set(),
    "export": {"tokenizers", "onnxruntime"},
    "fair_baseline": {"tokenizers"},
    "latency": {"tokenizers"},
    "plan": {"pandas"},  # by Snakemake's plugin for SLURM
    "quantize": {"tokenizers"},
    "select_subset": set(),
    "teacher_outputs": {"tokenizers"},
}
HEAVY = {*TRAINING, "pandas", "matplotlib", "onnx", "onnxruntime", "openvino", "sklearn", "scipy", "tokenizers"}
OPENS_TORCH_MODELS = {"take_checkpoint", "finetune", "distil", "prune"}


def modules_after(program: str) -> set[str]:
    """The heavy packages that a program has imported when it ends."""
    ending = f"\nimport sys, json\nprint(json.dumps(sorted({HEAVY!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", program + ending], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_script_is_here() -> None:
    scripts = Path(__file__).parents[2].joinpath("workflow_scripts").glob("[a-z]*.py")
    assert {file.stem for file in scripts} == {*AT_START, *OPENS_TORCH_MODELS}


def test_what_is_timed_has_nothing_of_ours_beside_it() -> None:
    program = "import constrictor.evaluation.latency_worker, sys; assert 'pyarrow' not in sys.modules"  # 30 MB
    assert modules_after(program) == {"tokenizers"}


def test_pruning_does_not_wait_for_the_trainer_as_it_starts() -> None:
    assert not modules_after("import workflow_scripts.prune") & {"peft", "bitsandbytes"}  # which the trainer imports


@pytest.mark.parametrize("script", AT_START)
def test_what_a_script_imports_as_it_starts(script: str) -> None:
    assert modules_after(f"import workflow_scripts.{script}") == AT_START[script]


def test_an_onnx_model_is_evaluated_without_torch(tiny_onnx: Path, tiny_task: Path, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from workflow_scripts.evaluate import main
folder = Path({str(tmp_path)!r})
task = Path({str(tiny_task)!r})
main(Path({str(tiny_onnx)!r}, "manifest.json"), task / "manifest.json",
     {{name: task / f"{{name}}.parquet" for name in ("validation", "test")}}, {{}},
     folder / "metrics.json", folder / "predictions.parquet", 1)
"""
    assert modules_after(program) == {"tokenizers", "onnxruntime"}
    assert (tmp_path / "metrics.json").is_file()


def test_a_subset_is_selected_without_pandas(tiny_task: Path, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from constrictor.study.corpora import Subset
from workflow_scripts.select_subset import main
task = Path({str(tiny_task)!r})
main(Subset(of="pool", size=5), task / "train.parquet", task / "manifest.json", [], Path({str(tmp_path)!r}, "few.parquet"))
"""
    assert modules_after(program) == set()
    assert (tmp_path / "few.parquet").is_file()


def test_an_onnx_model_is_timed_without_torch(tiny_onnx: Path) -> None:
    program = f"""
import io, sys
from constrictor.evaluation.latency_worker import main
sys.argv = ["", {str(tiny_onnx)!r}, "1", "sdpa"]
sys.stdin = io.StringIO('{{"texts": ["the film was great"]}}\\n{{"batch": 1, "length": 8, "seconds": 0}}\\n')
main()
"""
    assert modules_after(program) == {"tokenizers", "onnxruntime"}


@pytest.mark.parametrize(
    ("stage", "settings", "further"),
    [
        (
            "quantize",
            {"stage": "quantize", "method": "dynamic"},
            "[], None, task=task / 'manifest.json', validation=task / 'validation.parquet', seed=1, code='', threads=1, ",
        ),
        ("export", {"stage": "export", "format": "ort"}, "task / 'validation.parquet', "),
    ],
)
def test_an_onnx_model_is_rewritten_without_torch(
    tiny_onnx: Path, tiny_task: Path, tmp_path: Path, stage: str, settings: dict, further: str
) -> None:
    output = tmp_path / "node/model/manifest.json"
    kind = {"quantize": "AnyQuantize", "export": "Export"}[stage]
    program = f"""
from pathlib import Path
from constrictor.study.steps.{stage} import {kind}
from workflow_scripts._script import json_of
from workflow_scripts.{stage} import main
task = Path({str(tiny_task)!r})
main(json_of({kind})({json.dumps(settings)!r}), Path({str(tiny_onnx)!r}, "manifest.json"), {further}
     output=Path({str(output)!r}))
"""
    assert not modules_after(program) & TRAINING
    assert output.is_file()
