# SPDX-License-Identifier: GPL-2.0
"""Two network namespaces, "near" and "far", and addresses that go deaf.

What goes deaf does not get what near sends, without any error: frames to it
carry the address of a card that is not there. What it sends still arrives.
"""
import contextlib
import ctypes
import os
import socket
import subprocess

NEAR = {4: "10.77.0.1", 6: "fd77::1"}
LENGTH = {4: 16, 6: 64}
HOSTS = range(11, 91)
MAC = {"near": "02:00:00:00:00:01", "far": "02:00:00:00:00:02", "nobody": "02:00:00:00:00:99"}
libc = ctypes.CDLL(None, use_errno=True)


def sh(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True,
                          **kwargs).stdout


def family(addr):
    return 6 if ":" in addr else 4


def batch(options, lines):
    """Commands of ip."""
    sh("ip", *options, "-batch", "-", input="\n".join(lines))


def address(addr, dev):
    return "addr add %s/%d dev %s%s" % (addr, LENGTH[family(addr)], dev,
                                        " nodad" if family(addr) == 6 else "")


def neighbour(addr, dev, mac):
    return "neigh replace %s lladdr %s dev %s nud permanent" % (addr, mac, dev)


def far_addr(ver, host):
    return ("fd77::%x" if ver == 6 else "10.77.0.%d") % host


class Net:
    """All addresses are there from the start: each call of ip takes its time."""

    def __init__(self):
        self.tag = "st%d" % os.getpid()
        self.near, self.far = self.tag + "n", self.tag + "f"
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        batch((), ["netns add " + self.near, "netns add " + self.far,
                   "link add n0 address %s netns %s type veth peer name f0 address %s netns %s" %
                   (MAC["near"], self.near, MAC["far"], self.far)])
        far = [far_addr(ver, host) for ver in (4, 6) for host in HOSTS]
        batch(("-n", self.near), ["link set lo up", "link set n0 up"] +
              [address(addr, "n0") for addr in NEAR.values()] +
              [neighbour(addr, "n0", MAC["far"]) for addr in far])
        batch(("-n", self.far), ["link set lo up", "link set f0 up"] +
              [address(addr, "f0") for addr in far] +
              [neighbour(addr, "f0", MAC["near"]) for addr in NEAR.values()])
        self.ino = {"near": os.stat("/run/netns/" + self.near).st_ino,
                    "far": os.stat("/run/netns/" + self.far).st_ino}
        # On a slow machine nothing may end before it has been looked at.
        for name in (self.near, self.far):
            for retries in ("syn", "synack"):
                self.sysctl(name, "ipv4/tcp_%s_retries" % retries, 10)
            self.sysctl(name, "ipv4/tcp_orphan_retries", 15)

    def hear(self, addr):
        batch(("-n", self.near), [neighbour(addr, "n0", MAC["far"])])

    def deafen(self, addr):
        batch(("-n", self.near), [neighbour(addr, "n0", MAC["nobody"])])

    @contextlib.contextmanager
    def inside(self, ns):
        """What is opened or started meanwhile is in that namespace."""
        self.setns("/run/netns/" + ns)
        try:
            yield
        finally:
            self.setns(None)

    def sysctl(self, ns, name, value):
        with self.inside(ns), open("/proc/sys/net/" + name, "w") as f:
            f.write(str(value))

    def ss(self, ns, *words):
        """Another witness."""
        with self.inside(ns):
            return sh("ss", "-tnH", *words)

    def socket(self, ns, addr):
        """A socket of that namespace, held by us."""
        with self.inside(ns):
            return socket.socket(socket.AF_INET6 if family(addr) == 6 else socket.AF_INET)

    def far_socket(self, addr):
        """One that is bound to an address of far."""
        sock = self.socket(self.far, addr)
        sock.bind((addr, 0))
        return sock

    def setns(self, path):
        fd = os.open(path, os.O_RDONLY) if path else self.home
        if libc.setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        if path:
            os.close(fd)

    def destroy(self):
        for name in (self.near, self.far):
            subprocess.run(("ip", "netns", "del", name), check=False)
