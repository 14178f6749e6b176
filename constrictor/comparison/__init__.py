"""Statistics, Pareto front, tables and plots: from measurements to a comparison that can be trusted. Imports no torch."""
