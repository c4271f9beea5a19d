#!/usr/bin/env python3
"""Speed of encoding and training beside Hugging Face `tokenizers`, in turn: medians, ratio.

Usage: tokenizer_speed.py --tern-bench build/release/bench/tern_bench_tokenizer --data DIRECTORY [--repeat N] [--threads 2]

Both encode data/text/books_kids/part-00.txt with Llama 3's vocabulary, and both train 4096 tokens on all parts: one thread
each, processor time. With --threads 2 they train on two threads, time of the clock. tern's times are those of
tern_bench_tokenizer.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
import make_tokenizer_golden as golden  # noqa: E402
import tokenizers_check  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402


def tern_seconds(binary, data, name, clock):
    command = [binary, f"--benchmark_filter=^{name}", "--benchmark_format=json", "--benchmark_min_time=0.01"]
    output = subprocess.run(command, env=os.environ | {"TERN_DATA": str(data)}, stdout=subprocess.PIPE, check=True,
                            stderr=subprocess.DEVNULL).stdout
    return json.loads(output)["benchmarks"][0][clock] / 1000


def timed(body, now):
    start = now()
    body()
    return now() - start


def train(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=4096, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern-bench", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if options.threads > 1 else "false"
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)  # read when the library first needs its threads
    clock, now = ("cpu_time", time.process_time) if options.threads == 1 else ("real_time", time.perf_counter)
    parts = [(options.data / f"text/books_kids/part-0{i}.txt").read_text(encoding="utf-8") for i in range(5)]
    hf = tokenizers_check.byte_model_tokenizer(tokenizers_check.llama3_model(options.data), golden.LLAMA3)
    documents = [document for part in parts for document in part.split("<|endoftext|>")]
    # HF is given documents, as its users do: one text of megabytes is much slower there.
    first = parts[0].split("<|endoftext|>")
    tests = {
        "encode_llama3": (len(parts[0].encode()), lambda: [hf.encode(document) for document in first]),
        f"train_4096/{options.threads}/": (sum(len(part.encode()) for part in parts), lambda: train(documents)),
    }
    if options.threads > 1:
        del tests["encode_llama3"]
    for name, (size, theirs) in tests.items():
        ours_all, theirs_all = [], []
        for _ in range(options.repeat):
            ours_all.append(tern_seconds(options.tern_bench, options.data, name, clock))
            theirs_all.append(timed(theirs, now))
        ratios = [b / a for a, b in zip(ours_all, theirs_all)]
        print(f"{name}: tern {size / 1e6 / statistics.median(ours_all):.1f} MB/s, "
              f"HF {size / 1e6 / statistics.median(theirs_all):.2f} MB/s, ratio {statistics.median(ratios):.1f} "
              f"({', '.join(f'{ratio:.1f}' for ratio in ratios)})", flush=True)


if __name__ == "__main__":
    main()
