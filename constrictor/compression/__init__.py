"""Pruning, quantization and export: each turns an artifact into a smaller or faster one."""
