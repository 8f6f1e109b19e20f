# SPDX-License-Identifier: GPL-2.0
"""Sockets of every kind, by real programs, and what is to be said of them.

Each kind has an address of its own in far; what is expected of a socket
follows from that address and from the end it is.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from net import NEAR

HERE = os.path.dirname(os.path.abspath(__file__))
# What no failure may be said of.
HEALTHY = None


class Program:
    def __init__(self, net, argv, ns=None):
        self.proc = subprocess.Popen(
            ["ip", "netns", "exec", ns or net.near] + [str(a) for a in argv],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.proc.pid
        self.expect("ready")

    def expect(self, word):
        line = self.proc.stdout.readline().strip()
        if line != word:
            raise RuntimeError("%s: %r instead of %r" % (self.proc.args, line, word))

    def go(self):
        self.proc.stdin.write("go\n")
        self.proc.stdin.flush()
        self.expect("done")

    def end(self):
        self.proc.stdin.close()
        self.proc.send_signal(signal.SIGCONT)
        self.proc.kill()
        self.proc.wait()


class Kinds:
    def __init__(self, net, scale, over):
        self.net, self.scale, self.over = net, scale, over
        self.kept, self.programs = [], []
        # (side, far address) -> rule, or a set of rules
        self.expected = {}
        self.count = {}
        self.listener = {}      # port -> rule
        self.next_host, self.next_port = 10, 7000
        self.by_program = {}    # far address -> pid of the near program

    # ---- pieces ----

    def place(self, near, far, count):
        """A far address, a near port and what to expect at both ends."""
        self.next_host += 1
        self.next_port += 1
        addr = "10.77.0.%d" % self.next_host
        self.net.add_far(addr)
        self.expected["near", addr], self.expected["far", addr] = near, far
        self.count[addr] = count
        return addr, self.next_port

    def server(self, mistake, port, count, *more):
        prog = Program(self.net, [sys.executable, "-IS", HERE + "/server.py",
                                  mistake, port, count, *more])
        self.programs.append(prog)
        return prog

    def connect(self, addr, port, count, wait=True):
        conns = []
        for _ in range(count):
            sock = self.net.far_socket(addr)
            sock.setblocking(wait)
            if wait:
                sock.connect((NEAR, port))
            else:
                sock.connect_ex((NEAR, port))
            conns.append(sock)
        self.kept += conns
        return conns

    def accepted(self, mistake, near, far, count):
        addr, port = self.place(near, far, count)
        prog = self.server(mistake, port, count)
        conns = self.connect(addr, port, count)
        prog.expect("accepted")
        self.by_program[addr] = prog.pid
        return addr, prog, conns

    # ---- CLOSE_WAIT ----

    def close_wait_held(self):
        _, prog, conns = self.accepted("read-eof", "close_wait_held", "gone", self.scale)
        self.close(conns)
        prog.go()

    def close_wait_held_by_c(self):
        addr, port = self.place("close_wait_held", "gone", self.scale)
        prog = Program(self.net, [os.environ["STUCK_SERVER"], port, self.scale])
        self.programs.append(prog)
        conns = self.connect(addr, port, self.scale)
        prog.expect("accepted")
        self.by_program[addr] = prog.pid
        self.close(conns)

    def close_wait_forked(self):
        """Who accepted it is only known to the module, if nobody else holds it."""
        loaded = os.path.exists("/sys/module/tcptrail")
        _, prog, conns = self.accepted("forked", "close_wait_forked" if loaded else
                                       "close_wait_held", "gone", self.scale)
        prog.go()
        self.close(conns)

    def close_wait_shared(self):
        _, prog, conns = self.accepted("shared", "close_wait_forked", "gone", self.scale)
        prog.go()
        self.close(conns)

    def close_wait_never_accepted(self):
        addr, port = self.place("close_wait_never_accepted", "gone", self.scale)
        self.server("never-accept", port, 0)
        self.close(self.connect(addr, port, self.scale))

    def close_wait_unread(self):
        _, prog, conns = self.accepted("keep", "close_wait_unread", "gone", self.scale)
        for conn in conns:
            conn.send(b"request")
        self.close(conns)
        prog.go()

    def close_wait_unsent(self):
        _, prog, conns = self.accepted("unsent", "close_wait_unsent", "fin_wait2_held", 8)
        prog.go()
        for conn in conns:
            conn.shutdown(socket.SHUT_WR)

    def close_wait_nobody(self):
        _, prog, conns = self.accepted("in-flight", "close_wait_nobody", "gone", 8)
        prog.go()
        self.close(conns)

    # ---- FIN_WAIT, LAST_ACK, CLOSING ----

    def fin_wait2_held(self):
        _, prog, _ = self.accepted("shutdown", "fin_wait2_held", "close_wait_held", self.scale)
        prog.go()

    def fin_wait2_orphan(self):
        _, prog, _ = self.accepted("close", HEALTHY, "close_wait_held", self.scale)
        prog.go()

    def fin_wait1_unacked(self):
        addr, prog, _ = self.accepted("close", "fin_wait1_unacked", HEALTHY, self.scale)
        self.net.deafen(addr)
        prog.go()

    def fin_wait1_zero_window(self):
        _, prog, _ = self.accepted("fill-close", "fin_wait1_zero_window", HEALTHY, 8)
        prog.go()

    def last_ack_unacked(self):
        addr, prog, conns = self.accepted("close", "last_ack_unacked", "gone", self.scale)
        self.close(conns)
        self.wait_far_fin_wait2(addr)
        self.net.deafen(addr)
        prog.go()

    def closing_unacked(self):
        addr, prog, conns = self.accepted("close", "closing_unacked", "fin_wait1_unacked",
                                          self.scale)
        self.net.deafen(addr)
        prog.go()
        self.close(conns)

    # ---- handshakes ----

    def syn_sent_unanswered(self):
        addr, port = self.place("syn_sent_unanswered", "gone", self.scale)
        self.net.deafen(addr)
        self.server("connect", port, self.scale, addr)

    def syn_recv_half_open(self):
        addr, port = self.place("syn_recv_half_open", "syn_sent_unanswered", 10)
        self.server("never-accept", port, 0)
        self.net.deafen(addr)
        self.connect(addr, port, 10, wait=False)

    def syn_recv_flood(self):
        addr, port = self.place("syn_recv_flood", "syn_sent_unanswered", 150)
        self.server("never-accept", port, 0)
        self.net.deafen(addr)
        self.connect(addr, port, 150, wait=False)

    def accept_queue_full(self):
        """Six fill it up, so the last ACKs of four that came before are dropped."""
        late, port = self.place("syn_recv_queue_full", HEALTHY, 4)
        self.server("short-queue", port, 0)
        self.listener[port] = "accept_queue_full"
        self.net.deafen(late)
        self.connect(late, port, 4, wait=False)
        early, _ = self.place("established_never_accepted", HEALTHY, 6)
        self.connect(early, port, 6)
        self.net.hear(late)

    def established_never_accepted(self):
        addr, port = self.place("established_never_accepted", HEALTHY, self.scale)
        self.server("never-accept", port, 0)
        self.connect(addr, port, self.scale)

    def stopped_nginx(self):
        """A program that was stopped: it accepts again when it goes on."""
        if not shutil.which("nginx"):
            return
        addr, port = self.place("established_never_accepted", HEALTHY, self.scale)
        base = os.environ.get("TMPDIR", "/tmp")
        conf = base + "/stuck-nginx.conf"
        with open(conf, "w") as f:
            f.write("daemon off; master_process off; pid %s/stuck-nginx.pid; "
                    "error_log /dev/null; events {} http { access_log off; "
                    "server { listen %d; } }\n" % (base, port))
        proc = subprocess.Popen(["ip", "netns", "exec", self.net.near, "nginx", "-c", conf])
        self.nginx = proc
        probe = None
        deadline = time.monotonic() + 10
        while not probe and time.monotonic() < deadline:
            sock = self.net.far_socket(addr)
            if sock.connect_ex((NEAR, port)) == 0:
                probe = sock
            else:
                time.sleep(0.1)
        os.kill(proc.pid, signal.SIGSTOP)
        self.expected["probe", addr] = True
        probe.close()
        self.connect(addr, port, self.scale)

    # ---- ESTABLISHED ----

    def established_peer_gone(self):
        addr, prog, _ = self.accepted("send", "established_peer_gone", HEALTHY, self.scale)
        self.net.deafen(addr)
        prog.go()

    def established_keepalive_unanswered(self):
        addr, prog, _ = self.accepted("keepalive", "established_keepalive_unanswered",
                                      HEALTHY, 8)
        self.net.deafen(addr)
        prog.go()

    def established_zero_window(self):
        _, prog, _ = self.accepted("fill", "established_zero_window", HEALTHY, 8)
        prog.go()

    # ---- TIME_WAIT ----

    def time_wait_pileup(self):
        """Near closes first, so near pays."""
        self.net.sysctl(self.net.near, "ipv4/ip_local_port_range", "40000 40999")
        addr, port = self.place("time_wait_pileup", "gone", 150)
        self.net.setns("/run/netns/" + self.net.far)
        listener = socket.create_server((addr, port), backlog=1024)
        self.net.setns(None)
        prog = self.server("connect-close", port, 150, addr)
        conns = [listener.accept()[0] for _ in range(150)]
        prog.go()
        self.close(conns)
        self.kept.append(listener)

    # ---- healthy ----

    def healthy(self):
        """Idle connections, and some that were closed as they should be."""
        self.accepted("keep", HEALTHY, HEALTHY, self.scale)
        _, prog, conns = self.accepted("close", {HEALTHY: 0}, "gone", 10)
        prog.go()
        self.close(conns)

    # ---- help ----

    @staticmethod
    def close(conns):
        for conn in conns:
            conn.close()

    def wait_far_fin_wait2(self, addr):
        """Until near has acknowledged the FINs of far."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            out = subprocess.run(["ip", "netns", "exec", self.net.near, "ss", "-tnH",
                                  "state", "close-wait", "dst", addr],
                                 capture_output=True, text=True, check=True).stdout
            if len(out.splitlines()) == self.count[addr]:
                return
            time.sleep(0.05)
        raise RuntimeError("far did not close")

    def make_all(self):
        for name in sorted(KINDS):
            getattr(self, name)()

    def end(self):
        for conn in self.kept:
            conn.close()
        for prog in self.programs:
            prog.end()
        if hasattr(self, "nginx"):
            self.nginx.kill()
            self.nginx.wait()

KINDS = [name for name in vars(Kinds)
         if name.split("_")[0] in ("close", "fin", "last", "closing", "syn", "accept",
                                   "established", "stopped", "time", "healthy")
         and name != "close"]
