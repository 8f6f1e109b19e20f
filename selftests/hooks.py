#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A kernel that lacks a hook: the module is loaded without each one in turn.

The same traffic is made each time, and what tcptrail then says is held against
what it said with all hooks. It may know less. It must not say anything else:

  - a state, a cause, a process or a number that differs is a lie, unless it is
    said to be inferred, or unknown;
  - a history with fewer steps must not be called complete;
  - doctor names what is missing, and its exit status says so;
  - what is over is not followed for ever.

TAP. Needs root, TCPTRAIL_KO and TCPTRAIL; a clock that skips idle time helps.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import time

TOOL, KO = os.environ["TCPTRAIL"], os.environ["TCPTRAIL_KO"]
HOOKS = ["set_state", "req_new", "req_cookie", "child", "req_drop", "req_free4",
         "req_free6", "req_icmp", "syn_out", "accept", "tw_make", "tw_new",
         "tw_resched", "tw_segment", "tw_reuse", "tw_expire", "tw_kill", "abort",
         "rst_in", "rst_out", "synack_rtx"]
# A beginning whose end would not show is not hooked either, nor what happens to a
# minisocket whose beginning does not show.
MINI = {"tw_new", "tw_resched", "tw_segment", "tw_reuse", "tw_expire", "tw_kill"}
REQUEST = {"req_new", "req_cookie"}
WITH = {"req_free4": REQUEST, "req_free6": REQUEST, "child": REQUEST,
        "tw_new": MINI, "tw_kill": MINI}
CLONE_NEWNET = 0x40000000
UNKNOWN = (None, "unknown", "?")


# ---- traffic: every run has a namespace of its own, so ports are the same ----

def bound(family, port):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
    return s


def listener(family, port, **options):
    s = bound(family, port)
    for name, value in options.items():
        s.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    s.listen(8)
    return s


def connected(family, port, to):
    s = bound(family, port)
    try:
        s.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", to))
    except OSError:
        pass
    return s


def pair(family, port):
    lsn = listener(family, port)
    c = connected(family, port + 1, port)
    s, _ = lsn.accept()
    return lsn, c, s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def settle():
    """An ACK may be delayed; what follows has to find it sent, in every run."""
    time.sleep(1)


def orderly(family, port):
    lsn, c, s = pair(family, port)
    c.close()
    settle()
    s.close()
    settle()
    lsn.close()


def half_closed(family, port):
    """The FIN of the other end comes when this one is closed FIN_WAIT2."""
    lsn, c, s = pair(family, port)
    c.close()
    time.sleep(3)
    s.close()
    lsn.close()


def new_syn(family, port):
    """A new SYN from the same port ends a TIME_WAIT."""
    lsn, c, s = pair(family, port)
    s.close()
    settle()
    c.close()
    settle()
    c = connected(family, port + 1, port)
    reset(c)
    lsn.close()


def refused(family, port):
    connected(family, port + 1, port).close()


def resets(family, port):
    lsn, c, s = pair(family, port)
    reset(s)
    settle()
    c.close()
    lsn.close()


def syncookie(family, port):
    write_sysctl("tcp_syncookies", "2")
    lsn, c, s = pair(family, port)
    write_sysctl("tcp_syncookies", "1")
    reset(c)
    settle()
    s.close()
    lsn.close()


def not_accepted(family, port):
    lsn = listener(family, port)
    c = connected(family, port + 1, port)
    lsn.close()
    settle()
    c.close()


def half_open(family, port):
    """The request of a deferred accept(): the SYN+ACK is sent again."""
    lsn = listener(family, port, TCP_DEFER_ACCEPT=5)
    c = connected(family, port + 1, port)
    time.sleep(30)
    c.close()
    settle()
    lsn.close()


def destroyed(family, port):
    lsn, c, s = pair(family, port)
    subprocess.run(["ss", "-K", "-tan", "( sport = :%d )" % (port + 1)],
                   stdout=subprocess.DEVNULL, check=True)
    for s in (c, s, lsn):
        s.close()


