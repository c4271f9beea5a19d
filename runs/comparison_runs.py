"""The runs of runs/comparison.sh, which sets the environment: what they are, and how they are made.

Every result is a JSON file in OUT that is written when it is complete, so a call does what is missing. A training that
was stopped goes on from its last checkpoint.
"""

import fcntl
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

ENV = os.environ
OUT = pathlib.Path(ENV["OUT"])
STEPS, SWEEP_STEPS = int(ENV["STEPS"]), int(ENV["SWEEP_STEPS"])
BATCH, CONTEXT = int(ENV["BATCH"]), int(ENV["CONTEXT"])
SEEDS = [int(seed) for seed in ENV["SEEDS"].split()]
SIZES = {name: (int(dim), int(layers), int(ffn)) for name, dim, layers, ffn in (s.split(":") for s in ENV["SIZES"].split())}
WAYS_SIZES = ENV["WAYS_SIZES"].split()
LARGEST = list(SIZES)[-1]
TRAIN = [f"{ENV['DATA']}/text/books_kids/part-0{i}.txt" for i in range(4)]
HELD_OUT = f"{ENV['DATA']}/text/books_kids/part-04.txt"
VALID = OUT / "valid.txt"
LEAST_RATE, MOST_RATE = 1.25e-4, 6.4e-2
NEAR = 0.03  # nats by which a sweep's loss may be worse than the best one, for a lower rate


class Way:
    """A way of training: arguments (of the number of steps and of the full-precision run of its size and seed), how many
    steps it makes of those asked for, the rate its sweep begins at (twice and half of it, and on from there until the
    best lies between others), or whose rate it takes instead."""

    def __init__(self, title, arguments, rate=4e-3, rate_of=None, share=1, needs=(), source=None):
        self.title, self.arguments, self.rate, self.rate_of, self.share = title, arguments, rate, rate_of, share
        self.needs, self.source = needs, source  # ways of the same size; of the largest size


def plain(*arguments):
    return lambda steps, models: list(arguments)


