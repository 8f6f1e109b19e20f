#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Owners that are hard to tell: containers, reused process ids, threads, and
processes that end or pass a descriptor on between two looks.

usage: special.py        root, with the module; TAP
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from judge import TOOL, check, results
from kinds import HERE, module
from net import sh

BETWEEN = os.environ["STUCK_BETWEEN"]
OWNER = HERE + "/owner.py"
ID = "0123456789abcdef" * 4
LAST_PID = "/proc/sys/kernel/ns_last_pid"


class Owner:
    """A program that owns CLOSE_WAITs, in a network namespace of its own."""

    def __init__(self, what, *prefix, count=1, env=None):
        self.proc = subprocess.Popen([*prefix, sys.executable, "-IS", OWNER, what, str(count)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     env=env)
        # What it says: its namespace, and its process ids there.
        self.net, *self.pids = map(int, self.proc.stdout.readline().split())

    def go(self):
        self.proc.stdin.write("go\n")
        self.proc.stdin.flush()
        return self.proc.stdout.readline().split()

    def end(self):
        self.proc.stdin.close()
        self.proc.kill()
        self.proc.wait()


def ask(net, *prefix, env=None):
    """{rule: [socket]} of one network namespace, and the findings."""
    run = subprocess.run([*prefix, TOOL, "stuck", "-j", "-x", "--over", "1ns", "state",
                          "close-wait", "netns", str(net)], capture_output=True, text=True,
                         env={**os.environ, **(env or {})}, check=False)
    findings = [f for f in map(json.loads, run.stdout.splitlines()) if "rule" in f]
    return {f["rule"]: f["sockets"] for f in findings}, findings, run


def text(net):
    return subprocess.run([TOOL, "stuck", "--over", "1ns", "state", "close-wait", "netns",
                           str(net)], capture_output=True, text=True, check=False).stdout


def holders(socks):
    return {(h["pid"], h["comm"]) for s in socks for h in s["holders"]}


def children(pid):
    return [int(p) for p in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]


# ---- containers ----

def in_cgroup(pid, path):
    """False: this machine has no unified hierarchy."""
    root = sh("findmnt", "-n", "-o", "TARGET", "-t", "cgroup2").strip().split("\n")[0]
    os.makedirs(root + path, exist_ok=True)
    with open(root + path + "/cgroup.procs", "w") as f:
        f.write(str(pid))


def container():
    if not os.path.isdir("/sys/fs/cgroup/system.slice") and \
       subprocess.run(["findmnt", "-t", "cgroup2"], capture_output=True, check=False).returncode:
        sh("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    owner = Owner("leak", "unshare", "-p", "-f", "-n", "--mount-proc")
    try:
        pid = children(owner.proc.pid)[0]
        in_cgroup(pid, "/system.slice/docker-%s.scope" % ID)
        rules, findings, _ = ask(owner.net)
        held = rules.get("close_wait_held", [])
        check(holders(held) == {(pid, "leak")} and owner.pids == [1],
              "container: its process is found, by its id out here", rules)
        check(held and held[0]["holders"][0]["unit"] == "container " + ID[:12],
              "container: it has its name", held)
        check(held and (not module() or held[0]["opener"]["pid"] == pid),
              "container: who opened it", held)
        run = subprocess.run(["sh", "-c", findings[0]["next"][-1]["cmd"]], capture_output=True,
                             text=True, check=False)
        check(not ask(owner.net)[0], "container: the socket is ended from outside",
              (findings[0]["next"], run.stderr))
    finally:
        owner.end()


def inside():
    """The tool itself in a container: ids of the records mean nothing there."""
    owner = Owner("leak", "unshare", "-p", "-f", "-n", "--mount-proc")
    try:
        pid = children(owner.proc.pid)[0]
        rules = ask(owner.net, "nsenter", "-t", str(pid), "-p", "-n", "-m", "-r")[0]
        check(holders(rules.get("close_wait_held", [])) == {(1, "leak")},
              "inside a container: its own process, by its id in there", rules)
    finally:
        owner.end()


def unit():
    owner = Owner("leak", "unshare", "-n")
    try:
        in_cgroup(owner.proc.pid, "/system.slice/leaky.service")
        shown = text(owner.net)
        check("%d leak [leaky.service]" % owner.proc.pid in shown, "a unit of systemd", shown)
    finally:
        owner.end()


def passed():
    """A descriptor that was passed to another container."""
    owner = Owner("pass", "unshare", "-n")
    try:
        other = owner.pids[-1]
        rules = ask(owner.net)[0]
        check(holders(rules.get("close_wait_forked", [])) ==
              {(owner.proc.pid, "pass"), (other, "taker")},
              "passed to another network namespace: both hold it", rules)
    finally:
        owner.end()


def thread():
    """The first thread has ended, another one goes on."""
    owner = Owner("thread", "unshare", "-n")
    try:
        rules = ask(owner.net)[0]
        check({p for p, _ in holders(rules.get("close_wait_held", []))} == {owner.proc.pid},
              "first thread ended: the process holds it still", rules)
    finally:
        owner.end()


def stranger():
    """Not root: one's own processes are seen."""
    uid = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    owner = Owner("leak", "unshare", "-n", "sh", "-c", "ip link set lo up; exec \"$@\"", "sh", *uid)
    try:
        rules, _, run = ask(owner.net, "nsenter", "-t", str(owner.proc.pid), "-n", *uid)
        check(holders(rules.get("close_wait_held", [])) == {(owner.proc.pid, "leak")},
              "not root: one's own process is found", (rules, run.stderr))
    finally:
        owner.end()


# ---- reused process ids ----

def take_pid(pid):
    """Another process gets that id."""
    for _ in range(50):
        with open(LAST_PID, "w") as f:
            f.write(str(pid - 1))
        proc = subprocess.Popen(["sleep", "1000"])
        if proc.pid == pid:
            return proc
        proc.kill()
        proc.wait()
    raise RuntimeError("process id %d could not be had" % pid)


def can_take_pid(name):
    if os.path.exists(LAST_PID):
        return True
    check(True, "# SKIP %s: this kernel lets nobody ask for a process id" % name)
    return False


def reused():
    """Who accepted it has ended, and its id belongs to somebody else now."""
    if not can_take_pid("reused id"):
        return
    owner = Owner("orphan", "unshare", "-n")
    pid, child = owner.proc.pid, owner.pids[-1]
    owner.go()
    owner.proc.wait()
    thief = take_pid(pid)
    try:
        rules = ask(owner.net)[0]
        socks = rules.get("close_wait_forked" if module() else "close_wait_held", [])
        check(holders(socks) == {(child, "orphan")}, "reused id: the child holds it", rules)
        check(not module() or socks and socks[0]["opener"]["pid"] == pid and socks[0]["opener"]["alive"] is False,
              "reused id: who opened it has exited", socks)
        shown = text(owner.net)
        check((not module() or "%d orphan (exited)" % pid in shown) and "sleep" not in shown,
              "reused id: shown as exited", shown)
    finally:
        thief.kill()
        thief.wait()
        os.kill(child, signal.SIGKILL)


# ---- between two looks ----

def reached(tool, fifo):
    """Waits until the tool is at that moment. False: it ended without."""
    fd, said = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), b""
    while not said and tool.poll() is None:
        time.sleep(0.01)
        try:
            said = os.read(fd, 16)
        except BlockingIOError:
            pass
    os.close(fd)
    return bool(said)


def race(name, what, after, at, action, judge):
    """@action happens when the tool, once it has opened @after, opens @at."""
    owner = Owner(what, "unshare", "-n")
    fifo = os.environ.get("TMPDIR", "/tmp") + "/between"
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    env = {"LD_PRELOAD": BETWEEN, "BETWEEN_AT": at.replace("PID", str(owner.pids[0])),
           "BETWEEN_RUN": "echo now > %s; read go < %s" % (fifo, fifo)}
    if after:
        env["BETWEEN_AFTER"] = after.replace("PID", str(owner.pids[0]))
    tool = subprocess.Popen(
        [TOOL, "stuck", "-j", "-x", "--over", "1ns", "state", "close-wait", "netns",
         str(owner.net)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **env})
    undo = None
    try:
        if reached(tool, fifo):
            undo = action(owner)
            with open(fifo, "w") as f:
                f.write("go\n")
        out, err = tool.communicate()
        findings = [f for f in map(json.loads, out.splitlines()) if "rule" in f]
        check(undo and tool.returncode in (0, 3) and judge(owner, findings), "race: " + name,
              (findings, err) if undo else "the tool never opened " + at)
    finally:
        tool.kill()
        if undo:
            undo()
        owner.end()


def kill(owner):
    owner.proc.kill()
    owner.proc.wait()
    return lambda: None


def kill_and_take(owner):
    kill(owner)
    thief = take_pid(owner.proc.pid)

    def undo():
        thief.kill()
        thief.wait()
    return undo


def hand_over(owner):
    """The parent, of a lower id, was looked at before, and takes it over."""
    owner.go()
    return lambda: None


def only_old(owner, findings):
    """Nothing, or what it was before: never the new process, never nobody."""
    return all(f["rule"] == "close_wait_held" and
               {(h["pid"], h["comm"]) for h in s["holders"]} == {(owner.proc.pid, "leak")}
               for f in findings for s in f["sockets"])


def by_taker(owner, findings):
    return [f["rule"] for f in findings] == ["close_wait_forked" if module() else
                                             "close_wait_held"] and \
        {(h["pid"], h["comm"]) for s in findings[0]["sockets"] for h in s["holders"]} == \
        {(owner.proc.pid, "taker")}


def races():
    for after, at in ((None, "PID/fd"), ("PID/fd", ".."), ("PID/fd", "stat"), ("PID/fd", "cgroup")):
        race("killed before %s is opened" % at, "leak", after, at, kill, only_old)
        name = "killed and id reused before %s is opened" % at
        if can_take_pid(name):
            race(name, "leak", after, at, kill_and_take, only_old)
    race("passed on to who was looked at before", "hand", None, "PID/fd", hand_over, by_taker)


# ---- assertions ----

def checked(status, expr, *more, name):
    run = subprocess.run([TOOL, "check", expr, *more], capture_output=True, text=True, check=False)
    check(run.returncode == status, "check: " + name, (run.returncode, run.stdout, run.stderr))
    return run


def assertions():
    """What is too short to be seen is in the history; 3 wins over the rest."""
    blink = ["--", sys.executable, "-IS", OWNER, "blink", "20"]
    run = checked(3, "no CLOSE_WAIT over 1ms on :7100", *blink, name="a CLOSE_WAIT of 20 ms is found")
    check("CLOSE_WAIT" in run.stdout and ":7100" in run.stdout, "check: and shown", run.stdout)
    checked(0, "no CLOSE_WAIT over 30s on :7100", *blink, name="it is short enough for 30 s")
    checked(7, "no CLOSE_WAIT over 30s on :7100", "--", "sh", "-c", "exit 7",
            name="the status of the command")
    checked(3, "no CLOSE_WAIT over 1ms on :7100", "--", "sh", "-c",
            "%s -IS %s blink 20; exit 7" % (sys.executable, OWNER), name="3 wins over that of the command")


def lossy():
    """With a ring that is too small."""
    storm = ["--", "sh", "-c", "%s -IS %s storm 3000; exit 7" % (sys.executable, OWNER)]
    run = checked(4, "no CLOSE_WAIT over 30s on :7100", *storm,
                  name="4 if records were lost, and wins")
    check("lost" in run.stderr, "check: and says so", run.stderr)
    checked(3, "at most 0 LISTEN on :7100", *storm, name="3 wins over 4")


def reload(*words):
    sh("rmmod", "tcptrail")
    sh("insmod", os.environ["TCPTRAIL_KO"], *words)


def metrics():
    run = subprocess.run([TOOL, "stat", "--prom"], capture_output=True, text=True, check=False)
    lint = subprocess.run(["promtool", "check", "metrics"], input=run.stdout, capture_output=True,
                          text=True, check=False)
    check(lint.returncode == 0 and not lint.stdout + lint.stderr and
          "tcptrail_accept_wait_seconds" in run.stdout, "promtool has nothing to say",
          (lint.stdout, lint.stderr, run.stdout))


def main():
    for case in (container, inside, unit, passed, thread, stranger, reused, races):
        case()
    if module():
        metrics()
        reload()
        assertions()
        reload("ring_records=64")
        lossy()
        reload()
    print("1..%d" % len(results))
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
