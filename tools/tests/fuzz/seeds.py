#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""First inputs for the fuzz targets, made of the fixtures of the other tests.

usage: seeds.py BUILD FOLDER
"""
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

tests = pathlib.Path(__file__).resolve().parent.parent
build, folder = map(pathlib.Path, sys.argv[1:])
COMMANDS = 28


def put(target, name, data):
    where = folder / target
    where.mkdir(parents=True, exist_ok=True)
    (where / name).write_bytes(data)


def recordings():
    for text in sorted(tests.glob("*.events")):
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run([build / "mkrec", text, out.name], check=True)
            yield text.stem, pathlib.Path(out.name).read_bytes()


def size_of_head(data):
    return struct.unpack_from("<I", data)[0]


first = b""
for number, (name, data) in enumerate(recordings()):
    first = first or data
    put("recording", f"{name}-own", bytes([number % COMMANDS, 3]) + data)
    for command in range(COMMANDS):
        if (number + command) % 3 == 0:
            how = [0, 2, 4][command % 3]
            put("recording", f"{name}-{command}",
                bytes([command, how]) + data[size_of_head(data):])

lines = [line.split("\t")[0] for line in (tests / "filter.table").read_text().splitlines()]
refusals = re.findall(r"^refuse \d+ (?:'[^']*'|\"[^\"]*\"|\S+) (.*)$",
                      (tests / "refusals.sh").read_text(), re.M)
for number, line in enumerate(lines):
    if line and line[0] != "#":
        put("words", f"filter-{number}", b"\0" + line.replace(" ", "\n").encode())
for number, line in enumerate(refusals):
    put("words", f"line-{number}", b"\3" + line.replace(" ", "\n").encode())
for number, text in enumerate(["no CLOSE_WAIT over 5s on :8080", "at most 10 TIME_WAIT dport = 443",
                               "no stuck", "LISTEN older than 5 s state all"]):
    put("words", f"check-{number}", b"\1" + text.encode())
put("words", "numbers", b"\2" + b"90\n1.5s\n250ms\n10m\n2h\n3d\n0x1f\n1e300s\n9e18ns\ninf\nnan")


def netlink(data):
    """The messages of a file, a few of each state."""
    at, seen = 0, {}
    while at < len(data):
        size = struct.unpack_from("<I", data, at)[0]
        message = data[at:at + size]
        state = message[17]
        seen.setdefault(state, [])
        if len(seen[state]) < 3:
            seen[state].append(message)
        at += (size + 3) & ~3
    return seen


def with_attribute(message, kind, payload):
    """Of inet_diag: 21 is the cgroup, 19 the ULP, in which 3 is MPTCP."""
    attribute = struct.pack("<HH", 4 + len(payload), kind) + payload
    message += attribute + bytes(-len(attribute) % 4)
    return struct.pack("<I", len(message)) + message[4:]


def machine(switches, messages, recording, texts):
    return (struct.pack("<BH", switches, len(messages)) + messages +
            struct.pack("<H", len(recording)) + recording + b"\0".join(texts))


STAT = b"100 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0\n"
CGROUPS = [b"0::/system.slice/leaky.service\n",
           b"12:cpu:/x\n1:name=systemd:/user.slice/session-1.scope\n",
           b"0::/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"]
with tempfile.TemporaryDirectory() as world:
    subprocess.run([build / "fix", tests / "stuck/every.text", world], check=True,
                   stdout=subprocess.DEVNULL)
    by_state = netlink((pathlib.Path(world) / "diag").read_bytes())
for number, (state, messages) in enumerate(sorted(by_state.items())):
    for more, message in enumerate(messages):
        inode = struct.unpack_from("<I", message, 16 + 68)[0]
        put("machine", f"state-{state}-{more}",
            machine((number + more) % 4, message, b"",
                    [STAT, CGROUPS[more], b"socket:[%d]" % inode, b"32768\t60999"]))
    for kind, payload in ((21, bytes(8)), (21, bytes(4)), (19, struct.pack("<HH", 4, 3)),
                          (19, struct.pack("<HHB", 60, 3, 0)), (2, bytes(3)), (15, b"")):
        put("machine", f"attribute-{state}-{kind}-{len(payload)}",
            machine(0, with_attribute(messages[0], kind, payload), b"",
                    [STAT, CGROUPS[0], b"", b"1"]))
every = b"".join(m for messages in by_state.values() for m in messages)
for switches in (0, 1, 3, 8):
    put("machine", f"every-{switches}",
        machine(switches, every, b"", [STAT, CGROUPS[0], b"socket:[100]", b"60"]))
put("machine", "trails", machine(4, every, first, [STAT, b"", b"", b"1"]))
