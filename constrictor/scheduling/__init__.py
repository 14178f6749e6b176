"""What a job needs, what a run costs, and where a file came from."""
