# SPDX-License-Identifier: GPL-2.0
"""Programs as they are forked, not started: an emulated machine takes half a
second to start Python. They are children of a process that has no sockets.
"""
import array
import gc
import json
import os
import signal
import socket
import sys

import server


def become(argv, ns, files):
    """A program of its own, in that network namespace."""
    for number, fd in enumerate(files):
        os.dup2(fd, number)
    for fd in files:
        os.close(fd)
    sys.stdin, sys.stdout = open(0), open(1, "w")
    ns_file = os.open(ns, os.O_RDONLY)
    if server.libc.setns(ns_file, 0x40000000):
        raise OSError(server.ctypes.get_errno(), "setns")
    os.close(ns_file)
    server.main(argv)


def live(orders):
    """Each order is one child; the answer is its process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        order, files, _, _ = socket.recv_fds(orders, 65536, 2)
        if not order:
            os._exit(0)
        child = os.fork()
        if not child:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                orders.close()
                become(*json.loads(order), files)
            except Exception as why:
                print("# %s: %r" % (order.decode(), why), file=sys.stderr, flush=True)
            finally:
                os._exit(1)
        for fd in files:
            os.close(fd)
        orders.send(array.array("i", [child]))


class Nursery:
    """To be made before there are any sockets."""

    def __init__(self):
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if not os.fork():
            self.orders.close()
            live(theirs)
        theirs.close()

    def start(self, argv, ns, stdin, stdout):
        """Its process id."""
        socket.send_fds(self.orders, [json.dumps([argv, ns]).encode()], [stdin, stdout])
        return array.array("i", self.orders.recv(4))[0]
