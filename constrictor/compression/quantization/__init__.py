"""Quantization: store weights in fewer bits, a method a module."""
