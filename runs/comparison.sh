#!/usr/bin/env bash
# The comparison the papers make, on real text: full precision, binary, ternary and post-training ternarization at four
# sizes on the same tokens, learning rates swept for each; two-stage against single-stage schedules, full precision that
# becomes ternary against ternary from the start, distillation. An hour and a half on two processors: runs that have ended
# are kept, an interrupted one goes on, so call it again to continue. Then the laws are fitted, and tables and plots written.
# Steps are small (512 tokens): with four times the tokens a step and a quarter of the steps the losses of so short runs
# are 0.3 nats higher.
#
# usage: runs/comparison.sh [OUT]      QUICK=1 tries all of it with few tokens
#
#   SIZES="NAME:DIM:LAYERS:FFN ..."  WAYS_SIZES="NAME ..."  STEPS=4000  SWEEP_STEPS=400  SEEDS="1"  BATCH=2  CONTEXT=256
#   VOCAB=1024  VALID_BYTES=400000  JOBS=runs at once  DOCUMENT=docs/training.md, or nothing for OUT/report.md alone
source "$(dirname "$0")/common.sh"
export QUICK=${QUICK:-}
OUT=${1:-out/comparison${QUICK:+_quick}}
sizes="0.3M:96:2:256 1M:160:3:416 3M:256:4:640 8M:384:4:1152"
if [ -n "$QUICK" ]; then
  export STEPS=${STEPS:-16} SWEEP_STEPS=${SWEEP_STEPS:-6} BATCH=${BATCH:-2} CONTEXT=${CONTEXT:-64}
  export VALID_BYTES=${VALID_BYTES:-8000} WAYS_SIZES=${WAYS_SIZES-0.3M} DOCUMENT=${DOCUMENT-}
fi
export SIZES=${SIZES:-$sizes} WAYS_SIZES=${WAYS_SIZES-1M} STEPS=${STEPS:-4000} SWEEP_STEPS=${SWEEP_STEPS:-400}
export SEEDS=${SEEDS:-1} BATCH=${BATCH:-2} CONTEXT=${CONTEXT:-256} VOCAB=${VOCAB:-1024} VALID_BYTES=${VALID_BYTES:-400000}
export JOBS=${JOBS:-$(nproc)} DOCUMENT=${DOCUMENT-docs/training.md} TERN DATA OUT
books=$DATA/text/books_kids
[ -e "$books/part-04.txt" ] || { echo "comparison: $books/part-04.txt: no such file; set TERN_DATA to the folder that has text/books_kids" >&2; exit 1; }

mkdir -p "$OUT"
[ -f "$OUT/tokenizer.json" ] || "$TERN" tokenizer train --vocab "$VOCAB" --out "$OUT/tokenizer.json" "$books"/part-0[0-3].txt
python3 runs/comparison_runs.py
python3 runs/comparison_report.py
