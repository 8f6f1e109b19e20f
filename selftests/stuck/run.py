#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every kind of stuck socket, made by real programs, against tcptrail stuck.

Prints a confusion table: what was made against what was said. All that is off
its diagonal is a failure, and so is a healthy socket that was accused. Then
each command that was advised is executed, and has to do what it says.

usage: run.py [-v]        root, with or without the module; TAP
"""
import collections
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kinds import HEALTHY, KINDS, Kinds
from net import Net

TOOL = os.environ.get("TCPTRAIL", "tcptrail")
SCALE = int(os.environ.get("STUCK_SCALE", "60"))
OVER = 2.0
results = []


def check(good, name, why=""):
    results.append(good)
    print("%sok %d - %s" % ("" if good else "not ", len(results), name), flush=True)
    if not good:
        for line in str(why).splitlines()[:40]:
            print("# " + line)


def ask(*more):
    """Findings and the summary."""
    run = subprocess.run([TOOL, "stuck", "-j", "-x", "--over", "%gs" % OVER, *more],
                         capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return run, [f for f in lines if "rule" in f], lines[-1]["summary"]


def host(end):
    return end.rsplit(":", 1)[0]


class Judge:
    def __init__(self, net, kinds):
        self.kinds = kinds
        self.sides = {ino: side for side, ino in net.ino.items()}

    def origin(self, sock):
        """(side, far address) of a socket; None: it is not one of ours."""
        side = self.sides.get(sock["netns"])
        addr = host(sock["remote"] if side == "near" else sock["local"])
        return (side, addr) if (side, addr) in self.kinds.expected else None

    def table(self, findings):
        """{(expected, said): count}, and who was named wrongly."""
        said = collections.defaultdict(collections.Counter)
        wrong = []
        for f in findings:
            for sock in f["sockets"]:
                origin = self.origin(sock)
                if not origin:
                    if f["severity"] == "failure" and sock["netns"] in self.sides and \
                       not (f["state"] == "LISTEN" and f["port"] in self.kinds.listener):
                        wrong.append(("nobody's", f["rule"], sock["local"]))
                    continue
                rule = f["rule"] if f["severity"] == "failure" else HEALTHY
                said[origin][rule] += 1
                wrong += self.wrong_owner(origin, f, sock)
        return self.confusion(said), wrong

    def wrong_owner(self, origin, finding, sock):
        side, addr = origin
        pid = self.kinds.by_program.get(addr)
        if side != "near" or not pid or not sock["holders"]:
            return []
        good = {h["pid"] for h in sock["holders"]} | {h["ppid"] for h in sock["holders"]}
        return [] if pid in good else [("owner", finding["rule"], sock)]

    def confusion(self, said):
        cells = collections.Counter()
        for origin, expected in self.kinds.expected.items():
            side, addr = origin
            if side == "probe" or expected == "gone":
                continue
            total = self.kinds.count[addr]
            want = expected if isinstance(expected, dict) else {expected: total}
            self.compare(cells, want, said[origin])
        return cells

    @staticmethod
    def compare(cells, want, got):
        """Both are counts by rule; what is left over on both sides is off."""
        want, got = collections.Counter(want), collections.Counter(got)
        want.pop(HEALTHY, None)
        got.pop(HEALTHY, None)
        for rule in want & got:
            cells[rule, rule] += (want & got)[rule]
        missing, extra = want - got, got - want
        for rule, n in missing.items():
            for other in list(extra):
                k = min(n, extra[other])
                cells[rule, other] += k
                extra[other] -= k
                n -= k
            if n:
                cells[rule, "nothing"] += n
        for other, n in extra.items():
            if n:
                cells["healthy", other] += n


def off(cells):
    return {k: n for k, n in cells.items() if k[0] != k[1] and n}


def wait_for(judge, seconds):
    """Sockets need time to become old; what they become is then final."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        cells, wrong = judge.table(answer[1])
        if not off(cells) and not wrong or time.monotonic() > deadline:
            return answer, cells, wrong
        time.sleep(1)


def print_table(cells):
    for (want, got), n in sorted(cells.items(), key=str):
        print("# %-34s %-34s %5d %s" % (want, got, n, "" if want == got else "<--"))


