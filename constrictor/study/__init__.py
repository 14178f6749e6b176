"""What is to be built: the typed study file, its steps, lineages and targets. Imports no torch."""
