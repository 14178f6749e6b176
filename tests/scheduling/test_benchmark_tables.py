import pytest

from constrictor.scheduling.benchmark_tables import measured


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
