import json

import pytest

from constrictor.data.duplicates import same_text_key
from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.study.splits import SPLITS
from constrictor.study.tasks import ClassificationTask, RegressionTask
from constrictor.tasks.manifest import read_task
from constrictor.tasks.prepare import prepare_task


def _write(path, rows) -> str:
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return str(path)


def _rows(count: int, prefix: str = "text", labels=("neg", "pos")) -> list[tuple[str, str]]:
    return [(f"{prefix} number {number}", labels[number % len(labels)]) for number in range(count)]


@pytest.fixture
def prepare(tmp_path):
    def run(rows, folder="task", **settings):
        task = {"source": {"path": _write(tmp_path / "data.tsv", rows)}, **settings}
        return prepare_task(ClassificationTask.model_validate(task), tmp_path / folder)

    run.folder = tmp_path / "task"
    return run


def _all(folder) -> dict[str, list[tuple[str, str, int]]]:
    found = {name: read_examples(folder / f"{name}.parquet") for name in SPLITS}
    return {name: list(zip(part.ids, part.texts, part.labels.tolist(), strict=True)) for name, part in found.items()}


def test_every_row_goes_to_one_split_with_its_label(prepare):
    rows = _rows(50)
    manifest = prepare(rows, split={"validation": 0.2, "test": 0.3})
    found = _all(prepare.folder)
    assert (
        manifest.rows
        == {name: len(part) for name, part in found.items()}
        == {"train": 25, "validation": 10, "test": 15}
    )
    together = [example for part in found.values() for example in part]
    assert sorted(together, key=lambda example: int(example[0])) == [
        (str(number), text, ["neg", "pos"].index(label)) for number, (text, label) in enumerate(rows)
    ]
    assert manifest.classes["test"] == {"neg": 8, "pos": 7} or manifest.classes["test"] == {"neg": 7, "pos": 8}
    assert read_task(prepare.folder / "manifest.json") == manifest


def test_same_settings_give_the_same_files_and_another_seed_others(prepare, tmp_path):
    first, second = prepare(_rows(50), "one"), prepare(_rows(50), "two")
    third = prepare(_rows(50), "three", split={"seed": 1})
    assert first == second
    assert (tmp_path / "one/train.parquet").read_bytes() == (tmp_path / "two/train.parquet").read_bytes()
    assert third.fingerprint != first.fingerprint


def test_fingerprint_follows_texts_and_labels(prepare):
    prints = [
        prepare(rows, f"task{number}").fingerprint["train"]
        for number, rows in enumerate(
            [_rows(40), [(text.upper(), label) for text, label in _rows(40)], _rows(40, labels=("pos", "neg"))]
        )
    ]
    assert len(set(prints)) == 3


def test_repeated_and_contradicting_texts_are_dropped_and_counted(prepare):
    rows = [*_rows(40), ("TEXT  number 1", "pos"), ("text number 3", "pos"), ("text number 4", "pos")]
    manifest = prepare(rows)
    assert manifest.dropped == {"repeated": 2, "contradicting": 2}
    assert sum(manifest.rows.values()) == 39
    texts = [text for part in _all(prepare.folder).values() for _, text, _ in part]
    assert "text number 4" not in texts
    assert len({same_text_key(text) for text in texts}) == len(texts)


