"""Files: written whole or not at all, locked, hashed, read with clear errors; fetched from a hub."""
