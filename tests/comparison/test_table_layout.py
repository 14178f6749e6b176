import pytest

from constrictor.comparison.row import Row
from constrictor.comparison.table_layout import WIDTH, tables, wrapped


@pytest.fixture
def row() -> Row:
    row = Row.__new__(Row)
    object.__setattr__(row, "recipe", "cpu")
    return row


def _columns(*widths: int) -> list:
    return [(f"{position}".ljust(width, "x"), lambda row: "1") for position, width in enumerate(widths)]


def _titles(found: list[str]) -> list[list[str]]:
    return [[cell.strip()[0] for cell in table.splitlines()[0].split("|")[1:-1]] for table in found]


def test_groups_share_a_table_while_they_fit(row):
    assert _titles(tables([_columns(40), _columns(40)], [row])) == [["r", "0", "0"]]
    assert _titles(tables([_columns(60), _columns(60)], [row])) == [["r", "0"], ["r", "0"]]


def test_a_group_that_fits_alone_is_not_parted(row):
    assert _titles(tables([_columns(60), _columns(30, 30)], [row])) == [["r", "0"], ["r", "0", "1"]]


def test_a_group_that_is_too_wide_is_parted(row):
    found = tables([_columns(50, 50, 50)], [row])
    assert _titles(found) == [["r", "0", "1"], ["r", "2"]]
    assert all(len(line) <= WIDTH for table in found for line in table.splitlines())


def test_a_column_that_is_too_wide_by_itself_leaves_no_empty_table(row):
    assert _titles(tables([_columns(150), _columns(10)], [row])) == [["r", "0"], ["r", "0"]]


def test_long_words_are_kept_whole():
    assert wrapped(f"{'a' * 100} {'-'.join(['b'] * 20)}").splitlines() == ["a" * 100, "-".join(["b"] * 20)]
