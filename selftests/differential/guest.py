#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The part of the differential run that is in the virtual machine.

usage: guest.py --module FILE --tool FILE --traffic FILE --out DIR
                --connections N --seed N [--rate N] [--round N]

Makes connections in rounds of at most --round, each with namespaces, captures
and a module of its own, and leaves what was seen of each in DIR/round-N:
packets (*.pcap), calls (calls), what tcptrail recorded (trail), and meta.json.
Nothing is compared here.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../scenarios"))
from topo import Net, Stage, Topology, libc, real_offset, run, sysctl   # noqa: E402

COMMON = {
    "ipv4/tcp_syn_retries": 2, "ipv4/tcp_synack_retries": 2, "ipv4/tcp_retries2": 4,
    "ipv4/tcp_orphan_retries": 3, "ipv4/tcp_no_metrics_save": 1,
    "ipv4/tcp_max_tw_buckets": 262144, "ipv4/tcp_max_syn_backlog": 65535,
    "ipv4/icmp_ratelimit": 0, "ipv6/icmp/ratelimit": 0, "core/somaxconn": 65535,
    "ipv4/ip_local_port_range": "40000 60999", "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1, "ipv6/conf/all/accept_dad": 0,
    "ipv6/conf/default/accept_dad": 0, "ipv6/conf/all/autoconf": 0,
}
# In the order of traffic.c: what is between both ends. The queues stand in a
# namespace between them, so each end's own link shows what it sent, and what
# it received, at that moment.
LINKS = {
    "plain": None,
    "near": "delay 2ms",
    "far": "delay 25ms 10ms loss 2%",
    "order": "delay 10ms reorder 30% 50% loss 1%",
    "loss": "delay 8ms loss 10%",
    "bad": "delay 10ms loss 45%",
}
SYSCTLS = {"near": {"ipv4/tcp_fin_timeout": 5, "ipv4/tcp_tw_reuse": 1}, "loss": {"ipv4/tcp_timestamps": 0},
           "order": {"ipv4/tcp_sack": 0}}
GLOBAL = {"ipv4/tcp_max_orphans": 262144, "ipv4/icmp_msgs_per_sec": 1000000,
          "ipv4/icmp_msgs_burst": 1000000}
QUIET = 150             # seconds until all that expires has expired
SLOW = 3600


def mac(link, side):
    return "02:00:00:00:%02x:%02x" % (link, side)


class Links(Topology):
    """One pair of namespaces a link, and one in the middle of all."""

    def build(self):
        lines, shape = ["netns add mid", "netns add lo-l"], []
        self.nets["lo-l"] = Net("lo-l", "lo", "127.0.0.1", "::1")
        for i, name in enumerate(LINKS):
            for j, side in enumerate("cs", 1):
                net = "%s-%s" % (name, side)
                self.nets[net] = Net(net, "v" + side, "10.%d.0.%d" % (70 + i, j),
                                     "fd%d::%d" % (70 + i, j))
                lines += ["netns add " + net,
                          "link add v%s netns %s address %s type veth peer name m%s%d netns mid"
                          % (side, net, mac(i, j), side, i)]
                shape += ["qdisc add dev m%s%d clsact" % (side, i),
                          "filter add dev m%s%d ingress matchall action mirred egress "
                          "redirect dev m%s%d" % (side, i, "sc"["cs".index(side)], i)]
                if LINKS[name]:
                    shape.append("qdisc add dev m%s%d root netem limit 100000 %s" %
                                 (side, i, LINKS[name]))
        run(self.stage("ip", "-batch", "-"), input="\n".join(lines))
        sysctl(Net("mid", "", "", ""), {"ipv6/conf/all/disable_ipv6": 1})
        up = ["link set m%s%d up" % (s, i) for i in range(len(LINKS)) for s in "cs"]
        run(self.stage("ip", "-n", "mid", "-batch", "-"), input="\n".join(up))
        run(self.stage("tc", "-n", "mid", "-batch", "-"), input="\n".join(shape))
        for i, (name, net) in enumerate(self.nets.items()):
            net.opened()
            sysctl(net, {**COMMON, **SYSCTLS.get(name[:-2], {})})
            self.address(net, i)

    def address(self, net, number):
        lines = ["link set lo up", "link set %s up" % net.dev]
        if net.dev != "lo":
            link, side = (number - 1) // 2, 2 - number % 2
            a4, a6 = net.addr[4], net.addr[6]
            o4, o6 = a4[:-1] + str(3 - side), a6[:-1] + str(3 - side)
            lines += ["addr add %s/24 dev %s" % (a4, net.dev),
                      "addr add %s/64 dev %s nodad" % (a6, net.dev)]
            lines += ["neigh add %s lladdr %s dev %s nud permanent" %
                      (o, mac(link, 3 - side), net.dev) for o in (o4, o6)]
            if side == 1:
                lines += ["route add 10.8.0.0/15 via " + o4,
                          "route add fd08::/15 via " + o6]
            else:
                lines += ["route add unreachable 10.9.0.0/24", "route add blackhole 10.8.0.0/24",
                          "route add unreachable fd09::/16", "route add blackhole fd08::/16"]
        run(self.stage("ip", "-n", net.name, "-batch", "-"), input="\n".join(lines))

    def remove(self):
        names = list(self.nets) + ["mid"]
        run(self.stage("ip", "-batch", "-"), input="\n".join("netns del " + n for n in names))
        self.nets = {}


