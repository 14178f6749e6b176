"""Artifacts: built models as folders, each with a manifest that says what it is and proves that it is whole."""
