#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""No kernel address in anything that the module or the tool says.

Loads the module, makes connections, and asks the kernel where things are: the
sockets themselves (/proc/net/tcp), memory of the module (/proc/vmallocinfo),
its code and that of the kernel (/proc/kallsyms). No byte position in the bytes
of the device, and no number in the output of any verb, may be one of these, or
lie in the same 4 GiB as one of them.
"""
import os
import re
import socket
import struct
import subprocess
import sys
import time

TOOL = os.environ["TCPTRAIL"]
COMMANDS = [
    ["show"], ["show", "-x", "-w"], ["show", "-j"], ["show", "--pretty"], ["events"],
    ["events", "-x", "--time", "mono"], ["events", "-j"], ["stuck", "--over", "1ms"],
    ["stuck", "--over", "1ms", "-x"], ["stuck", "-j", "--over", "1ms"], ["stat"], ["stat", "-j"],
    ["stat", "--prom"], ["doctor"], ["doctor", "-j"], ["check", "no LISTEN"],
    ["check", "-j", "no stuck"], ["-v"],
]
n = 0
failed = 0


def result(good, name, why=""):
    global n, failed
    n += 1
    failed += not good
    for line in str(why).splitlines()[:10]:
        print("#", line)
    print("%sok %d %s" % ("" if good else "not ", n, name), flush=True)


def traffic():
    """Sockets in many states, left open; some that have ended."""
    keep = []
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        listener = socket.socket(family)
        listener.bind((host, 0))
        listener.listen(16)
        keep.append(listener)
        for kind in range(8):
            client = socket.socket(family)
            client.connect(listener.getsockname())
            server = listener.accept()[0] if kind != 7 else None
            if kind == 0:
                client.close()
            if kind == 1:
                server.close()
            if kind == 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            if kind == 3:
                client.send(b"x")
                client.shutdown(socket.SHUT_WR)
            if kind == 4:
                client.close()
                server.close()
            if kind == 5:
                server.send(b"y")
            keep += [client, server]
        refused = socket.socket(family)
        refused.connect_ex((host, 1))
    return keep


def sockets():
    found = set()
    for name in ("tcp", "tcp6"):
        for line in open("/proc/net/" + name).readlines()[1:]:
            found.add(int(line.split()[11], 16))
    return found - {0}


def places():
    found = sockets()
    for line in open("/proc/vmallocinfo"):
        if "tcptrail" in line:
            found.add(int(line.split("-")[0], 16))
    for line in open("/proc/kallsyms"):
        found.add(int(line.split()[0], 16))
    return {p for p in found if p >= 1 << 63}


# 0xffff0000, where arm64 may have its memory, stands in each IPv4 address, too.
MAPPED = bytes(8) + struct.pack("<I", 0xffff0000)


def in_bytes(data, highs):
    """Positions at which the upper half of an address stands, bytes before it."""
    bad = []
    for high in highs:
        at = data.find(high, 4)
        while at >= 0:
            if data[max(at - 8, 0):at + 4] != MAPPED:
                bad.append(at)
            at = data.find(high, at + 1)
    return bad


NUMBER = re.compile(r"(?<![0-9a-zA-Z.])(?:0x)?([0-9a-f]{12,16}|[0-9]{15,20})(?![0-9a-zA-Z])")


def in_text(text, highs):
    bad = []
    for found in NUMBER.finditer(text):
        word = found[1]
        values = {int(word, 16)} | ({int(word)} if word.isdigit() else set())
        bad += [found[0] for v in values if v < 1 << 64 and v >> 32 in highs]
    return bad


def read_device():
    data = b""
    with open("/dev/tcptrail", "rb", buffering=0) as device:
        os.set_blocking(device.fileno(), False)
        while chunk := device.read(1 << 16):
            data += chunk
    return data


def log_and_parameters():
    said = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
    said = "\n".join(line for line in said.splitlines() if "tcptrail" in line)
    folder = "/sys/module/tcptrail/parameters"
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        said += "\n" + open(os.path.join(folder, name)).read()
    return said


def main():
    open("/proc/sys/kernel/kptr_restrict", "w").write("1")
    subprocess.run(["insmod", os.environ["TCPTRAIL_KO"]], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print("TAP version 13\n1..%d" % (len(COMMANDS) + 5))
    keep = traffic()
    time.sleep(0.05)
    where = places()
    highs = {p >> 32 for p in where}
    print("# %d addresses, in %d times 4 GiB" % (len(where), len(highs)))
    result(len(sockets()) > 10 and any(p >> 32 != 0xffffffff for p in where),
           "the kernel says where things are")
    packed = [struct.pack("<I", high) for high in sorted(highs)]
    sample = struct.pack("<Q", min(where))
    result(in_bytes(b"...." + sample, packed) and in_text("at %x" % max(where), highs) and
           in_text('{"a":%d}' % max(where), highs), "an address would be found")
    data = read_device()
    bad = in_bytes(data, packed)
    result(len(data) > 5000 and not bad, "%d bytes of the device" % len(data), bad)
    for command in COMMANDS:
        done = subprocess.run([TOOL, *command], capture_output=True, text=True, check=False)
        bad = in_text(done.stdout + done.stderr, highs)
        result(done.returncode in (0, 3, 4) and not bad, "tcptrail " + " ".join(command),
               bad or done.stderr)
    ids = re.findall(r'"id":"(sk:[0-9a-f]+)"',
                     subprocess.run([TOOL, "show", "-j"], capture_output=True, text=True,
                                    check=False).stdout)
    said = "".join(subprocess.run([TOOL, "show", i], capture_output=True, text=True,
                                  check=False).stdout for i in ids[:20])
    bad = in_text(said, highs)
    result(len(said) > 5000 and not bad, "pictures of %d connections" % len(ids[:20]), bad)
    del keep
    bad = in_text(log_and_parameters(), highs)
    result(not bad, "kernel log and parameters", bad)


try:
    main()
finally:
    subprocess.run(["rmmod", "tcptrail"], check=False)
sys.exit(bool(failed))
