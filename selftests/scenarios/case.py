# SPDX-License-Identifier: GPL-2.0
"""One case: its two ends, its traffic, and what its timelines must show.

What is expected is plain data (judge.py compares it, a file can keep it).
"""

import itertools

from rawpeer import RawPeer

LINKS = ("veth", "loopback")
FAMILIES = (4, 6)
ports = itertools.count(5001)
scenarios = []          # (generator, row, what, families, links, nets, options)


def scenario(row, what, families=FAMILIES, links=LINKS, nets="main", **options):
    """Registers a generator as the traffic of a row, for each family and link."""
    def register(generator):
        scenarios.append((generator, row, what, families, links, nets, options))
        return generator
    return register


class World:
    """What all cases share, and what they leave behind for the judge."""

    def __init__(self, topo, loop):
        self.topo, self.loop = topo, loop
        self.cases, self.expects = [], []
        self.snaps, self.wanted, self.loaded = [], [], False
        self.ready = 0              # cases that wait for the module

    def snapshot(self, *nets):
        """What tcptrail and ss show now; cases that ask at once share one."""
        ticket = [None, nets]
        self.wanted.append(ticket)
        yield lambda: ticket[0] is not None
        return ticket[0]


class Case:
    def __init__(self, world, row, what, family, link, nets="main"):
        self.world, self.loop = world, world.loop
        self.row, self.what, self.family, self.link = row, what, family, link
        self.name = "row %d %s ipv%d %s" % (row, what, family, link)
        a, b = ("-a", "-b") if link == "veth" else ("-l", "-l")
        self.cnet = world.topo.nets[nets + a]
        self.snet = world.topo.nets.get(nets + b, self.cnet)
        self.caddr, self.saddr = self.cnet.addr[family], self.snet.addr[family]
        self.port = next(ports)
        self.cport = None
        self.notes = []             # witnesses' facts that failed
        self.skip = None
        self.s = self.c = None
        self.calls = {}
        world.cases.append(self)

    # ---- actors ----

    def actor(self, side, tag=""):
        comm = "r%d%s-%s%s" % (self.row, self.what.replace("-", "")[:7], side, tag)
        return self.loop.actor(self.snet if side == "s" else self.cnet, comm)

    def listen(self, actor, *options, backlog=16, slot=0, port=None, addr=None, family=None):
        op = yield from actor.call(
            "socket %d %s" % (slot, family or self.family),
            *("opt %d %s" % (slot, o) for o in options),
            "bind %d %s %d" % (slot, addr or self.saddr, port or self.port),
            "listen %d %d" % (slot, backlog))
        if op.ret:
            raise RuntimeError("listen: errno %d" % op.errno)
        self.calls["listen"] = op
        return op

    def socket(self, actor, *options, slot=0, bind=None, addr=None):
        lines = ["socket %d %d" % (slot, self.family)]
        lines += ["opt %d %s" % (slot, o) for o in options]
        if bind:
            lines.append("bind %d %s %d" % (slot, addr or self.caddr, bind))
        op = yield from actor.call(*lines)
        if op.ret < 0:
            raise RuntimeError("%s: errno %d" % (op.line, op.errno))

    def pair(self, *coptions, soptions=(), bind=None, backlog=16):
        """A server, a client, and one connection between them, accepted."""
        self.s, self.c = self.actor("s"), self.actor("c")
        yield from self.listen(self.s, *soptions, backlog=backlog)
        yield from self.socket(self.c, *coptions, bind=bind)
        yield from self.join()

    def join(self, cslot=0, sslot=1):
        """Connects and accepts; keeps both calls and the client's port."""
        accept, = self.s.do("accept 0 %d" % sslot)
        connect, = self.c.do("connect %d %s %d" % (cslot, self.saddr, self.port))
        yield from self.c.wait([connect])
        if connect.ret:
            raise RuntimeError("connect: errno %d" % connect.errno)
        yield from self.s.wait([accept])
        name = yield from self.c.call("name %d" % cslot)
        self.cport = int(name.more[0])
        self.calls.update(connect=connect, accept=accept, cname=name)
        name = yield from self.s.call("name %d" % sslot)
        self.calls["sname"] = name

    def raw(self, role):
        """A peer without a kernel in the clients' namespace, as client or as
        server; the kernel's end is in the servers' namespace."""
        raw = self.cnet.raw[self.family]
        if role == "client":
            self.caddr, self.cport = raw, 25000 + self.port
            return RawPeer(self.loop, self.cnet, self.family, self.cport,
                           (self.saddr, self.port))
        peer = RawPeer(self.loop, self.cnet, self.family, self.port, (self.saddr, 0))
        self.cnet, self.caddr, self.saddr = self.snet, self.saddr, raw
        return peer

    def raw_open(self, peer):
        """The raw client's handshake with a listener; s accepts it."""
        accept, = self.s.do("accept 0 1")
        peer.send("S")
        yield from peer.wait("SA")
        peer.send("A")
        yield from self.s.wait([accept])
        self.calls.update(accept=accept, sname=(yield from self.s.call("name 1")))

    def raw_answer(self, peer, *options):
        """The kernel's connect() to a raw server."""
        self.c = self.actor("c")
        yield from self.socket(self.c, *options, bind=20000 + self.port)
        connect, = self.c.do("connect 0 %s %d" % (self.saddr, self.port))
        yield from peer.wait("S")
        peer.send("SA")
        yield from self.c.wait([connect])
        name = yield from self.c.call("name 0")
        self.calls.update(connect=connect, cname=name)
        self.cport = int(name.more[0])

    # ---- expectations ----

    def end(self, side, states, **more):
        """What one end must show.

        states: (state, cause[, Op]) in order; with an Op its process is the
        owner and the time lies within the call, without one nobody is named.
        """
        c = side == "c"
        net = self.cnet if c else self.snet
        cport = more.pop("cport", None)
        local = [self.caddr, self.cport if cport is None else cport]
        remote = [self.saddr, self.port]
        e = {
            "case": self.name, "side": side, "netns": net.ino, "link": net.name,
            "family": "inet6" if self.family == 6 else "inet",
            "local": local if c else remote, "remote": remote if c else local,
            "nth": 0, "complete": "complete", "passive": not c,
            "states": [], "open": False, "peer": None, "accept": None,
            "opener": None, "closer": None, "errno": None, "cookie": None,
        }
        for item in states:
            state, cause = item[0], item[1]
            op = item[2] if len(item) > 2 else None
            s = {"state": state,
                 "cause": [cause] if isinstance(cause, str) else list(cause)}
            if op is not None:
                s["pid"], s["span"] = op.pid, op.span()
            e["states"].append(s)
        e["open"] = e["states"][-1]["state"] != "CLOSE" if e["states"] else False
        e.update(more)
        self.world.expects.append(e)
        e["id"] = len(self.world.expects) - 1
        return e

    def client(self, states, **more):
        if more.get("tail"):        # begun before the module was there
            e = self.end("c", states, **more)
        else:
            e = self.end("c", [("SYN_SENT", "connect", self.calls["connect"])] + states, **more)
        if "opener" not in more:
            e["opener"] = [self.calls["connect"].pid, "connect"]
        if "cname" in self.calls and "cookie" not in more:
            e["cookie"] = int(self.calls["cname"].more[2])
        return e

    def server(self, states, **more):
        e = self.end("s", states, **more)
        if "accept" in self.calls and "accept" not in more:
            op = self.calls["accept"]
            e["accept"] = {"pid": op.pid, "span": op.span()}
            if "opener" not in more:
                e["opener"] = [op.pid, "accept"]
            e["cookie"] = int(self.calls["sname"].more[2])
        return e

    def listener(self, *end, **more):
        """What the listener's own timeline must show."""
        op = self.calls["listen"]
        e = self.end("s", [("LISTEN", "listen", op)] + list(end), passive=False,
                     opener=[op.pid, "listen"], cport=0, **more)
        e["remote"] = ["::" if self.family == 6 else "0.0.0.0", 0]
        return e

    def mate(self, one, other):
        one["peer"], other["peer"] = other["id"], one["id"]

    def note(self, condition, text):
        """A fact the row needs, as another witness than the judge sees it."""
        if not condition:
            self.notes.append(text)


HANDSHAKE_C = [("ESTABLISHED", "synack_in")]
HANDSHAKE_S = [("SYN_RECV", "syn_in"), ("ESTABLISHED", "ack_in")]

