# SPDX-License-Identifier: GPL-2.0
"""Reads what was seen of one round: packets and system calls, nothing else.

A flow is one end of a connection: (local address, port, remote address, port),
addresses as 4 or 16 bytes. Its packets are in the order in which the kernel
of that end handled them on that end's own link: what it sent at the moment it
sent it, what it received at the moment it received it.
"""

import collections
import json
import os
import socket
import struct

FIN, SYN, RST, ACK = 1, 2, 4, 16
ICMP = 256      # in flags: an ICMP error about a segment of this flow


class Packet:
    __slots__ = ("ts", "pos", "tx", "seq", "ack", "flags", "len", "tsval", "err", "came")

    def __init__(self, ts, pos, tx, seq, ack, flags, length, tsval, err=0):
        self.ts, self.pos, self.tx = ts, pos, tx
        self.came = ts                  # ts is when it was handled, if that differs
        self.seq, self.ack, self.flags, self.len = seq, ack, flags, length
        self.tsval, self.err = tsval, err

    def text(self):
        names = "".join(n for n, b in (("S", SYN), ("F", FIN), ("R", RST), ("A", ACK),
                                       ("icmp", ICMP)) if self.flags & b)
        return "%d %s %-3s seq %d ack %d len %d%s" % (
            self.ts, "->" if self.tx else "<-", names, self.seq, self.ack, self.len,
            "" if self.tsval is None else " ts %d" % self.tsval)


ICMP4 = {0: "ENETUNREACH", 1: "EHOSTUNREACH", 3: "ECONNREFUSED"}
ICMP6 = {0: "ENETUNREACH", 1: "EACCES", 2: "EHOSTUNREACH", 3: "EHOSTUNREACH",
         4: "ECONNREFUSED"}
HEAD = struct.Struct("!HHIIBB")
RECORD = struct.Struct("<IIII")


def timestamp(data, at, end):
    """The value of the timestamp option (RFC 7323), None: there is none."""
    while at < end:
        kind = data[at]
        if kind == 8:
            return int.from_bytes(data[at + 2:at + 6], "big")
        if kind == 1:
            at += 1
        elif kind == 0 or data[at + 1] < 2:
            break
        else:
            at += data[at + 1]
    return None


def add_tcp(flows, data, head, src, dst, total, ts, pos, local):
    sport, dport, seq, ack, off, flags = HEAD.unpack_from(data, head)
    size = (off >> 4) * 4
    length = total - head - size
    tsval = timestamp(data, head + 20, min(head + size, len(data))) if size > 20 else None
    if src in local:
        flows[src, sport, dst, dport].append(
            Packet(ts, pos, True, seq, ack, flags, length, tsval))
    if dst in local:
        flows[dst, dport, src, sport].append(
            Packet(ts, pos, False, seq, ack, flags, length, tsval))


def add_icmp(flows, data, head, dst, ts, pos, local, v6):
    """The segment that an error is about is in it, as far as captured."""
    kind, code = data[head], data[head + 1]
    inner = head + 8
    if dst not in local or kind != (1 if v6 else 3):
        return
    src, dst = (data[inner + 8:inner + 24], data[inner + 24:inner + 40]) if v6 else \
        (data[inner + 12:inner + 16], data[inner + 16:inner + 20])
    at = inner + (40 if v6 else (data[inner] & 15) * 4)
    if data[inner + (6 if v6 else 9)] != socket.IPPROTO_TCP or len(data) < at + 8:
        return
    sport, dport, seq = struct.unpack_from("!HHI", data, at)
    flows[src, sport, dst, dport].append(
        Packet(ts, pos, False, seq, 0, ICMP, 0, None, (ICMP6 if v6 else ICMP4).get(code, "?")))


def read_pcap(path, offset, local):
    """flow -> packets. @local: this end's addresses."""
    flows = collections.defaultdict(list)
    with open(path, "rb") as f:
        data = f.read()
    magic, = struct.unpack_from("<I", data)
    unit = {0xA1B23C4D: 1, 0xA1B2C3D4: 1000}[magic]
    at, end, pos = 24, len(data), 0
    while at + 16 <= end:
        sec, frac, size, _ = RECORD.unpack_from(data, at)
        frame = data[at + 30:at + 16 + size]        # behind the Ethernet header
        at += 16 + size
        ts, pos = sec * 1000000000 + frac_ns(frac, unit) + offset, pos + 1
        if frame[0] >> 4 == 4:
            head, proto = (frame[0] & 15) * 4, frame[9]
            src, dst = frame[12:16], frame[16:20]
            total = frame[2] << 8 | frame[3]
        else:
            head, proto = 40, frame[6]
            src, dst = frame[8:24], frame[24:40]
            total = 40 + (frame[4] << 8 | frame[5])
        if proto == socket.IPPROTO_TCP:
            add_tcp(flows, frame, head, src, dst, total, ts, pos, local)
        elif proto in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
            add_icmp(flows, frame, head, dst, ts, pos, local, proto != socket.IPPROTO_ICMP)
    return flows


def frac_ns(frac, unit):
    return frac * unit


# ---- calls ----

OPS = ("?", "begin", "socket", "listen", "connect", "accept", "send", "recv", "shutdown",
       "linger", "close", "fork", "pass", "take", "exit", "kill", "error")
CALL = struct.Struct("<QQQIIIiiHHBBBBBB10x")


class Call:
    __slots__ = ("t0", "t1", "cookie", "sid", "conn", "pid", "ret", "arg", "lport", "rport",
                 "op", "link", "side", "family", "where", "err")

    def __init__(self, values):
        (self.t0, self.t1, self.cookie, self.sid, self.conn, self.pid, self.ret, self.arg,
         self.lport, self.rport, op, self.link, side, self.family, self.where,
         self.err) = values
        self.op, self.side = OPS[op], chr(side)

    def text(self):
        return "%d..%d %s() by %d: %d, errno %d, argument %d" % (
            self.t0, self.t1, self.op, self.pid, self.ret, self.err, self.arg)


def read_calls(path):
    with open(path, "rb") as f:
        data = f.read()
    return [Call(v) for v in CALL.iter_unpack(data[64:]) if v[10]]


# ---- a round ----

class Round:
    """All of one round: its links' flows, its calls."""

    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "meta.json")) as f:
            self.meta = json.load(f)
        self.links = list(self.meta["links"]) + ["lo"]
        self.calls = read_calls(os.path.join(directory, "calls"))

    def net(self, link, side):
        """Name of the namespace of one side of a link (its number)."""
        name = self.links[link]
        return "lo-l" if name == "lo" else "%s-%s" % (name, side)

    def addresses(self, link, side):
        """(IPv4, IPv6) of a side, "c" or "s"."""
        if self.links[link] == "lo":
            return (socket.inet_aton("127.0.0.1"), socket.inet_pton(socket.AF_INET6, "::1"))
        n = 1 if side == "c" else 2
        return (socket.inet_aton("10.%d.0.%d" % (70 + link, n)),
                socket.inet_pton(socket.AF_INET6, "fd%d::%d" % (70 + link, n)))

    def flows(self, link, side):
        net = self.net(link, side)
        return read_pcap(os.path.join(self.directory, net + ".pcap"),
                         sum(self.meta["offset"]) // 2, set(self.addresses(link, side)))
