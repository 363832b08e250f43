#!/bin/sh
# Names what is missing on this machine, all of it at once, with how to get it.
set -u
PYTHON=${PYTHON:-python3}
missing=0

need() { # what, found, how
  missing=1
  printf 'error: %s is needed; %s\nhint: %s\n' "$1" "$2" "$3" >&2
}

at_least() { # "major.minor" wanted, version found
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n | head -n 1)" = "$1" ]
}

if ! command -v "$PYTHON" >/dev/null 2>&1; then
  need 'Python 3.11 or newer' "there is no $PYTHON on PATH" 'install it from python.org or your package manager, or run make PYTHON=/path/to/python'
else
  found=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  at_least 3.11 "$found" || need 'Python 3.11 or newer' "$PYTHON is $found" 'install it from python.org or your package manager, or run make PYTHON=/path/to/python'
  "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || need "Python's venv module" "$PYTHON has none" 'on Debian and Ubuntu: apt install python3-venv'
fi

if ! command -v node >/dev/null 2>&1; then
  need 'Node.js 20 or newer' 'there is no node on PATH' 'install it from nodejs.org or your package manager'
else
  found=$(node --version | sed 's/^v//')
  at_least 20.0 "$found" || need 'Node.js 20 or newer' "node is $found" 'install it from nodejs.org or your package manager'
  command -v npm >/dev/null 2>&1 || need 'npm' 'there is no npm on PATH' 'it comes with Node.js; on Debian: apt install npm'
fi

if ! command -v terraform >/dev/null 2>&1; then
  need 'Terraform 1.10 or newer' 'there is no terraform on PATH' 'install it from developer.hashicorp.com/terraform/install'
else
  found=$(terraform version -json 2>/dev/null | sed -n 's/.*"terraform_version": *"\([0-9.]*\).*/\1/p')
  at_least 1.10 "${found:-0.0}" || need 'Terraform 1.10 or newer' "terraform is ${found:-of an unknown version}" 'install it from developer.hashicorp.com/terraform/install'
fi
exit $missing
