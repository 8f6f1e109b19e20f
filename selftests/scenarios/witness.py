# SPDX-License-Identifier: GPL-2.0
"""The independent witnesses: packets, /proc/net/tcp, ss, SNMP counters."""

import re
import socket
import struct

from topo import boot_ns, inside, run

STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1",
          5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "CLOSE", 8: "CLOSE_WAIT",
          9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV"}
SS_STATES = {"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECV",
             "FIN-WAIT-1": "FIN_WAIT1", "FIN-WAIT-2": "FIN_WAIT2",
             "TIME-WAIT": "TIME_WAIT", "UNCONN": "CLOSE", "CLOSE-WAIT": "CLOSE_WAIT",
             "LAST-ACK": "LAST_ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING"}


def plain(addr):
    """IPv4-mapped addresses as IPv4, the same spelling for all."""
    return addr[7:] if addr.startswith("::ffff:") and "." in addr else addr


# ---- packets ----

def ntop(raw):
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def parse(link, data):
    """One captured frame as a dict, or None if it is not TCP."""
    if link == 1:
        data = data[14:]
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        head, proto, src, dst = (data[0] & 15) * 4, data[9], data[12:16], data[16:20]
        total = struct.unpack_from("!H", data, 2)[0]
    else:
        head, proto, src, dst = 40, data[6], data[8:24], data[24:40]
        total = 40 + struct.unpack_from("!H", data, 4)[0]
    if proto != socket.IPPROTO_TCP or len(data) < head + 20:
        return None
    sport, dport, seq, ack, off, bits, win = struct.unpack_from("!HHIIBBH", data, head)
    flags = "".join(f for f, b in (("S", 2), ("F", 1), ("R", 4), ("A", 16)) if bits & b)
    size = (off >> 4) * 4
    scale, opts, i = None, data[head + 20:head + size], 0
    while "S" in flags and i < len(opts):
        if opts[i] < 2:
            i += 1
            continue
        if opts[i] == 3:
            scale = opts[i + 2]
        if i + 1 >= len(opts) or opts[i + 1] < 2:
            break
        i += opts[i + 1]
    return {"src": [ntop(src), sport], "dst": [ntop(dst), dport], "seq": seq, "ack": ack,
            "flags": flags, "win": win, "len": total - head - size, "scale": scale}


def read_pcap(path, offset):
    """All TCP packets of a capture, their times in CLOCK_BOOTTIME."""
    with open(path, "rb") as f:
        data = f.read()
    if len(data) < 24:
        return []
    magic, = struct.unpack_from("<I", data)
    unit = {0xA1B23C4D: 1, 0xA1B2C3D4: 1000}[magic]
    link, = struct.unpack_from("<I", data, 20)
    at, packets = 24, []
    while at + 16 <= len(data):
        sec, frac, size, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        p = parse(link & 0xFFFF, frame)
        if p:
            p["t"] = sec * 1000000000 + frac * unit + offset
            packets.append(p)
    return packets


def by_connection(packets):
    """(end, end), both as "addr port", sorted -> packets in order."""
    index = {}
    for p in packets:
        index.setdefault(ends(p["src"], p["dst"]), []).append(p)
    return index


def ends(a, b):
    return "|".join(sorted(("%s %d" % tuple(a), "%s %d" % tuple(b))))


# ---- the kernel's own list ----

def hex_addr(text):
    raw = bytes.fromhex(text)
    raw = b"".join(raw[i:i + 4][::-1] for i in range(0, len(raw), 4))
    return plain(ntop(raw))


class Sampler:
    """Reads /proc/net/tcp again and again: which connection was in which
    state between which moments. Equal samples that follow one another become
    one run [state, first before, first after, last before, last after]."""

    def __init__(self, nets):
        self.nets, self.runs, self.last, self.polls = nets, {}, {}, {}
        self.cache = {}

    def poll(self, net):
        before = boot_ns()
        with inside(net.name):
            text = b""
            for name in ("tcp", "tcp6"):
                with open("/proc/thread-self/net/" + name, "rb") as f:
                    text += f.read().split(b"\n", 1)[1]
        after = boot_ns()
        seen = {}
        for line in text.split(b"\n"):
            words = line.split(None, 4)
            if len(words) > 4:
                seen[words[1], words[2]] = words[3]
        polls = self.polls.setdefault(net.ino, [])
        last = self.last.get(net.ino, {})
        for key, state in seen.items():
            run_ = last.get(key)
            if run_ and run_[0] == state:
                run_[3:] = [before, after]
            else:
                run_ = [state, before, after, before, after]
                self.runs.setdefault((net.ino,) + key, []).append(run_)
            last[key] = run_
        for key in [k for k in last if k not in seen]:
            del last[key]
        self.last[net.ino] = last
        polls.append([before, after])

    def table(self):
        """netns -> "local|remote" -> runs, and netns -> times of the polls."""
        out = {}
        for (ino, local, remote), runs in self.runs.items():
            a, b = ("%s %d" % (hex_addr(h.split(b":")[0].decode()),
                               int(h.split(b":")[1], 16)) for h in (local, remote))
            out.setdefault(str(ino), {}).setdefault(a + "|" + b, []).extend(
                [STATES[int(r[0], 16)]] + r[1:] for r in runs)
        return {"runs": out, "polls": {str(k): v for k, v in self.polls.items()}}


# ---- ss ----

def read_ss(stage, net):
    """ss -tanieO: one dict per socket."""
    with inside(net.name):
        out = run(stage("ss", "-tanieOH"))
    rows = []
    for line in out.splitlines():
        words = line.split()
        if len(words) < 5 or words[0] not in SS_STATES:
            continue
        cookie = re.search(r"\bsk:([0-9a-f]+)", line)
        inode = re.search(r"\bino:(\d+)", line)
        rows.append({"state": SS_STATES[words[0]], "queue": [int(words[1]), int(words[2])],
                     "local": ss_addr(words[3]), "remote": ss_addr(words[4]),
                     "cookie": int(cookie.group(1), 16) if cookie else None,
                     "inode": int(inode.group(1)) if inode else 0})
    return rows


def ss_addr(text):
    addr, port = text.rsplit(":", 1)
    addr = addr.strip("[]").split("%")[0]
    return [plain("::" if addr == "*" else addr), int(port) if port != "*" else 0]


# ---- counters ----

def read_counters(net):
    """/proc/net/snmp and netstat of a namespace: name -> value."""
    values = {}
    with inside(net.name):
        for name in ("snmp", "netstat"):
            with open("/proc/thread-self/net/" + name) as f:
                lines = f.read().splitlines()
            for head, body in zip(lines[::2], lines[1::2]):
                group = head.split(":")[0]
                if group in ("Tcp", "TcpExt"):
                    values.update(zip(head.split()[1:], map(int, body.split()[1:])))
    return values
