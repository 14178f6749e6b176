"""Rule `select_subset`: select a subset of a task's training examples or from a corpus."""

from pathlib import Path

from constrictor.data.examples import read_examples, write_examples
from constrictor.data.selection import select_subset
from constrictor.progress import announce
from constrictor.study.corpora import Subset
from constrictor.tasks.manifest import read_task
from constrictor.tasks.registry import kind_of
from workflow_scripts._script import json_of, parser, run


def main(settings: Subset, pool: Path, task: Path | None, held_out: list[Path], output: Path) -> None:
    """Write the selected examples."""
    texts = (text for file in held_out for text in read_examples(file).texts)
    examples, strata = read_examples(pool), None
    if settings.stratify and task is not None:
        strata = kind_of(read_task(task).task).strata(examples.labels)
    selection = select_subset(settings, examples, texts, strata)
    write_examples(output, selection.examples)
    announce(
        f"{len(selection.examples)} examples ({selection.overlapping} excluded: they overlap with a held-out text)"
    )


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Subset), required=True, help="the subset's settings as JSON")
    arguments.add_argument("--pool", type=Path, required=True, help="the examples to select from")
    arguments.add_argument("--task", type=Path, nargs="?", help="the task's manifest, where the pool is a task's")
    arguments.add_argument(
        "--held-out", type=Path, nargs="*", default=[], help="held-out examples, for decontamination"
    )
    arguments.add_argument("--output", type=Path, required=True, help="the Parquet file to write")
    run(main, arguments.parse_args())
