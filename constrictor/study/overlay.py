"""Merge studies: files of the command line, `--config`, and the base that a study `extends`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from constrictor.errors import ConstrictorError, StudyMistake
from constrictor.study.yaml_file import read_yaml

Files = Sequence[str | Path]
_Place = tuple[str, ...]


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping merged into another, as a new one: an anchor in YAML (`&long`) is one object in several places.

    >>> laid_over({"cola": {"metric": "mcc"}, "sst2": {}}, {"cola": None, "wnli": {}})
    {'sst2': {}, 'wnli': {}}
    """
    merged = {key: value for key, value in below.items() if key not in above or above[key] is not None}
    for key, value in above.items():
        if value is None and key in below:
            continue
        under = merged.get(key)
        merged[key] = laid_over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def with_base(raw: Mapping[str, Any], files: Files, seen: Sequence[Path] = ()) -> tuple[Mapping[str, Any], Files]:
    """A study merged into the one that it ``extends``, and the files of both, those of the base first.

    Args:
        raw: the study.
        files: its files; the base's path is relative to the last of them.
        seen: studies that extend this one.

    Raises:
        ConstrictorError: if the base cannot be read, or extends itself.
    """
    base = raw.get("extends")
    if base is None:
        return raw, files
    if not isinstance(base, str):
        raise StudyMistake(["extends"], f"found {base!r}: must be the path of a study, for example ../config.yaml.")
    file = (Path(files[-1]).parent if files else Path()) / base
    seen = [*seen, *(Path(above).resolve() for above in files)]
    if file.resolve() in seen:
        raise StudyMistake(
            ["extends"], f"{file} extends itself, directly or indirectly. Remove 'extends' from one of the studies."
        )
    try:
        content = read_yaml(file)
    except ConstrictorError as error:
        raise StudyMistake(["extends"], str(error)) from None
    below, base_files = with_base(content, [file], seen)
    above = {key: value for key, value in raw.items() if key != "extends"}
    return laid_over(below, above), [*base_files, *files]


_SOURCES = {
    "package": {"package", "file", "folder"},
    "path": {"path"},
    "hub": {"hub", "config", "split", "revision"},
    "train": {"train", "validation", "test"},
}
_PLACES = (
    *("tasks.*.source", "tasks.*.source.*", "tasks.*.extra_test_sets.*", "corpora.*.source"),
    "models.*",
)


def with_one_source(value: Any, place: _Place = ()) -> Any:
    """Keep only the later source where one was merged into another of a different kind.

    >>> with_one_source({"models": {"bert": {"hub": "google-bert/bert-base-uncased", "revision": "1", "path": "bert"}}})
    {'models': {'bert': {'path': 'bert'}}}
    """
    if not isinstance(value, Mapping):
        return value
    kinds = _kinds(value, place)  # merging puts later keys after earlier ones
    others = set().union(*(_SOURCES[kind] for kind in kinds[:-1])) - _SOURCES[kinds[-1]] if kinds else set()
    return {key: with_one_source(item, (*place, str(key))) for key, item in value.items() if key not in others}


def two_sources(value: Any, place: _Place = ()) -> Iterator[StudyMistake]:
    """The places of one file that name two sources."""
    if isinstance(value, Mapping):
        kinds = _kinds(value, place)
        if len(kinds) > 1:
            yield StudyMistake(place, f"'{kinds[0]}' and '{kinds[1]}' are mutually exclusive. Keep one of them.")
        for key, item in value.items():
            yield from two_sources(item, (*place, str(key)))


def _kinds(value: Mapping[str, Any], place: _Place) -> list[str]:
    """The kinds of source that a mapping names, in order; none in places without sources."""
    fits = any(_is_at(place, known.split(".")) for known in _PLACES)
    return [key for key in value if key in _SOURCES] if fits else []


def _is_at(place: _Place, known: Sequence[str]) -> bool:
    return len(place) == len(known) and all(part in ("*", own) for own, part in zip(place, known, strict=True))
