# SPDX-License-Identifier: GPL-2.0
"""From packets and calls to what must have happened at one end.

Puts the calls on a socket between the packets of its flow. Where the clock does
not say which came first, each order is tried: the outcome is decided if all
orders lead to the same.
"""

import collections
import copy

from model import Machine
from seen import FIN, RST, SYN
from tcb import MS, Impossible

EADDRNOTAVAIL = 99
MOST_ORDERS = 400
# How long a packet may wait between its time stamp and its handling.
QUEUE = 50000
# How much later than the call a segment may be seen that it sends.
OUT = 150000
# From _exit() until all is closed: of a process with one socket, and with many.
GONE, GONE_MANY = 3 * MS, 500 * MS


class Event:
    """A call with an effect on the state, or a close that follows from others."""
    __slots__ = ("kind", "t0", "hi", "pid", "sid", "arg", "read", "ways", "first", "last")

    def __init__(self, kind, t0, hi, pid, sid, arg=0, ways=()):
        self.kind, self.t0, self.hi, self.pid, self.sid, self.arg = kind, t0, hi, pid, sid, arg
        self.read, self.ways = 0, ways


class Sockets:
    """What the log of calls says of each socket, and who held it when."""

    def __init__(self, seen):
        self.seen = seen
        self.ends = {}                          # pid -> (t0, hi) of its end
        self.by_sid = collections.defaultdict(list)
        many = {c.pid for c in seen.calls if c.op == "begin" and chr(c.arg) in "cst"}
        for c in seen.calls:
            if c.op == "exit":
                gone = GONE_MANY if c.pid in many else GONE
                self.ends.setdefault(c.pid, (c.t0, c.t0 + gone))
            elif c.op == "kill":
                self.ends.setdefault(c.pid, (c.t0, c.t1))
            elif c.sid:
                self.by_sid[c.sid].append(c)

    def until(self, c):
        """When a call had returned, or its process was gone."""
        return c.t1 or self.ends[c.pid][1]

    def close_of(self, calls):
        """The event in which the last reference goes."""
        held, gone = collections.Counter(), []
        for c in calls:
            if c.op in ("socket", "accept", "fork", "listen"):
                held[c.pid] += 1
            elif c.op == "take":
                held[c.pid] += 1
                gone = [g for g in gone if g[0] != "flight"]
            elif c.op == "pass" and c.ret > 0:
                gone.append(("flight", NEVER_TAKEN, NEVER_TAKEN, 0))
            elif c.op == "close":
                held[c.pid] -= 1
                gone.append(("close", c.t0, self.until(c), c.pid))
        for pid, n in held.items():
            if n > 0 and pid in self.ends:
                gone.append(("exit",) + self.ends[pid] + (pid,))
            elif n > 0:
                return None
        if not gone:
            return None
        gone.sort(key=lambda g: g[1])
        last = gone[-1]
        # Whichever it was, the last of them had begun by then.
        ways = [(g[0], last[1]) + g[2:] for g in gone if g[2] >= last[1]]
        return Event(last[0], last[1], max(g[2] for g in ways), last[3],
                     calls[0].sid, 0, ways)

    def events(self, sid):
        """The calls on a socket that matter, in order."""
        calls = sorted(self.by_sid[sid], key=lambda c: c.t0)
        out = []
        for c in calls:
            if c.op in ("connect", "accept", "shutdown", "linger") and \
                    (c.op != "accept" or c.ret >= 0):
                kind = "in_use" if c.op == "connect" and c.err == EADDRNOTAVAIL else c.op
                out.append(Event(kind, c.t0, self.until(c), c.pid, sid, c.arg))
        end = self.close_of(calls)
        if end:
            end.read = sum(c.ret for c in calls if c.op == "recv" and c.t0 < end.hi)
            out.append(end)
        out.sort(key=lambda e: e.t0)
        return out

    def cookie(self, sid):
        return max((c.cookie for c in self.by_sid[sid]), default=0)


