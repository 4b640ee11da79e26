# Makes .venv beside this folder and installs the package into it, editable, held to
# constraints.txt. Sourced by the other scripts, which set `extras` (such as "[test]"); sets `root` and
# `venv`. Installs again only when the pins changed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "slaf-automl needs Python 3.10 or newer; set PYTHON to one" >&2
    exit 2
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
stamp=$venv/.installed$extras
if [ ! -e "$stamp" ] || [ -n "$(find "$root/pyproject.toml" "$root/constraints.txt" -newer "$stamp")" ]; then
    echo "installing slaf-automl$extras into $venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$root/constraints.txt" --editable "$root$extras"
    touch "$stamp"
fi
