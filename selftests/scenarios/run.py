#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every kind of connection, judged by other witnesses than tcptrail.

usage: run.py [--module FILE] [--tool FILE] [--actor FILE] [--only WORD]
       run.py --selfcheck

Runs as root on a machine of its own (see README): the traffic of all cases
side by side in network namespaces, then one line of KTAP for each case. What
was seen is left in $TCPTRAIL_OUT. --selfcheck needs neither root nor module:
it shows that the judge finds what is wrong.
"""

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

SKIP = 4
LIMIT = 600.0           # seconds of the guest's clock for the traffic
SLOW = 3600             # for programs: the guest's clock runs ahead of its disk
QUIET = 100.0           # and until everything that expires has expired


def options():
    p = argparse.ArgumentParser(description=__doc__, add_help=True,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    env = os.environ.get
    p.add_argument("--module", default=env("TCPTRAIL_KO"))
    p.add_argument("--tool", default=env("TCPTRAIL"))
    p.add_argument("--actor", help="built already of actor.c and actor_fd.c",
                   default=env("TCPTRAIL_ACTOR") or
                   os.path.join(HERE, "../../build/selftests/actor"))
    p.add_argument("--out", default=env("TCPTRAIL_OUT") or "/tmp/scenarios")
    p.add_argument("--only", help="cases whose name contains this")
    p.add_argument("--selfcheck", action="store_true")
    return p.parse_args()


def ksft():
    """The kernel's own module for KTAP, or the little of it that is used."""
    for where in (os.environ.get("KSELFTEST"), os.path.expanduser(
            "~/.cache/tcptrail/linux-source/tools/testing/selftests")):
        if where and os.path.exists(os.path.join(where, "kselftest", "ksft.py")):
            sys.path.append(os.path.join(where, "kselftest"))
            import ksft as module
            return module
    print("1..0 # SKIP no kselftest/ksft.py: set KSELFTEST")
    sys.exit(SKIP)


def alive(pid):
    """Is it there, and no zombie?"""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def is_static(program):
    """Or would each start of it wait for libraries?"""
    if not os.path.exists(program):
        return False
    with open(program, "rb") as f:
        return b"/ld-linux" not in f.read(65536)


