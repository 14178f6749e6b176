"""Classification: each example has exactly one class."""
