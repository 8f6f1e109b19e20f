# SPDX-License-Identifier: GPL-2.0
"""Sockets of every kind, by real programs, and what is to be said of them.

Each kind has an address of its own in far, one for each family; what is
expected of a socket follows from that address and from the end it is.
"""
import itertools
import os
import signal
import socket
import subprocess
import time

from net import HOSTS, NEAR, family, far_addr

HERE = os.path.dirname(os.path.abspath(__file__))
# What no failure may be said of.
HEALTHY = None
# As many as there are.
ANY = -1
# This family is IPv4 by an IPv6 socket of near.
MAPPED = 46


def module():
    return os.path.exists("/dev/tcptrail")


class Program:
    """It says a word when it has got somewhere, and goes on at "go"."""

    def __init__(self, start):
        theirs, ours = os.pipe(), os.pipe()
        self.stdin, self.stdout = open(theirs[1], "w"), open(ours[0])
        self.pid = start(theirs[0], ours[1])
        os.close(theirs[0])
        os.close(ours[1])
        self.expect("ready")

    def expect(self, word):
        line = self.stdout.readline().strip()
        if line != word:
            raise RuntimeError("process %d: %r instead of %r" % (self.pid, line, word))

    def go(self):
        self.stdin.write("go\n")
        self.stdin.flush()
        self.expect("done")

    def end(self):
        self.stdin.close()
        self.stdout.close()
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


NGINX = """daemon off; master_process off; pid %(base)s/pid; error_log /dev/null;
events { worker_connections 2048; }
http {
  access_log off; keepalive_timeout 7200;
  client_body_temp_path %(base)s/body; proxy_temp_path %(base)s/proxy;
  fastcgi_temp_path %(base)s/fastcgi; uwsgi_temp_path %(base)s/uwsgi;
  scgi_temp_path %(base)s/scgi;
  server { listen %(port)d backlog=1024; listen [::]:%(port)d backlog=1024 ipv6only=on;
           return 200 "hello"; }
}
"""


class Nginx:
    """It answers, and then it is stopped, as by a debugger or a full disk."""

    def __init__(self, net, port):
        base = os.environ.get("TMPDIR", "/tmp") + "/nginx%d" % port
        os.makedirs(base, exist_ok=True)
        with open(base + "/conf", "w") as f:
            f.write(NGINX % {"base": base, "port": port})
        with net.inside(net.near):
            self.proc = subprocess.Popen(["nginx", "-p", base, "-c", base + "/conf"])
        self.pid = self.proc.pid

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)

    def end(self):
        self.proc.kill()
        self.proc.wait()


def get(sock):
    """One request of a browser that keeps the connection."""
    sock.send(b"GET / HTTP/1.1\r\nHost: near\r\n\r\n")
    answer = b""
    while not answer.endswith(b"hello"):
        more = sock.recv(4096)
        if not more:
            raise RuntimeError("nginx hung up: %r" % answer)
        answer += more


