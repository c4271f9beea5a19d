#!/bin/bash
# A training run on four machines under Slurm, one process for every socket; sbatch docs/examples/slurm.sh
#
# 120 seconds before the time is up Slurm sends SIGUSR1: the run ends after its step with a checkpoint, the job goes back
# into the queue and goes on from there, on as many machines as it then gets.
#SBATCH --job-name=tern
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
set -euo pipefail

out=$HOME/runs/stories # a directory that all machines see
export OMPI_MCA_odls_base_sigkill_timeout=60 # seconds for a checkpoint when the job is cancelled

if [[ -e $out/checkpoint.safetensors ]]; then
  arguments=(--resume --out "$out")
else
  arguments=(--data "$HOME/data/stories/*.jsonl" --tokenizer "$HOME/data/tokenizer.json" --dim 768 --layers 12
    --context 1024 --batch 8 --accumulation 32 --steps 50000 --checkpoint-every 500 --out "$out")
fi

# mpirun takes the machines from Slurm. Plain srun would start processes that do not see each other where Slurm has no
# PMIx plugin; with it, `srun --mpi=pmix tern train ...` does the same.
mpirun --map-by "ppr:$SLURM_NTASKS_PER_NODE:node:PE=$SLURM_CPUS_PER_TASK" tern train "${arguments[@]}" &
mpirun=$!
trap 'kill -USR1 $mpirun' USR1
code=0
wait $mpirun || code=$?
# The signal ends the first wait before mpirun has ended.
if kill -0 $mpirun 2>/dev/null; then
  code=0
  wait $mpirun || code=$?
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
