"""One module a rule, of the same name: parse the arguments, call one function of the library, write."""

import os

# OpenMP's threads otherwise wait for one another by spinning. Where anything else wants a core, that made training 5 to 20
# times slower; sleeping costs some 15 % on a quiet machine. OpenMP reads this when torch is imported, hence here, first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
