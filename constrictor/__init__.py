"""Constrictor: make transformer models small and fast, and prove it."""

__version__ = "0.2.0"
