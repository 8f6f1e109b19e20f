# SPDX-License-Identifier: GPL-2.0
"""Executes every command that was advised, and looks whether it did what it says.

Whether sockets are still there is asked of ss.
"""
import collections
import functools
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


# What only shows something shows the same to everyone who is told to type it.
look = functools.cache(shell)


def port_words(f):
    return "%s = :%d" % ("sport" if f["local_port"] else "dport", f["port"])


def sockets(findings, f):
    """Cookies of the sockets of that rule, port and namespace."""
    return {s["cookie"] for g in findings for s in g["sockets"]
            if (g["rule"], g["port"], g["local_port"], s["netns"]) ==
            (f["rule"], f["port"], f["local_port"], f["sockets"][0]["netns"])}


def left(net, f):
    """Those of its sockets that are still there."""
    ns = net.near if f["sockets"][0]["netns"] == net.ino["near"] else net.far
    there = net.ss(ns, "-ae", port_words(f))
    return {s["cookie"] for s in f["sockets"]} & \
        {int(cookie, 16) for cookie in re.findall("sk:([0-9a-f]+)", there)}


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
    run = look(n["cmd"])
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

def try_end(net, f, n):
    """The sockets it speaks of are gone; of a kill: the process is."""
    run = shell(n["cmd"])
    if n["cmd"].startswith("kill"):
        pid = n["cmd"].split()[-1]
        return wait_until(lambda: state_of(pid) in (None, "Z")), "%s lives" % pid
    gone = {s["cookie"] for s in f["sockets"]} - left(net, f)
    good = len(gone) == (1 if "oldest" in n["does"] else f["count"])
    return good, "%s: %d of %d gone\n%s%s" % (n["cmd"], len(gone), f["count"], run.stdout,
                                             run.stderr)


def sort_of(f, n):
    return f["rule"], re.sub("[0-9]+", "N", n["does"])


class Tries:
    """@advised, @tried: how often each sort of command was, for each rule."""

    def __init__(self, net, kinds, findings):
        self.net = net
        self.way = {"look": try_look, "mend": Mender(net, kinds).mend,
                    "end": functools.partial(try_end, net)}
        self.advised = collections.Counter(sort_of(f, n) for f in findings for n in f["next"])
        self.tried = collections.Counter()

    def try_all(self, findings, kind):
        """The rarest first: who ends one end of a connection ends both."""
        todo = [(f, n) for f in findings for n in f["next"] if n["kind"] == kind]
        for f, n in sorted(todo, key=lambda one: self.advised[sort_of(*one)]):
            # What was mended meanwhile needs no end.
            if kind == "end" and not left(self.net, f):
                continue
            self.tried[sort_of(f, n)] += 1
            good, why = self.way[kind](f, n)
            check(good, "next of %s: %s" % (f["rule"], n["does"]), why)


def try_all(net, kinds, findings):
    """What only looks and what mends before what ends; what won't last comes first."""
    tries = Tries(net, kinds, findings)
    fleeting = [f for f in findings if f["rule"] in ("time_wait_pileup", "syn_recv_flood")]
    lasting = [f for f in findings if f not in fleeting]
    for some, kind in ((fleeting, "look"), (fleeting, "mend"), (lasting, "look"),
                       (lasting, "mend"), (findings, "end")):
        tries.try_all(some, kind)
    never = [sort for sort in tries.advised if not tries.tried[sort]]
    check(tries.advised and not never, "every sort of advice was followed", never)
