"""Tables, fits and plots out of the results of runs/comparison.sh: OUT/report.md, and into the marked section of DOCUMENT.

A law L = E + A (N / 1 M)^-alpha is fitted for each kind: for a fixed alpha it is linear in E and A, solved by least
squares; alpha is taken from a grid.
"""

import math
import os
import pathlib
import re
import subprocess
import sys

from comparison_runs import ALL, BATCH, CONTEXT, ENV, KINDS, LARGEST, NEAR, OUT, SEEDS, SIZES, STEPS, SWEEP_STEPS, WAYS, WAYS_SIZES, \
    read, result_file, run_directory, sweep_file, write

BEGIN, END = "<!-- written by runs/comparison.sh: begin -->", "<!-- written by runs/comparison.sh: end -->"
CHANCE = 0.005  # nats that a fit may be worse than the best one and still be as good
ALPHAS = [i / 200 for i in range(2, 401)]


def mean(numbers):
    return sum(numbers) / len(numbers)


def loss(size, way):
    """The mean over the seeds that are there, or None."""
    reports = [read(result_file(size, way, seed)) for seed in SEEDS]
    losses = [report["valid_loss"] for report in reports if report]
    return mean(losses) if losses else None


def parameters(size):
    return next((report["parameters"] for report in (read(result_file(size, kind, SEEDS[0])) for kind in KINDS) if report), None)


def cell(value, digits=4):
    return "–" if value is None else f"{value:.{digits}f}"


def difference(a, b):
    return None if a is None or b is None else a - b


def signed(value):
    return "–" if value is None else f"{value:+.4f}"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(row) + " |" for row in rows])


# ---- Laws ----


class Law:
    """L = E + A (N / 1 M)^-alpha, none of them negative."""

    def __init__(self, alpha, points):
        x = [(n / 1e6) ** -alpha for n, _ in points]
        y = [value for _, value in points]
        mean_x, mean_y = mean(x), mean(y)
        self.alpha = alpha
        self.A = max(0.0, sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x))
        self.E = mean_y - self.A * mean_x
        if self.E < 0:
            self.E, self.A = 0.0, sum(a * b for a, b in zip(x, y)) / sum(a * a for a in x)
        self.rms = math.sqrt(mean([(self(n) - value) ** 2 for n, value in points]))

    def __call__(self, n):
        return self.E + self.A * (n / 1e6) ** -self.alpha

    def size_for(self, value):
        """The N that has this loss, or None."""
        if value <= self.E or self.A == 0:
            return None
        return 1e6 * ((value - self.E) / self.A) ** (-1 / self.alpha)


def points_of(kind):
    points = [(parameters(size), loss(size, kind)) for size in SIZES]
    return [(n, value) for n, value in points if value is not None]


def fit(points):
    """The best law and the least and largest alpha of those about as good; None of fewer than three points."""
    if len(points) < 3:
        return None
    laws = [Law(alpha, points) for alpha in ALPHAS]
    best = min(laws, key=lambda law: law.rms)
    good = [law.alpha for law in laws if law.rms <= best.rms + CHANCE]
    return best, min(good), max(good)


def fit_gap(points):
    """gap = g (N / 1 M)^-gamma through positive gaps, a line in logarithms; None where there is none."""
    if len(points) < 2 or any(gap <= 0 for _, gap in points):
        return None
    x, y = [math.log(n / 1e6) for n, _ in points], [math.log(gap) for _, gap in points]
    slope = sum((a - mean(x)) * (b - mean(y)) for a, b in zip(x, y)) / sum((a - mean(x)) ** 2 for a in x)
    return math.exp(mean(y) - slope * mean(x)), -slope


def gaps(kind):
    rows = [(parameters(size), difference(loss(size, kind), loss(size, "full"))) for size in SIZES]
    return [(n, gap) for n, gap in rows if gap is not None]


# ---- Tables ----


