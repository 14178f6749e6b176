import os
import time

from constrictor.files.clocks import clamp_future_mtimes


def test_files_of_the_future_are_dated_now_alike_and_others_keep_their_date(tmp_path):
    (tmp_path / "data").mkdir()
    places = {"data/ahead": 86400, "data/further": 2 * 86400, "data/past": -86400, "alone": 60}
    start = time.time()
    for name, seconds in places.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (start + seconds, start + seconds))
    changed = clamp_future_mtimes([tmp_path / "data", tmp_path / "alone", tmp_path / "nowhere"])
    assert set(changed) == {tmp_path / name for name in ("data/ahead", "data/further", "alone")}
    dates = {name: (tmp_path / name).stat().st_mtime for name in places}
    assert dates["data/ahead"] == dates["data/further"] == dates["alone"]
    assert start - 1 < dates["alone"] <= time.time()
    assert abs(dates["data/past"] - (start - 86400)) < 1