def test_splits_that_the_data_bring_stay_whole_and_their_texts_leave_training(tmp_path):
    source = {
        "train": {"path": _write(tmp_path / "train.tsv", [*_rows(20), ("shared one", "neg"), ("shared two", "pos")])},
        "validation": {"path": _write(tmp_path / "dev.tsv", [*_rows(6, "dev"), ("shared TWO", "pos")])},
        "test": {
            "path": _write(tmp_path / "test.tsv", [*_rows(6, "test"), ("Shared one", "neg"), ("shared two", "pos")])
        },
    }
    source["test"]["path"] = _write(
        tmp_path / "test.tsv",
        [
            *_rows(6, "test"),
            ("Shared one", "neg"),
            ("shared two", "pos"),
            ("SHARED two", "neg"),
            ("test number 1", "pos"),
        ],
    )
    manifest = prepare_task(ClassificationTask.model_validate({"source": source}), tmp_path / "task")
    assert manifest.rows == {"train": 20, "validation": 7, "test": 10}
    assert manifest.dropped == {"repeated": 0, "contradicting": 0, "also held out": 2}
    assert manifest.also_in_training == {"validation": 1, "test": 3}
    assert manifest.seen_in_training == {"validation": 0, "test": 0}
    found = _all(tmp_path / "task")
    assert ("test-6", "Shared one", 0) in found["test"]
    assert found["train"][0] == ("train-0", "text number 0", 0)
    kept = prepare_task(ClassificationTask.model_validate({"source": {**source, "overlap": "keep"}}), tmp_path / "kept")
    assert kept.rows == {"train": 22, "validation": 7, "test": 10}
    assert kept.seen_in_training == kept.also_in_training == {"validation": 1, "test": 3}


def test_halves_of_characters_are_replaced_in_texts_and_refused_in_labels(tmp_path):
    rows = [{"text": text, "label": label} for text, label in _rows(40)]
    rows[3]["text"] = "cut \ud83d"
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = ClassificationTask.model_validate({"source": {"path": str(tmp_path / "a.jsonl")}})
    manifest = prepare_task(task, tmp_path / "task")
    assert manifest.repaired == 1
    assert "cut \ufffd" in [text for part in _all(tmp_path / "task").values() for _, text, _ in part]
    rows[5]["label"] = "pos\udcaf"
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        ConstrictorError, match=r"'label' holds 'pos\\udcaf' \(row 5, counted from 0\), in which a character is cut"
    ):
        prepare_task(task, tmp_path / "task")


def test_a_missing_split_is_drawn_from_the_training_rows(tmp_path):
    source = {
        "train": {"path": _write(tmp_path / "a.tsv", _rows(40))},
        "test": {"path": _write(tmp_path / "b.tsv", _rows(9, "t"))},
    }
    manifest = prepare_task(ClassificationTask.model_validate({"source": source}), tmp_path / "task")
    assert manifest.rows == {"train": 36, "validation": 4, "test": 9}
    assert all(identity.startswith("train-") for identity, *_ in _all(tmp_path / "task")["validation"])


def test_fraction_takes_a_share_of_every_split_class_by_class(prepare):
    manifest = prepare(_rows(200), fraction=0.2)
    assert manifest.rows == {"train": 32, "validation": 4, "test": 4}
    assert manifest.classes["train"] == {"neg": 16, "pos": 16}


