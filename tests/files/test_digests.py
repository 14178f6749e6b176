import hashlib
import json
import os
from pathlib import Path

import pytest

from constrictor.files import digests
from constrictor.files.digests import KnownDigests


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "data.csv"
    file.write_text("one", encoding="utf-8")
    return file


def test_a_file_is_read_once_by_all_processes(file, monkeypatch):
    record = file.with_name("record.json")
    expected = hashlib.sha256(b"one").hexdigest()
    assert KnownDigests(record).of(file) == expected
    monkeypatch.setattr(digests, "sha256_of", lambda file: pytest.fail("it is read again"))
    assert KnownDigests(record).of(file) == expected


def test_other_content_of_the_same_size_and_date_is_noticed(file):
    known, before = KnownDigests(file.with_name("record.json")), file.stat()
    first = known.of(file)
    file.write_text("two", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known.of(file) == hashlib.sha256(b"two").hexdigest() != first


@pytest.mark.parametrize("content", ["{", "[]", '{"FILE": 3}', '{"FILE": [1, 2, "abc"]}'])
def test_a_damaged_record_is_written_anew(file, content):
    record = file.with_name("record.json")
    record.write_text(content.replace("FILE", str(file)), encoding="utf-8")
    assert KnownDigests(record).of(file) == hashlib.sha256(b"one").hexdigest()
    assert str(file) in json.loads(record.read_text(encoding="utf-8"))


def test_a_record_that_cannot_be_written_is_no_mistake(file):
    assert KnownDigests(file / "record.json").of(file) == hashlib.sha256(b"one").hexdigest()
