#!/usr/bin/env bash
# Stories: a BPE-4096 model of under 2 M parameters on TinyStories and children's books, ternary and its full-precision twin.
#
# usage: runs/stories.sh [OUT]      STEPS=900 SEED=1
source "$(dirname "$0")/common.sh"
OUT=${1:-out/stories}
STEPS=${STEPS:-900}
SEED=${SEED:-1}
stories=$DATA/text/tinystories/train.txt
[ -f "$stories" ] || { echo "stories: $stories: no such file; set TERN_DATA to the folder that has text/tinystories" >&2; exit 1; }
rm -rf "$OUT" && mkdir -p "$OUT"
begin=$(date +%s)

# The TinyStories sample is small (2.1 MB): the books keep the models from learning it by heart.
texts=("$stories" "$DATA/text/books_kids/part-00.txt" "$DATA/text/books_kids/part-01.txt")
"$TERN" tokenizer train --vocab 4096 --out "$OUT/tokenizer.json" "${texts[@]}"
common=(--data "${texts[@]}" --valid "$DATA/text/tinystories/valid.txt" --tokenizer "$OUT/tokenizer.json"
        --dim 256 --layers 2 --heads 4 --kv-heads 2 --ffn 256 --context 256 --batch 8 --steps "$STEPS" --seed "$SEED"
        --valid-every 400 --valid-tokens 16384 --json)
# Both at once, half of the processors each.
threads=$(($(nproc) / 2 > 0 ? $(nproc) / 2 : 1))
pids=()
for kind in full ternary; do
  "$TERN" train "${common[@]}" --weights "$kind" --out "$OUT/$kind" -t "$threads" >"$OUT/$kind.json" 2>"$OUT/$kind.log" &
  pids+=($!)
done
for pid in "${pids[@]}"; do
  wait "$pid" || { cat "$OUT"/*.log >&2; exit 1; }
done

table "$OUT" full ternary | tee "$OUT/table.md"
"$TERN" plot "$OUT/full" "$OUT/ternary" --svg "$OUT/loss.svg" --title "Stories, BPE 4096"
"$TERN" convert "$OUT/ternary" "$OUT/ternary.gguf" --type tq1_0
"$TERN" convert "$OUT/full" "$OUT/full.gguf"
samples "$OUT/ternary.gguf" -n 120 | tee "$OUT/samples.txt"
echo "$(($(date +%s) - begin)) seconds in all"