def test_labels_stand_in_the_order_of_numbers_or_letters_or_of_the_study(prepare):
    assert prepare(_rows(80, labels=("10", "9", "-1"))).task.labels == ["-1", "9", "10"]
    assert prepare(_rows(40)).task.labels == ["neg", "pos"]
    assert prepare(_rows(40), labels=["pos", "neg"]).task.labels == ["pos", "neg"]
    assert {(text[-1] in "02468", label) for part in _all(prepare.folder).values() for _, text, label in part} == {
        (True, 1), (False, 0)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([*_rows(40), ("  ", "pos")], {}, r"1 rows have no text \(column 'text'\); the first, counted from 0: 40\. Fill"),
        ([("a b", ""), *_rows(40)], {}, r"1 rows have no label \(column 'label'\); the first, counted from 0: 0\. Fill"),
        ([*_rows(40), ("x y", "posi")], {"labels": ["neg", "pos"]}, r"1 rows have a label .* 'posi'\. Did you mean 'pos'\?"),
        (_rows(40, labels=("pos",)), {}, r"all rows have the label 'pos' \(column 'label'\): .*two classes"),
        ([*_rows(40), ("x y", "rare")], {}, r"only 1 examples have the class 'rare', and training, validation and test need"),
        (_rows(40), {"labels": ["neg", "pos", "mixed"]}, r"no example has the class 'mixed', and .*out of 'labels'"),
        (_rows(40), {"split": {"test": 0.01}}, r"the split 'test' \(0 examples\) has no example of the class 'neg'\. Give"),
        ([("a b", label) for label in ("neg", "pos") * 9], {}, r"no example has .*\(Rows that were not taken: 18 contradicting"),
        (_rows(40, labels=("pos", "Pos")), {}, r"the classes 'Pos' and 'pos', which differ only in case, .*Make them"),
        (_rows(40, labels=("1", "01")), {}, r"the classes '01' and '1', which differ .*how a number is written\. .*in 'labels'"),
        (_rows(300, labels=[f"id{n}" for n in range(300)]), {}, r"'label' holds 300 different labels in 300 rows"),
        (_rows(40), {"labels": ["0", "1"]}, r"no row has a label of 'labels' \(0, 1\): .*'label' holds neg, pos\. List those"),
        ([(str(n), "ab"[n % 2]) for n in range(40)], {}, r"data\.tsv: 100 % of the column 'text' are numbers, .*text\. No oth"),
        (_rows(40), {"columns": {"text": "txt"}}, r"data\.tsv has no column 'txt'\. Did you mean 'text'\?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_data_is_one_clear_message(prepare, rows, settings, message):
    with pytest.raises(ConstrictorError, match=message):
        prepare(rows, **settings)
    assert not (prepare.folder / "manifest.json").exists()


def test_numbers_may_be_labels_and_the_booleans_of_yaml_may_not(prepare):
    assert prepare(_rows(40, labels=("0", "1")), labels=[1, 0]).task.labels == ["1", "0"]
    with pytest.raises(ValueError, match=r"YAML reads this name as false\. Put it in quotes"):
        prepare(_rows(40), labels=[False, True])


def test_examples_are_normalised_before_they_are_compared_and_the_changes_counted(prepare):
    rows = [*_rows(40), ("number  one \u2003 ", "pos"), ("number one", "pos"), ("ﬁne", "pos"), ("fine", "pos")]
    manifest = prepare(rows, normalise={"unicode": "NFKC", "whitespace": True})
    assert manifest.normalised == 2
    assert manifest.dropped == {"repeated": 2, "contradicting": 0}
    texts = [text for part in _all(prepare.folder).values() for _, text, _ in part]
    assert "fine" in texts
    assert "ﬁne" not in texts
    assert prepare(rows, "plain").normalised == 0


def test_a_class_may_be_spelled_differently_in_two_files(tmp_path):
    source = {
        "train": {"path": _write(tmp_path / "train.tsv", _rows(40, labels=("0", "1")))},
        "test": {"path": _write(tmp_path / "test.tsv", _rows(8, "other", labels=("0.0", "1.0")))},
    }
    manifest = prepare_task(ClassificationTask.model_validate({"source": source}), tmp_path / "task")
    assert manifest.task.labels == ["0", "1"]
    assert manifest.classes["test"] == {"0": 4, "1": 4}


def test_a_text_and_a_label_may_be_in_a_column_called_id(prepare, tmp_path):
    for columns in ({"text": "id", "label": "label"}, {"text": "text", "label": "id"}):
        header = "\t".join("id" if name == "id" else role for role, name in columns.items())
        file = tmp_path / "id.tsv"
        file.write_text(f"{header}\n" + "".join(f"{text}\t{label}\n" for text, label in _rows(40)))
        manifest = prepare([], source={"path": str(file)}, columns=columns)
        assert manifest.task.labels == ["neg", "pos"]
        assert ("0", "text number 0", 0) in [example for part in _all(prepare.folder).values() for example in part]


def test_a_text_of_which_nothing_is_left_is_none(prepare, monkeypatch):
    monkeypatch.setattr("constrictor.tasks.rows.normaliser", lambda _: lambda text: text.replace("text number 7", ""))
    with pytest.raises(ConstrictorError, match=r"1 rows have no text .*: 7\. Fill"):
        prepare(_rows(40))


def test_classes_that_differ_in_case_are_two_where_they_are_listed(prepare):
    assert prepare(_rows(40, labels=("pos", "Pos")), labels=["pos", "Pos"]).task.labels == ["pos", "Pos"]


def test_values_without_a_validation_split_are_refused(tmp_path):
    task = {
        "source": {"path": _write(tmp_path / "data.tsv", [("a b", 1), ("c d", 2), ("e f", 3)])},
        "kind": "regression",
    }
    with pytest.raises(
        ConstrictorError, match=r"the split 'validation' \(0 examples\) has no example\. Give it a larger"
    ):
        prepare_task(RegressionTask.model_validate(task), tmp_path / "task")


def test_a_test_split_that_is_the_training_split_is_refused_with_the_reason(tmp_path):
    path = _write(tmp_path / "data.tsv", _rows(40))
    task = {"source": {"train": {"path": path}, "test": {"path": path}}}
    with pytest.raises(ConstrictorError, match=r"'train' \(0 examples\).*Rows that were not taken: 40 also held out"):
        prepare_task(ClassificationTask.model_validate(task), tmp_path / "task")


def test_a_class_named_twice_is_refused_with_its_name(prepare):
    with pytest.raises((ConstrictorError, ValueError), match=r"twice|repeat|once|unique|duplicate"):
        prepare(_rows(40), labels=["neg", "pos", "pos"])


def test_text_and_label_from_one_column_are_refused_without_a_traceback(prepare):
    with pytest.raises((ConstrictorError, ValueError)):
        prepare(_rows(40), columns={"text": "label", "label": "label"})


def test_manifest_is_json_that_people_can_read(prepare):
    prepare(_rows(40))
    text = (prepare.folder / "manifest.json").read_text(encoding="utf-8")
    assert json.loads(text)["metric"] == "accuracy"
    assert text.endswith("}\n")


def test_a_cap_takes_training_examples_class_by_class_and_leaves_what_is_held_out(prepare):
    rows, split = _rows(200, labels=("neg", "neg", "neg", "pos")), {"validation": 0.1, "test": 0.1}
    whole = prepare(rows, "whole", split=split)
    capped = prepare(rows, "capped", split=split, max_samples=40)
    assert capped.classes["train"] == {"neg": 30, "pos": 10}
    for name in ("validation", "test"):
        assert capped.fingerprint[name] == whole.fingerprint[name]
    assert prepare(rows, "again", split=split, max_samples=40) == capped
    assert prepare(rows, "roomy", split=split, max_samples=10_000) == whole
    both = prepare(rows, "both", split=split, fraction=0.5, max_samples=100)
    assert both.rows == {"train": 80, "validation": 10, "test": 10}


def test_a_cap_below_the_number_of_classes_is_refused(prepare):
    with pytest.raises(
        ConstrictorError, match=r"'train' .1 examples. has no example .*raise 'fraction' or 'max_samples'"
    ):
        prepare(_rows(40), max_samples=1)


def test_rows_without_text_are_refused_or_dropped_and_counted(prepare):
    rows = [("  ", "pos"), *_rows(40), ("", "neg")]
    with pytest.raises(ConstrictorError, match=r"2 rows have no text .*'drop_empty: true'"):
        prepare(rows)
    manifest = prepare(rows, drop_empty=True)
    assert manifest.dropped == {"repeated": 0, "contradicting": 0, "without a text": 2}
    assert sum(manifest.rows.values()) == 40
    ids = {identity for part in _all(prepare.folder).values() for identity, *_ in part}
    assert ids == {str(number) for number in range(1, 41)}


def test_of_pairs_both_texts_must_be_there(tmp_path):
    (tmp_path / "pairs.tsv").write_text(
        "text\tpair\tlabel\n" + "".join(f"a {n}\t{'' if n == 7 else f'b {n}'}\t{'xy'[n % 2]}\n" for n in range(40)),
        encoding="utf-8",
    )
    settings = {"source": {"path": str(tmp_path / "pairs.tsv")}, "columns": {"pair": "pair"}, "drop_empty": True}
    manifest = prepare_task(ClassificationTask.model_validate(settings), tmp_path / "task")
    assert manifest.dropped["without a text"] == 1
    assert ("a 7", "") not in [text for part in _all(tmp_path / "task").values() for _, text, _ in part]
