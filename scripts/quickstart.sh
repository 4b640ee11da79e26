#!/bin/sh
# Sets up and runs a real search: digits, at most 5,000 stored values, 24 trials of each arm.
# Leaves the best model in runs/quickstart/best. Run again, it resumes or shows the result; options
# are passed on (sh scripts/quickstart.sh --trials 48 extends the search).
extras="[report]"
. "$(dirname "$0")/setup.sh"
exec "$venv/bin/slaf-automl" search sklearn:digits --budget 5000 --trials 24 \
    --latency --out "$root/runs/quickstart" "$@"
