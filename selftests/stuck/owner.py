#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Owns connections of which the peer is gone, on loopback.

usage: owner.py WHAT COUNT

Says the inode of its network namespace and the ids of the processes that count,
then goes on at "go":
  leak     holds them
  thread   the same, and its first thread ends
  orphan   a child holds them too; at "go" the parent ends
  pass     passes one to a child in another network namespace
  hand     a child holds them, at "go" it passes one to its parent in another
           network namespace, and closes it
  blink    closes them after COUNT ms, and ends
  storm    so many short connections, and ends
"""
import ctypes
import os
import signal
import socket
import sys
import threading
import time

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def name(word):
    libc.prctl(15, word.encode())


def say(*pids):
    print(os.stat("/proc/self/ns/net").st_ino, *pids, flush=True)


def wait():
    if not sys.stdin.readline():
        sys.exit()


def forever():
    while True:
        signal.pause()


def up():
    """Without the right to, somebody else has done it."""
    if os.geteuid() == 0 and os.system("ip link set lo up"):
        raise RuntimeError("no loopback")


def leak(count):
    listener = socket.create_server(("127.0.0.1", 7100), backlog=128)
    conns = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", 7100))
        conns.append(listener.accept()[0])
        client.close()
    return listener, conns


def taker(mailbox):
    """In another namespace."""
    name("taker")
    libc.prctl(1, signal.SIGKILL)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    mailbox.send(b"x")
    kept = socket.recv_fds(mailbox, 1, 1)
    mailbox.send(b"x")
    signal.pause()
    return kept


def hand(conns, mailbox):
    socket.send_fds(mailbox, [b"x"], [conns[0].fileno()])
    mailbox.recv(1)


def main(what, count):
    if what in ("blink", "storm"):
        return short(what, count)
    up()
    name(what)
    ours, theirs = socket.socketpair()
    child = os.fork() if what in ("pass", "hand") else 0
    if what in ("pass", "hand"):
        # Who takes has the higher process id, or the lower one.
        if bool(child) == (what == "hand"):
            taker(theirs)
        libc.prctl(1, signal.SIGKILL)
        ours.recv(1)
    listener, conns = leak(count)
    if what == "pass":
        hand(conns, ours)
    if what == "orphan":
        child = os.fork()
        if not child:
            listener.close()
            forever()
    say(child or os.getpid())
    if what == "thread":
        threading.Thread(target=forever_thread).start()
        libc.syscall(60, 0)
    wait()
    if what == "orphan":
        sys.stdout.write("done\n")
        sys.stdout.flush()
        os._exit(0)
    if what == "hand":
        hand(conns, ours)
        conns[0].close()
        print("done", flush=True)
    forever()
    return listener


def forever_thread():
    while True:
        time.sleep(1000)


def short(what, count):
    listener = socket.create_server(("127.0.0.1", 7100), backlog=128)
    for _ in range(count if what == "storm" else 1):
        client = socket.create_connection(("127.0.0.1", 7100))
        conn = listener.accept()[0]
        client.close()
        if what == "blink":
            time.sleep(count / 1000)
        conn.close()


main(sys.argv[1], int(sys.argv[2]))
