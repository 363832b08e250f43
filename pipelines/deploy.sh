#!/bin/sh
# Synthesises a tenant's stack, plans it, reviews the plan, and applies that very plan where the review lets it pass.
# Takes review.sh's environment variables; KEYTURN_STACK is required, and KEYTURN_PLAN is not taken: a plan that came from
# elsewhere is not what was planned here. KEYTURN_BASE_COMMIT is the commit that was deployed before.
#
# Ends with 0 where it is applied, 1 where the plan is blocked: then nothing was changed. The plan is removed at the end.
set -eu
umask 077

: "${KEYTURN_STACK:?name the tenant}"
: "${KEYTURN_REPORTS:?name a folder for the reports}"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

unset KEYTURN_PLAN
KEYTURN_PLAN_FILE=$private/plan "$here/review.sh"
if [ "$(cat "$KEYTURN_REPORTS/exit-code")" != 0 ]; then
  echo "the plan is blocked; nothing was changed" >&2
  exit 1
fi
"${KEYTURN_TERRAFORM:-terraform}" -chdir="${KEYTURN_REPOSITORY:-.}/cdktf.out/stacks/$KEYTURN_STACK" \
  apply -input=false -no-color "$private/plan"
