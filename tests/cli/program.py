"""What the tests of the program share: running it, and the one line of an error. The first argument is the program."""
import os
import subprocess
import sys
import unittest

TERN = os.path.abspath(sys.argv.pop(1))
TEXT = "the quick brown fox jumps over the lazy dog and the dog does not mind at all\n" * 400
# A model that trains in no time; --data and --out are left to say.
SHAPE = ["--tokenizer", "byte", "--dim", 256, "--layers", 1, "--heads", 4, "--ffn", 256, "--context", 32, "--batch", 2,
         "-t", 1, "--valid-every", 0]


# Sanitizers make the program five times as slow: what only repeats others' work with more numbers is not for them.
slow = unittest.skipIf("TERN_SANITIZED" in os.environ, "slow, and not for sanitizers")


def start(*args, stdout=subprocess.PIPE, **kwargs):
    """tern in the background, its output in pipes."""
    return subprocess.Popen([TERN, *map(str, args)], stdout=stdout, stderr=subprocess.PIPE, **kwargs)


def tern(*args, stdin=b"", expect=0, **kwargs):
    """Runs tern; checks its exit code and returns (stdout, stderr) as text."""
    done = subprocess.run([TERN, *map(str, args)], input=stdin, capture_output=True, timeout=300, **kwargs)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert done.returncode == expect, f"tern {args}: exit {done.returncode}, expected {expect}\n{out}{err}"
    return out, err


def error_line(err):
    """The message in what a run that failed wrote to standard error: one line."""
    lines = [line for line in err.splitlines() if line.startswith("tern: ")]
    assert len(lines) == 1 and lines[0] == err.splitlines()[-1], f"expected one line that begins 'tern: ', got:\n{err}"
    return lines[0]


def error(*args, code=1, **kwargs):
    """The message of a run that must fail."""
    return error_line(tern(*args, expect=code, **kwargs)[1])
