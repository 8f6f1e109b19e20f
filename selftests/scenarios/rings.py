#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Rows 16 to 18 as recordings, for the tests of the pictures.

usage: rings.py     as root, on a machine of its own, as selftests/run.sh does

What must hold in these rows is tested by device/wrap, readers and unload; here
are only small recordings of the same. Left in $TCPTRAIL_OUT:

  row16       a CLOSE_WAIT that is older than all that the ring still holds
  row17-fast  a reader that keeps up
  row17-slow  one that is stopped while the ring is overwritten
  row17-late  one that comes when all is over
  row18       connections that were there before the module, some of which end
"""

import os
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from topo import CLONE_NEWNET, libc     # noqa: E402

MODULE, TOOL = os.environ["TCPTRAIL_KO"], os.environ["TCPTRAIL"]
OUT = os.environ["TCPTRAIL_OUT"]


def load():
    subprocess.run(["insmod", MODULE, "ring_records=64"], check=True)


def unload():
    subprocess.run(["rmmod", "tcptrail"], check=True)


def target(name):
    return os.path.join(OUT, name)


def record(name):
    """All there is now."""
    done = subprocess.run([TOOL, "record", "-o", target(name), "--", "true"],
                          stderr=subprocess.PIPE)
    if done.returncode not in (0, 4):
        sys.exit("record %s: %s" % (name, done.stderr.decode()))


def wait_until(what, holds):
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.01)
    sys.exit("waited in vain for " + what)


class Reader:
    """It reads on until it is told to end."""

    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen([TOOL, "record", "-o", target(name)],
                                        stderr=subprocess.DEVNULL)
        wait_until(name, self.has_begun)

    def has_begun(self):
        """Has it opened the device, and read what was there?"""
        fds = "/proc/%d/fd" % self.process.pid
        if not os.path.exists(target(self.name)):
            return False
        with open("/proc/%d/stat" % self.process.pid) as f:
            sleeps = f.read().rsplit(")", 1)[1].split()[0] == "S"
        return sleeps and any(os.path.realpath(os.path.join(fds, fd)) == "/dev/tcptrail"
                              for fd in os.listdir(fds))

    def send(self, sig):
        self.process.send_signal(sig)

    def end(self):
        self.send(signal.SIGINT)
        if self.process.wait(60) not in (0, 4):
            sys.exit("record " + self.name)


def pair(family, listener):
    client = socket.socket(family)
    client.connect(listener.getsockname())
    return client, listener.accept()[0]


def listen(family):
    listener = socket.socket(family)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen(16)
    return listener


def storm(count, pause=0):
    """Connections that come and go; each makes about a dozen records."""
    listener = listen(socket.AF_INET)
    for i in range(count):
        first, second = pair(socket.AF_INET, listener)[::-1 if i % 3 else 1]
        first.close()
        second.close()
        time.sleep(pause)
    listener.close()


def row16():
    load()
    kept = []
    for family in socket.AF_INET, socket.AF_INET6:
        listener = listen(family)
        client, server = pair(family, listener)
        client.send(b"hello")
        client.close()
        kept += [listener, server]
    storm(600)
    record("row16")
    unload()


def row17():
    load()
    fast, slow = Reader("row17-fast"), Reader("row17-slow")
    slow.send(signal.SIGSTOP)
    listener = listen(socket.AF_INET6)
    open_ends = pair(socket.AF_INET6, listener)
    storm(24, 0.02)
    slow.send(signal.SIGCONT)
    storm(2, 0.02)
    open_ends[0].shutdown(socket.SHUT_WR)
    record("row17-late")
    fast.end()
    slow.end()
    unload()


def row18():
    load()
    listener = listen(socket.AF_INET)
    both = [pair(socket.AF_INET, listener) for _ in range(5)]
    both[0][0].close()              # FIN_WAIT2 and CLOSE_WAIT, and then nothing
    both[1][1].shutdown(socket.SHUT_WR)
    unload()
    load()
    both[1][0].close()              # both ends have been seen once
    both[2][0].close()
    both[2][1].close()
    both[3][0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    both[3][0].close()
    both[4][0].shutdown(socket.SHUT_WR)
    storm(1)
    record("row18")
    unload()


def main():
    if os.geteuid() or not os.path.exists(MODULE):
        print("1..0 # SKIP needs root and the module")
        sys.exit(4)
    if libc.unshare(CLONE_NEWNET):
        sys.exit("no network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for row in row16, row17, row18:
        row()
        print("ok %s" % row.__name__, flush=True)
    print("1..3")


if __name__ == "__main__":
    main()
