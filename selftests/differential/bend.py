#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Shows that the comparison notices what is wrong.

usage: bend.py --tool FILE ROUND

Takes a round that compares well, makes one thing wrong in what tcptrail says,
and compares again; a bend that goes unnoticed is a failure. Output is TAP.
"""

import argparse
import copy
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare import Comparison, shown                   # noqa: E402
from seen import Round                                  # noqa: E402

bends = []


def bend(what):
    """A function that makes one object wrong; True if it could."""
    def add(function):
        bends.append((what, function))
        return function
    return add


def step(o, test):
    return next((s for s in o["steps"] if test(s)), None)


def change(o, test, **values):
    s = step(o, test)
    if s:
        s.update(values)
    return bool(s)


@bend("a cause is another")
def _(o, all_):
    return change(o, lambda s: s["cause"] == "fin_in", cause="rst_in")


@bend("two causes are exchanged")
def _(o, all_):
    a, b = (step(o, lambda s, c=c: s["cause"] == c) for c in ("ack_of_fin", "fin_in"))
    if a and b:
        a["cause"], b["cause"] = b["cause"], a["cause"]
    return bool(a and b)


@bend("close() is called a shutdown()")
def _(o, all_):
    return change(o, lambda s: s["cause"] == "close", cause="shutdown")


@bend("the end of a process is called a close()")
def _(o, all_):
    return change(o, lambda s: s["cause"] == "exit", cause="close")


@bend("unread data is called SO_LINGER")
def _(o, all_):
    return change(o, lambda s: s["cause"] == "unread", cause="linger0")


@bend("a cause is unknown")
def _(o, all_):
    return change(o, lambda s: s["state"] == "CLOSE", cause="unknown")


@bend("a state is another")
def _(o, all_):
    return change(o, lambda s: s["state"] == "CLOSING", state="FIN_WAIT2")


@bend("a step is missing")
def _(o, all_):
    s = step(o, lambda s: s["state"] == "FIN_WAIT2")
    if s:
        o["steps"].remove(s)
    return bool(s)


@bend("a step is there twice")
def _(o, all_):
    s = step(o, lambda s: s["state"] == "CLOSE_WAIT")
    if s:
        o["steps"].insert(o["steps"].index(s), copy.deepcopy(s))
    return bool(s)


@bend("accept() is missing")
def _(o, all_):
    s = step(o, lambda s: s["cause"] == "accept")
    if s:
        o["steps"].remove(s)
    return bool(s)


@bend("two steps are exchanged")
def _(o, all_):
    if len(o["steps"]) < 4:
        return False
    o["steps"][-1], o["steps"][-2] = o["steps"][-2], o["steps"][-1]
    return True


@bend("an owner is another")
def _(o, all_):
    s = step(o, lambda s: s["owner"])
    if s:
        s["owner"]["pid"] += 1
    return bool(s)


@bend("an owner is unknown")
def _(o, all_):
    return change(o, lambda s: s["cause"] == "close", owner=None)


@bend("a segment has an owner")
def _(o, all_):
    return change(o, lambda s: s["cause"] == "ack_in", owner={"pid": 1, "comm": "x"})


@bend("the opener is another")
def _(o, all_):
    if not o["opener"]:
        return False
    o["opener"]["pid"] += 1
    return True


@bend("the closer is missing")
def _(o, all_):
    had, o["closer"] = o["closer"], None
    return bool(had)


def shift(o, cause, ns):
    s = step(o, lambda s: s["cause"] == cause)
    if s:
        s["ts_ns"] += ns
    return bool(s)


@bend("a FIN is seen 25 ms late")
def _(o, all_):
    return shift(o, "fin_in", 25000000)


@bend("an ACK is seen 1 ms before it came")
def _(o, all_):
    return shift(o, "ack_of_fin", -1000000)


@bend("close() is 1 ms late")
def _(o, all_):
    return shift(o, "close", 1000000)


@bend("TIME_WAIT is 10 s short")
def _(o, all_):
    return shift(o, "tw_expired", -10000000000)


@bend("our first sequence number is another")
def _(o, all_):
    o["iss"] = (o["iss"] or 0) + 1
    return True


@bend("the peer's first sequence number is unknown")
def _(o, all_):
    had, o["irs"] = o["irs"], None
    return had is not None


@bend("the cookie is another")
def _(o, all_):
    o["cookie"] += 1
    return bool(o["opener"])


@bend("the errno is missing")
def _(o, all_):
    had, o["errno"] = o["errno"], None
    return had is not None


@bend("a repeated SYN+ACK is not counted")
def _(o, all_):
    o["synack_rtx"] -= 1
    return o["synack_rtx"] >= 0


@bend("a restart of 2MSL too many")
def _(o, all_):
    o["tw_restarts"] += 1
    return o["state"] == "CLOSE"


@bend("a complete history is called a hole")
def _(o, all_):
    o["complete"] = "hole"
    return True


@bend("it is called accepted")
def _(o, all_):
    had, o["accepted"] = o["accepted"], True
    return not had and o["passive"]


@bend("a connection is missing")
def _(o, all_):
    all_.remove(o)
    return True


@bend("a connection is invented")
def _(o, all_):
    other = copy.deepcopy(o)
    other["remote"]["port"] = 65000
    all_.append(other)
    return True


@bend("a connection is told twice")
def _(o, all_):
    all_.append(copy.deepcopy(o))
    return True


def wrong(seen, objects):
    c = Comparison(seen, objects)
    c.run()
    return c.count["mismatch"]


def bend_one(function, objects):
    """The objects with one of them made wrong; None: none can be."""
    for i, o in enumerate(objects):
        bent = list(objects)
        bent[i] = copy.deepcopy(o)
        if o["remote"]["port"] and function(bent[i], bent):
            return bent
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tool", required=True)
    p.add_argument("round")
    opt = p.parse_args()
    seen = Round(opt.round)
    objects, _ = shown(opt.tool, os.path.join(opt.round, "trail"))
    print("TAP version 13\n1..%d" % (len(bends) + 1))
    bad = wrong(seen, objects)
    print("%sok 1 as it is" % ("not " if bad else ""))
    for n, (what, function) in enumerate(bends, 2):
        bent = bend_one(function, objects)
        good = bent is not None and wrong(seen, bent) > 0
        bad += not good
        print("%sok %d %s%s" % ("" if good else "not ", n, what,
                                ": nothing to bend" if bent is None else ""))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
