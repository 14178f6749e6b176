from pathlib import Path

import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: x\nsteps:\n\ta: 1\n", ":3: invalid YAML: found character '\\t' that cannot start any token. Indent with sp"),
        ("steps: {a: {stage: export}\nname: x\n", ":2: invalid YAML: expected ',' or '}', but got '<scalar>'. A bracket"),
        ("steps:\n  a: *b\n", ":2: invalid YAML: found undefined alias 'b'. An alias (*name) needs its anchor"),
        ("a: &a x\nb: {<<: *a}\n", ":1: invalid YAML: expected a mapping or list of mappings for merging, but found scalar"),
        ("a: {b: 1}\n c: 2\n", ":2: invalid YAML: "),
        ("a: b: c\n", ":1: invalid YAML: mapping values are not allowed here. Put text with a colon in quotes"),
        ("a: 1\n---\nb: 2\n", ":2: invalid YAML: but found another document. A study is one document"),
        ("a: !!python/name:os.system x\n", ":1: invalid YAML: could not determine a constructor for the tag"),
        ("a: 1\nb: {c: 1}\na: 2\n", ":3: duplicate key 'a', first in line 1. Keep one of the two."),
        ("a:\n  b: {c: 1, d: 2, c: 3}\n", ":2: duplicate key 'c', first in line 2."),
        ("a:\n  - b: 1\n    b: 1\n", ":3: duplicate key 'b', first in line 2."),
        ("a: &a {b: *a}\n", ":1: an alias is within its own anchor. Write the value out."),
        ("a: &a\n  - c: *a\n", ":2: an alias is within its own anchor."),
        ("steps:\n  yes: 1\n", ":2: YAML reads the key 'yes' as a boolean. Put it in quotes: 'yes'."),
        ("steps:\n  a: {on: 1}\n", ":2: 'on' is now called 'train_on'."),
        ("a:\n  b: 010\n", ":2: YAML reads 010 as 8. Write 8, or '010' in quotes for text."),
        ("a: [007, 1]\n", ":1: YAML reads 007 as 7. Write 7, or '007' in quotes for text."),
        ("a: {012: x}\n", ":1: YAML reads 012 as 10. Write 10, or '012' in quotes for text."),
        ("a: 12:30\n", ":1: YAML reads 12:30 as 750. Write 750, or '12:30' in quotes for text."),
        ("", " is not a study: it must contain keys with values, for example 'name: my_study'."),
        ("# nothing\n", " is not a study: it must contain keys"),
        ("- a\n- b\n", " is not a study: it must contain keys"),
        ("hello\n", " is not a study: it must contain keys"),
        (b"a: \0\n", " is not valid YAML: unacceptable character"),
        (b"a: caf\xe9\n", " is not UTF-8 (byte 6). Save it as UTF-8 text."),
    ],
)  # fmt: skip
def test_what_is_no_study_is_named_with_its_line_and_the_fix(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConstrictorError) as caught:
        read_yaml(file)
    assert str(caught.value).startswith(f"{file}{message}")


def test_all_mistaken_keys_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("a: 1\na: 2\nb: {c: 1, c: 2}\n", encoding="utf-8")
    with pytest.raises(ConstrictorError) as caught:
        read_yaml(tmp_path / "study.yaml")
    assert [line.partition(": ")[0].rpartition(":")[2] for line in str(caught.value).splitlines()] == ["2", "3"]


@pytest.mark.parametrize(
    ("name", "message"), [("no.yaml", "there is no study"), ("", "cannot be read: Is a directory")]
)
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConstrictorError, match=message):
        read_yaml(tmp_path / name)


def test_anchors_and_merged_keys_are_no_mistakes(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: {<<: [*a], z: 1}\nd: [*a, *a]\n"
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    found = read_yaml(tmp_path / "study.yaml")
    assert found["b"] == {"x": 3, "y": 2}
    assert found["c"] == {"x": 1, "y": 2, "z": 1}
    assert found["d"] == [found["a"]] * 2


def test_numbers_in_base_10_are_no_mistakes(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("a: [0, -1, 10, 1_000, 0.5, 1e-3, 0x1f, '010', 08]\n", encoding="utf-8")
    assert read_yaml(tmp_path / "study.yaml")["a"] == [0, -1, 10, 1000, 0.5, "1e-3", 31, "010", "08"]
