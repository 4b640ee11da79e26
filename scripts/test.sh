#!/bin/sh
# Sets up and runs every test, a process a core; options are passed on to pytest
# (sh scripts/test.sh -m "not slow"; -n 0 for one process).
extras="[test]"
. "$(dirname "$0")/setup.sh"
cd "$root"
# A process a core is there already: more threads in each would wait for one another.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$venv/bin/python" -m pytest -n auto --dist loadfile "$@"
