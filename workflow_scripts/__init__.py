"""One module a rule, of the same name: parse the arguments, call one function of the library, write."""

import os

# While OpenMP's threads wait for one another they spin, by default for milliseconds; where anything else wants a core, that
# has made training up to 20 times slower. A short spin costs nothing on a quiet machine and keeps most of the speed on a busy
# one. OpenMP reads this when torch is imported, hence here, before anything else.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
