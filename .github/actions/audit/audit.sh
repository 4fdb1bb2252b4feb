#!/usr/bin/env bash
# Audits every document that $FILES matches, one section each in the job summary, and fails as $FAIL_ON says.
set -u
shopt -s globstar nullglob

summary="${GITHUB_STEP_SUMMARY:-/dev/stdout}"
case "${FAIL_ON:-unfair}" in
  never) failing=" 2 1 " ;;
  unfair) failing=" 2 1 3 " ;;
  undecided) failing=" 2 1 3 4 " ;;
  *) echo "fail-on is never, unfair or undecided; given ${FAIL_ON}" >&2; exit 2 ;;
esac

IFS=$'\n' # a pattern may hold spaces
# shellcheck disable=SC2206  # the glob is meant to expand
documents=(${FILES:-**/*.comparison.yaml})
if [ "${#documents[@]}" -eq 0 ]; then
  echo "No comparison document matches \`${FILES:-}\`." >> "$summary"
  [ -n "${GITHUB_OUTPUT:-}" ] && echo "worst=0" >> "$GITHUB_OUTPUT"
  exit 0
fi

worst=0
failed=0
rank() { case "$1" in 0) echo 0 ;; 4) echo 1 ;; 3) echo 2 ;; *) echo 3 ;; esac; }
for document in "${documents[@]}"; do
  printf '# %s\n\n' "$document" >> "$summary"
  prunemark audit "$document" --format markdown >> "$summary" 2> audit.err
  code=$?
  if [ -s audit.err ]; then
    { echo '```'; cat audit.err; echo '```'; } >> "$summary"
  fi
  printf '\n' >> "$summary"
  echo "$document: exit code $code"
  [ "$(rank "$code")" -gt "$(rank "$worst")" ] && worst=$code
  case "$failing" in *" $code "*) failed=1 ;; esac
done
rm -f audit.err
[ -n "${GITHUB_OUTPUT:-}" ] && echo "worst=$worst" >> "$GITHUB_OUTPUT"
exit "$failed"