class Guest:
    def __init__(self, opt):
        self.opt, self.tmp = opt, "/run/differential"
        os.makedirs(self.tmp, exist_ok=True)
        self.began = time.monotonic()
        self.stage = Stage(os.path.join(self.tmp, "bin"))
        for name in ("ip", "tc", "tcpdump", "insmod", "rmmod"):
            if not self.stage.add(name):
                sys.exit("guest: %s is not installed" % name)
        self.stage.add("tcptrail", opt.tool)
        for path in (opt.module, opt.traffic):
            shutil.copy(path, self.tmp)
        subprocess.run(["modprobe", "-a", "veth", "sch_netem", "sch_ingress", "cls_matchall",
                        "act_mirred", "af_packet"], timeout=SLOW, check=True)
        for key, value in GLOBAL.items():
            with open("/proc/sys/net/" + key, "w") as f:
                f.write(str(value))
        libc.mlockall(3)

    def say(self, text):
        print("# %4.0f s: %s" % (time.monotonic() - self.began, text), flush=True)

    def round(self, number, connections, seed):
        where = os.path.join(self.tmp, "round")
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        links = Links(self.stage, where)
        links.build()
        nets = {n.name: {"ino": n.ino, "dev": n.dev} for n in links.nets.values()}
        links.capture(where)
        run(self.stage("insmod", os.path.join(self.tmp, "tcptrail.ko"),
                       "ring_records=%d" % self.opt.ring, "max_trails=400000"))
        recorder = subprocess.Popen(
            self.stage("tcptrail", "record", "-o", os.path.join(where, "trail")),
            stderr=subprocess.PIPE, text=True)
        while not os.path.exists(os.path.join(where, "trail")):
            time.sleep(0.05)
        offset = real_offset()
        said = run([os.path.join(self.tmp, "traffic"), os.path.join(where, "calls"), str(seed),
                    str(connections), str(max(2, connections // self.opt.rate))])
        time.sleep(QUIET)
        recorder.send_signal(signal.SIGTERM)
        told = recorder.communicate(timeout=SLOW)[1]
        links.stop_capture()
        drops = {n: open(os.path.join(where, n + ".pcap.err")).read().split("\n")[-4:-1]
                 for n in nets}
        meta = {"seed": seed, "connections": connections, "nets": nets,
                "offset": [offset, real_offset()], "record": told, "tcpdump": drops,
                "links": LINKS, "sysctls": {k: {**COMMON, **SYSCTLS.get(k, {})} for k in
                                            list(LINKS) + ["lo"]}}
        run(self.stage("rmmod", "tcptrail"))
        links.remove()
        self.keep(where, number, meta)
        self.say("round %d: %d connections, %s; %s" % (
            number, connections, said.strip(), told.strip().split(": ", 1)[-1]))

    def keep(self, where, number, meta):
        """The log of calls is sparse behind its last call."""
        with open(os.path.join(where, "calls"), "r+b") as f:
            used = int.from_bytes(f.read(8), "little")
            f.truncate(64 + 64 * used)
        out = os.path.join(self.opt.out, "round-%d" % number)
        os.makedirs(out, exist_ok=True)
        for name in os.listdir(where):
            if not name.endswith(".err"):
                shutil.copyfile(os.path.join(where, name), os.path.join(out, name))
        with open(os.path.join(out, "meta.json"), "w") as f:
            json.dump(meta, f)

    def run(self):
        left, number = self.opt.connections, 0
        while left > 0:
            n = min(left, self.opt.round)
            self.round(number, n, self.opt.seed + number)
            left -= n
            number += 1


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--module", default=os.environ.get("TCPTRAIL_KO"))
    p.add_argument("--tool", default=os.environ.get("TCPTRAIL"))
    p.add_argument("--traffic", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--connections", type=int, required=True)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--rate", type=int, default=200, help="connections a second")
    p.add_argument("--round", type=int, default=5000)
    p.add_argument("--ring", type=int, default=262144)
    Guest(p.parse_args()).run()


if __name__ == "__main__":
    main()
