"""Export to the formats of other runtimes."""
