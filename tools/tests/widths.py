#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""show in terminals of many widths: nothing too wide, nothing missing, aligned.

usage: widths.py TOOL RECORDING [VERB | sk:ID]
"""

import os
import re
import subprocess
import sys

INDENT = 4
WIDTHS = [40, 41, 47, 55, 60, 63, 72, 80, 91, 100, 120, 132, 160, 200, 300]
complaints = []


def run(width, *args):
    env = dict(os.environ, COLUMNS=str(width))
    return subprocess.run([tool, *verb, *args, "-i", recording], capture_output=True, text=True,
                          env=env).stdout.splitlines()


def squeezed(lines):
    return re.sub(r"\s", "", "".join(lines))


def check_lines(width, lines):
    for line in lines:
        if len(line) > width:
            complaints.append("%d: %d columns: %s" % (width, len(line), line))
        if line != line.rstrip():
            complaints.append("%d: blanks at the end: %r" % (width, line))
    if not lines:
        complaints.append("%d: nothing" % width)


def check_alignment(lines):
    """Each cell begins where the name of its column does."""
    starts = [m.start() for m in re.finditer(r"\S+", lines[0])]
    for line in lines[1:]:
        for at in starts:
            if line[at:at + 1] in ("", " ") or (at and line[at - 1] != " "):
                complaints.append("column %d: %s" % (at, line))


def rows_of(lines):
    """The lines of each row: the first column is never empty, others are indented."""
    rows = []
    for line in lines:
        if not line.startswith(" "):
            rows.append([])
        rows[-1].append(line)
    return rows


def cells_of(wide):
    """Rows as cells, of the table at a width where each is one line."""
    starts = [m.start() for m in re.finditer(r"\S+( -> \S+)?", wide[0])] + [None]
    return [[line[a:b].strip() for a, b in zip(starts, starts[1:])] for line in wide]


def places_of(header):
    """(line, column) of each name in the lines of the header."""
    return [(k, m.start()) for k, line in enumerate(header)
            for m in re.finditer(r"\S+( -> \S+)?", line)]


def check_row(width, places, cells, lines):
    """Each cell where the name of its column is; only what is cut adds lines."""
    added = 0
    for (k, at), cell in list(zip(places, cells))[:-1]:
        cut = max(0, len(cell) - (width - at))
        line = lines[k + added] if k + added < len(lines) else ""
        here = cell[:width - at]
        if line[at:at + len(here)] != here or line[at + len(here):][:1].strip() or \
           line[max(0, at - 1):at].strip():
            complaints.append("%d: %r is not at %d: %r" % (width, here, at, line))
            return
        added += -(-cut // (width - INDENT))


def check_last(width, place, cell, lines):
    """The last cell begins below its name, and goes on there."""
    k, at = place
    rest = lines[k - len(lines):] if k < len(lines) else []
    for line in lines[-1:] if len(rest) > 1 else []:
        if len(line) - len(line.lstrip()) != at:
            complaints.append("%d: does not go on at %d: %r" % (width, at, line))
    if cell and not any(line[at:at + 1].strip() and not line[:at][-1:].strip()
                        for line in rest):
        complaints.append("%d: no last cell at %d: %r" % (width, at, lines))


def check_stacked(width, cells, lines):
    """What does not fit goes on the next line, in all rows alike, and no sooner."""
    rows = rows_of(lines)
    places = places_of(rows[0])
    if len(rows) != len(cells) or len(places) != len(cells[0]):
        complaints.append("%d: %d rows of %d cells" % (width, len(rows), len(places)))
        return
    for row, of_row in zip(rows, cells):
        check_row(width, places, of_row, row)
        check_last(width, places[-1], of_row[-1], row)
    needs = [max(len(row[i]) for row in cells) for i in range(len(places))]
    for i in range(1, len(places) - 1):
        end = places[i - 1][1] + needs[i - 1] + 1 + needs[i]
        if (places[i][0] > places[i - 1][0]) != (end > width and places[i - 1] != (0, 0)):
            complaints.append("%d: column %d is on line %d" % (width, i, places[i][0]))


def check_color(width, lines, *args):
    """Colour changes nothing else, and no colour goes on over the end of a line."""
    colored = run(width, "-c=always", *args)
    if [re.sub(r"\x1b\[\d*m", "", line) for line in colored] != lines:
        complaints.append("%d: colour changes the text" % width)
    for line in colored:
        codes = re.findall(r"\x1b\[(\d*)m", line)
        if codes[1::2] != ["0"] * (len(codes) // 2) or len(codes) % 2:
            complaints.append("%d: a colour does not end: %r" % (width, line))


def table():
    wide = run(100000)
    cells = cells_of(wide)
    if not verb:                # events has empty cells
        check_alignment(wide)
    for i, width in enumerate(WIDTHS):
        ascii = ["--ascii"] if i % 2 and not verb else []
        lines = run(width, *ascii)
        check_lines(width, lines)
        check_stacked(width, cells, lines)
        if squeezed(lines) != squeezed(wide):
            complaints.append("%d: says something else" % width)
        check_color(width, lines, *ascii)


def letters(lines):
    """How often each letter and digit is said, whatever is drawn around it."""
    return sorted(c for c in "".join(lines) if c.isalnum() and ord(c) < 127)


def ladder(cookie):
    wide = run(100000, cookie)
    for ascii in ([], ["--ascii"]):
        for width in WIDTHS:
            lines = run(width, cookie, *ascii)
            check_lines(width, lines)
            check_color(width, lines, cookie, *ascii)
            if ascii and any(ord(c) > 126 for line in lines for c in line):
                complaints.append("%d: not ASCII" % width)
            # Plain crosses and the like are letters.
            if not ascii and letters(lines) != letters(wide):
                complaints.append("%d: says something else" % width)


tool, recording = sys.argv[1:3]
verb = [a for a in sys.argv[3:] if not a.startswith("sk:")]
if sys.argv[3:] != verb:
    ladder(sys.argv[3])
else:
    table()
for complaint in complaints[:30]:
    print("!", complaint)
sys.exit(bool(complaints))
