"""Read the YAML of a study; refuse invalid YAML, and valid YAML that is most likely a mistake, with its line.

Parsers silently use the last of several equal keys, which is often not the intended one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from constrictor.errors import ConstrictorError
from constrictor.study.renamed_keys import renamed


def read_yaml(file: str | Path) -> dict[str, Any]:
    """The mapping in a file.

    Raises:
        ConstrictorError: if the file cannot be read or is not valid YAML, has equal keys, keys that YAML reads as booleans or an
            alias within its own anchor, or is not a mapping.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConstrictorError(f"there is no study {file}.") from None
    except OSError as error:
        raise ConstrictorError(f"the study {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConstrictorError(f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8 text.") from None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise ConstrictorError(
                f"{file} is not a study: it must contain keys with values, for example 'name: my_study'."
            )
        mistakes = list(_mistakes_in(root, (root,), set()))
        if mistakes:
            raise ConstrictorError("\n".join(f"{file}:{line}: {message}" for line, message in mistakes))
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"{file}:{mark.line + 1}" if mark else str(file)
        raise ConstrictorError(f"{line}: invalid YAML: {_explain(error)}") from None
    except yaml.YAMLError as error:
        raise ConstrictorError(f"{file} is not valid YAML: {error}") from None


_HINTS = {
    r"'\\t'": "Indent with spaces, not with tabs.",
    "undefined alias": "An alias (*name) needs its anchor (&name) above it.",
    "but found another document": "A study is one document: remove the line ---.",
    "could not determine a constructor": "Tags (!…) are not supported. Put text that begins with ! in quotes.",
    "expected ',' or": "A bracket or a comma is missing, here or above.",
    "mapping values are not allowed": "Put text with a colon in quotes, and align the keys of a block.",
    "expected <block end>": "Align the keys of a block.",
    "could not find expected ':'": "A key must be followed by a colon and a space.",
}


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be parsed"
    hint = next((hint for sign, hint in _HINTS.items() if re.search(sign, problem)), "")
    return f"{problem}. {hint}".rstrip()


def _mistakes_in(node: yaml.Node, above: tuple[yaml.Node, ...], done: set[int]) -> Iterator[tuple[int, str]]:
    """Lines and messages.

    Args:
        node: the node to check.
        above: the nodes on the path to this one, including itself.
        done: identities of the nodes that were checked.
    """
    done.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield from _mistaken_keys(node)
        # Of a pattern such as 2:4, its settings take back that YAML reads it in base 60.
        below = [value for key, value in node.value if key.value != "pattern"]
    else:
        below = node.value if isinstance(node, yaml.SequenceNode) else []
        yield from _mistaken_number(node)
    for part in below:
        if part in above:
            yield node.start_mark.line + 1, "an alias is within its own anchor. Write the value out."
        elif id(part) not in done:
            yield from _mistakes_in(part, (*above, part), done)


def _mistaken_keys(node: yaml.MappingNode) -> Iterator[tuple[int, str]]:
    first_lines: dict[str, int] = {}
    for key, _ in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        yield from _mistaken_number(key)
        if key.tag == _BOOLEAN:  # in YAML 1.1 also `on`, a key that has been renamed
            yield line, renamed(name) or f"YAML reads the key '{name}' as a boolean. Put it in quotes: '{name}'."
        if name in first_lines and key.tag != _MERGE:
            yield line, f"duplicate key '{name}', first in line {first_lines[name]}. Keep one of the two."
        first_lines.setdefault(name, line)


def _mistaken_number(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """A number that YAML 1.1 does not read in base 10, as an id with a leading zero or a time of day is."""
    if node.tag in _NUMBERS and re.fullmatch(r"[-+]?(0[0-7_]+|\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?)", node.value):
        value = yaml.safe_load(node.value)
        yield (
            node.start_mark.line + 1,
            f"YAML reads {node.value} as {value}. Write {value}, or '{node.value}' in quotes for text.",
        )


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_BOOLEAN, _MERGE = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:merge"
