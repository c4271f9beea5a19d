#!/usr/bin/env bash
# Training speed beside PyTorch, in turn with its fastest mode: 24.6 M parameters (SHAPE=13m, 48m: 13.8 M, 48.8 M), context 256, batch 8,
# on tinyshakespeare's text. Medians of the steps; tern's first four, which clear pages, are left out. Needs a python3 with
# torch (PYTHON=...) and shared/tools.
#
# usage: runs/beside_pytorch.sh      ROUNDS=2 STEPS=14 SHAPE=24m FASTEST="--bf16 --compile"
source "$(dirname "$0")/common.sh"
PYTHON=${PYTHON:-python3}
SCRIPT=${SCRIPT:-../shared/tools/torch_bitnet_train.py}
ROUNDS=${ROUNDS:-2}
STEPS=${STEPS:-14}
case ${SHAPE:-24m} in
  13m) shape=(--layers 6 --dim 384 --heads 6 --ffn 1024) ;;
  24m) shape=(--layers 6 --dim 512 --heads 8 --ffn 1536) ;;
  48m) shape=(--layers 6 --dim 768 --heads 12 --ffn 2048) ;;
  *) echo "beside_pytorch: SHAPE is $SHAPE, expected 13m, 24m or 48m" >&2; exit 1 ;;
esac
text=$DATA/text/tinyshakespeare/input.txt
for file in "$SCRIPT" "$text"; do
  [ -f "$file" ] || { echo "beside_pytorch: $file: no such file; set SCRIPT and TERN_DATA" >&2; exit 1; }
done
"$PYTHON" -c 'import torch' 2>/dev/null || { echo "beside_pytorch: $PYTHON has no torch; set PYTHON" >&2; exit 1; }
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
"$TERN" tokenizer train --vocab 4096 --out "$OUT/tokenizer.json" "$text" 2>/dev/null

tern_speed() {
  rm -rf "$OUT/run"
  "$TERN" train --data "$text" --tokenizer "$OUT/tokenizer.json" "${shape[@]}" --context 256 --batch 8 \
    --tied-head false --steps "$STEPS" --valid-every 0 --valid-fraction 0.002 --weights "$1" --gradients "$2" --out "$OUT/run" -t "$THREADS" \
    >/dev/null 2>&1
  python3 - "$OUT/run/metrics.jsonl" "tern, $1, gradients $2" <<'PY'
import json, statistics, sys
steps = [json.loads(line) for line in open(sys.argv[1])]
steps = [s for s in steps if "tokens_per_second" in s][4:]
median = lambda key: statistics.median(s[key] for s in steps)
print(f"{sys.argv[2]}: {median('tokens_per_second'):.0f} tokens/s, {100 * median('peak_share'):.0f}% of the peak", flush=True)
PY
}
torch_speed() {
  "$PYTHON" "$SCRIPT" "${shape[@]}" --vocab 4096 --ctx 256 --batch 8 --steps 6 "$@" 2>/dev/null | tail -n 1 | sed "s/^/PyTorch $*: /"
}
# bf16 where the processor has instructions for it; elsewhere a step takes minutes.
modes=("" "--compile")
grep -qE 'avx512_bf16|amx_bf16' /proc/cpuinfo && modes+=("--bf16" "--bf16 --compile")
fastest=${FASTEST:-${modes[-1]}}
for ((round = 0; round < ROUNDS; ++round)); do
  tern_speed ternary int8
  torch_speed $fastest
  tern_speed ternary int16
done
tern_speed ternary int8
for mode in "${modes[@]}"; do
  [ "$mode" = "$fastest" ] || torch_speed $mode
done
tern_speed ternary f32
tern_speed full f32
