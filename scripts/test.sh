#!/bin/sh
# Sets up and runs every test; options are passed on to pytest (sh scripts/test.sh -m "not slow").
extras="[test]"
. "$(dirname "$0")/setup.sh"
cd "$root"
exec "$venv/bin/python" -m pytest "$@"
