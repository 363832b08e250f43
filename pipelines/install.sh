#!/bin/sh
# Installs Keyturn from its own checkout, every package with its locked hash, into a virtual environment of its own.
#   install.sh FOLDER    -> FOLDER/bin/keyturn
set -eu
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"${PYTHON:-python3}" -m venv "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$source/requirements.lock"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$source"
