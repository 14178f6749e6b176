"""Regression: each example has a value."""
