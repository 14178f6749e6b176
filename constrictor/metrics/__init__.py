"""Metrics of quality, as small functions of logits, labels and confusion matrices. They need numpy only."""
