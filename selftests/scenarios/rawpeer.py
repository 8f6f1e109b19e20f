# SPDX-License-Identifier: GPL-2.0
"""A peer without a kernel: sends exactly the segments it is told to.

On veth and loopback it speaks through raw sockets for an address whose
incoming packets are dropped behind the tap, so that no kernel answers; on a
tun device it writes packets into the device itself.
"""

import ctypes
import os
import socket
import struct

from topo import boot_ns, inside

ETH_P_ALL = 3       # taps for all protocols come before tc's ingress
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    s = (s & 0xFFFF) + (s >> 16)
    s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def pton(family, addr):
    return socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, addr)


def packet(family, src, dst, proto, body):
    """An IP packet; the checksum field of the body must be zero."""
    s, d = pton(family, src), pton(family, dst)
    if family == 6 or proto == socket.IPPROTO_TCP:
        pseudo = s + d + (struct.pack("!BBH", 0, proto, len(body)) if family == 4 else
                          struct.pack("!IxxxB", len(body), proto))
    else:
        pseudo = b""
    at = 16 if proto == socket.IPPROTO_TCP else 2
    body = body[:at] + struct.pack("!H", checksum(pseudo + body)) + body[at + 2:]
    if family == 6:
        return struct.pack("!IHBB", 0x60000000, len(body), proto, 64) + s + d + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0) + s + d
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


class Segment:
    """What arrived: the fields of one TCP segment."""

    def __init__(self, family, data):
        self.time, self.data = boot_ns(), data
        head = 40 if family == 6 else (data[0] & 15) * 4
        self.src = data[8:24] if family == 6 else data[12:16]
        (self.sport, self.dport, self.seq, self.ack, off, bits,
         self.win) = struct.unpack_from("!HHIIBBH", data, head)
        self.payload = data[head + (off >> 4) * 4:]
        self.flags = {k for k, v in FLAGS.items() if bits & v and k != "P"}


class Wire:
    """Where raw peers of one family hang in one namespace."""

    def __init__(self, loop, net, family):
        self.net, self.family, self.peers = net, family, {}
        raw = pton(family, net.raw[family])
        if net.tun is not None:
            self.tap = None
            loop.add_reader(net.tun, self.read_tun)
            return
        v6 = family == 6
        with inside(net.name):
            self.out = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET,
                                     socket.SOCK_RAW, socket.IPPROTO_RAW)
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            # Accepts what is for the raw address: ldw [last word of dst], compare.
            code = struct.pack("HBBI" * 4, 0x20, 0, 0, 36 if v6 else 16,
                               0x15, 0, 1, struct.unpack("!I", raw[-4:])[0],
                               0x06, 0, 0, 0xFFFF, 0x06, 0, 0, 0)
            keep = ctypes.create_string_buffer(code)
            self.tap.setsockopt(socket.SOL_SOCKET, 26,
                                struct.pack("HxxxxxxQ", 4, ctypes.addressof(keep)))
            self.tap.bind((net.dev, ETH_P_ALL))
        self.tap.setblocking(False)
        loop.add_reader(self.tap, self.read_tap)

    def read_tap(self):
        try:
            data, addr = self.tap.recvfrom(65536)
        except BlockingIOError:
            return
        if addr[2] != socket.PACKET_OUTGOING and data[0] >> 4 == self.family:
            self.arrived(data)

    def read_tun(self):
        try:
            data = os.read(self.net.tun, 65536)
        except BlockingIOError:
            return
        other = wires.get((self.net.name, 6 if data[0] >> 4 == 6 else 4))
        if other:
            other.arrived(data)

    def arrived(self, data):
        proto = data[6] if self.family == 6 else data[9]
        if proto != socket.IPPROTO_TCP:
            return
        seg = Segment(self.family, data)
        peer = self.peers.get(seg.dport)
        if peer:
            peer.inbox.append(seg)

    def emit(self, data, dst):
        if self.net.tun is not None:
                os.write(self.net.tun, data)
        elif self.family == 6:
            self.out.sendto(data, (dst, 0, 0, 0))
        else:
            self.out.sendto(data, (dst, 0))


wires = {}


def wire(loop, net, family):
    key = (net.name, family)
    if key not in wires:
        if net.tun is not None:     # one reader for both families
            for f in (4, 6):
                w = wires[(net.name, f)] = Wire.__new__(Wire)
                w.net, w.family, w.peers, w.tap = net, f, {}, None
            loop.add_reader(net.tun, wires[(net.name, 4)].read_tun)
        else:
            wires[key] = Wire(loop, net, family)
    return wires[key]


def forget(loop, names):
    """Closes the sockets in namespaces that are about to go."""
    for key in [k for k in wires if k[0] in names]:
        w = wires.pop(key)
        if w.tap:
            loop.remove_reader(w.tap)
            w.tap.close()
            w.out.close()


class RawPeer:
    """One end of a TCP connection, moved by hand."""

    def __init__(self, loop, net, family, port, remote, addr=None):
        self.wire = wire(loop, net, family)
        self.family, self.port = family, port
        self.addr = addr or net.raw[family]
        self.raddr, self.rport = remote
        self.inbox, self.read = [], 0
        self.seq, self.ack = 1000 + port * 1000, 0
        if addr is None:
            self.wire.peers[port] = self

    def send(self, flags, seq=None, ack=None, data=b"", win=65535, options=b""):
        """Sends one segment and moves our sequence number on."""
        seq = self.seq if seq is None else seq
        ack = self.ack if ack is None else ack
        if "S" in flags and not options:
            options = b"\x02\x04\x05\xb4"
        bits = sum(FLAGS[f] for f in flags)
        body = struct.pack("!HHIIBBHHH", self.port, self.rport, seq & 0xFFFFFFFF,
                           ack & 0xFFFFFFFF if "A" in flags else 0,
                           (5 + len(options) // 4) << 4, bits, win, 0, 0)
        self.wire.emit(packet(self.family, self.addr, self.raddr, socket.IPPROTO_TCP,
                              body + options + data), self.raddr)
        self.seq = seq + len(data) + ("S" in flags) + ("F" in flags)

    def wait(self, flags, seconds=30.0):
        """The next segment that carries all these flags; it is taken over."""
        want = set(flags)

        def there():
            while self.read < len(self.inbox):
                seg = self.inbox[self.read]
                self.read += 1
                if want <= seg.flags:
                    found.append(seg)
                    return True
            return False

        found = []
        yield (there, seconds)
        seg = found[0]
        self.rport = seg.sport
        self.ack = seg.seq + len(seg.payload) + ("S" in seg.flags) + ("F" in seg.flags)
        return seg

    def unreachable(self, seg):
        """Answers a segment with ICMP: host (IPv4) or address unreachable."""
        if self.family == 6:
            body = struct.pack("!BBHI", 1, 3, 0, 0) + seg.data[:100]
            proto = socket.IPPROTO_ICMPV6
        else:
            body = struct.pack("!BBHI", 3, 1, 0, 0) + seg.data[:60]
            proto = socket.IPPROTO_ICMP
        self.wire.emit(packet(self.family, self.addr, self.raddr, proto, body), self.raddr)
