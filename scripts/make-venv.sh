#!/bin/bash
# Makes .venv with everything a contributor needs: tinycc itself (editable), torch and the tools of
# the tests, in the versions of constraints.txt. PYTHON names the interpreter (default python3).
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}

fail() {
    echo "make venv: $*" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "$python is not there: install Python 3.10 to 3.13"
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' ||
    fail "$("$python" -V) does not do: tinycc needs Python 3.10 to 3.13, e.g. make venv PYTHON=python3.12"

# Debian and Ubuntu keep ensurepip in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "$python has no venv module: sudo apt-get install $package"
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package"
fi

"$python" -m venv --upgrade-deps .venv

# Where it can be reached, the index of PyTorch has builds without CUDA: 200 MB in place of some GB.
cpu_index=https://download.pytorch.org/whl/cpu
options=()
if .venv/bin/python -c \
    "import urllib.request as r; r.urlopen('$cpu_index/torch/', timeout=5)" 2>/dev/null; then
    options=(--extra-index-url "$cpu_index")
fi
.venv/bin/pip install -q "${options[@]}" -c constraints.txt -e '.[torch,dev]'
touch .venv/.complete
