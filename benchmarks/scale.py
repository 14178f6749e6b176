"""What planning, single jobs and large tasks cost: seconds and peak memory.

    python benchmarks/scale.py [planning] [rerun] [scripts] [share] [examples] [--results results/quickstart] [--rounds 3]

- planning: a dry run of studies of about 100, 1,000 and 5,000 jobs of which nothing is there.
- rerun: a call of Snakemake on a study of about 1,000 jobs of which everything is there. The jobs are not run: their files
  are made, empty, and Snakemake's `--touch` records them as made.
- scripts: what each script imports as it starts, over Python's own start, and one small job as Snakemake calls it.
- share: of a finished study (`--results`), the time that is neither training nor measuring.
- examples: memory of selecting, tokenizing and evaluating 10,000 and 100,000 texts (needs an ONNX model in `--results`).

Each number is the best of the rounds; memory is the largest of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
SIZES = {100: (1, 11), 1000: (5, 24), 5000: (10, 62)}  # jobs: (seeds, distillations)
TRAINS = ("finetune", "distil", "prune")
MEASURES = ("evaluate", "fair_baseline", "latency")


class Cost(NamedTuple):
    """Wall time, processor time (the less disturbed of the two on a busy machine), and the process's largest memory."""

    seconds: float
    cpu_seconds: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:6.2f} s  (processor {self.cpu_seconds:6.2f} s)  {self.peak_mb:5.0f} MB"

    def over(self, other: Cost) -> Cost:
        """What this costs more."""
        return self._replace(seconds=self.seconds - other.seconds, cpu_seconds=self.cpu_seconds - other.cpu_seconds)