def losses_table():
    rows = []
    for size in SIZES:
        full, ternary, binary, after = (loss(size, kind) for kind in ("full", "ternary", "binary", "posttraining"))
        rows.append([f"{parameters(size) or 0:,}", cell(full), cell(ternary), cell(binary), cell(after),
                     signed(difference(ternary, full)), signed(difference(binary, full)), signed(difference(after, full))])
    return table(["parameters", "full", "ternary", "binary", "full, ternarized afterwards", "ternary - full", "binary - full",
                  "afterwards - full"], rows)


def rates_table():
    rows = []
    for way in ALL:
        for size in SIZES:
            sweep = read(sweep_file(size, way))
            if sweep:
                losses = [f"{'**' if rate == sweep['rate'] else ''}{rate:g}: {cell(value, 3) if value else 'diverged'}"
                          f"{'**' if rate == sweep['rate'] else ''}" for rate, value in sweep["losses"]]
                rows.append([ALL[way].title, size, ", ".join(losses)])
    return table(["way", "size", "rate: loss of the short run"], rows)


def laws_table(fits):
    rows = []
    for kind, found in fits.items():
        if found:
            law, low, high = found
            rows.append([ALL[kind].title, f"{law.E:.3f}", f"{law.A:.3f}", f"{law.alpha:.3f}", f"{low:.2f} to {high:.2f}", f"{law.rms:.4f}"])
    return table(["kind", "E", "A", "alpha", f"alphas no more than {CHANCE} worse", "root mean square residual"], rows)


def equivalents_table(law):
    rows = []
    for size in SIZES:
        row = [f"{parameters(size) or 0:,}"]
        for kind in ("ternary", "binary", "posttraining"):
            value = loss(size, kind)
            equal = None if value is None else law.size_for(value)
            row.append("–" if equal is None else f"{equal / parameters(size):.2f}")
        rows.append(row)
    return table(["parameters", "ternary", "binary", "full, ternarized afterwards"], rows)


def ways_table():
    rows = []
    for way in ["ternary", *WAYS]:
        row = ["ternary from the start, two stages" if way == "ternary" else ALL[way].title]
        for size in WAYS_SIZES:
            value = loss(size, way)
            row += [cell(value), "" if way == "ternary" else signed(difference(value, loss(size, "ternary")))]
        rows.append(row)
    return table(["ternary models, made by"] + [head for size in WAYS_SIZES for head in (size, "against the first")], rows)


# ---- Plots ----


def plot(name, title, runs, *options):
    """Draws runs {label: file or directory} into OUT/name.svg; returns whether there was something."""
    runs = {label: path for label, path in runs.items() if path.exists()}
    if runs:
        subprocess.run([ENV["TERN"], "plot", *(f"{label}={path}" for label, path in runs.items()), "--title", title, *options, "--svg",
                        OUT / f"{name}.svg"], check=True)
    return bool(runs)


def curve_file(name, line, marks, number):
    """Points (N, value) as tern plot reads them: a line and what was measured."""
    path = OUT / "points" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    pairs = [(number, n, value) for n, value in line] + [(f"valid_{number}", n, value) for n, value in marks]
    write(path, "".join(f'{{"parameters": {n:.6g}, "{key}": {value:.6g}}}\n' for key, n, value in pairs))
    return path


def along(points, function):
    low, high = points[0][0], points[-1][0]
    return [(n, function(n)) for n in (low * (high / low) ** (i / 50) for i in range(51))]


def plots(fits):
    """Markdown of the pictures."""
    texts = []
    kinds = {kind: points_of(kind) for kind in KINDS}
    files = {ALL[kind].title: curve_file(kind, along(points, fits[kind][0]) if fits[kind] else points, points, "loss")
             for kind, points in kinds.items() if points}
    over_size = ("--x", "parameters", "--log-x")
    if plot("laws", "Loss over size: measured, and the fitted laws", files, *over_size):
        texts.append("![Loss over size](laws.svg)")
    files = {}
    for kind in ("ternary", "binary"):
        points = gaps(kind)
        law = fit_gap(points)
        if points:
            line = along(points, lambda n, law=law: law[0] * (n / 1e6) ** -law[1]) if law else points
            files[ALL[kind].title] = curve_file(f"{kind}-gap", line, points, "gap")
    if plot("gaps", "Loss above that of full precision", files, *over_size, "--metric", "gap"):
        texts.append("![Gap over size](gaps.svg)")
    runs = {ALL[kind].title: run_directory(LARGEST, kind, SEEDS[0]) / "metrics.jsonl" for kind in KINDS}
    if plot("curves", f"Loss while training, {LARGEST}", runs, "--smooth", "20"):
        texts.append("![Losses of the largest models](curves.svg)")
    return texts