NEVER_TAKEN = 1 << 61


class Listeners:
    """Which listener a port had when."""

    def __init__(self, sockets):
        self.spans = collections.defaultdict(list)
        for sid, calls in sockets.by_sid.items():
            if calls[0].op == "listen":
                c, end = calls[0], sockets.close_of(calls)
                self.spans[c.link, c.lport].append((c, end))

    def closes(self, link, port):
        return [Event("listener", e.t0, e.hi, e.pid, e.sid)
                for _, e in self.spans[link, port]]

    def at(self, link, port, choose):
        spans = self.spans[link, port]

        def find(ts):
            for c, end in spans:
                if c.t1 <= ts <= end.t0 - QUEUE:
                    return c.sid
                if c.t0 - QUEUE <= ts <= end.hi and choose():
                    return c.sid
            return None
        return find


class Chooser:
    """Goes through all sequences of decisions, one a run."""

    def __init__(self):
        self.plan, self.at = [], 0

    def __call__(self):
        if self.at == len(self.plan):
            self.plan.append(False)
        self.at += 1
        return self.plan[self.at - 1]

    def next(self):
        """To the next sequence; False: that was the last."""
        del self.plan[self.at:]
        while self.plan and self.plan[-1]:
            self.plan.pop()
        if not self.plan:
            return False
        self.plan[-1] = True
        self.at = 0
        return True


class Flow:
    """One flow of one link, with all that was called on it."""

    def __init__(self, key, link, packets, events, sysctls, busy):
        """@busy: (t0, t1) of every call on its socket"""
        self.key, self.link, self.packets = key, link, packets
        self.given = [copy.copy(e) for e in events]
        self.events = sorted(events, key=lambda e: e.t0)
        self.sysctls, self.busy = sysctls, busy
        for e in self.events:
            self.place(e)

    def owned(self, ts):
        return any(t0 - QUEUE <= ts <= t1 for t0, t1 in self.busy)

    def anchor(self, e):
        """The segment that a call sent, which tells its place exactly."""
        want = {"connect": SYN, "accept": 0, "linger": 0}.get(e.kind, FIN | RST)
        fins = set()
        for i, p in enumerate(self.packets):
            if not p.tx:
                continue
            again = p.flags & FIN and p.seq + p.len in fins
            if p.flags & want and not again and not self.answers(i) and \
                    e.t0 - 5000 <= p.ts <= e.hi + OUT:
                return i
            if p.flags & FIN:
                fins.add(p.seq + p.len)
        return None

    def answers(self, i):
        """Is it a RST that a segment may have provoked, just before it?"""
        p, before = self.packets[i], self.packets[i - 1] if i else None
        return p.flags & RST and before and not before.tx and p.ts - before.ts <= QUEUE

    def place(self, e):
        """It came before packet number first ... last."""
        e.first, e.last = 0, len(self.packets)
        for i, p in enumerate(self.packets):
            if p.ts < e.t0 - (0 if p.tx else QUEUE):
                e.first = i + 1
            elif p.ts > e.hi + (5000 if p.tx else 0):
                e.last = i
                break
        at = self.anchor(e)
        if at is not None:
            e.last = min(e.last, at)
            self.at_segment(e, self.packets[at].ts)
        e.first = min(e.first, e.last)

    @staticmethod
    def at_segment(e, ts):
        """The segment tells which of several closes it was."""
        e.hi = min(e.hi, ts + 5000)
        ways = [w for w in e.ways if w[1] - 5000 <= ts <= w[2] + OUT]
        if len(ways) == 1:
            e.ways, (e.kind, e.t0, _, e.pid) = ways, ways[0]

    def run(self, listeners, choose):
        """One order, decided by choose()."""
        m = Machine(self.sysctls, listeners, choose, self.owned, self.packets)
        waiting = list(self.events)
        for i, p in enumerate(self.packets):
            while waiting and i >= waiting[0].first and (
                    i >= waiting[0].last or (not p.tx and choose())):
                self.do(m, waiting.pop(0), choose)
            m.advance(p.ts)
            (m.sent if p.tx else m.received)(p)
        for e in waiting:
            self.do(m, e, choose)
        m.advance(1 << 62)
        return m.conns

    def do(self, m, e, choose):
        m.advance(e.t0)
        if len(e.ways) > 1:
            for way in e.ways[:-1]:
                if choose():
                    e, read = Event(way[0], e.t0, e.hi, way[3], e.sid), e.read
                    e.read = read
                    break
        m.call(e)

    def behind_calls(self):
        """
        The same, but what came during a call on the socket is handled when the
        call lets go of it (release_sock()). None: nothing did.
        """
        packets = []
        for p in self.packets:
            end = max((t1 for t0, t1 in self.busy if t0 <= p.ts < t1), default=0)
            if end and not p.tx:
                p = copy.copy(p)
                p.ts = end
            packets.append(p)
        packets.sort(key=lambda p: p.ts)
        if [p.ts for p in packets] == [p.ts for p in self.packets]:
            return None
        return Flow(self.key, self.link, packets, [copy.copy(e) for e in self.given],
                    self.sysctls, self.busy)

    def outcomes(self, listeners):
        """Every possible outcome: a list of lists of connections. None: too many."""
        found = {}
        for flow in filter(None, (self, self.behind_calls())):
            choose = Chooser()
            for _ in range(MOST_ORDERS):
                try:
                    conns = flow.run(listeners(choose), choose)
                    found.setdefault((meaning(conns), times(conns)), conns)
                except Impossible:
                    pass
                if not choose.next():
                    break
            else:
                return None
        return list(found.values())