def no_room(family, port):
    """No TIME_WAIT: there are too many."""
    write_sysctl("tcp_max_tw_buckets", "0")
    orderly(family, port)
    write_sysctl("tcp_max_tw_buckets", "4096")


SCENARIOS = [orderly, half_closed, new_syn, refused, resets, syncookie, not_accepted,
             half_open, destroyed, no_room]


def write_sysctl(name, value):
    with open("/proc/sys/net/ipv4/" + name, "w") as f:
        f.write(value)


def traffic():
    """In a child with a network namespace of its own; returns its inode."""
    r, w = os.pipe()
    pid = os.fork()
    if pid:
        os.close(w)
        with open(r) as f:
            said = f.read()
        status = os.waitpid(pid, 0)[1]
        if status or not said:
            raise RuntimeError("the traffic failed (%d)" % status)
        return int(said)
    try:
        os.close(r)
        if libc_unshare():
            os._exit(2)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for i, run in enumerate(SCENARIOS):
            run(socket.AF_INET, 20000 + 10 * i)
            run(socket.AF_INET6, 21000 + 10 * i)
        time.sleep(65)      # all TIME_WAITs run out
        os.write(w, b"%d" % os.stat("/proc/self/ns/net").st_ino)
        os.close(w)
        # The namespace stays until the tool has looked.
        os._exit(0)
    except BaseException as e:      # pylint: disable=broad-except
        print("# traffic: %r" % e, flush=True)
        os._exit(1)


def libc_unshare():
    import ctypes
    return ctypes.CDLL(None).unshare(CLONE_NEWNET)


# ---- what tcptrail says ----