def cost_of(command: Sequence[str | Path], folder: Path = ROOT, rounds: int = 1) -> Cost:
    """Run a command some times."""
    found = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(rounds):
        start = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{command} failed:\n{said}")
        found.append(Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    seconds, cpu_seconds, peaks = zip(*found, strict=True)
    return Cost(min(seconds), min(cpu_seconds), max(peaks))


def write_study(folder: Path, seeds: int, distillations: int) -> None:
    """A study of seeds * (8 * distillations + 7) + 4 jobs, with sources that are only named."""
    (folder / "task.csv").touch()
    (folder / "model").mkdir()
    (folder / "model/config.json").write_text('{"num_hidden_layers": 6}', encoding="utf-8")
    names = [f"kd{number}" for number in range(distillations)]
    student = {"stage": "distil", "student": {"layers": [0, 2, 4]}}
    study: dict[str, Any] = {
        "name": "scale",
        "replicates": {"seeds": list(range(seeds))},
        "tasks": {"reviews": {"source": {"path": "task.csv"}}},
        "models": {"start": {"path": "model"}},
        "steps": {
            "teacher": {"stage": "finetune", "model": "start"},
            **{name: {**student, "alpha": (number + 1) / 100} for number, name in enumerate(names)},
            "onnx": {"stage": "export"},
            "int8": {"stage": "quantize", "method": "dynamic"},
        },
        "recipes": {
            "baseline": "teacher",
            **{name: f"teacher/{name}" for name in names},
            **{f"{name}_cpu": f"teacher/{name}/onnx/int8" for name in names},
        },
        "report": {"baseline": "baseline"},
    }
    (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")  # JSON is YAML


def snakemake(*arguments: str) -> list[str | Path]:
    """A call of Snakemake on the study of a folder."""
    return [SNAKEMAKE, "--snakefile", ROOT / "Snakefile", "--configfile", "study.yaml", "--cores", "2", *arguments]


def measure_planning(rounds: int) -> None:
    """Dry runs of three sizes."""
    print("planning (snakemake --dry-run --quiet)")
    for jobs, (seeds, distillations) in SIZES.items():
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_study(folder, seeds, distillations)
            print(f"  {jobs:>5} jobs  {cost_of(snakemake('--dry-run', '--quiet'), folder, rounds)}", flush=True)


def measure_rerun(rounds: int) -> None:
    """A call that has nothing to do."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_study(folder, *SIZES[1000])
        finish(folder)
        planned = subprocess.run(
            list(map(str, snakemake("--dry-run"))), cwd=folder, capture_output=True, text=True, check=True
        )
        assert "Nothing to be done" in planned.stdout + planned.stderr, planned.stdout
        print(f"nothing to do, {1000:,} finished jobs  {cost_of(snakemake(), folder, rounds)}", flush=True)


def finish(folder: Path) -> None:
    """Make every file of a study, empty, and let Snakemake record them as made."""
    program = "from workflow_scripts._dry_run import dry_run; import json; print(json.dumps("
    program += "[file for job in dry_run(['--snakefile', %r, '--configfile', 'study.yaml', '--cores', '2']).jobs"
    program += " for file in job.writes]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    listed = subprocess.run(
        [sys.executable, "-c", program % str(ROOT / "Snakefile")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for file in json.loads(listed.splitlines()[-1]):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    cost_of(snakemake("--touch", "--quiet"), folder)


def measure_scripts(rounds: int) -> None:
    """What starting a script costs, and one small job."""
    bare = cost_of([sys.executable, "-c", "pass"], rounds=rounds)
    print(f"scripts, over {bare.seconds:.2f} s of Python's own start")
    for file in sorted((ROOT / "workflow_scripts").glob("[a-z]*.py")):
        cost = cost_of([sys.executable, "-c", f"import workflow_scripts.{file.stem}"], rounds=rounds)
        print(f"  {file.stem:<16} {cost.over(bare)}", flush=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_texts(folder / "pool.parquet", 100)
        settings = json.dumps({"of": "pool", "size": 10})
        command = [sys.executable, "-m", "workflow_scripts.select_subset", "--settings", settings]
        cost = cost_of([*command, "--pool", "pool.parquet", "--output", "out.parquet"], folder, rounds)
        print(f"  one whole job: 10 of 100 texts selected {cost.over(bare)}")


def measure_share(results: Path) -> None:
    """Where the time of a finished study went."""
    seconds: dict[str, float] = {}
    study = results.name
    root = results.resolve().parents[1]
    for folder in (results, root / "data" / study, root / "reports" / study):
        for table in folder.rglob("logs/*.tsv"):
            header, *rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
            rule = "teacher_outputs" if table.stem.startswith("outputs_") else table.stem.partition("_")[0]
            rule = table.stem if table.stem in MEASURES else rule
            seconds[rule] = seconds.get(rule, 0) + sum(float(row[header.index("s")]) for row in rows)
    whole = sum(seconds.values())
    if not whole:
        raise SystemExit(f"{results} holds no benchmark tables. Run the study first, or name another with --results.")
    trained = sum(
        json.loads(file.read_text(encoding="utf-8")).get("seconds", 0) for file in results.rglob("training.json")
    )
    trained += seconds.get("teacher_outputs", 0)
    measured = sum(seconds.get(rule, 0) for rule in MEASURES)
    started = sum(seconds.get(rule, 0) for rule in (*TRAINS, "teacher_outputs")) - trained
    print(f"where {whole:.0f} s of the jobs of {results} went")
    parts = {"training": trained, "measuring": measured, "start and end of trainings": started}
    parts["everything else"] = whole - sum(parts.values())
    for part, spent in parts.items():
        print(f"  {part:<27} {spent:7.0f} s  {spent / whole:6.1%}")


def write_texts(file: Path, rows: int) -> None:
    """Texts of 5 to 60 words."""
    import numpy as np

    from constrictor.data.batching import Text
    from constrictor.data.examples import Examples, write_examples

    draw = np.random.default_rng(1)
    words = np.array([f"{head}{tail}" for head in ("film", "story", "actor", "scene") for tail in "abcdefgh"])
    texts: list[Text] = [
        " ".join(draw.choice(words, size)) + f" {row}" for row, size in enumerate(draw.integers(5, 61, rows))
    ]
    write_examples(file, Examples([str(row) for row in range(rows)], texts, np.arange(rows) % 2))


EXAMPLES = {
    "select a tenth": """
from workflow_scripts.select_subset import main
from constrictor.study.corpora import Subset
main(Subset(of="pool", size={rows} // 10), Path("pool.parquet"), None, [], Path("out.parquet"))""",
    "tokenize": """
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
tokenizer = Tokenizer(Path({model!r}), 128)
assert len(tokenizer.encode(read_examples(Path("pool.parquet")).texts)) == {rows}""",
    # The model's own time is not the question here, so it gives zeros.
    "evaluate": """
import dataclasses
import numpy as np
from constrictor.evaluation import evaluate as stage
from constrictor.runtimes import load as runtimes
real = runtimes.load
stage.load = lambda *a, **k: dataclasses.replace(
    real(*a, **k), predict=lambda batch: {{"logits": np.zeros((len(batch["input_ids"]), 2))}})
splits = dict((name, Path(name + ".parquet")) for name in ("validation", "test"))
stage.evaluate(Path({model!r}), Path("manifest.json"), splits, Path("metrics.json"), Path("predictions.parquet"), 1)""",
}


def measure_examples(results: Path) -> None:
    """Memory that grows with the number of examples."""
    models = sorted(results.resolve().rglob("model/model.onnx"), key=lambda file: file.stat().st_size)
    if not models:
        raise SystemExit(f"{results} holds no ONNX model. Run the default study first: make run")
    model = str(models[0].parent)
    print(
        "examples: 5 to 60 words a text; evaluate has as many in each of its two splits, and a model that gives zeros"
    )
    for rows in (10_000, 100_000):
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_texts(folder / "pool.parquet", rows)
            for split in ("validation", "test"):
                (folder / f"{split}.parquet").hardlink_to(folder / "pool.parquet")
            task = {
                "kind": "classification",
                "labels": ["0", "1"],
                "max_length": 128,
                "options": {"truncation": "head"},
            }
            manifest = {"task": task, "metric": "accuracy", "rows": {}, "classes": {}, "dropped": {}, "fingerprint": {}}
            (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
            for what, program in EXAMPLES.items():
                filled = "from pathlib import Path" + program.format(rows=rows, model=model)
                print(f"  {rows:>7,} {what:<15} {cost_of([sys.executable, '-c', filled], folder)}", flush=True)


def main() -> None:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="planning|rerun|scripts|share|examples")
    parser.add_argument("--results", type=Path, default=ROOT / "results/quickstart", help="results of a finished study")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the best counts")
    options = parser.parse_args()
    measurements = {
        "planning": lambda: measure_planning(options.rounds),
        "rerun": lambda: measure_rerun(options.rounds),
        "scripts": lambda: measure_scripts(options.rounds),
        "share": lambda: measure_share(options.results),
        "examples": lambda: measure_examples(options.results),
    }
    if unknown := set(options.what) - set(measurements):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in options.what or measurements:
        measurements[name]()


if __name__ == "__main__":
    main()
