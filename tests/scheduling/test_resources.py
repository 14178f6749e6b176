import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.scheduling.resources import Work, measured, needs

STAGES = ["read", "fetch", "train", "label", "evaluate", "convert", "time", "compare"]
MINILM = {"parameters": 22_713_728, "layers": 6}
works = st.builds(
    Work,
    stage=st.sampled_from(STAGES),
    parameters=st.integers(0, 10**11),
    layers=st.integers(1, 100),
    batch=st.integers(0, 512),
    length=st.integers(8, 4096),
    rows=st.integers(0, 10**7),
    gpu=st.booleans(),
)


@given(works, st.integers(1, 4))
def test_a_later_attempt_asks_for_more_memory_and_for_more_time_up_to_a_day(work, attempt):
    first, now, later = needs(work), needs(work, attempt), needs(work, attempt + 1)
    assert now.mem_mb == pytest.approx(first.mem_mb * 1.5 ** (attempt - 1), abs=attempt * 2)
    assert later.runtime == pytest.approx(min(1440, 2 * now.runtime), abs=2)
    assert (later.threads, later.gpu) == (first.threads, first.gpu)


@given(works, st.sampled_from(["parameters", "batch", "length", "rows"]), st.integers(1, 1000))
def test_more_work_never_asks_for_less(work, what, more):
    small, large = needs(work), needs(work._replace(**{what: getattr(work, what) + more}))
    assert all(less <= greater for less, greater in zip(small, large, strict=True))


@given(works)
def test_a_gpu_is_asked_for_once_or_not_at_all(work):
    assert needs(work).gpu == int(work.gpu)
    assert needs(work).threads >= 1


def test_memory_of_a_training_by_hand():
    # BERT base, 16 rows of 128 tokens: 12 layers of width 768 hold 12 * (34 * 768 + 5 * 12 * 128) * 2 bytes a token. The
    # estimate knows the parameters alone, 110 million with the embeddings: a width of sqrt(110e6 / 144) = 874.
    width = math.sqrt(110e6 / 144)
    a_token = 12 * (34 * width + 5 * (width / 64) * 128) * 2
    weights = 6 * 4 * 110e6
    wanted = 1600 + (weights + 16 * 128 * a_token) / 1e6
    assert needs(Work("train", 110_000_000, 12, batch=16)).mem_mb == math.ceil(wanted)


def test_time_of_a_training_by_hand():
    operations = 6 * 110e6 * 128 * 100_000
    minutes = operations / 16e12 / 60
    work = Work("train", 110_000_000, rows=100_000, gpu=True)
    assert needs(work).runtime == math.ceil(15 + minutes)
    assert needs(work._replace(stage="evaluate")).runtime == math.ceil(15 + minutes / 3)
    assert needs(work._replace(gpu=False)).runtime > needs(work).runtime


@pytest.mark.parametrize(
    ("work", "peak_mb", "seconds"),
    [
        (Work("train", **MINILM, batch=32, rows=20_472), 2159, 174),
        (Work("label", **MINILM, rows=40_000), 927, 60),
        (Work("evaluate", **MINILM, rows=1706), 669, 19),
        (Work("convert", **MINILM, batch=32), 961, 19),
        (Work("time", **MINILM, batch=32, rows=1188), 1601, 66),
    ],
)
def test_what_the_default_study_used_was_asked_for_and_not_wildly_more(work, peak_mb, seconds):
    asked = needs(work)
    assert peak_mb * 1.2 < asked.mem_mb < peak_mb * 2.6
    assert seconds < asked.runtime * 60


def test_a_measured_peak_goes_before_the_estimate_and_still_grows():
    work = Work("train", 110_000_000)
    assert needs(work, measured_mb=2000).mem_mb == 2000 * 1.3 + 300
    assert needs(work, 2, measured_mb=2000).mem_mb == (2000 * 1.3 + 300) * 1.5
    assert needs(work, measured_mb=2000).runtime == needs(work).runtime


def test_the_peak_is_read_from_the_table_that_snakemake_writes(tmp_path):
    file = tmp_path / "finetune.tsv"
    assert measured(file, "max_rss") is None
    header = "s\th:m:s\tmax_rss\tmax_vms"
    file.write_text(f"{header}\n173.68\t0:02:53\t2159.09\t4000.5\n", encoding="utf-8")
    assert measured(file, "max_rss") == 2159.09
    file.write_text(f"{header}\n9.5\t0:00:09\t80.5\t90\n8.5\t0:00:08\t120.5\t130\n7.5\t0:00:07\t99.5\t100\n")
    assert (measured(file, "max_rss"), measured(file, "s")) == (120.5, 9.5)  # of a rule that is repeated, the worst


@pytest.mark.parametrize(
    "text", ["", "s\th:m:s\tmax_rss\n0.1\t0:00:00\tNA\n", "s\th:m:s\n1\t0:00:01\n", "max_rss\ts\n"]
)
def test_a_table_that_cannot_be_used_counts_as_none(tmp_path, text):
    file = tmp_path / "finetune.tsv"
    file.write_text(text, encoding="utf-8")
    assert measured(file, "max_rss") is None
