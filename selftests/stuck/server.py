#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A program that does one thing wrong with its connections.

usage: server.py MISTAKE FAMILY PORT COUNT [ADDRESS]     (nursery.py forks it)

FAMILY is 4, 6, or 46 for IPv4 by an IPv6 socket.

It says "ready" when it listens (or has started to connect), then takes lines:
"go" makes it go on to its second act. It never ends by itself.
"""
import ctypes
import os
import signal
import socket
import sys

PR_SET_PDEATHSIG = 1
BIG = b"x" * 65536
libc = ctypes.CDLL(None, use_errno=True)


def fill(conn):
    """Write until nobody takes any more. The kernel ends orphans if all of them
    together take too much memory."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    conn.setblocking(False)
    try:
        while True:
            conn.send(BIG)
    except BlockingIOError:
        pass


def say(word):
    print(word, flush=True)


def wait():
    if not sys.stdin.readline():
        sys.exit()


def leave_to_child():
    """A child that was forked for something else keeps what it inherits."""
    if os.fork() == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        while True:
            signal.pause()


def forget_in_child(conns):
    leave_to_child()
    for conn in conns:
        conn.close()


def lose_in_flight(conns):
    """Descriptors in a message that nobody receives, and no one else has."""
    global mailbox
    mailbox = socket.socketpair(socket.AF_UNIX)
    for conn in conns:
        socket.send_fds(mailbox[0], [b"x"], [conn.fileno()])
        conn.close()


def keepalive(conn):
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 4),
                          (socket.TCP_KEEPCNT, 100)):
        conn.setsockopt(socket.IPPROTO_TCP, option, value)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def act(mistake, conns):
    if mistake == "forked":
        forget_in_child(conns)
    elif mistake == "shared":
        leave_to_child()
    elif mistake == "in-flight":
        lose_in_flight(conns)
    for conn in conns:
        if mistake in ("unsent", "fill"):
            fill(conn)
        elif mistake == "fill-close":
            fill(conn)
            conn.close()
        elif mistake == "shutdown":
            conn.shutdown(socket.SHUT_WR)
        elif mistake == "close":
            conn.close()
        elif mistake == "send":
            conn.send(b"hello")
        elif mistake == "read-eof":
            while conn.recv(65536):
                pass
        elif mistake == "keepalive":
            keepalive(conn)


BACKLOG = {"short-queue": 5, "flooded": 64}


def listen(family, port, backlog):
    if family == "4":
        return socket.create_server(("", port), backlog=backlog)
    return socket.create_server(("::", port), family=socket.AF_INET6, backlog=backlog,
                                dualstack_ipv6=family == "46")


def serve(mistake, family, port, count):
    listener = listen(family, port, BACKLOG.get(mistake, 1024))
    if mistake == "defer":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 600)
    say("ready")
    if mistake in ("never-accept", "short-queue", "flooded", "defer"):
        wait()
        return listener
    conns = [listener.accept()[0] for _ in range(count)]
    say("accepted")
    wait()
    act(mistake, conns)
    say("done")
    return listener, conns


def connect(mistake, family, port, count, address):
    conns = []
    for _ in range(count):
        conn = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6)
        if mistake == "connect":
            conn.setblocking(False)
            conn.connect_ex((address, port))
        else:
            conn.connect((address, port))
        conns.append(conn)
    say("ready")
    if mistake == "connect-close":
        wait()
        for conn in conns:
            conn.close()
        say("done")
    return conns


def main(argv):
    mistake, family, port, count = argv[0], argv[1], int(argv[2]), int(argv[3])
    if mistake.startswith("connect"):
        kept = connect(mistake, family, port, count, argv[4])
    else:
        kept = serve(mistake, family, port, count)
    while True:
        wait()
    return kept


if __name__ == "__main__":
    main(sys.argv[1:])
