#!/bin/sh
# Sets up and runs every test, a process a core; options are passed on to pytest
# (sh scripts/test.sh -m "not slow"; -n 0 for one process).
extras="[test]"
. "$(dirname "$0")/setup.sh"
cd "$root"
exec "$venv/bin/python" -m pytest -n auto --dist loadfile "$@"
