"""Read a study and report all of its mistakes in one message: file, line, key, value, allowed values, nearest name.

python -m constrictor.study.read config.yaml     prints the mistakes, or else the name of the study
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from constrictor.errors import ConstrictorError, StudyMistake, exit_on_user_error
from constrictor.study.check import problems
from constrictor.study.control import with_control
from constrictor.study.error_messages import Place, error_message, key_path
from constrictor.study.grid import expand_grids, variants_of_recipes
from constrictor.study.overlay import laid_over, two_sources, with_base, with_one_source
from constrictor.study.study import Study
from constrictor.study.yaml_file import read_yaml


def read_study(raw: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Study:
    """Validate the mapping that Snakemake has read.

    Args:
        raw: the configuration.
        files: its files, of which later ones take precedence; messages name the file with the key.

    Raises:
        ConstrictorError: with one line per mistake.
    """
    try:
        raw, files = with_base(raw, files)
        # Snakemake silently accepts files with duplicate keys, so they are read again.
        duplicates = [mistake for file in files for mistake in two_sources(read_yaml(file))]
        merged = dict(with_one_source(raw))
        raw = expand_grids(merged)
        study = with_control(Study.model_validate(raw).with_variants(variants_of_recipes(merged)))
    except ValidationError as error:
        places: dict[Place, list[ErrorDetails]] = {}
        for detail in error.errors():
            places.setdefault(key_path(detail, raw), []).append(detail)
        found = [(path, error_message(details)) for path, details in places.items()]
    except StudyMistake as error:
        found = [(error.path, error.message)]
    else:
        found = [(mistake.path, mistake.message) for mistake in duplicates] or problems(study)
        if not found:
            return study
    trees = {file: yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader) for file in files}
    lines = [f"  {_place(path, raw, trees)}{'.'.join(map(str, path)) or 'study'}: {message}" for path, message in found]
    count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    raise ConstrictorError("\n".join([f"The study has {count}:", *lines]))


def load_study(*files: str | Path, changes: Mapping[str, Any] | None = None) -> Study:
    """Read a study from YAML files, later ones merged into earlier ones, as with `--configfile` of Snakemake.

    Args:
        files: the files.
        changes: merged into them, as with `--config` of Snakemake.
    """
    raw: dict[str, Any] = {}
    for file in files:
        raw = laid_over(raw, read_yaml(file))
    return read_study(laid_over(raw, changes or {}), files)


def _place(path: Sequence[str | int], raw: Mapping[str, Any], trees: Mapping[str | Path, yaml.Node | None]) -> str:
    """``file:line: `` of the deepest key of a path that is in a file; of several files, the last."""
    best, deepest = "", 0
    for file, tree in reversed(list(trees.items())):
        line, depth = _line_of(tree, path)
        if depth > deepest:
            best, deepest = f"{file}:{line}: ", depth
    if deepest or not trees:
        return best
    return "--config: " if path and path[0] in raw else f"{list(trees)[-1]}: "


def _line_of(node: yaml.Node | None, path: Sequence[str | int]) -> tuple[int, int]:
    """Line of the deepest part of a path that is in a YAML tree, and the number of parts that are."""
    line = depth = 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            match = _entry(node, str(part))
            if match is None:
                break
            line, node = match[0].start_mark.line + 1, match[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
        depth += 1
    return line, depth


def _entry(node: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """A key with its value, also if it is in a grid, or if a grid has extended its name."""
    found = {str(key.value): (key, value) for key, value in node.value}
    if name not in found and "grid" in found and isinstance(grid := found["grid"][1], yaml.MappingNode):
        return _entry(grid, name)
    shorter = [key for key in found if name.startswith(f"{key}-")]
    return found.get(name) or (found[max(shorter, key=len)] if shorter else None)


if __name__ == "__main__":
    with exit_on_user_error():
        print(load_study(*sys.argv[1:]).name)
