#!/usr/bin/env bash
# What several processes on this machine make of one run: tokens a second and bytes sent, for docs/distributed.md. Strong: the
# same step shared; weak: a step that grows with the processes. One thread a process; rounds in turn, medians.
#
#   runs/scaling.sh            ROUNDS=3 STEPS=8 PROCESSES="1 2 4" DIM=256 LAYERS=6
source "$(dirname "$0")/common.sh"

ROUNDS=${ROUNDS:-3}
STEPS=${STEPS:-8}
PROCESSES=${PROCESSES:-1 2 4}
DIM=${DIM:-256}
LAYERS=${LAYERS:-6}
ACCUMULATION=${ACCUMULATION:-4}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for i in $(seq 20000); do echo "line $i of a text that nobody needs to read, only to train on"; done >"$work/text.txt"

# measure NAME PROCESSES ACCUMULATION ROUND: a run, its report in $work/NAME-PROCESSES-ROUND.json.
measure() {
  local out=$work/run
  rm -rf "$out"
  mpirun --oversubscribe --allow-run-as-root --bind-to none --mca btl self,vader \
    --mca btl_vader_single_copy_mechanism none -np "$2" "$TERN" train --data "$work/text.txt" --tokenizer byte --out "$out" \
    --dim "$DIM" --layers "$LAYERS" --context 256 --batch 4 --accumulation "$3" --steps "$STEPS" --valid-every 0 \
    --valid-fraction 0.01 -t 1 --json >"$work/$1-$2-$4.json" 2>/dev/null
}

for round in $(seq "$ROUNDS"); do
  for n in $PROCESSES; do
    measure strong "$n" "$ACCUMULATION" "$round"
    measure weak "$n" $((ACCUMULATION * n)) "$round"
  done
done

python3 - "$work" "$ROUNDS" $PROCESSES <<'PYTHON'
import json, statistics, sys
work, rounds, processes = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
print("| processes | strong, tokens/s | against 1 | weak, tokens/s | against 1 | bytes sent a step and process |")
print("|---|---|---|---|---|---|")
first = {}
for n in processes:
    cells = []
    for name in ("strong", "weak"):
        reports = [json.load(open(f"{work}/{name}-{n}-{r}.json")) for r in range(1, rounds + 1)]
        speed = statistics.median(report["tokens_per_second"] for report in reports)
        first.setdefault(name, speed)
        cells += [f"{speed:.0f}", f"{speed / first[name]:.2f}x"]
    print(f"| {n} | {' | '.join(cells)} | {reports[0]['sent_bytes_per_step']:.0f} |")
print(f"\n{reports[0]['parameters']} parameters")
PYTHON
