"""Quantized modules of torch models, and models made of them."""
