#!/usr/bin/env bash
# Tokens/s of `tern eval tasks` beside `tern bench`'s prefill of 512 tokens, in turn: of each task the ratio to the mean of the
# bench before and after it, with the exact head. Without --logits the bench computes one row of logits a prompt.
#
# usage: MODEL=FILE runs/eval_speed.sh [tern bench's options, as --logits]
#        TASKS="hellaswag arc_easy" LIMIT=30 ROUNDS=2 SHOTS=0
source "$(dirname "$0")/common.sh"
for file in "${MODEL:-MODEL}" "$DATA/eval"; do
  [ -e "$file" ] || { echo "eval_speed: $file: no such file; set MODEL and TERN_DATA" >&2; exit 1; }
done
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
PYTHONPATH=tools/oracle python3 - "$DATA" "$OUT/tasks" <<'PY'
import pathlib, sys, task_files
task_files.original_files(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
PY

# number FILE EXPRESSION COMMAND...: of what the command prints as JSON; what it says else is shown if it fails.
number() {
  "${@:3}" >"$OUT/$1" 2>"$OUT/errors" || { tail -n 1 "$OUT/errors" >&2; return 1; }
  python3 -c 'import json, sys; x = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$OUT/$1" "$2"
}
bench() {
  number bench.json 'x[0]["avg_ts"]' "$TERN" bench -m "$MODEL" -p 512 -n 0 -r 2 -t "$THREADS" --kv-type f32 --head exact -o json "$@"
}
before=$(bench "$@")
for ((round = 0; round < ${ROUNDS:-2}; ++round)); do
  for task in ${TASKS:-hellaswag arc_easy}; do
    speed=$(number eval.json 'x["tokens_per_second"]' "$TERN" eval tasks -m "$MODEL" --data "$OUT/tasks" --tasks "$task" \
      --limit "${LIMIT:-30}" --fewshot "${SHOTS:-0}" -t "$THREADS" --json)
    after=$(bench "$@")
    awk -v task="$task" -v speed="$speed" -v before="$before" -v after="$after" 'BEGIN {
      printf "%-14s %6.1f tokens/s, tern bench %6.1f and %6.1f: %.2f\n", task, speed, before, after, speed / (before + after) * 2
    }'
    before=$after
  done
done