def shell(cmd):
    return subprocess.run(["sh", "-c", cmd], capture_output=True, text=True, check=False)


def same(findings, f):
    return [g for g in findings if (g["rule"], g["port"], g["local_port"]) ==
            (f["rule"], f["port"], f["local_port"]) and
            {s["netns"] for s in g["sockets"]} == {s["netns"] for s in f["sockets"]}]


def try_look(f, n):
    run = shell(n["cmd"])
    # Our own descriptors come and go while they are listed.
    ours_too = n["cmd"] == "ls -l /proc/%d/fd" % os.getpid() and "socket:[" in run.stdout
    good = ours_too or (run.returncode == 0 and run.stdout.strip())
    return good, "%s\nstatus %d\n%s%s" % (n["cmd"], run.returncode, run.stdout, run.stderr)


def setting(cmd):
    """The value that "sysctl -w NAME=VALUE" set, read back where it set it."""
    prefix, rest = cmd.split("sysctl -w ")
    name, value = rest.split("=")
    got = shell("%scat /proc/sys/%s" % (prefix, name.replace(".", "/"))).stdout.strip()
    return got == value, got


def try_mend(f, n):
    run = shell(n["cmd"])
    if "sysctl" in n["cmd"]:
        good, got = setting(n["cmd"])
        return good, "%s: %s %s" % (n["cmd"], got, run.stderr)
    pid = n["cmd"].split()[-1]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        stat = open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0]
        if stat != "T":
            return True, ""
        time.sleep(0.1)
    return False, "%s: still stopped" % pid


def try_end(f, n):
    """The sockets it speaks of are gone; of a kill: the process is."""
    run = shell(n["cmd"])
    if n["cmd"].startswith("kill"):
        pid = n["cmd"].split()[-1]
        deadline = time.monotonic() + 5
        while os.path.exists("/proc/" + pid) and time.monotonic() < deadline:
            if open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0] == "Z":
                break
            time.sleep(0.1)
        else:
            if os.path.exists("/proc/" + pid):
                return False, "%s lives" % pid
        return True, ""
    port = "%s = :%d" % ("sport" if f["local_port"] else "dport", f["port"])
    left = {s["cookie"] for g in same(ask(port)[1], f) for s in g["sockets"]}
    were = {s["cookie"] for s in f["sockets"]}
    one = "oldest" in n["does"]
    gone = were - left
    good = len(gone) == 1 if one else gone == were
    return good, "%s: %d of %d gone\n%s%s" % (n["cmd"], len(gone), len(were), run.stdout,
                                             run.stderr)


def try_next(findings):
    tries = {"look": try_look, "mend": try_mend, "end": try_end}
    for kind in ("look", "mend", "end"):
        for f in findings:
            for n in f["next"]:
                if n["kind"] != kind:
                    continue
                good, why = tries[kind](f, n)
                check(good, "%s: %s" % (f["rule"], n["cmd"].split()[0] + " ... " +
                                        n["does"]), why)


def ours(net, findings):
    return [f for f in findings if f["sockets"][0]["netns"] in net.ino.values()]


def run_all(net):
    kinds = Kinds(net, SCALE, OVER)
    try:
        kinds.make_all()
        judge = Judge(net, kinds)
        (run, findings, summary), cells, wrong = wait_for(judge, 25)
        print_table(cells)
        stuck = sum(cells.values())
        print("# %d stuck sockets of %d kinds, module %s" % (
            stuck, len({k for k, _ in cells}), "loaded" if summary["module"] else "not loaded"))
        check(run.returncode == 3, "exit status 3", "%d %s" % (run.returncode, run.stderr))
        check(not off(cells), "nothing off the diagonal", off(cells))
        check(not wrong, "nobody is accused wrongly", "\n".join(map(str, wrong)))
        full = {f["port"]: f["rule"] for f in findings if f["state"] == "LISTEN"}
        check(full == kinds.listener, "full accept queues", full)
        if "-v" in sys.argv:
            print(subprocess.run([TOOL, "stuck", "--over", "%gs" % OVER], capture_output=True,
                                 text=True, check=False).stdout)
        try_next(ours(net, findings))
    finally:
        kinds.end()


def main():
    net = Net()
    try:
        run_all(net)
    finally:
        net.destroy()
    print("1..%d" % len(results))
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
