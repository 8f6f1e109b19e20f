#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every kind of stuck socket, made by real programs, against tcptrail stuck.

Prints a confusion table: what was made against what was said. All that is off
its diagonal is a failure, and so is a healthy socket that was accused. Then
each command that was advised is executed, and has to do what it says.

usage: run.py [-v] [--insmod]        root; TAP
   --insmod   load the module when the sockets are there
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nexts
from judge import Judge, OVER, TOOL, ask, check, check_all, results
from kinds import Kinds, module
from net import Net
from nursery import Nursery

SCALE = int(os.environ.get("STUCK_SCALE", "35"))
# Who is not root sees no descriptors of others.
STRANGER = {"close_wait_forked": "close_wait_held", "close_wait_nobody": "close_wait_held",
            "syn_recv_deferred": None}


def ours(net, findings):
    return [f for f in findings if f["sockets"][0]["netns"] in net.ino.values()]


def grouped(kinds, findings):
    """Sockets that are alike are one finding, and a kind is alike."""
    split = []
    for f in findings:
        if f["severity"] == "failure" and f["local_port"] and f["count"] > 3:
            split.append((f["rule"], f["port"]))
    check(len(split) == len(set(split)), "alike sockets are one finding", split)


def told(findings):
    """Every finding says since when, whose move it is and why."""
    bad = [f["title"] for f in findings if f["severity"] == "failure" and
           not (f["why"] and f["waits"] and f["explain"] and
                (f["state"] == "LISTEN" or f["oldest_ns"] is not None) and f["next"])]
    check(not bad, "every finding has an age, a reason, and something to type", bad)


def as_stranger(net, kinds):
    """Somebody who is not root, in near."""
    prefix = ["ip", "netns", "exec", net.near, "setpriv", "--reuid", "65534", "--regid",
              "65534", "--clear-groups"]
    judge = Judge(net, kinds, {**STRANGER})
    check_all(judge, "not root", sides=("near",), prefix=prefix)
    run = ask(prefix=prefix)[0]
    check("may not" in run.stderr and "descriptors of" in run.stderr,
          "not root: it says what can't be known", run.stderr)


def load():
    subprocess.run(["insmod", os.environ["TCPTRAIL_KO"]], check=True)
    check(ask()[2]["module"], "the module is there")


def show():
    for width in ("80", "120"):
        print(subprocess.run([TOOL, "stuck", "--over", "%gs" % OVER], capture_output=True, text=True,
                             env={**os.environ, "COLUMNS": width}, check=False).stdout)


def run_all(net, nursery):
    kinds = Kinds(net, nursery, SCALE)
    try:
        kinds.make_all()
        # What is too young is no finding, and three retransmissions take longer.
        time.sleep(3 * OVER)
        findings, right, rules = check_all(Judge(net, kinds), "with the module" if module() else
                                           "without the module")
        if "--insmod" in sys.argv:
            load()
            findings, right, rules = check_all(Judge(net, kinds), "older than the module")
        check(rules >= 12 and right >= (1000 if SCALE > 1 else 28), "1,000 sockets of 12 kinds, "
              "or one of each kind", (right, rules))
        full = {f["port"]: f["rule"] for f in findings if f["state"] == "LISTEN"}
        check(full == kinds.listener, "full accept queues", full)
        grouped(kinds, ours(net, findings))
        told(ours(net, findings))
        if module():
            as_stranger(net, kinds)
        if "-v" in sys.argv:
            show()
        nexts.try_all(net, kinds, ours(net, findings))
    finally:
        kinds.end()


def main():
    nursery = Nursery()
    net = Net()
    # Left off, so that a flood is a flood.
    net.sysctl(net.near, "ipv4/tcp_syncookies", 0)
    try:
        run_all(net, nursery)
    finally:
        net.destroy()
    print("1..%d" % len(results))
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