def meaning(conns):
    """What must be equal for two orders to mean the same."""
    return tuple((c.passive, c.iss, c.irs, c.errno, c.accepted,
                  tuple((s.state, s.cause, s.owner) for s in c.steps)) for c in conns)


def times(conns):
    """When a timer and a segment do the same, they do it at another time."""
    return tuple(tuple((s.lo, s.hi) for s in c.steps) for c in conns)


def flows(seen, sockets):
    """All flows of a round, as Flow, with a function that finds listeners."""
    calls = collections.defaultdict(list)       # (link, side, key) -> sids
    listeners = Listeners(sockets)
    far = {1: ("10.9.0.1", "fd09::1"), 2: ("10.8.0.1", "fd08::1")}
    for sid, log in sockets.by_sid.items():
        for c in log:
            if c.op not in ("connect", "accept") or (c.op == "accept" and c.ret < 0):
                continue
            v6 = c.family == 6
            local = seen.addresses(c.link, c.side)[v6]
            remote = seen.addresses(c.link, "s" if c.side == "c" else "c")[v6]
            if c.where:
                remote = pton(far[c.where][v6])
            calls[c.link, c.side, (local, c.lport, remote, c.rport)].append(sid)
    for link, name in enumerate(seen.links):
        sides = "c" if name == "lo" else "cs"
        sysctls = seen.meta["sysctls"][name]
        for side in sides:
            found = seen.flows(link, side)
            for key in set(found) | {k for li, s, k in calls
                                     if li == link and (s == side or name == "lo")}:
                sids = calls.get((link, side, key), [])
                if name == "lo":
                    sids = sids + calls.get((link, "s", key), [])
                events = [e for sid in sids for e in sockets.events(sid)]
                port = key[1]
                at = lambda choose, li=link, po=port: listeners.at(li, po, choose)  # noqa: E731
                events += listeners.closes(link, port)
                busy = [(c.t0, c.t1) for sid in sids for c in sockets.by_sid[sid]]
                yield Flow(key, link, found.get(key, []), events, sysctls, busy), at


def pton(text):
    import socket
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