def tool(*words):
    p = subprocess.run([TOOL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return p.returncode, p.stdout, p.stderr


def observe(mask):
    """Load without the hooks of a mask, make the traffic, ask, unload."""
    subprocess.run(["insmod", KO, "hooks_off=%d" % mask], check=True)
    try:
        ino = traffic()
        status, out, err = tool("show", "-j")
        conns = [json.loads(line) for line in out.splitlines()]
        summary = conns.pop()["summary"]
        doctor = tool("doctor")
        doctor_json = json.loads(tool("doctor", "-j")[1])
    finally:
        subprocess.run(["rmmod", "tcptrail"], check=True)
    return {"conns": by_name(c for c in conns if c["netns"] == ino), "summary": summary,
            "status": status, "err": err, "doctor": doctor, "doctor_json": doctor_json}


def by_name(conns):
    """Ports tell the end; of two connections the order of birth."""
    table = {}
    for c in sorted(conns, key=lambda c: c["steps"][0]["ts_ns"] if c["steps"] else 0):
        key = (c["family"], c["local"]["port"], c["remote"]["port"])
        table.setdefault(key, []).append(c)
    return {key + (i,): c for key, cs in table.items() for i, c in enumerate(cs)}


def path(c):
    return [(s["old"], s["state"], s["cause"]) for s in c["steps"]]


def is_part(less, more):
    """In the same order, with gaps."""
    rest = iter(more)
    return all(x in rest for x in less)


# Numbers and facts that mean the same in every run.
FACTS = ["passive", "accepted", "not_accepted", "syncookie", "fastopen", "synack_rtx",
         "syn_rtx", "tw_restarts", "end_cause", "errno"]


def lies(name, c, truth):
    """What one connection says that is not so."""
    out = []
    states, true_states = [p[1] for p in path(c)], [p[1] for p in path(truth)]
    if c["complete"] == "complete" and states != true_states:
        out.append("complete with %s, of %s" % (" ".join(states), " ".join(true_states)))
    if not is_part(states, true_states):
        out.append("states %s, not %s" % (" ".join(states), " ".join(true_states)))
    causes = {p[:2]: p[2] for p in path(truth)}
    left = {p[0]: p[2] for p in path(truth)}
    for i, (old, state, cause) in enumerate(path(c)):
        true = causes.get((old, state))
        if true is None and i == 0 and c["complete"] == "late":
            # The child of a request that was not seen: made by what ends SYN_RECV.
            true = left.get(state) if cause == left.get(state) else None
        if true is None:
            # A transition over a gap: its cause must be one of those behind it.
            true = cause if cause in [p[2] for p in path(truth) if p[1] == state] else "unknown"
        if cause not in UNKNOWN and cause != true:
            out.append("%s by %s, not by %s" % (state, cause, true))
    for fact in FACTS:
        if c[fact] != truth[fact] and c[fact] not in UNKNOWN:
            out.append("%s is %s, not %s" % (fact, c[fact], truth[fact]))
    for who in ("opener", "closer"):
        if c[who] and (not truth[who] or c[who]["how"] != truth[who]["how"]):
            out.append("%s is %s, not %s" % (who, c[who], truth[who]))
    return ["%s: %s" % (name, text) for text in out]


# ---- judging ----

count = 0


def result(ok, text, complaints=()):
    global count
    count += 1
    for line in list(complaints)[:20]:
        print("# %s" % line)
    print("%sok %d %s" % ("" if ok else "not ", count, text), flush=True)


def judge(hook, seen, truth):
    missing = {hook} | WITH.get(hook, set())
    said = seen["doctor"][1]
    wrong = []
    if set(seen["summary"]["hooks_missing"]) != missing:
        wrong.append("show: hooks_missing is %s" % seen["summary"]["hooks_missing"])
    if set(seen["doctor_json"]["hooks_missing"]) != missing:
        wrong.append("doctor: hooks_missing is %s" % seen["doctor_json"]["hooks_missing"])
    if seen["doctor"][0] != 4 or "All is well" in said:
        wrong.append("doctor: exit status %d" % seen["doctor"][0])
    for name in missing:
        if not any("no hook" in line and name + ": " in line for line in said.splitlines()):
            wrong.append("doctor does not say what %s is for" % name)
    result(not wrong, "without %s: doctor says so" % hook, wrong)

    wrong = []
    for key, c in seen["conns"].items():
        if key in truth:
            wrong += lies("%s %d-%d" % key[:3], c, truth[key])
        else:
            wrong.append("%s %d-%d: nobody made it" % key[:3])
    result(not wrong, "without %s: nothing is told that is not so" % hook, wrong)

    # Only what hides behind the missing hook may be missing as a whole.
    gone = [key for key in truth if key not in seen["conns"]]
    allowed = [key for key in gone if truth[key]["passive"] and not any(
        s["object"] == "full" for s in truth[key]["steps"])]
    result(gone == allowed, "without %s: every connection is there" % hook,
           ["%s %d-%d is not shown" % key[:3] for key in gone if key not in allowed])
    left = seen["doctor_json"]["trails"]
    result(not left, "without %s: none is followed for ever" % hook,
           ["%d trails of sockets that are gone" % left] if left else ())
    less = sum(path(c) != path(truth[key]) for key, c in seen["conns"].items() if key in truth)
    print("# without %s: %d connections, %d with less than all, %d not shown" % (
        hook, len(seen["conns"]), less, len(gone)))


def main():
    chosen = sys.argv[1:] or HOOKS[1:]
    truth = observe(0)
    wrong = [key for key, c in truth["conns"].items() if c["complete"] != "complete"]
    result(not wrong and len(truth["conns"]) >= 2 * 2 * len(SCENARIOS) and
           truth["doctor"][0] == 0 and truth["status"] == 0 and
           not truth["doctor_json"]["trails"],
           "with all hooks everything is complete",
           ["%s %d-%d" % key[:3] for key in wrong])
    print("# %d connections" % len(truth["conns"]))
    for hook in chosen:
        judge(hook, observe(1 << HOOKS.index(hook)), truth["conns"])
    print("1..%d" % count)


main()
