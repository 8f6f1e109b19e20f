# SPDX-License-Identifier: GPL-2.0
"""Two network namespaces, "near" and "far", and addresses that go deaf.

What goes deaf does not get what near sends, without any error: frames to it
carry the address of a card that is not there. What it sends still arrives.
"""
import ctypes
import os
import socket
import subprocess

NEAR = {4: "10.77.0.1", 6: "fd77::1"}
LENGTH = {4: 16, 6: 64}
libc = ctypes.CDLL(None, use_errno=True)


def sh(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True,
                          **kwargs).stdout


def family(addr):
    return 6 if ":" in addr else 4


class Net:
    def __init__(self):
        self.tag = "st%d" % os.getpid()
        self.near, self.far = self.tag + "n", self.tag + "f"
        for name in (self.near, self.far):
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        sh("ip", "link", "add", "n0", "netns", self.near, "type", "veth",
           "peer", "name", "f0", "netns", self.far)
        for name, dev in ((self.near, "n0"), (self.far, "f0")):
            sh("ip", "-n", name, "link", "set", dev, "up")
        self.macs = {name: self.mac(name, dev) for name, dev in
                     ((self.near, "n0"), (self.far, "f0"))}
        for addr in NEAR.values():
            self.add(self.near, "n0", addr)
            self.neigh(self.far, "f0", addr, self.macs[self.near])
        self.ino = {"near": os.stat("/run/netns/" + self.near).st_ino,
                    "far": os.stat("/run/netns/" + self.far).st_ino}
        # On a slow machine nothing may end before it has been looked at.
        for name in (self.near, self.far):
            for retries in ("syn", "synack"):
                self.sysctl(name, "ipv4/tcp_%s_retries" % retries, 10)
            self.sysctl(name, "ipv4/tcp_orphan_retries", 15)
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)

    @staticmethod
    def mac(name, dev):
        return sh("ip", "netns", "exec", name, "cat",
                  "/sys/class/net/%s/address" % dev).strip()

    @staticmethod
    def add(ns, dev, addr):
        nodad = ["nodad"] if family(addr) == 6 else []
        sh("ip", "-n", ns, "addr", "add", "%s/%d" % (addr, LENGTH[family(addr)]),
           "dev", dev, *nodad)

    @staticmethod
    def neigh(ns, dev, addr, mac):
        sh("ip", "-n", ns, "neigh", "replace", addr, "lladdr", mac, "dev", dev,
           "nud", "permanent")

    def add_far(self, addr):
        self.add(self.far, "f0", addr)
        self.hear(addr)

    def hear(self, addr):
        self.neigh(self.near, "n0", addr, self.macs[self.far])

    def deafen(self, addr):
        self.neigh(self.near, "n0", addr, "02:00:00:00:00:99")

    @staticmethod
    def sysctl(ns, name, value):
        sh("ip", "netns", "exec", ns, "sh", "-c",
           "echo '%s' > /proc/sys/net/%s" % (value, name))

    def socket(self, ns, addr):
        """A socket of that namespace, held by us."""
        self.setns("/run/netns/" + ns)
        sock = socket.socket(socket.AF_INET6 if family(addr) == 6 else socket.AF_INET)
        self.setns(None)
        return sock

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
