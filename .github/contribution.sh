#!/usr/bin/env bash
# What a pull request that brings results has to stand: contribution.sh MERGED BASE
#
# MERGED is a checkout of the pull request merged, BASE one of the commit that it is merged into. All code that runs is
# BASE's, and of MERGED only data is read. The one thing of a stranger's that is executed is the method of a trial that
# is run again, in the harness's child process. Exit codes: 0 accepted; 1 the board is stale; 3 a rule is broken;
# 4 undecided, a maintainer has to look. SALT has a part in which trial is drawn, RERUN is how many are.
set -euo pipefail

merged=$(cd "$1" && pwd)
base=$(cd "$2" && pwd)
data='^leaderboard/(board/(records|methods|decisions)/|BOARD\.md$)'
maintainers='^leaderboard/board/records/(invalidations|fresh-seeds)\.jsonl$'

say() { printf '%s\n' "$*" | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"; }

changed=$(git -C "$merged" diff --name-only --no-renames "$(git -C "$base" rev-parse HEAD)" HEAD)
others=$(grep -Ev "$data" <<< "$changed" || true)
others+=$(grep -E "$maintainers" <<< "$changed" || true)
if [ -n "$others" ]; then
  say 'Results come in a separate pull request: records, methods, decisions and BOARD.md. This one also changes'
  say "$others"
  exit 3
fi
if [ -L "$merged/leaderboard/BOARD.md" ] || [ ! -f "$merged/leaderboard/BOARD.md" ]; then
  say 'leaderboard/BOARD.md is a link or is not there. Run `make leaderboard` and commit what it wrote'
  exit 3
fi

make -s -C "$base" .venv/.installed
verdict=0
# the method that is run again is not told where the words are written by which others judge it
env -u GITHUB_STEP_SUMMARY -u GITHUB_OUTPUT -u GITHUB_ENV -u GITHUB_PATH "$base/.venv/bin/prunemark" verify "$merged/leaderboard/board" --against "$base/leaderboard/board" \
  --rerun "${RERUN:-1}" --salt "${SALT:-}" 2>&1 | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}" || verdict=$?
[ "$verdict" -eq 0 ] || [ "$verdict" -eq 4 ] || exit "$verdict"

for part in records methods decisions; do
  rm -rf "$base/leaderboard/board/$part"
  [ ! -d "$merged/leaderboard/board/$part" ] || cp -R "$merged/leaderboard/board/$part" "$base/leaderboard/board/$part"
done
make -s -C "$base" leaderboard > /dev/null
if ! diff -u "$merged/leaderboard/BOARD.md" "$base/leaderboard/BOARD.md"; then
  say 'leaderboard/BOARD.md is not that of the records. Run `make leaderboard` and commit what it changed'
  exit 1
fi
say 'leaderboard/BOARD.md is that of the records'
[ "$verdict" -eq 0 ] || say 'Undecided: a maintainer has to run the method on the machine of the board'
exit "$verdict"
