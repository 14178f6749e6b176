"""Multi-label classification: each example has any number of labels."""
