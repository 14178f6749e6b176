"""What a run would do and cost, what it did cost, and where a file came from. Reads files and imports nothing heavy."""
