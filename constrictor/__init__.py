"""Constrictor: make transformer models small and fast, and prove it."""

import logging

__version__ = "0.2.0"

# While it is imported, bitsandbytes advises to install a package that nothing here uses.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