class Kinds:
    def __init__(self, net, nursery, scale):
        self.net, self.nursery, self.scale = net, nursery, scale
        self.kept, self.programs = [], []
        self.family = 4
        # (side, far address) -> rule, or {rule: count}
        self.expected = {}
        self.count = {}
        self.kind = {}          # far address -> name of the method
        self.listener = {}      # port -> rule
        self.holder = {}        # far address -> what holds near's sockets
        self.program = {}       # far address -> pid of near's program
        self.crowd = {}         # (rule, family) -> far address and port of a pile, a flood
        self.hosts, self.ports = iter(HOSTS), itertools.count(7001)

    # ---- pieces ----

    def place(self, near, far, count):
        """A far address, a near port and what to expect at both ends."""
        addr = far_addr(self.family, next(self.hosts))
        self.expected["near", addr], self.expected["far", addr] = near, far
        self.count[addr] = count
        self.kind[addr] = self.name
        return addr, next(self.ports)

    def server(self, mistake, port, count, *more):
        argv = [mistake, *map(str, (self.family, port, count, *more))]
        return self.program_of(lambda stdin, stdout: self.nursery.start(
            argv, "/run/netns/" + self.net.near, stdin, stdout))

    def server_in_c(self, port, count):
        argv = [os.environ["STUCK_SERVER"], *map(str, (self.family, port, count))]
        with self.net.inside(self.net.near):
            return self.program_of(lambda stdin, stdout: subprocess.Popen(
                argv, stdin=stdin, stdout=stdout).pid)

    def program_of(self, start):
        self.programs.append(Program(start))
        return self.programs[-1]

    def connect(self, addr, port, count, wait=True):
        conns = []
        for _ in range(count):
            sock = self.net.far_socket(addr)
            sock.setblocking(wait)
            if wait:
                sock.connect((NEAR[family(addr)], port))
            else:
                sock.connect_ex((NEAR[family(addr)], port))
            conns.append(sock)
        self.kept += conns
        return conns

    def accepted(self, mistake, near, far, count, holder="program"):
        addr, port = self.place(near, far, count)
        prog = self.server(mistake, port, count)
        conns = self.connect(addr, port, count)
        prog.expect("accepted")
        self.program[addr], self.holder[addr] = prog.pid, holder
        return addr, prog, conns

    def waiting(self, mistake, near, far, count):
        """Nobody calls accept() on these."""
        addr, port = self.place(near, far, count)
        self.program[addr], self.holder[addr] = self.server(mistake, port, 0).pid, "nobody"
        return addr, port

    # ---- CLOSE_WAIT ----

    def close_wait_held(self):
        _, prog, conns = self.accepted("read-eof", "close_wait_held", "gone", self.scale)
        self.close(conns)
        prog.go()

    def close_wait_held_mapped(self):
        """IPv4 that arrives at an IPv6 socket."""
        if self.family == 6:
            return
        self.family = MAPPED
        self.close_wait_held()
        self.family = 4

    def close_wait_held_by_c(self):
        addr, port = self.place("close_wait_held", "gone", self.scale)
        prog = self.server_in_c(port, self.scale)
        conns = self.connect(addr, port, self.scale)
        prog.expect("accepted")
        self.program[addr], self.holder[addr] = prog.pid, "program"
        self.close(conns)

    def close_wait_forked(self):
        """Who accepted it is only known to the module, if nobody else holds it."""
        _, prog, conns = self.accepted("forked", "close_wait_forked" if module() else
                                       "close_wait_held", "gone", self.scale, "child")
        prog.go()
        self.close(conns)

    def close_wait_shared(self):
        _, prog, conns = self.accepted("shared", "close_wait_forked", "gone", self.scale,
                                       "program and child")
        prog.go()
        self.close(conns)

    def close_wait_never_accepted(self):
        addr, port = self.waiting("never-accept", "close_wait_never_accepted", "gone",
                                  self.scale)
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
        _, prog, conns = self.accepted("in-flight", "close_wait_nobody", "gone", 8, "nobody")
        prog.go()
        self.close(conns)

    def stopped_nginx(self):
        """Requests that it had accepted before, and connections that still wait."""
        unread, port = self.place("close_wait_unread", "gone", self.scale)
        waits, _ = self.place("established_never_accepted", HEALTHY, self.scale)
        idle, _ = self.place(HEALTHY, HEALTHY, 5)
        nginx = Nginx(self.net, port)
        self.programs.append(nginx)
        for addr in (unread, waits, idle):
            self.program[addr], self.holder[addr] = nginx.pid, "program"
        self.holder[waits] = "nobody"
        conns = self.patiently(unread, port) + self.connect(unread, port, self.scale - 1)
        for conn in conns + self.connect(idle, port, 5):
            get(conn)
        nginx.stop()
        for conn in conns:
            conn.send(b"GET / HTTP/1.1\r\n")
            conn.close()
        self.connect(waits, port, self.scale)

    # ---- FIN_WAIT, LAST_ACK, CLOSING ----

    def fin_wait2_held(self):
        _, prog, _ = self.accepted("shutdown", "fin_wait2_held", "close_wait_held", self.scale)
        prog.go()

    def fin_wait2_orphan(self):
        _, prog, _ = self.accepted("close", HEALTHY, "close_wait_held", self.scale, "nobody")
        prog.go()

    def fin_wait1_unacked(self):
        addr, prog, _ = self.accepted("close", "fin_wait1_unacked", HEALTHY, self.scale, "nobody")
        self.net.deafen(addr)
        prog.go()

    def fin_wait1_zero_window(self):
        _, prog, _ = self.accepted("fill-close", "fin_wait1_zero_window", HEALTHY, 8, "nobody")
        prog.go()

    def last_ack_unacked(self):
        addr, prog, conns = self.accepted("close", "last_ack_unacked", "gone", self.scale,
                                          "nobody")
        self.close(conns)
        self.wait_far_fin_wait2(addr)
        self.net.deafen(addr)
        prog.go()

    def last_ack_zero_window(self):
        """Far has closed its half only, and does not read."""
        addr, prog, conns = self.accepted("fill-close", "last_ack_zero_window",
                                          "fin_wait2_held", 8, "nobody")
        for conn in conns:
            conn.shutdown(socket.SHUT_WR)
        self.wait_far_fin_wait2(addr)
        prog.go()

    def closing_unacked(self):
        addr, prog, conns = self.accepted("close", "closing_unacked", "fin_wait1_unacked",
                                          self.scale, "nobody")
        self.net.deafen(addr)
        prog.go()
        self.close(conns)

    # ---- handshakes ----

    def syn_sent_unanswered(self):
        addr, port = self.place("syn_sent_unanswered", "gone", self.scale)
        self.net.deafen(addr)
        prog = self.server("connect", port, self.scale, addr)
        self.program[addr], self.holder[addr] = prog.pid, "program"

    def syn_recv_half_open(self):
        addr, port = self.waiting("never-accept", "syn_recv_half_open", "syn_sent_unanswered", 10)
        self.net.deafen(addr)
        self.connect(addr, port, 10, wait=False)

    def syn_recv_flood(self):
        """Its backlog, 64, limits how many requests the kernel keeps, and how long."""
        addr, port = self.waiting("flooded", {"syn_recv_flood": ANY}, "syn_sent_unanswered", 150)
        self.crowd["syn_recv_flood", self.family] = addr, port
        self.net.deafen(addr)
        self.connect(addr, port, 150, wait=False)

    def syn_recv_deferred(self):
        """The listener wants data first. Only the module sees that the ACK came."""
        addr, port = self.waiting("defer", "syn_recv_deferred" if module() else HEALTHY,
                                  HEALTHY, 6)
        self.connect(addr, port, 6)

    def accept_queue_full(self):
        """Six fill it up, so the last ACKs of four that came before are dropped."""
        late, port = self.waiting("short-queue", "syn_recv_queue_full", HEALTHY, 4)
        self.listener[port] = "accept_queue_full"
        self.net.deafen(late)
        self.connect(late, port, 4, wait=False)
        early, _ = self.place("established_never_accepted", HEALTHY, 6)
        self.program[early], self.holder[early] = self.program[late], "nobody"
        self.connect(early, port, 6)
        self.net.hear(late)

    # ---- ESTABLISHED ----

    def established_never_accepted(self):
        addr, port = self.waiting("never-accept", "established_never_accepted", HEALTHY,
                                  self.scale)
        self.connect(addr, port, self.scale)

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
        """Near closes first, so near pays: three of four of its ports."""
        self.net.sysctl(self.net.near, "ipv4/ip_local_port_range", "40000 40199")
        addr, port = self.place("time_wait_pileup", "gone", 150)
        self.crowd["time_wait_pileup", self.family] = addr, port
        listener = self.net.socket(self.net.far, addr)
        listener.bind((addr, port))
        listener.listen(1024)
        prog = self.server("connect-close", port, 150, addr)
        conns = [listener.accept()[0] for _ in range(150)]
        self.program[addr], self.holder[addr] = prog.pid, "nobody"
        prog.go()
        self.close(conns)
        self.kept.append(listener)

    # ---- healthy ----

    def healthy(self):
        """Idle connections, and some that were closed as they should be."""
        self.accepted("keep", HEALTHY, HEALTHY, self.scale)
        _, prog, conns = self.accepted("close", HEALTHY, "gone", 10, "nobody")
        prog.go()
        self.close(conns)

    # ---- help ----

    @staticmethod
    def close(conns):
        for conn in conns:
            conn.close()

    def patiently(self, addr, port):
        """One connection to a program that is about to listen."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.connect(addr, port, 1)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def wait_far_fin_wait2(self, addr):
        """Until near has acknowledged the FINs of far."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            out = self.net.ss(self.net.near, "state", "close-wait", "dst",
                              addr if family(addr) == 4 else "[%s]" % addr)
            if len(out.splitlines()) == self.count[addr]:
                return
            time.sleep(0.05)
        raise RuntimeError("far did not close")

    def make_all(self):
        for names in (KINDS, FLEETING):
            for self.family in (4, 6):
                for self.name in names:
                    getattr(self, self.name)()

    def end(self):
        for conn in self.kept:
            conn.close()
        for prog in self.programs:
            prog.end()


# What ends by itself is made last.
FLEETING = ["syn_recv_flood", "time_wait_pileup"]
KINDS = sorted(name for name in vars(Kinds)
               if name.split("_")[0] in ("close", "fin", "last", "closing", "syn", "accept",
                                         "established", "stopped", "healthy")
               and name != "close" and name not in FLEETING)
