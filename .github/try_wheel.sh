#!/usr/bin/env bash
# Installs the only wheel of a folder in an empty environment, away from the clone, and does there what a reader of
# papers does: no torch, no clone. Usage: try_wheel.sh DIST
set -euo pipefail
wheel=$(realpath "$1"/*.whl)
example=$(realpath "$(dirname "$0")/../tests/audit/examples/1-l1reimpl-vs-hrank.yaml")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

"${PYTHON:-python3}" -m venv environment
environment/bin/python -m pip install -q "$wheel"
! environment/bin/python -c 'import torch' 2>/dev/null || { echo 'the light install brought torch' >&2; exit 1; }
environment/bin/prunemark --help >/dev/null
environment/bin/prunemark tracks >/dev/null
code=0
environment/bin/prunemark audit "$example" >said || code=$?
[ "$code" = 4 ] && grep -q '^within-noise$' said || { echo "the audit ended with $code" >&2; cat said >&2; exit 1; }
code=0
environment/bin/prunemark submit L1-norm --track digits-mlp7 2>said || code=$?
[ "$code" = 2 ] && grep -q "prunemark\[run\]" said || { echo "a light install did not say what is missing" >&2; exit 1; }
echo "$(basename "$wheel") works in an empty environment"
