"""Rule `download_dataset`: read, check and split a task, or read a corpus."""

from pathlib import Path

from constrictor.data.corpus import prepare_corpus
from constrictor.progress import announce
from constrictor.study.corpora import Corpus
from constrictor.study.tasks import AnyTask
from constrictor.tasks.prepare import prepare_task
from workflow_scripts._script import json_of, parser, run


def main(settings: AnyTask | Corpus, output: Path) -> None:
    """Write a task's three splits, or a corpus's texts, and then their manifest."""
    if isinstance(settings, Corpus):
        corpus = prepare_corpus(settings, output.parent)
        announce(f"{corpus.rows} examples ({corpus.dropped['repeated']} repeated ones dropped)")
    else:
        task = prepare_task(settings, output.parent)
        rows = ", ".join(f"{count} {split}" for split, count in task.rows.items())
        dropped = ", ".join(f"{count} {reason}" for reason, count in task.dropped.items())
        normalised = f"; {task.normalised} examples normalised" if task.normalised else ""
        repaired = f"; halves of characters replaced in {task.repaired} examples" if task.repaired else ""
        announce(f"{rows} (rows dropped: {dropped}{normalised}{repaired})")


if __name__ == "__main__":
    arguments = parser(main)
    kind = arguments.add_mutually_exclusive_group(required=True)
    kind.add_argument("--task", dest="settings", type=json_of(AnyTask), help="a task's settings as JSON")
    kind.add_argument("--corpus", dest="settings", type=json_of(Corpus), help="a corpus's settings as JSON")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    run(main, arguments.parse_args())