# ---- The report ----


def gap_sentence(kind):
    law = fit_gap(gaps(kind))
    if not law:
        return f"the {kind} gap is not above 0 at every size and has no power law"
    return f"the {kind} gap is about {law[0]:.3f} (N / 1 M)^{-law[1]:.2f}"


def machine():
    names = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    version = subprocess.run([ENV["TERN"], "--version"], capture_output=True, text=True).stdout.strip()
    return f"{names[0] if names else 'unknown processor'}, {os.cpu_count()} processors, {version}"


def missing():
    wanted = [result_file(size, way, seed) for size in SIZES for seed in SEEDS
              for way in [*KINDS, "posttraining", *(WAYS if size in WAYS_SIZES else [])]]
    return [path for path in wanted if not path.exists()]


def report():
    fits = {kind: fit(points_of(kind)) for kind in KINDS}
    tokens = STEPS * BATCH * CONTEXT
    parts = [
        f"`runs/comparison.sh`: books for children, BPE of {int(ENV['VOCAB']):,}, context {CONTEXT}, {STEPS:,} steps of "
        f"{BATCH * CONTEXT:,} tokens ({tokens / 1e6:.1f} M, the same for every model; tied head, parameters include the embedding), seeds: "
        f"{', '.join(map(str, SEEDS))}. Loss in nats a token on documents of a part that is not trained on. {machine()}.",
        losses_table(),
        "Scaling laws L = E + A (N / 1 M)^-alpha at these tokens, by least squares over the sizes: E and A in closed form for every "
        "alpha from 0.01 to 2 by 0.005. Three numbers through so few sizes fit well anyway: what says more are the alphas that do as well.",
        laws_table(fits),
        f"As power laws through the gaps, {gap_sentence('ternary')}; {gap_sentence('binary')}.",
    ]
    if fits["full"]:
        parts += ["By the law of full precision a full-precision model that reaches the same loss would have so much of the parameters:",
                  equivalents_table(fits["full"][0])]
    parts += plots(fits)
    if WAYS_SIZES:
        parts += ["Ways to a ternary model, on the same tokens but for the finished model's 1/4 more (lambda: "
                  "[a ramp](#from-a-model-of-full-precision); one rate for a whole run, swept; with a teacher the rate of the first):",
                  ways_table()]
    parts += [f"Learning rates, swept by runs of {SWEEP_STEPS:,} steps (with their whole schedule) in factors of 2 until the best lay "
              f"between two worse ones. Bold is what the long runs take, the lowest rate no more than {NEAR:g} nats worse than the best: short "
              "runs like higher rates than long ones.", rates_table()]
    return "\n\n".join(parts) + "\n"


def put_into(document, text):
    old = document.read_text()
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"comparison: {document}: expected one line {BEGIN} and one {END}")
    pictures = pathlib.Path("images")
    (document.parent / pictures).mkdir(exist_ok=True)
    for picture in re.findall(r"\]\((\w+\.svg)\)", text):
        write(document.parent / pictures / f"comparison-{picture}", (OUT / picture).read_text())
    text = re.sub(r"\]\((\w+\.svg)\)", lambda match: f"]({pictures}/comparison-{match[1]})", text)
    write(document, old[:old.index(BEGIN)] + BEGIN + "\n\n" + text + "\n" + old[old.index(END):])


def main():
    text = report()
    write(OUT / "report.md", text)
    print(text)
    if missing():
        print(f"comparison: {len(missing())} results are missing, the document stays as it is")
    elif ENV["DOCUMENT"]:
        put_into(pathlib.Path(ENV["DOCUMENT"]), text)


if __name__ == "__main__":
    main()
