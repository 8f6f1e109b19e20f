#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tables of what guest.sh printed: report.md, one CSV each, cost.svg.

usage: report.py DIR
"""
import csv
import os
import shutil
import subprocess
import sys

LOADS = {
    "rst": "connect, accept, reset",
    "fin": "connect, accept, close, to the end of TIME_WAIT",
    "syn": "a SYN that nobody completes, to its timeout",
}


def figures(folder, table):
    """The lines of one table, without its name."""
    path = os.path.join(folder, table + ".figures")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [w[1:] for w in map(str.split, f) if w and w[0] == table]


def write(folder, name, head, rows, out):
    """One table, as CSV and as text."""
    with open(os.path.join(folder, name + ".csv"), "w", newline="",
              encoding="utf-8") as f:
        csv.writer(f).writerows([head] + rows)
    text = [[f"{x:,.2f}".rstrip("0").rstrip(".") if isinstance(x, float)
             else str(x) for x in row] for row in rows]
    width = [max(map(len, col)) for col in zip(head, *text)]
    for row in [head, ["-" * w for w in width]] + text:
        cells = [row[0].ljust(width[0])]
        cells += [x.rjust(w) for x, w in zip(row[1:], width[1:])]
        out.write("| " + " | ".join(cells) + " |\n")


def cost(folder, out, table="cost"):
    """Per connection and per transition, beside ftrace."""
    rows, picture = [], []
    data = [w for w in figures(folder, table) if w[2] != "missing"]
    for load, title in LOADS.items():
        mine = {w[1].split(",")[0]: [float(x) for x in w[2:]]
                for w in data if w[0] == load}
        if "nothing" not in mine:
            continue
        base = mine["nothing"][0]
        added = {k: v[0] - base for k, v in mine.items()}
        # Half-open requests are invisible to the event.
        event = mine.get("ftrace", [0, 0, 0, 0, 0])[3]
        for name, (median, least, most, steps, records) in mine.items():
            each = added[name] / steps if steps >= 1 else ""
            rows.append([
                load, name, median, 100 * (most - least) / median,
                added[name], 100 * added[name] / base, steps, records, each,
                each / (added["ftrace"] / event)
                if each != "" and event >= 1 else "",
                added[name] / added["ftrace"]
                if name != "nothing" and event >= 1 else ""])
            if name != "nothing":
                picture.append((load, name, 100 * added[name] / base))
        out.write(f"\n{load}: {title}\n")
    head = ["load", "case", "instructions", "spread %", "added", "added %",
            "transitions", "records", "per transition", "x ftrace each",
            "x ftrace in all"]
    if rows:
        out.write("\n")
        write(folder, table, head, rows, out)
        draw(folder, table, picture)


def draw(folder, table, picture):
    """What each adds to a connection, as bars."""
    if not shutil.which("gnuplot"):
        return
    loads = [x for x in LOADS if any(p[0] == x for p in picture)]
    names = list(dict.fromkeys(p[1] for p in picture))
    value = {(p[0], p[1]): p[2] for p in picture}
    data = os.path.join(folder, table + ".dat")
    with open(data, "w", encoding="utf-8") as f:
        for name in names:
            cells = [f"{max(value.get((x, name), 0), 0.01):.2f}"
                     for x in loads]
            f.write(" ".join([name] + cells) + "\n")
    bars = ", ".join(
        f"'{data}' using {i + 2}:xtic(1) title '{x}'"
        for i, x in enumerate(loads))
    script = f"""
        set terminal svg size 900,420 font 'sans,12'
        set output '{os.path.join(folder, table + ".svg")}'
        set style data histograms
        set style fill solid 0.8
        set logscale y
        set yrange [0.1:*]
        set grid y
        set ylabel 'added to a connection, %'
        set xtics rotate by -20
        plot {bars}
    """
    subprocess.run(["gnuplot"], input=script, text=True, check=False)


def plain(folder, name, head, out, numbers=1):
    """A table whose lines are as guest.sh printed them."""
    rows = []
    for words in figures(folder, name):
        words += [""] * (len(head) - len(words))
        cut = len(head) - numbers
        rows.append(words[:cut] + [float(x) if x.replace(".", "", 1).isdigit()
                                   else x for x in words[cut:len(head)]])
    if rows:
        out.write(f"\n{name}\n\n")
        write(folder, name, head, rows, out)


def tool(folder, out):
    """Readers of recordings: records per second of CPU time."""
    rows = []
    data = {name: [float(x) for x in rest]
            for name, *rest in figures(folder, "tool")}
    records, seconds, _ = data.get("trace-cmd-report", (0, 1, 0))
    for name, (n, cpu, peak) in data.items():
        rows.append([name, n, cpu, n / cpu, peak / 1024,
                     n / cpu / (records / seconds) if records else ""])
    if rows:
        out.write("\ntool\n\n")
        write(folder, "tool", ["reader", "records", "CPU seconds", "records/s",
                               "peak MiB", "x trace-cmd"], rows, out)


def main():
    """All tables there are figures for."""
    folder = sys.argv[1]
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as out:
        cost(folder, out)
        cost(folder, out, "bpf")
        plain(folder, "scale", ["what", "how many", "case", "instructions",
                                "least", "most"], out, 3)
        plain(folder, "storm", ["case", "connections", "records", "lost",
                                "KiB"], out, 3)
        plain(folder, "latency", ["case", "median ns", "99th ns"], out, 2)
        plain(folder, "memory", ["case", "what", "bytes", "locked",
                                 "resident"], out, 3)
        plain(folder, "smp", ["CPUs", "case", "ns/connection"], out, 1)
        tool(folder, out)
        plain(folder, "stuck", ["case", "sockets", "processes", "instructions",
                                "KiB"], out, 4)
    with open(os.path.join(folder, "report.md"), encoding="utf-8") as f:
        sys.stdout.write(f.read())


main()
