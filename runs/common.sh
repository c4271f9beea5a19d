# Sourced by the scripts of this folder: where the program, the data and the results are, and a few helpers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
TERN=${TERN:-build/release/tern}
DATA=${TERN_DATA:-../shared/data}
THREADS=${THREADS:-0}

if [ ! -x "$TERN" ]; then
  echo "runs: $TERN is not built; run scripts/test (or cmake --preset release && ninja -C build/release) first" >&2
  exit 1
fi

# json FILE KEY: a number or string of a JSON object.
json() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

# row NAME PARAMETERS LOSS BITS: a line of the result table.
row() { printf '| %-28s | %10s | %8.4f | %8.4f |\n' "$1" "$2" "$3" "$4"; }
head_row() {
  printf '| %-28s | %10s | %8s | %8s |\n' "weights" "parameters" "loss" "bits/B"
  printf '|---|---|---|---|\n'
}

# table OUT KIND...: the result table of the runs OUT/KIND, whose reports are OUT/KIND.json.
table() {
  local out=$1 kind
  head_row
  for kind in "${@:2}"; do
    row "$kind" "$(json "$out/$kind.json" parameters)" "$(json "$out/$kind.json" valid_loss)" "$(json "$out/$kind.json" bits_per_byte)"
  done
}

# samples MODEL ARGUMENT...: three stories.
samples() {
  local seed
  for seed in 1 2 3; do
    echo "--- sample $seed"
    "$TERN" run -m "$1" -p "Once upon a time" -s "$seed" "${@:2}" 2>/dev/null
  done
}
