"""Quality, latency, size and memory of saved artifacts."""
