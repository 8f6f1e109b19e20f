#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One connection of each case out of the recording of a run, to keep.

usage: cut.py RESULTS FILE      RESULTS: what run.py left in $TCPTRAIL_OUT

FILE gets the recording, FILE.names a line for each end in it: cookie (in
hexadecimal), end, case. tools/tests/scenarios.rec.xz was made by this.
"""

import json
import os
import struct
import sys

HDR = struct.Struct("=QHBBIQ")          # struct tcptrail_hdr
LOST, SYNC = 5, 6
MOST = 4                                # ends of one case


def key(o, ends=("local", "remote")):
    def end(e):
        return (e["addr"], e["port"]) if isinstance(e, dict) else tuple(e)
    return (o["netns"],) + tuple(end(o[e]) for e in ends)


def variants(world):
    """The case names to keep: of each case IPv4 over veth if there is one."""
    best = {}
    for case in world["cases"]:
        what, family, link = case["name"].rsplit(" ", 2)
        rank = (link != "veth", family != "ipv4")
        best[what] = min(best.get(what, (rank, case["name"])), (rank, case["name"]))
    keep = {name for _, name in best.values()}
    return keep | {"row 1 handshake ipv6 veth", "row 2 teardown ipv6 veth"}


def choose(world):
    """{cookie: (end, case)}"""
    keep, chosen, count = variants(world), {}, {}
    conns = {}
    for c in world["final"]["conns"]:
        conns.setdefault(key(c), []).append(c)
    for e in world["expects"]:
        name = e["case"]
        for c in conns.get(key(e), []) if name in keep else []:
            if c["cookie"] in chosen or count.get(name, 0) >= MOST:
                continue
            count[name] = count.get(name, 0) + 1
            chosen[c["cookie"]] = (e["side"], name)
    return chosen


def cut(data, cookies):
    """The records of these, and each ring numbered without holes again."""
    at = struct.unpack_from("=I", data)[0]
    out, seqs = [data[:at]], {}
    while at + HDR.size <= len(data):
        seq, size, kind, pad, cpu, ts = HDR.unpack_from(data, at)
        if size < HDR.size:
            break               # the info block again
        record = data[at:at + size]
        at += size
        if kind not in (LOST, SYNC):
            cookie = struct.unpack_from("=Q", record, HDR.size)[0]
            if cookie not in cookies:
                continue
            if seq:
                seqs[cpu] = seqs.get(cpu, 0) + 1
                record = HDR.pack(seqs[cpu], size, kind, pad, cpu, ts) + record[HDR.size:]
        out.append(record)
    return b"".join(out)


def main():
    results, target = sys.argv[1:3]
    with open(os.path.join(results, "world.json")) as f:
        world = json.load(f)
    with open(os.path.join(results, "recording"), "rb") as f:
        data = f.read()
    chosen = choose(world)
    with open(target, "wb") as f:
        f.write(cut(data, chosen))
    with open(target + ".names", "w") as f:
        for cookie, (side, name) in sorted(chosen.items()):
            f.write("%x %s %s\n" % (cookie, side, name))


if __name__ == "__main__":
    main()
