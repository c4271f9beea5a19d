#!/usr/bin/env bash
# The model in the box: a ternary model of 4.6 M parameters on TinyStories and children's books, and its full-precision
# twin, which it is measured against. Hours on two processors; run it again to go on where it was stopped.
#
# usage: runs/stories_release.sh [OUT]      STEPS=6000 SEED=1
source "$(dirname "$0")/common.sh"
OUT=${1:-out/stories_release}
STEPS=${STEPS:-6000}
SEED=${SEED:-1}
stories=$DATA/text/tinystories
books=$DATA/text/books_kids
for text in "$stories/train.txt" "$stories/valid.txt" "$books"; do
  [ -e "$text" ] || { echo "stories_release: $text: no such file; set TERN_DATA to the folder that has text/tinystories" >&2; exit 1; }
done
mkdir -p "$OUT"

[ -f "$OUT/tokenizer.json" ] ||
  "$TERN" tokenizer train --vocab 4096 --out "$OUT/tokenizer.json" "$stories/train.txt" "$books"/*.txt
# A third of the samples are stories, which the sample of 2 MB would hardly be otherwise.
common=(--data "$stories/train.txt:0.35" "$books:0.65" --valid "$stories/valid.txt" --tokenizer "$OUT/tokenizer.json"
        --cache "$OUT/shards" --dim 256 --layers 6 --heads 4 --kv-heads 2 --ffn 512 --context 256 --batch 16
        --steps "$STEPS" --seed "$SEED" --valid-every 500 --checkpoint-every 100)
# Both at once, half of the processors each.
threads=$(($(nproc) / 2 > 0 ? $(nproc) / 2 : 1))
# In the place of a shell of its own, so that signals reach it.
train() {
  if [ -f "$OUT/$1/run.json" ]; then
    exec "$TERN" train --resume --out "$OUT/$1" -t "$threads" --json >"$OUT/$1.json" 2>>"$OUT/$1.log"
  else
    exec "$TERN" train "${common[@]}" --weights "$1" --out "$OUT/$1" -t "$threads" --json >"$OUT/$1.json" 2>>"$OUT/$1.log"
  fi
}
# The first run makes the shards that the second uses.
train ternary & pids=($!)
while [ ! -f "$OUT/ternary/run.json" ] && kill -0 "${pids[0]}" 2>/dev/null; do sleep 1; done
train full & pids+=($!)
trap 'kill -TERM "${pids[@]}" 2>/dev/null; wait; exit 130' INT TERM
for pid in "${pids[@]}"; do
  wait "$pid" || { tail -n 3 "$OUT"/*.log >&2; exit 1; }
done

table "$OUT" full ternary | tee "$OUT/table.md"
"$TERN" plot "$OUT/full" "$OUT/ternary" --svg "$OUT/loss.svg" --title "Stories, BPE 4096"
# What a chat says is gone on with: a model of stories knows no turns.
"$TERN" convert "$OUT/ternary" "$OUT/tern-stories.gguf" --type tq1_0 --name tern-stories --chat-template plain
samples "$OUT/tern-stories.gguf" -n 150 --temperature 0.7 | tee "$OUT/samples.txt"
