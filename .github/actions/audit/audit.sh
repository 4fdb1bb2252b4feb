#!/usr/bin/env bash
# Audits every document that $FILES matches: one section each in the job summary and, on a pull request, in one comment
# that is kept up to date. Fails as $FAIL_ON says. A comment that cannot be written is a warning: forks may not write.
set -u
shopt -s globstar nullglob

summary="${GITHUB_STEP_SUMMARY:-/dev/stdout}"
case "${FAIL_ON:-unfair}" in
  never) failing=" 2 1 " ;;
  unfair) failing=" 2 1 3 " ;;
  undecided) failing=" 2 1 3 4 " ;;
  *) echo "fail-on is never, unfair or undecided; given ${FAIL_ON}" >&2; exit 2 ;;
esac
marker='<!-- prunemark audit -->'
most=60000 # bytes; GitHub refuses comments of more than 65,536
folder="${BADGES:-$(mktemp -d)}"
mkdir -p "$folder"
report="$(mktemp)"

IFS=$'\n' # a pattern may hold spaces
# shellcheck disable=SC2206  # the glob is meant to expand
documents=(${FILES:-**/*.comparison.yaml})

rank() { case "$1" in 0) echo 0 ;; 4) echo 1 ;; 3) echo 2 ;; *) echo 3 ;; esac; }
block() { fold -s -w 100 | sed 's/^/    /'; } # an indented block of code: no text can end it

section() { # one document: its report, a paragraph for a review, and the checklist
  local name
  name="$(printf '%s' "$1" | tr -d '`<>@|\r\n' | cut -c1-200)"
  printf '# %s\n\n' "$name"
  prunemark audit "$1" --format markdown 2> audit.err
  code=$?
  if [ -s audit.err ]; then
    printf '\n'
    block < audit.err
  elif [ "$code" -ne 2 ]; then
    printf '\n<details><summary>A paragraph for a review</summary>\n\n'
    prunemark audit "$1" --format review 2> /dev/null | block
    printf '\n</details>\n<details><summary>Checklist</summary>\n\n'
    prunemark audit "$1" --format checklist 2> /dev/null | block
    printf '\n</details>\n'
    plain="$(printf '%s' "$name" | tr -c 'A-Za-z0-9._-' '-')"
    prunemark audit "$1" --format badge > "$folder/$plain.svg" 2> /dev/null
    prunemark audit "$1" --format shields > "$folder/$plain.json" 2> /dev/null
  fi
  printf '\n'
}

comment() { # writes the report as a comment of the pull request, or over the one of an earlier run
  local body id
  body="$(mktemp)"
  { printf '%s\n\n' "$marker"; head -c "$most" "$report" | iconv -c -f utf-8 -t utf-8; } > "$body"
  if [ "$(wc -c < "$report")" -gt "$most" ]; then
    printf '\n\nCut here: the job summary has the rest.\n' >> "$body"
  fi
  id="$(gh api "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" --paginate \
    --jq ".[] | select(.body | startswith(\"$marker\")) | .id" 2> /dev/null | head -n 1)"
  if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F "body=@$body" > /dev/null
  else
    gh api --method POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" -F "body=@$body" > /dev/null
  fi || echo "::warning::the audit could not be written as a comment. It needs the permission pull-requests: write"
  rm -f "$body"
}

worst=0
failed=0
for document in "${documents[@]+"${documents[@]}"}"; do
  code=0
  section "$document" > audit.section
  cat audit.section >> "$report"
  echo "$document: exit code $code"
  [ "$(rank "$code")" -gt "$(rank "$worst")" ] && worst=$code
  case "$failing" in *" $code "*) failed=1 ;; esac
done
[ "${#documents[@]}" -eq 0 ] && echo "No comparison document matches \`${FILES:-}\`." >> "$report"
cat "$report" >> "$summary"
if [ "${COMMENT:-false}" = true ] && [ -n "${PULL_REQUEST:-}" ] && [ "${#documents[@]}" -gt 0 ]; then
  comment
fi
rm -f audit.err audit.section "$report"
[ -n "${GITHUB_OUTPUT:-}" ] && printf 'worst=%s\nbadges=%s\n' "$worst" "$folder" >> "$GITHUB_OUTPUT"
exit "$failed"
