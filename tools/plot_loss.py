#!/usr/bin/env python3
"""Loss curves from metrics.jsonl files: as an SVG, or live on a terminal while training runs.

usage: plot_loss.py NAME=METRICS.jsonl... --svg OUT.svg [--title TEXT]
       plot_loss.py NAME=METRICS.jsonl... --live --pid PID...   until all the processes have ended
Needs nothing but Python's standard library.
"""
import argparse
import json
import os
import shutil
import sys
import time
from html import escape

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
MARKS = "*o+x"
ANSI = ["\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m"]


def read_curves(path):
    """(steps, losses) of training and of validation; a line still being written is left out."""
    train, valid = [], []
    try:
        text = open(path, encoding="utf-8").read()
    except FileNotFoundError:
        return train, valid
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "loss" in entry:
            train.append((entry["step"] + 1, entry["loss"]))
        elif "valid_loss" in entry:
            valid.append((entry["steps"], entry["valid_loss"]))
    return train, valid


def smooth(points, count=200):
    """Means over at most `count` equal stretches: what a curve can show."""
    if len(points) <= count:
        return points
    size = len(points) / count
    out = []
    for i in range(count):
        part = points[int(i * size):max(int(i * size) + 1, int((i + 1) * size))]
        out.append((part[-1][0], sum(loss for _, loss in part) / len(part)))
    return out


def write_svg(curves, path, title):
    width, height, left, right, top, bottom = 720, 420, 56, 16, 40, 44
    points = [p for train, valid in curves.values() for p in smooth(train) + valid]
    if not points:
        sys.exit(f"plot_loss: no losses in {', '.join(curves)}")
    last = max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    high = min(high, low + 4.0)

    def x(step):
        return left + (width - left - right) * step / last

    def y(loss):
        return top + (height - top - bottom) * (1 - (min(loss, high) - low) / max(high - low, 1e-9))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="22" font-size="15">{escape(title)}</text>']
    for i in range(6):
        loss, step = low + (high - low) * i / 5, last * i / 5
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(loss):.1f}" y2="{y(loss):.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.2f}</text>'
                   f'<text x="{x(step):.1f}" y="{height - bottom + 18}" text-anchor="middle">{step:.0f}</text>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle">steps</text>')
    for i, (name, (train, valid)) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        line = " ".join(f"{x(s):.1f},{y(l):.1f}" for s, l in smooth(train))
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        out += [f'<circle cx="{x(s):.1f}" cy="{y(l):.1f}" r="3" fill="{colour}"/>' for s, l in valid]
        end = f", validation {valid[-1][1]:.3f}" if valid else ""
        out.append(f'<text x="{width - right - 8}" y="{top + 16 * (i + 1)}" text-anchor="end" fill="{colour}">'
                   f'{escape(name)}{end}</text>')
    out.append("</svg>\n")
    temporary = path + ".tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write("\n".join(out))
    os.replace(temporary, path)


def draw_terminal(curves, width, height):
    """The picture as lines that fit into `width` columns and less than `height` rows; colours take no room."""
    columns, rows = max(10, min(width, 100) - 11), max(4, min(16, height - 3 - len(curves)))
    points = [p for train, _ in curves.values() for p in smooth(train)]
    if not points:
        return ["waiting for the first step"]
    last = max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    grid = [[" "] * columns for _ in range(rows)]
    styles = [(f"{ANSI[i % len(ANSI)]}{MARKS[i % len(MARKS)]}", name, train)
              for i, (name, (train, _)) in enumerate(curves.items())]
    for mark, _, train in styles:
        for step, loss in smooth(train):
            column = min(columns - 1, int(step / last * columns))
            row = min(rows - 1, int((high - loss) / max(high - low, 1e-9) * rows))
            grid[row][column] = f"{mark}\x1b[0m"
    lines = [f"{high - (high - low) * r / (rows - 1):7.3f} |" + "".join(grid[r]) for r in range(rows)]
    lines.append(f"  steps +{'-' * columns}")
    entries = [(mark, f" {name} step {train[-1][0]} loss {smooth(train)[-1][1]:.3f}") for mark, name, train in styles if train]
    # Beside each other where there is room.
    wide = 9 + sum(1 + len(text) + 3 for _, text in entries) <= width
    shown = [f"{mark}{text}\x1b[0m" for mark, text in entries]
    return lines + [" " * 9 + entry for entry in (["   ".join(shown)] if wide else shown)]


def alive(pid):
    try:
        os.kill(pid, 0)
        # A child that has ended but was not waited for yet still has a process entry.
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def live(paths, pids):
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    drawn, last_line = 0, 0.0
    while True:
        running = any(alive(pid) for pid in pids)
        curves = {name: read_curves(path) for name, path in paths.items()}
        if terminal:
            lines = draw_terminal(curves, *shutil.get_terminal_size())
            # Over the last picture, line by line, in one write: nothing is blank in between. Without automatic wrapping,
            # for a wrapped line would be one more than counted.
            picture = "".join(f"{line}\x1b[K\n" for line in lines)
            sys.stderr.write("\x1b[?7l" + (f"\x1b[{drawn}A" if drawn else "") + picture + "\x1b[J\x1b[?7h")
            drawn = len(lines)
        elif time.time() - last_line >= 10 or not running:
            last_line = time.time()
            states = [f"{name} step {train[-1][0]} loss {smooth(train, 50)[-1][1]:.3f}"
                      for name, (train, _) in curves.items() if train]
            if states:
                sys.stderr.write("  ".join(states) + "\n")
        sys.stderr.flush()
        if not running:
            return
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="+", metavar="NAME=METRICS.jsonl")
    parser.add_argument("--svg")
    parser.add_argument("--title", default="Training loss (nats a token)")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--pid", type=int, nargs="+", default=[])
    args = parser.parse_args()
    paths = dict(curve.split("=", 1) for curve in args.curves)
    if args.live:
        live(paths, args.pid)
    if args.svg:
        write_svg({name: read_curves(path) for name, path in paths.items()}, args.svg, args.title)


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
