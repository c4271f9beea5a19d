#!/usr/bin/env bash
# Tokens/s of `tern eval tasks` beside `tern bench`'s prefill of 512 tokens, in turn: of each task the ratio to the mean of the
# bench before and after it, with the exact head. Without --logits the bench computes one row of logits a prompt.
#
# usage: MODEL=FILE runs/eval_speed.sh [tern bench's options, as --logits]
#        TASKS="hellaswag arc_easy" LIMIT=30 ROUNDS=2 SHOTS=0
source "$(dirname "$0")/common.sh"
MODEL=${MODEL:?a model file}
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
PYTHONPATH=tools/oracle python3 - "$DATA" "$OUT/tasks" <<'PY'
import pathlib, sys, task_files
task_files.original_files(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
PY

bench() {
  "$TERN" bench -m "$MODEL" -p 512 -n 0 -r 2 -t "$THREADS" --kv-type f32 --head exact -o json "$@" 2>/dev/null >"$OUT/bench.json"
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[0]["avg_ts"])' "$OUT/bench.json"
}
before=$(bench "$@")
for ((round = 0; round < ${ROUNDS:-2}; ++round)); do
  for task in ${TASKS:-hellaswag arc_easy}; do
    speed=$("$TERN" eval tasks -m "$MODEL" --data "$OUT/tasks" --tasks "$task" --limit "${LIMIT:-30}" --fewshot "${SHOTS:-0}" -t "$THREADS" \
      2>&1 | sed -n 's/^\([0-9.]*\) tokens\/s.*/\1/p')
    after=$(bench "$@")
    awk -v task="$task" -v speed="$speed" -v before="$before" -v after="$after" 'BEGIN {
      printf "%-14s %6.1f tokens/s, tern bench %6.1f and %6.1f: %.2f\n", task, speed, before, after, speed / (before + after) * 2
    }'
    before=$after
  done
done
