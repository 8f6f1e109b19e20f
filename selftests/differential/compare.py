#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Compares what tcptrail recorded with what packets and calls prove.

usage: compare.py --tool FILE [--connection LINK:LOCALPORT] ROUND...

ROUND is a folder that guest.py has left. Every end of every connection, and
every listener, is one of
  equal        tcptrail shows the one history that the witnesses allow
  undecided    they allow several (which of two came first, the clock does not
               say), and tcptrail shows one of them
  mismatch     anything else; it is printed in full
Exit status: 0, 1 for a mismatch, or for more than 1 % undecided.
"""

import argparse
import collections
import json
import multiprocessing
import os
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import Listeners, Sockets, flows, meaning              # noqa: E402
from seen import SYN, Round                                  # noqa: E402

MOST_UNDECIDED = 0.01
SHOWN = 20              # mismatches that are printed
# A segment waits for those before it in its round of the softirq, up to 64. When
# ksoftirqd has to share the CPU it may wait longer: that is counted.
WAIT, WAIT_LONG = 2000000, 20000000


def pton(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def shown(tool, trail):
    """The objects of tcptrail show -j, and its summary."""
    done = subprocess.run([tool, "show", "-j", "-i", trail], stdout=subprocess.PIPE,
                          check=False)
    if done.returncode not in (0, 3, 4):
        sys.exit("compare: %s show -j -i %s: status %d" % (tool, trail, done.returncode))
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return [o for o in objects if "summary" not in o], \
        next(o["summary"] for o in objects if "summary" in o)


# ---- one connection ----

def same_steps(c, o):
    """What differs in the steps: states, causes, owners, times; what is only late."""
    want = [("SYN_RECV" if s.state == "REQUEST" else s.state, s.cause) for s in c.steps]
    got = [(s["state"], s["cause"]) for s in o["steps"]]
    if want != got:
        return ["steps %s" % " ".join("%s/%s" % g for g in got)], []
    out, late = [], []
    for s, g in zip(c.steps, o["steps"]):
        owner = g["owner"]["pid"] if g.get("owner") else None
        if owner != s.owner:
            out.append("%s/%s is by %s, not %s" % (s.state, s.cause, owner, s.owner))
        if not s.lo <= g["ts_ns"] <= s.hi + (0 if s.owner else WAIT):
            by = g["ts_ns"] - (s.lo if g["ts_ns"] < s.lo else s.hi)
            (late if not s.owner and 0 < by < WAIT_LONG else out).append(
                "%s/%s at %d, not in %d..%d (%d)" % (
                    s.state, s.cause, g["ts_ns"], s.lo, s.hi, by))
    return out, late


def numbers(c, o, flow):
    """ISNs, counts, processes, errno, cookie."""
    # A SYN that waits in a queue may be seen when the connection is over.
    syns = {p.seq for p in flow.packets if p.tx and p.flags & SYN}
    iss = o["iss"] if c.iss is None and not c.passive and o["iss"] in syns else c.iss
    joined = any(s.state == "ESTABLISHED" for s in c.steps)
    want = {"complete": "complete", "missing_steps": 0, "open": not c.over(),
            "passive": c.passive, "accepted": bool(c.accepted),
            "iss": iss, "irs": c.irs if c.passive or joined else None, "errno": c.errno,
            "tw_restarts": c.restarts}
    if c.passive:
        want["synack_rtx"] = max(0, c.synacks - 1)
    out = ["%s is %s, not %s" % (k, o[k], v) for k, v in want.items() if o[k] != v]
    for who, pid in (("opener", c.opener), ("closer", c.closer)):
        got = o[who]["pid"] if o[who] else None
        if got != pid:
            out.append("%s is %s, not %s" % (who, got, pid))
    return out


def doubt(outcomes):
    """Why the witnesses allow several histories."""
    steps = {tuple((s.state, s.cause if s.cause not in ("close", "exit") else "close")
                   for c in conns for s in c.steps) for conns in outcomes}
    if len(steps) == 1:
        return "whose close() was the last"
    causes = {s.cause for conns in outcomes for c in conns for s in c.steps}
    if "unreachable" in causes:
        return "did connect() still hold the socket"
    if "rtx_timeout" in causes or "synack_timeout" in causes:
        return "timer or segment"
    return "call or segment first"


class Comparison:
    def __init__(self, seen, objects):
        self.seen = seen
        self.sockets = Sockets(seen)
        self.count = collections.Counter()
        self.ends = collections.Counter()
        self.messages = []
        self.bykey = collections.defaultdict(list)
        for o in objects:
            if o["remote"]["port"]:
                self.bykey[o["netns"], pton(o["local"]["addr"]), o["local"]["port"],
                           pton(o["remote"]["addr"]), o["remote"]["port"]].append(o)
        for found in self.bykey.values():
            found.sort(key=lambda o: o["birth_ns"])
        self.listening = {o["cookie"]: o for o in objects if not o["remote"]["port"]}
        self.only = None

    def complaints(self, flow, conns, objects):
        """What is wrong, and what is late."""
        if len(conns) != len(objects):
            return ["%d connections, not %d" % (len(objects), len(conns))], []
        out, all_late = [], []
        for c, o in zip(conns, objects):
            bad, late = same_steps(c, o)
            bad += numbers(c, o, flow)
            all_late += late
            cookie = self.sockets.cookie(c.sid) if c.sid else 0
            if cookie and cookie != o["cookie"]:
                bad.append("cookie is %x, not %x" % (o["cookie"], cookie))
            out += ["%s: %s" % (o["id"], b) for b in bad]
        return out, all_late

    def flow(self, flow, listeners, side):
        if self.only and self.only != (self.seen.links[flow.link], flow.key[1]):
            return
        netns = self.seen.meta["nets"][self.seen.net(flow.link, side)]["ino"]
        objects = self.bykey.pop((netns,) + flow.key, [])
        outcomes = flow.outcomes(listeners)
        if outcomes is None:
            self.count["undecided: too many orders"] += max(1, len(objects))
            return
        if not objects and not any(outcomes):
            return
        found = [self.complaints(flow, conns, objects) for conns in outcomes]
        bad = [b for b, _ in found]
        late = [late for b, late in found if not b]
        number = max(1, len(objects))
        if all(bad) and (not flow.key[1] or
                         (not flow.events and any(p.tx for p in flow.packets))):
            # Who was killed in connect() has not told from which port.
            self.count["undecided: killed before it told of its calls"] += number
        elif all(bad):
            self.count["mismatch"] += number
            self.tell(flow, outcomes, objects, bad)
        elif len({meaning(conns) for conns in outcomes}) > 1:
            self.count["undecided: " + doubt(outcomes)] += number
        elif all(late):
            self.count["undecided: how long a segment waited"] += number
        else:
            self.count["equal"] += number
        if not all(bad):
            for o in objects:
                self.ends[o["end_cause"]] += 1

    def tell(self, flow, outcomes, objects, bad):
        lines = ["MISMATCH %s:%d, %s" % (self.seen.links[flow.link], flow.key[1],
                                        self.seen.directory)]
        for conns, b in list(zip(outcomes, bad))[:4]:
            lines += ["  " + text for text in b[:6]]
            for c in conns:
                lines += ["    expected " + s.text() for s in c.steps]
        for o in objects:
            lines += ["    tcptrail %s/%s at %d%s" % (
                s["state"], s["cause"], s["ts_ns"],
                " by %d" % s["owner"]["pid"] if s["owner"] else "") for s in o["steps"]]
        things = [(p.ts, "    " + p.text()) for p in flow.packets]
        for sid in {e.sid for e in flow.events if e.kind != "listener"}:
            things += [(c.t0, "    " + c.text()) for c in self.sockets.by_sid[sid]]
        self.messages.append("\n".join(lines + [t for _, t in sorted(things)[:80]]))

    def listeners(self):
        for spans in Listeners(self.sockets).spans.values():
            for call, end in spans:
                o = self.listening.pop(call.cookie, None)
                want = [("LISTEN", "listen", call.pid, call.t0, call.t1),
                        ("CLOSE", end.kind, end.pid, end.t0, end.hi)]
                good = o and len(o["steps"]) == 2 and all(
                    g["state"] == s and g["cause"] == c and g["owner"] and
                    g["owner"]["pid"] == p and lo <= g["ts_ns"] <= hi
                    for g, (s, c, p, lo, hi) in zip(o["steps"], want))
                self.count["equal" if good else "mismatch"] += 1
                if not good:
                    self.messages.append("MISMATCH listener %s: %s, not %s" % (
                        call.text(), o and o["steps"], want))

    def run(self):
        for flow, at in flows(self.seen, self.sockets):
            local = flow.key[0]
            side = "c" if local in self.seen.addresses(flow.link, "c") else "s"
            self.flow(flow, at, side)
        if self.only:
            return
        self.listeners()
        inos = {n["ino"] for n in self.seen.meta["nets"].values()}
        for key, found in self.bykey.items():
            if key[0] in inos:
                self.count["mismatch"] += len(found)
                self.messages.append("MISMATCH nobody else has seen %s: %s" % (
                    [o["id"] for o in found], key))
        for o in self.listening.values():
            if o["netns"] in inos:
                self.count["mismatch"] += 1
                self.messages.append("MISMATCH unknown listener " + o["id"])


def one_round(job):
    """Counts, ends by cause, messages and lost records of one round."""
    tool, directory, connection = job
    seen = Round(directory)
    objects, summary = shown(tool, os.path.join(directory, "trail"))
    c = Comparison(seen, objects)
    if connection:
        link, port = connection.split(":")
        c.only = (link, int(port))
    c.run()
    return c.count, c.ends, c.messages, \
        summary["lost"] + summary["missed"] + summary["no_trail"]


def report(count, ends, messages, lost):
    """Prints it all; the exit status."""
    for text in messages[:SHOWN]:
        print(text)
    total = sum(count.values())
    print("# ends of connections, and listeners: %d" % total)
    for what, n in sorted(count.items()):
        print("# %-48s %8d  %.3f %%" % (what, n, 100 * n / total))
    for cause, n in ends.most_common():
        print("# ended by %-39s %8d" % (cause, n))
    undecided = sum(n for what, n in count.items() if what.startswith("undecided"))
    print("# records lost: %d" % lost)
    return int(not total or count["mismatch"] > 0 or lost > 0 or
               undecided > MOST_UNDECIDED * total)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tool", required=True)
    p.add_argument("--connection", help="LINK:LOCALPORT, only this one")
    p.add_argument("round", nargs="+")
    opt = p.parse_args()
    jobs = [(opt.tool, d, opt.connection) for d in opt.round]
    count, ends, messages, lost = collections.Counter(), collections.Counter(), [], 0
    with multiprocessing.Pool(min(len(jobs), os.cpu_count())) as pool:
        for c, e, m, n in pool.imap(one_round, jobs):
            count, ends, messages, lost = count + c, ends + e, messages + m, lost + n
    sys.exit(report(count, ends, messages, lost))


if __name__ == "__main__":
    main()
