#!/bin/bash
# Makes .venv with everything a contributor needs: tinycc itself (editable), torch and the tools of
# the tests, in the versions of constraints.txt. PYTHON names the interpreter (default python3).
set -euo pipefail
unset PYTHONPATH # the checkout in it would count as installed
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
    # setup-tools.sh may be at it at the same time.
    exec 9>/tmp/tinycc-apt-get.lock
    flock 9
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package"
    exec 9>&-
fi

"$python" -m venv --upgrade-deps .venv

# Most of what is installed is never imported: what is gets compiled then.
.venv/bin/pip install -q --no-compile -c constraints.txt -e '.[torch,dev]'
touch .venv/.complete
