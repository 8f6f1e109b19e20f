#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The connections of "make demo"; see demo.sh for the network.

Prints the id (sk:HEX) of the connection that is stuck in CLOSE_WAIT, then
stays until it is killed.
"""
import os
import signal
import socket
import struct
import time

SERVER = "10.0.0.2"
SO_COOKIE = 57


def spawn(netns, name, work):
    """Run work() in a process of its own, in a network namespace."""
    pid = os.fork()
    if pid:
        return pid
    with open(f"/run/netns/{netns}") as ns:
        libc_setns(ns.fileno())
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
    work()
    os._exit(0)


def libc_setns(fd):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def listener(port):
    sock = socket.create_server((SERVER, port))
    return sock


def web_server():
    with listener(80) as sock:
        while True:
            conn, _ = sock.accept()
            with conn:
                conn.recv(100)
                conn.sendall(b"x" * 3000)
                while conn.recv(100):
                    pass


def leaky_server():
    with listener(8080) as sock:
        conn, _ = sock.accept()
        while conn.recv(100):
            pass
        cookie, = struct.unpack("Q", conn.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
        print(f"sk:{cookie:x}", flush=True)
        signal.pause()


def connect(port):
    for _ in range(50):
        try:
            return socket.create_connection((SERVER, port))
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port}")


def client():
    with connect(80) as conn:
        conn.sendall(b"GET /")
        conn.recv(4000)
    with socket.socket() as conn:
        conn.connect_ex((SERVER, 81))
    stale_syn()
    with connect(8080) as conn:
        conn.sendall(b"hello")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def stale_syn():
    """A SYN whose sender will not answer: a request that nobody completes."""
    src, dst = socket.inet_aton("192.0.2.1"), socket.inet_aton(SERVER)
    tcp = struct.pack("!HHIIBBHHH", 4242, 80, 1000, 0, 5 << 4, 2, 64240, 0, 0)
    pseudo = src + dst + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64,
                     socket.IPPROTO_TCP, 0) + src + dst
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip + tcp, (SERVER, 0))


def main():
    children = [spawn("server", "web-server", web_server),
                spawn("server", "leaky-server", leaky_server)]
    time.sleep(0.5)
    children.append(spawn("client", "browser", client))
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(c, 9) for c in children] and os._exit(0))
    signal.pause()


main()
