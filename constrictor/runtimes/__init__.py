"""Load any artifact, whatever its format, and predict with it."""
