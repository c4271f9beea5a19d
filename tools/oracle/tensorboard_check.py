#!/usr/bin/env python3
"""Event files of `tern train --tensorboard` read by TensorBoard's own reader, beside metrics.jsonl: as the run writes them,
after a resume, and after a resume of a run that was killed beyond its checkpoint.

usage: tensorboard_check.py --tern TERN
       tensorboard_check.py --golden        the records of tests/train/tensorboard_test.cc
Needs the PyPI package tensorboard; exits with 77 where there is none.
"""
import argparse
import io
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter
except ImportError as missing:
    print(f"tensorboard_check: skipped, {missing}")
    sys.exit(77)


def golden():
    value = Summary.Value
    events = {
        "version": Event(wall_time=1.5, file_version="brain.Event:2"),
        "restart": Event(wall_time=1.5, step=301, session_log=SessionLog(status=SessionLog.START)),
        "scalars": Event(wall_time=2.25, step=70000, summary=Summary(value=[
            value(tag="train/loss", simple_value=3.5), value(tag="valid/loss", simple_value=-0.1)])),
    }
    for name, event in events.items():
        out = io.BytesIO()
        RecordWriter(out).write(event.SerializeToString(deterministic=True))
        print(name, out.getvalue().hex())


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def check(run, events):
    """Every number of metrics.jsonl once, at its step, and no other."""
    expected = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        steps = entry["step"] + 1 if "step" in entry else entry["steps"]
        for key, value in entry.items():
            if key not in ("step", "steps") and isinstance(value, (int, float)):
                tag = "valid/" + key[6:] if key.startswith("valid_") else "train/" + key
                expected.setdefault(tag, []).append((steps, float32(value)))
    reader = EventAccumulator(str(events), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    read = {tag: [(s.step, s.value) for s in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    assert read == expected, f"{events}: read {read}, expected {expected}"
    return sum(map(len, read.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern")
    parser.add_argument("--golden", action="store_true")
    args = parser.parse_args()
    if args.golden:
        golden()
        return
    with tempfile.TemporaryDirectory(prefix="tern-tensorboard-") as folder:
        folder = Path(folder)
        (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 500)
        shape = ["--data", folder / "text.txt", "--tokenizer", "byte", "--dim", 64, "--layers", 1, "--heads", 2, "--ffn", 64,
                 "--context", 32, "--batch", 2, "-t", 1, "--valid-every", 10, "--checkpoint-every", 20]

        def train(*more, out="run", events="events", kill_at=None):
            command = [args.tern, "train", "--out", folder / out, "--tensorboard", folder / events, *more]
            process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            metrics = folder / "run/metrics.jsonl"
            while kill_at is not None and process.poll() is None:
                if metrics.exists() and f'"step":{kill_at},' in metrics.read_text():
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.002)
            _, err = process.communicate(timeout=120)
            assert process.returncode == (0 if kill_at is None else -signal.SIGKILL), err.decode()

        train(*shape, "--steps", 4000, kill_at=30)
        print("killed:", check(folder / "run", folder / "events"), "numbers agree")
        train("--resume", kill_at=90)
        print("resumed and killed:", check(folder / "run", folder / "events"), "numbers agree")
        config = json.loads((folder / "run/run.json").read_text())
        config.update(steps=50, warmup=1)
        fresh = folder / "short.json"
        fresh.write_text(json.dumps(config))
        train("--config", fresh, out="short", events="short-events")
        print("whole:", check(folder / "short", folder / "short-events"), "numbers agree")


main()