KINDS = {
    "full": Way("full precision", plain("--weights", "full"), rate=2e-3),
    "ternary": Way("ternary", plain("--weights", "ternary")),
    "binary": Way("binary", plain("--weights", "binary")),
}
# Compared with "ternary", at some of the sizes.
WAYS = {
    "linear": Way("one stage: linear", plain("--weights", "ternary", "--schedule", "linear")),
    "cosine": Way("one stage: cosine", plain("--weights", "ternary", "--schedule", "cosine")),
    "switch-half": Way("full precision for 1/2 of the steps", lambda steps, models: ["--ternary-from", steps // 2]),
    "ramp-half": Way("full precision for 1/2, lambda over 1/4",
                     lambda steps, models: ["--ternary-from", steps // 2, "--lambda-steps", steps // 4]),
    "switch-late": Way("full precision for 9/10", lambda steps, models: ["--ternary-from", steps * 9 // 10]),
    "continued": Way("the finished full-precision model, 1/4 more steps", lambda steps, models: ["--from", models["full"]],
                     rate=1e-3, share=0.25, needs=("full",)),
    "own-teacher": Way("distilled from its full-precision twin", lambda steps, models: ["--teacher", models["full"]],
                       rate_of="ternary", needs=("full",)),
    "large-teacher": Way(f"distilled from full precision of {LARGEST}", lambda steps, models: ["--teacher", models["large"]],
                         rate_of="ternary", source="full"),
}
ALL = KINDS | WAYS


def ways_of(size):
    return list(KINDS) + (list(WAYS) if size in WAYS_SIZES else [])


def run_directory(size, way, seed):
    return OUT / size / f"{way}-{seed}"


def result_file(size, way, seed):
    return OUT / size / f"{way}-{seed}.json"


def sweep_file(size, way):
    return OUT / size / f"sweep-{way}.json"


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def write(path, content):
    """All of the file or nothing of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(content)
    part.rename(path)


class Stopped(Exception):
    """The call was interrupted."""


class Programs:
    """tern, as many at a time as there are threads that call; all of them end when stop() is called."""

    def __init__(self):
        self.mutex, self.running, self.stopped = threading.Lock(), set(), False
        # Inherited by the programs: while one of them lives, no other call works in OUT.
        self.lock = open(OUT / "lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"comparison: {OUT}: another call is at work there")

    def stop(self, *_):
        self.stopped = True
        for program in list(self.running):
            program.send_signal(signal.SIGINT)

    def tern(self, *arguments, log):
        """Its standard output; the exit status too."""
        with self.mutex:
            if self.stopped:
                raise Stopped
            with open(log, "a") as errors:
                program = subprocess.Popen([ENV["TERN"], *map(str, arguments)], stdout=subprocess.PIPE, stderr=errors, text=True,
                                           pass_fds=[self.lock.fileno()], start_new_session=True)
            self.running.add(program)
        output = program.communicate()[0]
        self.running.discard(program)
        if self.stopped:
            raise Stopped
        return output, program.returncode


def threads():
    return max(1, (os.cpu_count() or 1) // int(ENV["JOBS"]))


def last_line(log):
    lines = log.read_text().splitlines() if log.exists() else []
    return lines[-1] if lines else ""


def train(programs, directory, size, way, steps, rate, seed):
    """The report of a run, begun or gone on with; None of one that has diverged."""
    log = directory.with_name(directory.name + ".log")
    options = ["--out", directory, "--json", "--threads", threads()]
    if (directory / "run.json").exists():
        options += ["--resume"]
    else:
        dim, layers, ffn = SIZES[size]
        steps = max(4, int(steps * ALL[way].share))
        models = {"full": run_directory(size, "full", seed), "large": run_directory(LARGEST, "full", seed)}
        arguments = ALL[way].arguments(steps, models)
        if "--from" not in arguments:
            options += ["--dim", dim, "--layers", layers, "--ffn", ffn, "--heads", dim // 32, "--tokenizer", OUT / "tokenizer.json"]
        options += ["--data", *TRAIN, "--valid", VALID, "--cache", OUT / "shards", "--context", CONTEXT, "--batch", BATCH,
                    "--steps", steps, "--lr", rate, "--seed", seed, "--valid-every", max(1, steps // 10),
                    "--checkpoint-every", max(1, min(100, steps // 4)), *arguments]
    output, status = programs.tern("train", *options, log=log)
    if status == 0:
        return json.loads(output)
    if "diverged" in last_line(log) or "no finite number" in last_line(log):
        return None
    raise RuntimeError(f"{directory}: {last_line(log)}")


def sweep(programs, size, way):
    """Losses of short runs, rate by rate, until the best rate has worse ones on both sides. Of those near it the lowest
    rate is taken: 1 M ternary parameters lost 4.905 and 4.934 nats after 400 steps with rates of 8e-3 and 4e-3, but 3.888
    and 3.726 after 4,000."""
    folder = OUT / size / f"sweep-{way}"
    folder.mkdir(parents=True, exist_ok=True)
    losses = {}

    def measure(rate):
        result = folder / f"{rate:g}.json"
        if not result.exists():
            report = train(programs, folder / f"{rate:g}", size, way, SWEEP_STEPS, rate, SEEDS[0])
            write(result, json.dumps({"loss": report and report["valid_loss"]}))
            shutil.rmtree(folder / f"{rate:g}", ignore_errors=True)
        loss = read(result)["loss"]
        losses[rate] = math.inf if loss is None else loss

    start = ALL[way].rate
    for rate in (start / 2, start, start * 2):
        measure(rate)
    while True:
        best = min(losses, key=lambda rate: (losses[rate], rate))
        neighbours = [rate for rate in (best / 2, best * 2) if rate not in losses and LEAST_RATE <= rate <= MOST_RATE]
        if not neighbours:
            break
        measure(neighbours[0])
    rates = [[rate, loss if math.isfinite(loss) else None] for rate, loss in sorted(losses.items())]
    chosen = min(rate for rate, loss in losses.items() if loss <= losses[best] + NEAR)
    write(sweep_file(size, way), json.dumps({"rate": chosen, "losses": rates}))


def run(programs, size, way, seed):
    rate = read(sweep_file(size, ALL[way].rate_of or way))["rate"]
    report = train(programs, run_directory(size, way, seed), size, way, STEPS, rate, seed)
    if report is None:
        raise RuntimeError(f"{run_directory(size, way, seed)}: diverged at the rate {rate:g} that the sweep found best")
    write(result_file(size, way, seed), json.dumps(report | {"lr": rate}))


def ternarize(programs, size, seed):
    """The full-precision model's loss with its weights made ternary afterwards."""
    model, log = OUT / size / f"posttraining-{seed}.gguf", OUT / size / f"posttraining-{seed}.log"
    for arguments in (["convert", run_directory(size, "full", seed), model, "--ternarize", "--type", "bf16"],
                      ["eval", "perplexity", "-m", model, VALID, "--json", "--threads", threads()]):
        output, status = programs.tern(*arguments, log=log)
        if status != 0:
            raise RuntimeError(f"{model}: {last_line(log)}")
    report = json.loads(output)
    write(result_file(size, "posttraining", seed), json.dumps({"valid_loss": report["loss"], "bits_per_byte": report["bits_per_byte"]}))
    model.unlink()


class Job:
    """Makes a file, out of the files it needs."""

    def __init__(self, makes, needs, call):
        self.makes, self.needs, self.call = makes, needs, call


def jobs():
    """What takes longest first."""
    result = []
    for size in reversed(SIZES):
        for way in ways_of(size):
            needs = [result_file(size, need, SEEDS[0]) for need in ALL[way].needs]
            if not ALL[way].rate_of:
                result.append(Job(sweep_file(size, way), needs, (sweep, size, way)))
    for seed in SEEDS:
        for size in reversed(SIZES):
            for way in ways_of(size):
                needs = [sweep_file(size, ALL[way].rate_of or way)] + [result_file(size, need, seed) for need in ALL[way].needs]
                if ALL[way].source:
                    needs.append(result_file(LARGEST, ALL[way].source, seed))
                result.append(Job(result_file(size, way, seed), needs, (run, size, way, seed)))
                if way == "full":
                    result.append(Job(result_file(size, "posttraining", seed), [result_file(size, way, seed)], (ternarize, size, seed)))
    return [job for job in result if not job.makes.exists()]


class Queue:
    """Hands out the jobs whose needs are there, the first one first, to several threads."""

    def __init__(self, waiting):
        self.waiting, self.running, self.failed, self.changed = waiting, 0, 0, threading.Condition()

    def take(self):
        """A job, when one can begin; None when none is left that ever can."""
        with self.changed:
            while True:
                ready = next((job for job in self.waiting if all(need.exists() for need in job.needs)), None)
                if ready:
                    self.waiting.remove(ready)
                    self.running += 1
                    return ready
                if self.running == 0:
                    return None
                self.changed.wait()

    def finish(self, failed):
        with self.changed:
            self.running -= 1
            self.failed += failed
            self.changed.notify_all()


def work(programs, queue):
    while not programs.stopped and (job := queue.take()):
        start, failed = time.monotonic(), False
        try:
            call, *arguments = job.call
            call(programs, *arguments)
            print(f"{job.makes}: {time.monotonic() - start:.0f} s, {len(queue.waiting)} waiting", flush=True)
        except Stopped:
            pass
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            failed = True
            print(f"comparison: {error}", file=sys.stderr, flush=True)
        finally:
            queue.finish(failed)


def cut_validation():
    """The first documents of the held-out part, VALID_BYTES of them."""
    with open(HELD_OUT, "rb") as file:
        text = file.read(int(ENV["VALID_BYTES"]))
    mark = b"<|endoftext|>"
    write(VALID, text[:text.rfind(mark)].decode() if mark in text else text.decode(errors="ignore"))


def main():
    settings = {key: ENV[key] for key in ("SIZES", "STEPS", "SWEEP_STEPS", "BATCH", "CONTEXT", "VOCAB", "VALID_BYTES")}
    programs = Programs()
    before = read(OUT / "settings.json")
    if before not in (None, settings):
        sys.exit(f"comparison: {OUT} was made with {before}, not with {settings}; name another folder")
    write(OUT / "settings.json", json.dumps(settings))
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, programs.stop)
    if not VALID.exists():
        cut_validation()
    for size in SIZES:
        (OUT / size).mkdir(exist_ok=True)
    queue = Queue(jobs())
    workers = [threading.Thread(target=work, args=(programs, queue)) for _ in range(int(ENV["JOBS"]))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if programs.stopped:
        sys.exit("comparison: stopped; call it again to go on")
    if queue.failed or queue.waiting:
        sys.exit(f"comparison: {queue.failed} runs failed, {len(queue.waiting)} wait for them")


if __name__ == "__main__":
    main()
