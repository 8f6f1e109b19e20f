#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Row 13: two last ACKs race for one request, on two CPUs: one connection.

IPv4 and IPv6, one after the other.

usage: race.py [--module FILE] [--tool FILE]

Witnesses: accept() returns each connection once; PassiveOpens counts every
child that was made, so what is more than that lost a race, and tcptrail must
have told of exactly so many (event lost_race).
"""

import argparse
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from run import ksft                                    # noqa: E402
from topo import inside, run                            # noqa: E402
from witness import read_counters                       # noqa: E402

COUNT = 300
NAME = "race"


class Net:
    name = NAME


def program():
    built = os.path.join(HERE, "../../build/selftests/race")
    if os.path.exists(built):
        return built
    target = os.path.join(os.environ.get("TMPDIR") or "/run", "race")
    run(["gcc", "-O", "-static", "-pthread", "-o", target, os.path.join(HERE, "race.c")])
    return target


def prepare():
    subprocess.run(["modprobe", "-a", "sch_ingress", "cls_u32", "act_gact"],
                   capture_output=True, check=False)
    run(["ip", "netns", "add", NAME])
    run(["ip", "-n", NAME, "link", "set", "lo", "up"])
    for addr in ("fd00::1", "fd00::9"):
        run(["ip", "-n", NAME, "addr", "add", addr + "/128", "dev", "lo", "nodad"])
    run(["tc", "-n", NAME, "qdisc", "add", "dev", "lo", "clsact"])
    for protocol, match in (("ip", ["ip", "dst", "127.0.0.9/32"]),
                            ("ipv6", ["ip6", "dst", "fd00::9/128"])):
        run(["tc", "-n", NAME, "filter", "add", "dev", "lo", "ingress", "protocol", protocol,
             "u32", "match", *match, "action", "drop"])
    with inside(NAME):
        for key, value in (("core/somaxconn", "4096"), ("ipv4/tcp_max_syn_backlog", "4096")):
            with open("/proc/sys/net/" + key, "w") as f:
                f.write(value)


def race(opt, binary, family):
    """One run with a fresh module, so that what it shows is only of this one."""
    run(["insmod", opt.module, "ring_records=32768"])
    try:
        before = read_counters(Net)
        with inside(NAME):
            accepted, lost = map(int, run([binary, family, str(COUNT)]).split())
        children = read_counters(Net)["PassiveOpens"] - before["PassiveOpens"]
        shown = [json.loads(line) for line in run([opt.tool, "show", "-j"]).splitlines()]
    finally:
        subprocess.run(["rmmod", "tcptrail"], check=False)
    conns = [o for o in shown if "summary" not in o and o["local"]["port"] == 7000 and
             o["remote"]["port"]]
    return accepted, lost, children, conns


def judge(tap, family, accepted, lost, children, conns):
    told = sum(v["kind"] == "lost_race" for o in conns for v in o["events"])
    ports = {o["remote"]["port"] for o in conns}
    tap.print_msg("IPv%s: %d accepted, %d children made, %d lost races told" % (
        family, accepted, children, told))

    def result(good, what):
        tap.test_result(bool(good), "IPv%s: %s" % (family, what))
    result(not lost and accepted == COUNT, "accept() returned each one once")
    result(len(conns) == COUNT and len(ports) == COUNT, "each one shown once")
    wrong = [o for o in conns if o["complete"] != "complete" or not o["accepted"] or [
        (s["state"], s["cause"]) for s in o["states"]] != [
            ("SYN_RECV", "syn_in"), ("ESTABLISHED", "ack_in"), ("CLOSE", "linger0")]]
    for o in wrong[:3]:
        tap.print_msg("%s %s" % (o["id"], [(s["state"], s["cause"]) for s in o["states"]]))
    result(not wrong, "each one with its own whole history")
    result(told == children - accepted, "children that lost as many as counted")
    result(not any(o["open"] for o in conns), "nothing left")
    if told:
        result(True, "there were races")
    else:
        tap.test_result_skip("IPv%s: no two ACKs met in %d tries" % (family, COUNT))


def main():
    env = os.environ.get
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--module", default=env("TCPTRAIL_KO"))
    p.add_argument("--tool", default=env("TCPTRAIL"))
    opt = p.parse_args()
    tap = ksft()
    tap.print_header()
    if os.geteuid() or os.cpu_count() < 2:
        print("1..0 # SKIP needs root and two CPUs")
        sys.exit(4)
    tap.set_plan(12)
    binary = program()
    prepare()
    try:
        for family in "46":
            judge(tap, family, *race(opt, binary, family))
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=False)
    tap.finished()


if __name__ == "__main__":
    main()
