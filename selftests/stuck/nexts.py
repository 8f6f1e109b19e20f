# SPDX-License-Identifier: GPL-2.0
"""Executes every command that was advised, and looks whether it did what it says."""
import os
import re
import socket
import struct
import subprocess
import time

from judge import ask, check
from net import NEAR, family


def shell(cmd):
    return subprocess.run(["sh", "-c", cmd], capture_output=True, text=True, check=False)


def port_words(f):
    return "%s = :%d" % ("sport" if f["local_port"] else "dport", f["port"])


def sockets(findings, f):
    """Cookies of the sockets of that rule, port and namespace."""
    return {s["cookie"] for g in findings for s in g["sockets"]
            if (g["rule"], g["port"], g["local_port"], s["netns"]) ==
            (f["rule"], f["port"], f["local_port"], f["sockets"][0]["netns"])}


# ---- commands that show something ----

def shows(f, n, out):
    """Is in that output what was promised?"""
    cmd = n["cmd"]
    if "/fd" in cmd:
        told = re.search("descriptor ([0-9]+)", n["does"])
        inodes = {"socket:[%d]" % s["inode"] for s in f["sockets"]}
        shown = dict(re.findall(r"(\d+) -> (socket:\[\d+\])", out))
        return shown.get(told[1]) in inodes if told else bool(inodes & set(shown.values()))
    if "/stack" in cmd or "/wchan" in cmd:
        return bool(re.search("[a-z]", out))
    if "ip route get" in cmd:
        return " dev " in out
    if "/proc/sys" in cmd:
        return bool(re.fullmatch(r"\d+(\s+\d+)?\s*", out))
    if "ss -tln" in cmd:
        return bool(re.search(r"LISTEN +\d+ +\d+ .*:%d " % f["port"], out))
    return all(s["local"].split("[::ffff:")[-1] in out.replace("[::ffff:", "").replace("]:", ":")
               or s["local"] in out for s in f["sockets"][:1])


def try_look(f, n):
    run = shell(n["cmd"])
    # Our own descriptors come and go while they are listed.
    fleeting = n["cmd"] == "ls -l /proc/%d/fd" % os.getpid()
    good = (run.returncode == 0 or fleeting) and shows(f, n, run.stdout)
    return good, "%s\n%s\nstatus %d\n%s%s" % (n["cmd"], n["does"], run.returncode, run.stdout,
                                             run.stderr)


# ---- commands that mend something ----

def is_set(cmd):
    """The value that "sysctl -w NAME=VALUE" set, read back where it set it."""
    prefix, rest = cmd.split("sysctl -w ")
    name, value = rest.split("=")
    return shell("%scat /proc/sys/%s" % (prefix, name.replace(".", "/"))).stdout.strip() == value


def state_of(pid):
    try:
        return open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def clients(net, ns, source, dest, number, timeout):
    """How many of so many connections succeed."""
    made = []
    for _ in range(number):
        sock = net.socket(ns, dest[0])
        if source:
            sock.bind((source, 0))
        sock.settimeout(timeout)
        try:
            sock.connect(dest)
        except OSError:
            sock.close()
            continue
        made.append(sock)
    for sock in made:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    return len(made)


class Mender:
    def __init__(self, net, kinds):
        self.net, self.kinds = net, kinds

    def room(self, f):
        """Connections that are possible now, of those that are not if nothing helps."""
        ver = family(f["sockets"][0]["local"].rsplit(":", 1)[0])
        addr, port = self.kinds.crowd[f["rule"], ver]
        if f["rule"] == "time_wait_pileup":
            return clients(self.net, self.net.near, None, (addr, port), 120, 5)
        # Fill the queue once more; one SYN of a real client has to do.
        self.kinds.connect(addr, port, 100, wait=False)
        healthy = next(a for a, name in self.kinds.kind.items()
                       if name == "healthy" and family(a) == ver)
        return clients(self.net, self.net.far, healthy, (NEAR[ver], port), 1, 0.8)

    def go_on(self, f, n):
        """A stopped process runs again, and what waited for it is over."""
        pid = n["cmd"].split()[-1]
        run = shell(n["cmd"])
        if not wait_until(lambda: state_of(pid) not in ("T", None)):
            return False, "%s: still stopped\n%s" % (n["cmd"], run.stderr)
        left = wait_until(lambda: not sockets(ask(port_words(f))[1], f), 30)
        return left, "the sockets wait still"

    def setting(self, f, n):
        before = self.room(f)
        run = shell(n["cmd"])
        after = self.room(f)
        good = is_set(n["cmd"]) and before < after
        return good, "%s\nconnections possible before: %d, after: %d\n%s" % (
            n["cmd"], before, after, run.stderr)

    def mend(self, f, n):
        """The same command, advised twice, has no more to do."""
        if "sysctl" not in n["cmd"]:
            return self.go_on(f, n)
        if is_set(n["cmd"]):
            return True, ""
        return self.setting(f, n)


# ---- commands that end something ----

def try_end(f, n):
    """The sockets it speaks of are gone; of a kill: the process is."""
    run = shell(n["cmd"])
    if n["cmd"].startswith("kill"):
        pid = n["cmd"].split()[-1]
        return wait_until(lambda: state_of(pid) in (None, "Z")), "%s lives" % pid
    were = {s["cookie"] for s in f["sockets"]}
    gone = were - sockets(ask(port_words(f))[1], f)
    good = len(gone) == 1 if "oldest" in n["does"] else gone == were
    return good, "%s: %d of %d gone\n%s%s" % (n["cmd"], len(gone), len(were), run.stdout,
                                             run.stderr)


def try_one(tries, f, kinds):
    for n in f["next"]:
        # What was mended meanwhile needs no end.
        if n["kind"] not in kinds or \
           n["kind"] == "end" and not sockets(ask(port_words(f))[1], f):
            continue
        good, why = tries[n["kind"]](f, n)
        check(good, "next of %s: %s" % (f["rule"], n["does"]), why)


def try_all(net, kinds, findings):
    """What only looks and what mends before what ends; what won't last comes first."""
    tries = {"look": try_look, "mend": Mender(net, kinds).mend, "end": try_end}
    findings.sort(key=lambda f: not f["rule"].startswith(("time_wait", "syn_recv")))
    for f in findings:
        try_one(tries, f, ("look",))
        if f["rule"] in ("time_wait_pileup", "syn_recv_flood"):
            try_one(tries, f, ("mend",))
    for kind in ("mend", "end"):
        for f in findings:
            try_one(tries, f, (kind,))
