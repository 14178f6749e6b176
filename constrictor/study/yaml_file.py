"""Read a study's YAML and name, with its line, what makes it no YAML or something else than what was meant.

Of two equal keys, parsers silently take the later one; the first is as often the one that was meant.
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
    """The mapping that a file holds.

    Raises:
        ConstrictorError: a file that is missing or no text, a mistake of YAML, two equal keys, a key that YAML reads as a
            boolean, an alias within its own anchor, anything but a mapping.
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
            raise ConstrictorError(f"{file} is no study: it has to hold keys with values, as 'name: my_study'.")
        mistakes = list(_mistakes_in(root, (root,), set()))
        if mistakes:
            raise ConstrictorError("\n".join(f"{file}:{line}: {message}" for line, message in mistakes))
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"{file}:{mark.line + 1}" if mark else str(file)
        raise ConstrictorError(f"{line}: this is no YAML: {_explain(error)}") from None
    except yaml.YAMLError as error:
        raise ConstrictorError(f"{file} is no YAML: {error}") from None


_HINTS = {
    r"'\\t'": "Indent with spaces, not with tabs.",
    "undefined alias": "An alias (*name) needs its anchor (&name) above it.",
    "but found another document": "A study is one document: take the line --- out.",
    "could not determine a constructor": "A study needs no tags (!…). Put a text that begins with ! in quotes.",
    "expected ',' or": "A bracket or a comma is missing, here or above.",
    "mapping values are not allowed": "A text with a colon stands in quotes, and keys of one block begin in one column.",
    "expected <block end>": "Keys of one block begin in one column.",
    "could not find expected ':'": "A key needs a colon and a space behind it.",
}


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "it cannot be read"
    hint = next((hint for sign, hint in _HINTS.items() if re.search(sign, problem)), "")
    return f"{problem}. {hint}".rstrip()


def _mistakes_in(node: yaml.Node, above: tuple[yaml.Node, ...], done: set[int]) -> Iterator[tuple[int, str]]:
    """Lines and messages. ``above`` are the nodes on the way to this one, itself included; ``done`` those looked at."""
    done.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield from _mistaken_keys(node)
        below = [value for _, value in node.value]
    else:
        below = node.value if isinstance(node, yaml.SequenceNode) else []
    for part in below:
        if part in above:
            yield node.start_mark.line + 1, "an alias stands within its own anchor. Write out what is meant."
        elif id(part) not in done:
            yield from _mistakes_in(part, (*above, part), done)


def _mistaken_keys(node: yaml.MappingNode) -> Iterator[tuple[int, str]]:
    first_lines: dict[str, int] = {}
    for key, _ in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        if key.tag == _BOOLEAN:  # YAML 1.1 reads `on` so, which was a key once
            yield line, renamed(name) or f"YAML reads the key '{name}' as a boolean. Choose another name."
        if name in first_lines and key.tag != _MERGE:
            yield line, f"the key '{name}' stands twice, in line {first_lines[name]} too. Keep one of the two."
        first_lines.setdefault(name, line)


_BOOLEAN, _MERGE = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:merge"
