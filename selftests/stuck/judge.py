# SPDX-License-Identifier: GPL-2.0
"""What was made, against what tcptrail stuck says of it."""
import collections
import json
import os
import subprocess
import time

from kinds import ANY, HEALTHY

TOOL = os.environ.get("TCPTRAIL", "tcptrail")
OVER = 2.0
results = []


def check(good, name, why=""):
    results.append(good)
    print("%sok %d - %s" % ("" if good else "not ", len(results), name), flush=True)
    if not good:
        for line in str(why).splitlines()[:40]:
            print("# " + line)


def ask(*more, prefix=()):
    """The run, the findings and the summary."""
    run = subprocess.run([*prefix, TOOL, "stuck", "-j", "-x", "--over", "%gs" % OVER, *more],
                         capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return run, [f for f in lines if "rule" in f], lines[-1]["summary"]


def host(end):
    return end.rsplit(":", 1)[0].strip("[]")


class Judge:
    """@as_told: rule -> what it becomes for somebody who sees less."""

    def __init__(self, net, kinds, as_told=None):
        self.kinds, self.as_told = kinds, as_told or {}
        self.sides = {ino: side for side, ino in net.ino.items()}

    def origin(self, sock):
        """(side, far address) of a socket; None: it is not one of ours."""
        side = self.sides.get(sock["netns"])
        addr = host(sock["remote"] if side == "near" else sock["local"])
        return (side, addr) if (side, addr) in self.kinds.expected else None

    def expected(self, origin):
        want = self.kinds.expected[origin]
        if not isinstance(want, dict):
            want = {want: self.kinds.count[origin[1]]}
        return {self.as_told.get(rule, rule): n for rule, n in want.items()}

    def table(self, findings, sides=("near", "far")):
        """{(expected, said): count}, and what was said wrongly besides."""
        said = collections.defaultdict(collections.Counter)
        wrong = []
        for f in findings:
            if f["severity"] == "failure":
                self.add(f, said, wrong)
        cells = collections.Counter()
        for origin, expected in self.kinds.expected.items():
            if origin[0] in sides and expected != "gone":
                self.compare(cells, self.expected(origin), said[origin])
        return cells, wrong

    def add(self, f, said, wrong):
        for sock in f["sockets"]:
            origin = self.origin(sock)
            if origin:
                said[origin][f["rule"]] += 1
                wrong += self.wrong_owner(origin, f, sock)
            elif sock["netns"] in self.sides and \
                    not (f["state"] == "LISTEN" and f["port"] in self.kinds.listener):
                wrong.append(("nobody's", f["rule"], sock["local"]))

    def wrong_owner(self, origin, finding, sock):
        """Exactly who holds it, no one else; and who has to accept it."""
        side, addr = origin
        if side == "far":
            good = all(h["pid"] == os.getpid() for h in sock["holders"])
            return [] if good else [("holder", finding["rule"], sock)]
        if self.as_told:
            return []
        program, want = self.kinds.program[addr], self.kinds.holder[addr]
        who = {"program" if h["pid"] == program else
               "child" if h["ppid"] == program else "stranger" for h in sock["holders"]}
        if who != ({"program", "child"} if want == "program and child" else
                   set() if want == "nobody" else {want}):
            return [("holder", want, finding["rule"], sock)]
        return self.wrong_part(program, finding)

    @staticmethod
    def wrong_part(program, finding):
        actor = finding["actor"]
        if "never_accepted" in finding["rule"] or finding["rule"] == "syn_recv_queue_full":
            if not actor or actor["pid"] != program or not actor["listener"] or \
               "backlog" not in finding["why"]:
                return [("listener", finding["rule"], actor, finding["why"])]
        for sock in finding["sockets"]:
            opener = sock["opener"]
            if sock["inode"] and opener and opener["pid"] != program:
                return [("opener", finding["rule"], sock)]
        return []

    @staticmethod
    def compare(cells, want, got):
        """Both are counts by rule; what is left over on both sides is off."""
        want, got = collections.Counter(want), collections.Counter(got)
        want.pop(HEALTHY, None)
        for rule, n in want.items():
            if n == ANY:
                want[rule] = max(got[rule], 1)
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


def wait_for(judge, seconds=float(os.environ.get("STUCK_WAIT", 60)), sides=("near", "far"), **how):
    """Sockets need time to become old; what they become is then final."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask(**how)
        cells, wrong = judge.table(answer[1], sides)
        if not off(cells) and not wrong or time.monotonic() > deadline:
            return answer, cells, wrong
        time.sleep(2)


def print_table(cells):
    """Rows: what was made. Columns: what was said. Zeros are dots."""
    made = sorted({want for want, _ in cells}, key=str)
    said = sorted({got for _, got in cells}, key=str)
    for k, rule in enumerate(said):
        print("# said %2d = %s" % (k, rule))
    print("# %-34s %s" % ("made", "".join("%5d" % k for k in range(len(said)))))
    for want in made:
        print("# %-34s %s" % (want, "".join("%5s" % (cells[want, got] or ".") for got in said)))


def check_all(judge, name, sides=("near", "far"), **how):
    """The confusion table; the findings."""
    (run, findings, summary), cells, wrong = wait_for(judge, sides=sides, **how)
    print_table(cells)
    right = sum(n for (want, got), n in cells.items() if want == got)
    rules = len({want for want, got in cells if want == got})
    print("# %s: %d stuck sockets of %d kinds told rightly, %d sockets in all" %
          (name, right, rules, summary["sockets"]))
    check(run.returncode == 3, name + ": exit status 3", "%d %s" % (run.returncode, run.stderr))
    check(not off(cells), name + ": nothing off the diagonal", off(cells))
    check(not wrong, name + ": nobody is accused wrongly, every holder is right",
          "\n".join(str(w)[:300] for w in wrong[:10]))
    return findings, right, rules
