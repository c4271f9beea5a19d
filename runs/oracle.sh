#!/usr/bin/env bash
# Loss curves against the PyTorch oracle: the same initial weights, batches and schedule, 1,000 steps. Three curves: tern; the
# authors' float fake-quantization in PyTorch; and that oracle with its activations perturbed by about 1e-7, several times, which shows
# how far two roundings of the same mathematics drift apart. Needs a python3 with torch (PYTHON=...).
#
# usage: runs/oracle.sh [TEXT] [OUT]      KIND=ternary STEPS=1000 PYTHON=python3 NOISES="1e-7 2e-7 5e-8"
source "$(dirname "$0")/common.sh"
TEXT=${1:-$DATA/text/tinyshakespeare/input.txt}
OUT=${2:-out/oracle}
KIND=${KIND:-ternary}
STEPS=${STEPS:-1000}
PYTHON=${PYTHON:-python3}
NOISES=${NOISES:-1e-7 2e-7 5e-8}
"$PYTHON" -c 'import torch' || { echo "oracle: $PYTHON has no torch; set PYTHON" >&2; exit 1; }
rm -rf "$OUT" && mkdir -p "$OUT"
"$TERN" train --data "$TEXT" --tokenizer byte --dim 64 --layers 2 --heads 4 --kv-heads 2 --ffn 128 --context 32 --batch 8 \
  --steps "$STEPS" --warmup 50 --lr 0.002 --weights "$KIND" --schedule two-stage --valid-every 0 --out "$OUT/run" \
  --trace "$OUT/trace" -t "$THREADS" --json >"$OUT/tern.json" 2>"$OUT/tern.log" || { cat "$OUT/tern.log" >&2; exit 1; }
python3 - "$OUT" <<'PY'
import json, sys
run = json.load(open(f"{sys.argv[1]}/run/run.json"))
model = run["model"]
config = {k: model[k] for k in ("dim", "layers", "heads", "kv_heads", "ffn", "vocab", "context", "activation", "sub_norms", "weights")}
config |= {"tied": model["tied_head"], "rope_theta": model["rope_theta"], "eps": 1e-5, "batch": run["batch"], "steps": run["steps"],
           "warmup": run["warmup"], "lr": run["lr"], "lr2": run["lr_second"], "lr_end": run["lr_end"],
           "weight_decay": run["weight_decay"], "clip": run["clip_norm"]}
json.dump(config, open(f"{sys.argv[1]}/config.json", "w"))
PY
oracle() {
  "$PYTHON" tools/oracle/loss_curve.py --init "$OUT/trace/init.safetensors" --batches "$OUT/trace/batches.bin" \
    --config "$OUT/config.json" "$@"
}
oracle >"$OUT/oracle.jsonl"
for noise in $NOISES; do oracle --noise "$noise" >"$OUT/noise-$noise.jsonl"; done
python3 - "$OUT" $NOISES <<'PY'
import json, sys
def losses(path):
    rows = [json.loads(line) for line in open(path)]
    return [row["loss"] for row in rows if "step" in row and "loss" in row]
tern, oracle = (losses(f"{sys.argv[1]}/{name}") for name in ("run/metrics.jsonl", "oracle.jsonl"))
def line(name, a, b):
    apart = [abs(x - y) for x, y in zip(a, b)]
    signed = sum(x - y for x, y in zip(a, b)) / len(apart)
    tail = [sum(x[-100:]) / 100 for x in (a, b)]
    print(f"| {name} | {sum(apart[:30]) / 30:.2e} | {sum(apart) / len(apart):.4f} | {signed:+.4f} | {tail[0] - tail[1]:+.4f} |")
print("| pair | mean abs difference, first 30 steps | all steps | signed mean | last 100 steps |\n|---|---|---|---|---|")
line("tern - oracle", tern, oracle)
for noise in sys.argv[2:]:
    line(f"oracle with {noise} noise - oracle", losses(f"{sys.argv[1]}/noise-{noise}.jsonl"), oracle)
PY
