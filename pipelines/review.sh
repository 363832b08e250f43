#!/bin/sh
# Plans, reviews, and leaves the reports; for any pipeline, with its words as environment variables:
#
#   KEYTURN_REPOSITORY   the change's checkout (default: here)
#   KEYTURN_BASE_COMMIT  the target branch's commit, or its ref to be fetched, such as refs/heads/main: declaration, waivers
#                        and rules come from it (required)
#   KEYTURN_REPORTS      a folder for report.md, report.json, report.sarif, junit.xml, code-quality.json, exit-code (required)
#   KEYTURN_DIRECTORY    the folder of the Terraform configuration, within the repository (default: .)
#   KEYTURN_STACK        a tenant whose stack is synthesised from the declaration and planned, instead of KEYTURN_DIRECTORY;
#                        .terraform.lock.hcl of the repository, where there is one, locks its providers
#   KEYTURN_PLAN         a plan that `terraform show -json` printed; without it Terraform is run
#   KEYTURN_TERRAFORM    terraform or tofu (default: terraform)
#   KEYTURN_FILE         the declaration, within the repository (default: ekm.yaml)
#   KEYTURN_WAIVERS, KEYTURN_POLICIES   within the repository, taken from the target branch
#   KEYTURN_EVIDENCE, KEYTURN_EVIDENCE_KEY   signed evidence, and the public key it is checked with
#   KEYTURN_PLAN_FILE    where the plan that was judged is kept for `terraform apply`; deploy.sh alone asks for it
#
# Ends with 0 where the reports are there, whatever they say: the verdict is in exit-code. Anything else ends otherwise,
# and no exit-code is left. A plan holds sensitive values in clear: it lies in a private folder and is removed at the end.
set -eu
umask 077

: "${KEYTURN_REPORTS:?name a folder for the reports}"
rm -f "$KEYTURN_REPORTS/exit-code"  # of an earlier run: what ends early leaves no verdict
: "${KEYTURN_BASE_COMMIT:?name the commit of the target branch: a change must not bring its own judge}"
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$(pwd)" "$1" ;; esac; }
repository=$(absolute "${KEYTURN_REPOSITORY:-.}")
reports=$(absolute "$KEYTURN_REPORTS")
declaration=${KEYTURN_FILE:-ekm.yaml}
terraform=${KEYTURN_TERRAFORM:-terraform}
evidence=${KEYTURN_EVIDENCE:-} evidence_key=${KEYTURN_EVIDENCE_KEY:-}
[ -z "$evidence" ] || evidence=$(absolute "$evidence")
[ ! -f "$evidence_key" ] || evidence_key=$(absolute "$evidence_key")

private=$(mktemp -d)
clean() {
  git -C "$repository" worktree remove --force "$private/base" 2>/dev/null || true
  rm -rf "$private"
}
trap clean EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
mkdir -p "$reports"

# A commit is its own name. A ref is asked of the server: what the checkout calls so may be a tag of the change's author.
base=$KEYTURN_BASE_COMMIT
case $base in
  *[!0-9a-f]*) known=no ;;
  *) if git -C "$repository" cat-file -e "$base^{commit}" 2>/dev/null; then known=yes; else known=no; fi ;;
esac
if [ "$known" = no ]; then
  git -C "$repository" fetch --quiet --no-tags --depth=1 origin "$base"
  base=$(git -C "$repository" rev-parse FETCH_HEAD)
fi
git -C "$repository" worktree add --quiet --detach "$private/base" "$base"

set -- --declaration "$repository/$declaration"
if [ -f "$private/base/$declaration" ]; then
  set -- "$@" --base-declaration "$private/base/$declaration"
else
  echo "the target branch has no $declaration yet: the change is judged by its own" >&2
fi
for pair in "waivers:${KEYTURN_WAIVERS:-}" "policies:${KEYTURN_POLICIES:-}"; do
  option=${pair%%:*} path=${pair#*:}
  [ -n "$path" ] || continue
  if [ -e "$private/base/$path" ]; then
    set -- "$@" "--$option" "$private/base/$path"
  else
    echo "the target branch has no $path: no $option count" >&2
  fi
done
if [ -n "$evidence" ]; then
  set -- "$@" --evidence "$evidence" --evidence-key "$evidence_key"
fi
unset KEYTURN_EVIDENCE KEYTURN_EVIDENCE_KEY KEYTURN_DECLARATION

plan=${KEYTURN_PLAN:-}
if [ -z "$plan" ]; then
  plan=$private/terraform-plan.json
  folder=$repository/${KEYTURN_DIRECTORY:-.}
  lock=-lockfile=readonly
  if [ -n "${KEYTURN_STACK:-}" ]; then
    # By Keyturn's own application and not by the change's cdktf.json, which may name any command.
    # The folder holds nothing but its output: Terraform would read whatever else a change has put there.
    rm -rf "$repository/cdktf.out"
    folder=$repository/cdktf.out/stacks/$KEYTURN_STACK
    (
      cd "$repository"
      KEYTURN_DECLARATION=$declaration KEYTURN_EVIDENCE=$evidence \
        KEYTURN_EVIDENCE_KEY=$evidence_key CDKTF_OUTDIR=$repository/cdktf.out python -P -m stacks >&2
    )
    if [ -f "$repository/.terraform.lock.hcl" ]; then cp "$repository/.terraform.lock.hcl" "$folder/"; else lock=; fi
  fi
  "$terraform" -chdir="$folder" init -input=false -no-color $lock >&2
  "$terraform" -chdir="$folder" plan -input=false -no-color -lock=false -out="$private/plan" >&2
  "$terraform" -chdir="$folder" show -json "$private/plan" >"$plan"
  [ -z "${KEYTURN_PLAN_FILE:-}" ] || cp "$private/plan" "$KEYTURN_PLAN_FILE"
fi
[ "$plan" = "$private/terraform-plan.json" ] || cp "$plan" "$private/terraform-plan.json"

# By a name without a path: the reports show it.
cd "$private"
verdict=0
review() {
  code=0
  keyturn review terraform-plan.json "$@" || code=$?
  [ "$code" -le 1 ] || exit "$code"
  verdict=$code
}
review "$@" --format text
review "$@" --format markdown --output "$reports/report.md"
review "$@" --format json --output "$reports/report.json"
review "$@" --format sarif --output "$reports/report.sarif"
review "$@" --format junit --output "$reports/junit.xml"
review "$@" --format gitlab --output "$reports/code-quality.json"
if [ -n "${GITHUB_ACTIONS:-}" ]; then review "$@" --format github; fi
echo "$verdict" >"$reports/exit-code"
