#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""show in terminals of many widths: nothing too wide, nothing missing, aligned.

usage: widths.py TOOL RECORDING [sk:ID]
"""

import os
import re
import subprocess
import sys

WIDTHS = [40, 41, 47, 55, 63, 72, 80, 91, 100, 120, 132, 160, 200, 300]
complaints = []


def run(width, *args):
    env = dict(os.environ, COLUMNS=str(width))
    return subprocess.run([tool, *args, "-i", recording], capture_output=True, text=True,
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


def check_stacked(width, lines):
    """Cells that go on the next line do so alike: the first lines of rows too."""
    first = [l for l in lines if not l.startswith(" ")]
    starts = [m.start() for m in re.finditer(r"\S+", first[0])]
    for line in first[1:]:
        for at in starts:
            if line[at:at + 1] in ("", " ") or (at and line[at - 1] != " "):
                complaints.append("%d: column %d: %s" % (width, at, line))


def table():
    wide = run(100000)
    check_alignment(wide)
    for i, width in enumerate(WIDTHS):
        lines = run(width, *(["--ascii"] if i % 2 else []))
        check_lines(width, lines)
        check_stacked(width, lines)
        if squeezed(lines) != squeezed(wide):
            complaints.append("%d: says something else" % width)
    colored = re.sub(r"\x1b\[\d*m", "", "\n".join(run(80, "-c=always")))
    if colored.splitlines() != run(80, "-c=never"):
        complaints.append("80: colour changes the text")


def letters(lines):
    """How often each letter and digit is said, whatever is drawn around it."""
    return sorted(c for c in "".join(lines) if c.isalnum() and ord(c) < 127)


def ladder(cookie):
    wide = run(100000, cookie)
    for ascii in ([], ["--ascii"]):
        for width in WIDTHS:
            lines = run(width, cookie, *ascii)
            check_lines(width, lines)
            if ascii and any(ord(c) > 126 for line in lines for c in line):
                complaints.append("%d: not ASCII" % width)
            # Plain crosses and the like are letters.
            if not ascii and letters(lines) != letters(wide):
                complaints.append("%d: says something else" % width)


tool, recording = sys.argv[1:3]
if len(sys.argv) > 3:
    ladder(sys.argv[3])
else:
    table()
for complaint in complaints[:30]:
    print("!", complaint)
sys.exit(bool(complaints))
