import json
from pathlib import Path

import numpy as np
import pytest
from heads import task_record

from constrictor.data.examples import Examples, fingerprint, read_examples, write_examples
from constrictor.errors import ConstrictorError
from constrictor.study.replicate import Folding
from constrictor.study.splits import SPLITS
from constrictor.study.tasks import ClassificationTask
from constrictor.tasks.folds import make_folds
from constrictor.tasks.manifest import read_task
from constrictor.tasks.prepare import prepare_task


def _folding(folds: int = 5, **settings) -> Folding:
    return Folding.model_validate({"folds": folds, "keep_test": False, "validation": 0.1, "seed": 0, **settings})


def _task(folder: Path, counts: dict[str, int], **settings) -> Path:
    """A prepared task with so many examples a class."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    rows = "".join(f"{label} text {number}\t{label}\n" for number, label in enumerate(labels))
    folder.mkdir(exist_ok=True)
    (folder / "source.tsv").write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    source = {"path": str(folder / "source.tsv")}
    prepare_task(ClassificationTask.model_validate({"source": source, **settings}), folder / "task")
    return folder / "task"


def _ids(folder: Path, split: str) -> list[str]:
    return read_examples(folder / f"{split}.parquet").ids


@pytest.fixture
def task(tmp_path) -> Path:
    return _task(tmp_path, {"rare": 12, "common": 88})


def test_every_example_is_held_out_once_and_all_classes_keep_their_shares(task):
    rows = make_folds(_folding(), task)
    assert rows == [{"train": 72, "validation": 8, "test": 20}] * 5
    held_out = [name for fold in range(5) for name in _ids(task / f"fold{fold}", "test")]
    assert sorted(held_out, key=int) == [str(number) for number in range(100)]
    for fold in range(5):
        together = [name for split in SPLITS for name in _ids(task / f"fold{fold}", split)]
        assert len(set(together)) == len(together) == 100
        assert read_task(task / f"fold{fold}" / "manifest.json").classes["test"]["rare"] in (2, 3)
        assert read_task(task / f"fold{fold}" / "manifest.json").classes["validation"]["rare"] == 1


def test_examples_keep_their_texts_and_labels(task):
    make_folds(_folding(), task)
    whole = {row for split in SPLITS for row in _rows(task / f"{split}.parquet")}
    assert {row for split in SPLITS for row in _rows(task / "fold3" / f"{split}.parquet")} == whole


def _rows(file: Path) -> list[tuple[str, str, int]]:
    examples = read_examples(file)
    return list(zip(examples.ids, examples.texts, examples.labels.tolist(), strict=True))


def test_a_folds_manifest_describes_the_fold(task):
    make_folds(_folding(), task)
    whole, fold = read_task(task / "manifest.json"), read_task(task / "fold1" / "manifest.json")
    assert (fold.task, fold.metric, fold.dropped) == (whole.task, whole.metric, whole.dropped)
    assert fold.fingerprint == {name: fingerprint(read_examples(task / "fold1" / f"{name}.parquet")) for name in SPLITS}
    assert fold.rows == {name: len(_ids(task / "fold1", name)) for name in SPLITS}


def test_a_given_test_split_stays_and_the_parts_are_for_validation(task):
    given, pool = _ids(task, "test"), sorted(_ids(task, "train") + _ids(task, "validation"))
    make_folds(_folding(keep_test=True), task)
    assert sorted(name for fold in range(5) for name in _ids(task / f"fold{fold}", "validation")) == pool
    for fold in range(5):
        assert _ids(task / f"fold{fold}", "test") == given
        assert sorted(_ids(task / f"fold{fold}", "train") + _ids(task / f"fold{fold}", "validation")) == pool


def test_folds_do_not_depend_on_how_the_task_was_split_before(tmp_path):
    folders = []
    for number, share in enumerate((0.1, 0.3)):
        folders.append(_task(tmp_path / str(number), {"a": 40, "b": 60}, split={"validation": share, "test": share}))
        make_folds(_folding(), folders[-1])
    for fold in range(5):
        assert _ids(folders[0] / f"fold{fold}", "test") == _ids(folders[1] / f"fold{fold}", "test")


def test_another_seed_splits_otherwise(task):
    make_folds(_folding(), task)
    first = _ids(task / "fold0", "test")
    make_folds(_folding(seed=1), task)
    assert _ids(task / "fold0", "test") != first


def test_classes_with_fewer_examples_than_folds_are_named_with_their_counts(tmp_path):
    task = _task(tmp_path, {"rare": 4, "common": 88, "odd": 3})
    with pytest.raises(
        ConstrictorError,
        match=r"5 folds need 5 examples of every class, and 'odd' has 3, 'rare' has 4\. "
        r"Lower 'replicates\.folds' to 3, or leave such classes out with 'filter'\.",
    ):
        make_folds(_folding(), task)
    assert not list(task.glob("fold*"))
    assert len(make_folds(_folding(3), task)) == 3


def test_a_class_of_one_example_suits_no_number_of_folds(monkeypatch, tmp_path):
    task = _task(tmp_path, {"a": 20, "b": 20})
    labels = np.repeat([0, 1], [39, 1])
    parts = {"train": labels[:30], "validation": labels[30:35], "test": labels[35:]}
    monkeypatch.setattr("constrictor.tasks.folds.read_examples", lambda file: _labelled(parts[file.stem], file.stem))
    with pytest.raises(ConstrictorError, match=r"every class, and 'b' has 1\. Leave such classes out with 'filter'\."):
        make_folds(_folding(), task)


def test_a_label_that_occurs_in_one_fold_only_is_named(tmp_path, monkeypatch):
    task = _task(tmp_path, {"a": 20, "b": 20})
    manifest = json.loads((task / "manifest.json").read_text(encoding="utf-8"))
    manifest["task"] = task_record(["a", "b"], kind="multilabel").model_dump()
    (task / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    labels = np.zeros((40, 2))
    labels[:20, 0] = labels[7, 1] = 1
    rows = {"train": slice(0, 30), "validation": slice(30, 35), "test": slice(35, 40)}
    monkeypatch.setattr(
        "constrictor.tasks.folds.read_examples", lambda file: _labelled(labels[rows[file.stem]], file.stem)
    )
    with pytest.raises(ConstrictorError, match=r"the label 'b' has 1 examples, in one fold of 5 at most.*Leave it out"):
        make_folds(_folding(), task)
    labels[11, 1] = 1  # two examples are in two folds, which is too few to examine the others on
    with pytest.raises(ConstrictorError, match="has no example of the class 'b'"):
        make_folds(_folding(), task)


def _labelled(labels: np.ndarray, prefix: str) -> Examples:
    ids = [f"{prefix}{number}" for number in range(len(labels))]
    return Examples(ids, ids, labels)


def test_two_folds_of_a_class_too_rare_to_train_on_too(tmp_path):
    task = _task(tmp_path, {"rare": 3, "common": 50})
    with pytest.raises(ConstrictorError, match=r"the split '\w+' \(\d+ examples\) has no example of the class 'rare'"):
        make_folds(_folding(2), task)


def test_damaged_examples_are_named(task):
    write_examples(task / "train.parquet", read_examples(task / "train.parquet"))
    (task / "train.parquet").write_bytes(b"")
    with pytest.raises(ConstrictorError, match=r"train\.parquet cannot be read"):
        make_folds(_folding(), task)


def test_the_manifest_is_written_last(task, monkeypatch):
    order = []
    monkeypatch.setattr("constrictor.tasks.folds.write_examples", lambda file, _: order.append(file.name))
    monkeypatch.setattr(
        "constrictor.tasks.folds.write_text", lambda file, text: order.append(json.loads(text)["task"]["kind"])
    )
    make_folds(_folding(2), task)
    assert order == ["train.parquet", "validation.parquet", "test.parquet", "classification"] * 2
