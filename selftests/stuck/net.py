# SPDX-License-Identifier: GPL-2.0
"""Two network namespaces, "near" and "far", and addresses that go deaf.

What goes deaf does not get what near sends, without any error: frames to it
carry the address of a card that is not there. What it sends still arrives.
"""
import ctypes
import os
import socket
import subprocess

NEAR = "10.77.0.1"
libc = ctypes.CDLL(None, use_errno=True)


def sh(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True,
                          **kwargs).stdout


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
        sh("ip", "-n", self.near, "addr", "add", NEAR + "/16", "dev", "n0")
        self.macs = {name: self.mac(name, dev) for name, dev in
                     ((self.near, "n0"), (self.far, "f0"))}
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

    def add_far(self, addr):
        sh("ip", "-n", self.far, "addr", "add", addr + "/16", "dev", "f0")
        sh("ip", "-n", self.far, "neigh", "replace", NEAR, "lladdr",
           self.macs[self.near], "dev", "f0", "nud", "permanent")
        self.hear(addr)

    def neigh(self, addr, mac):
        sh("ip", "-n", self.near, "neigh", "replace", addr, "lladdr", mac,
           "dev", "n0", "nud", "permanent")

    def hear(self, addr):
        self.neigh(addr, self.macs[self.far])

    def deafen(self, addr):
        self.neigh(addr, "02:00:00:00:00:99")

    def sysctl(self, ns, name, value):
        sh("ip", "netns", "exec", ns, "sh", "-c",
           "echo '%s' > /proc/sys/net/%s" % (value, name))

    def far_socket(self, addr):
        """A socket of far, bound to one of its addresses, held by us."""
        self.setns("/run/netns/" + self.far)
        sock = socket.socket()
        self.setns(None)
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