class Run:
    def __init__(self, opt):
        from loop import Loop
        from topo import Stage, Topology
        self.opt = opt
        self.tmp = "/run/scenarios"         # on tmpfs: see Stage in topo.py
        os.makedirs(self.tmp, exist_ok=True)
        os.makedirs(opt.out, exist_ok=True)
        self.started = time.monotonic()
        self.stage = Stage(os.path.join(self.tmp, "bin"))
        self.topo = Topology(self.stage, self.tmp)
        actor = self.build_actor()
        self.loop = Loop(actor)
        self.sampler, self.loaded_ns = None, 0

    def say(self, text):
        print("# %s" % text, flush=True)

    def build_actor(self):
        target = os.path.join(self.tmp, "actor")
        if self.opt.actor and is_static(self.opt.actor):
            shutil.copy(self.opt.actor, target)
            os.chmod(target, 0o755)
            return target
        sources = [os.path.join(HERE, f) for f in ("actor.c", "actor_fd.c")]
        subprocess.run(["gcc", "-O", "-static", "-pthread", "-o", target] + sources,
                       check=True, timeout=SLOW)
        return target

    def prepare(self):
        """Everything that needs the slow file system, before the first packet."""
        import counters, judge, rawpeer, topo, witness      # noqa: F401,E401
        from topo import libc
        for name in ("ip", "tc", "ss", "tcpdump", "insmod"):
            if not self.stage.add(name):
                print("1..0 # SKIP %s is not installed" % name)
                sys.exit(SKIP)
        if self.opt.tool:
            self.stage.add("tcptrail", self.opt.tool)
        if self.opt.module:
            shutil.copy(self.opt.module, os.path.join(self.tmp, "tcptrail.ko"))
        modules = ["veth", "tun", "sch_netem", "sch_ingress", "cls_u32", "act_gact",
                   "inet_diag", "tcp_diag", "af_packet", "sctp"]
        subprocess.run(["modprobe", "-a"] + modules, capture_output=True, timeout=SLOW)
        subprocess.run(self.stage("ss", "-tanH"), capture_output=True, timeout=SLOW)
        libc.mlockall(3)
        self.topo.build()
        self.topo.capture(self.tmp)

    # ---- witnesses during the run ----

    def sample(self):
        from witness import Sampler
        nets = {n.ino: n for n in self.topo.nets.values()}
        self.sampler = Sampler(nets)
        while True:
            for net in list(nets.values()):
                if os.path.exists("/run/netns/" + net.name):
                    self.sampler.poll(net)
            yield 1.0

    def snapshots(self):
        from witness import read_ss
        world = self.world
        while True:
            yield (lambda: world.wanted, SLOW)
            tickets, world.wanted = world.wanted, []
            nets = {n.name: n for t in tickets for n in t[1]}
            world.snaps.append(self.show(nets.values()))
            for t in tickets:
                t[0] = len(world.snaps) - 1
            yield 0.3

    def show(self, nets, only_open=True):
        """tcptrail show -j, and what ss says before and after."""
        from topo import boot_ns
        from witness import read_ss
        before = boot_ns()
        snap = {"ss": {str(n.ino): read_ss(self.stage, n) for n in nets}, "conns": []}
        if self.opt.tool and self.world.loaded:
            done = subprocess.run(self.stage("tcptrail", "show", "-j"), capture_output=True,
                                  text=True, timeout=SLOW)
            if done.returncode not in (0, 3, 4):
                self.say("tcptrail show -j: status %d: %s" % (done.returncode,
                                                              done.stderr.strip()[:300]))
            for line in done.stdout.splitlines():
                if only_open and '"open": false' in line:
                    continue
                obj = json.loads(line)
                if "summary" in obj:
                    snap["summary"] = obj["summary"]
                else:
                    snap["conns"].append(obj)
        snap["t"] = [before, boot_ns()]
        return snap

    # ---- the run ----

    def insmod(self):
        from topo import boot_ns, run
        from witness import read_counters
        if self.opt.module:
            run(self.stage("insmod", os.path.join(self.tmp, "tcptrail.ko"),
                           "ring_records=65536"))
        self.loaded_ns = boot_ns()
        self.before = {str(n.ino): read_counters(n) for n in self.topo.nets.values()}
        self.world.loaded = True

    def settle(self, names, seconds):
        """Runs until these tasks are over."""
        from topo import boot_ns
        end = boot_ns() + int(seconds * 1e9)
        while names & self.running() and boot_ns() < end:
            yield 0.25

    def running(self):
        loop = self.loop
        return {w[0] for w in [*loop.waiting.values(), *loop.calling.values()]} | {
            t[2] for t in loop.timers}

    def conduct(self, early, late, last):
        for i, (name, generator) in enumerate(early):
            self.loop.start(name, generator, 0.02 * i)
        names = {n for n, _ in early}
        yield (lambda: self.world.ready + len(names & set(self.loop.failed)) >= len(early),
               LIMIT)
        yield 0.2
        self.insmod()
        self.say("module loaded after %.0f s" % (time.monotonic() - self.started))
        for i, (name, generator) in enumerate(late):
            self.loop.start(name, generator, 0.05 * i)
        yield 0.1
        yield from self.settle({n for n, _ in early + late}, LIMIT)
        for name, generator in last:
            self.loop.start(name, generator)
        yield 0.1
        yield from self.settle({n for n, _ in last}, LIMIT)
        yield 3             # tcpdump gets what it has not been given yet
        self.remove_namespaces()
        yield from self.quiet()
        self.loop.stop = True

    def remove_namespaces(self):
        """Row 9: the namespaces with a TIME_WAIT in them go."""
        from topo import run
        gone = [n for n in self.topo.nets.values() if n.name.startswith("gone")]
        for p, net in zip(list(self.topo.dumps), list(self.topo.nets.values())):
            if net in gone:
                p.terminate()
                p.wait(30)
        import rawpeer
        rawpeer.forget(self.loop, {n.name for n in gone})
        run(self.stage("ip", "-batch", "-"),
            input="\n".join("netns del " + n.name for n in gone))

    def quiet(self):
        """Until nothing is left that will go by itself."""
        from topo import boot_ns
        end = boot_ns() + int(QUIET * 1e9)

        def over():
            left = sum(state in (b"06", b"05") for last in self.sampler.last.values()
                       for state in (run[0] for run in last.values()))
            return boot_ns() > end or not left
        yield 5
        yield (over, QUIET + 10)
        yield 2

    def run_all(self):
        from case import Case, World, scenarios
        import test_close, test_open, test_owner, test_reset, test_identity  # noqa: F401,E401
        self.prepare()
        self.say("topology and captures ready after %.0f s" %
                 (time.monotonic() - self.started))
        world = self.world = World(self.topo, self.loop)
        early, late, last = [], [], []
        for generator, row, what, families, links, nets, more in scenarios:
            for link in links:
                for family in families:
                    name = "row %d %s ipv%d %s" % (row, what, family, link)
                    if self.opt.only and self.opt.only not in name:
                        continue
                    case = Case(world, row, what, family, link, nets)
                    (early if more.get("late") else last if more.get("last") else late).append(
                        (case.name, generator(case)))
        self.loop.start("sample", self.sample())
        self.loop.start("snapshots", self.snapshots())
        self.loop.start("conduct", self.conduct(early, late, last))
        self.loop.run(LIMIT + QUIET + 200)
        self.say("traffic over after %.0f s" % (time.monotonic() - self.started))
        return self.collect()

    def record(self):
        """All of it as a recording, for the tests of the pictures."""
        if not self.opt.tool:
            return
        done = subprocess.run(
            self.stage("tcptrail", "record", "-o", os.path.join(self.opt.out, "recording"),
                       "--", "true"), capture_output=True, text=True, timeout=SLOW)
        if done.returncode:
            self.say("tcptrail record: status %d: %s" % (done.returncode,
                                                         done.stderr.strip()[:300]))

    def collect(self):
        from judge import Judge
        from topo import real_offset
        from witness import by_connection, read_counters, read_pcap
        nets = [n for n in self.topo.nets.values() if os.path.exists("/run/netns/" + n.name)]
        final = self.show(nets, only_open=False)
        counters = {str(n.ino): read_counters(n) for n in nets}
        self.record()
        self.topo.stop_capture()
        offset = real_offset()
        packets = {n.name: by_connection(read_pcap(n.pcap, offset))
                   for n in self.topo.nets.values()}
        world = self.world
        for i, snap in enumerate(world.snaps):
            keys = {Judge.key(e) for e in world.expects if e.get("snap") == i}
            snap["conns"] = [o for o in snap["conns"] if (
                o["netns"], o["local"]["addr"], o["local"]["port"], o["remote"]["addr"],
                o["remote"]["port"]) in keys]
        data = {
            "expects": world.expects, "snaps": world.snaps, "final": final,
            "counters": counters, "packets": packets, "samples": self.sampler.table(),
            "tasks": {str(pid): dict(t, alive=alive(pid)) for pid, t in self.loop.tasks.items()},
            "nets": {n.name: n.ino for n in self.topo.nets.values()},
            "loaded": self.loaded_ns, "before": self.before, "pids": [os.getpid()],
            "cases": [{"name": c.name, "notes": c.notes, "skip": c.skip,
                       "failed": self.loop.failed.get(c.name), "row": c.row,
                       "port": c.port} for c in world.cases],
        }
        with open(os.path.join(self.opt.out, "world.json"), "w") as f:
            f.write(json.dumps(data))
        for task in ("sample", "snapshots", "conduct"):
            if task in self.loop.failed and self.loop.failed[task] != "did not end":
                self.say("%s: %s" % (task, self.loop.failed[task]))
        return data

    def keep_records(self):
        """All records, for another test to look at; the tool need not be good."""
        keep = os.environ.get("TCPTRAIL_KEEP")
        if keep:
            with open("/dev/tcptrail", "rb", buffering=0) as device, open(keep, "wb") as f:
                os.set_blocking(device.fileno(), False)
                f.write((4).to_bytes(4, "little"))  # as a head that is empty
                while chunk := device.read(1 << 16):
                    f.write(chunk)

    def clean_up(self):
        self.topo.stop_capture()
        self.loop.reap()
        shutil.rmtree(self.tmp, ignore_errors=True)
        if self.opt.module:
            self.keep_records()
            subprocess.run(["rmmod", "tcptrail"], timeout=SLOW, check=False)


def main():
    opt = options()
    if opt.selfcheck:
        import selfcheck
        sys.exit(selfcheck.main(ksft()))
    gc.disable()            # all that is kept is needed to the end
    tap = ksft()
    tap.print_header()
    if os.geteuid():
        print("1..0 # SKIP needs root and a machine of its own")
        sys.exit(SKIP)
    run = Run(opt)
    try:
        data = run.run_all()
    finally:
        run.clean_up()
    if os.environ.get("TT_UNJUDGED"):
        tap.set_plan(1)
        tap.test_result_pass("all traffic, not judged")
        tap.finished()
    from judge import Judge
    judge = Judge(data)
    results = judge.cases()
    tap.set_plan(len(results))
    for name, skip, complaints in results:
        for text in complaints:
            tap.print_msg("%s: %s" % (name, text))
        if skip:
            tap.test_result_skip("%s # %s" % (name, skip))
        else:
            tap.test_result(not complaints, name)
    run.say("all over after %.0f s" % (time.monotonic() - run.started))
    tap.finished()


if __name__ == "__main__":
    main()
