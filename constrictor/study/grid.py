"""Expand `grid:` into one step per combination, and recipes that name such a step into one per variant."""

from __future__ import annotations

import itertools
from typing import Any

from constrictor.errors import StudyMistake


def variants_of_recipes(raw: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the recipes that the grids of a raw study expand a recipe into, by its name; without those that stay one.

    >>> raw = {"steps": {"kd": {"grid": {"alpha": [0.5, 0.9]}}}, "recipes": {"small": "teacher/kd", "big": "teacher"}}
    >>> variants_of_recipes(raw)
    {'small': ['small-alpha0.5', 'small-alpha0.9']}
    """
    steps, recipes = raw.get("steps"), raw.get("recipes")
    if not isinstance(steps, dict) or not isinstance(recipes, dict):
        return {}
    variants = {name: _variants(name, step) for name, step in steps.items()}
    found = {name: list(_recipe_variants(name, path, variants)) for name, path in recipes.items()}
    return {name: several for name, several in found.items() if several != [str(name)]}


def expand_grids(raw: dict[str, Any]) -> dict[str, Any]:
    """Replace every step with a grid by its variants, in the steps and recipes of a raw study.

    >>> raw = {"steps": {"kd": {"stage": "distil", "grid": {"alpha": [0.5, 0.9]}}}, "recipes": {"small": "teacher/kd"}}
    >>> expanded = expand_grids(raw)
    >>> expanded["steps"]
    {'kd-alpha0.5': {'stage': 'distil', 'alpha': 0.5}, 'kd-alpha0.9': {'stage': 'distil', 'alpha': 0.9}}
    >>> expanded["recipes"]
    {'small-alpha0.5': 'teacher/kd-alpha0.5', 'small-alpha0.9': 'teacher/kd-alpha0.9'}
    """
    steps, recipes = raw.get("steps"), raw.get("recipes")
    if not isinstance(steps, dict) or not isinstance(recipes, dict):
        return raw  # refused by the settings
    variants = {name: _variants(name, step) for name, step in steps.items()}
    expanded_recipes: dict[str, Any] = {}
    for name, path in recipes.items():
        expanded_recipes.update(_recipe_variants(name, path, variants))
    return {
        **raw,
        "steps": {f"{name}{suffix}": step for name, found in variants.items() for suffix, step in found.items()},
        "recipes": expanded_recipes,
    }


def _variants(name: str, step: Any) -> dict[str, Any]:
    """The variants of a step, by the suffix of their names."""
    if not isinstance(step, dict) or step.get("grid") is None:
        return {"": step}
    grid = step["grid"]
    plain = {key: value for key, value in step.items() if key != "grid"}
    if not isinstance(grid, dict) or not grid or not all(isinstance(v, list) and v for v in grid.values()):
        raise StudyMistake(
            ("steps", name, "grid"), "must map keys of the step to lists of values, for example {alpha: [0.5, 0.9]}"
        )
    if twice := sorted(set(map(str, grid)) & set(map(str, plain))):
        raise StudyMistake(("steps", name), f"'{twice[0]}' is set in the step and in its grid. Keep one of the two.")
    found = {}
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        suffix = "".join(f"-{key}{_format_value(value)}" for key, value in chosen.items())
        if suffix in found:
            raise StudyMistake(
                ("steps", name, "grid"), f"two combinations have the same name '{name}{suffix}'. Remove one of them."
            )
        found[suffix] = {**plain, **chosen}
    return found


def _recipe_variants(name: str, path: Any, variants: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All paths of one recipe, by the recipe's name with the suffixes of its steps."""
    if not isinstance(path, str):
        return {name: path}
    parts = path.split("/")
    choices = [list(variants.get(part, {"": None})) for part in parts]
    return {
        "".join([str(name), *suffixes]): "/".join(part + suffix for part, suffix in zip(parts, suffixes, strict=True))
        for suffixes in itertools.product(*choices)
    }


def _format_value(value: Any) -> str:
    """A value as part of a name."""
    if isinstance(value, list):
        return "-".join(map(_format_value, value))
    if isinstance(value, dict):
        return "-".join(f"{key}{_format_value(item)}" for key, item in value.items())
    return str(value)
