"""Pruning: one method a module; each maps weights to masks."""
