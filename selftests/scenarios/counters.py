# SPDX-License-Identifier: GPL-2.0
"""The kernel's counters, computed from what tcptrail shows, per namespace."""

import os

# Before 5.17 a minisocket was counted when its timer had run out, not when it was
# started, so that those that ended otherwise were never counted.
COUNTED_AT_THE_END = tuple(int(n) for n in os.uname().release.split(".")[:2]) < (5, 17)


def last(o):
    return o["steps"][-1] if o["steps"] else None


def ended(o, *causes):
    s = last(o)
    return bool(s and s["state"] == "CLOSE" and s["cause"] in causes)


def to_close(o, *olds):
    return any(s["state"] == "CLOSE" and s["old"] in olds for s in o["steps"])


def child(o):
    """A full socket was made of a request."""
    return o["passive"] and any(
        s["object"] == "full" and (s["old"] == "SYN_RECV" or s["state"] == "SYN_RECV")
        for s in o["steps"])


def sent_syn(o):
    return any(s["state"] == "SYN_SENT" for s in o["steps"]) and not ended(o, "connect_failed")


def minisocket(o):
    return any(s["object"] == "mini" and s["old"] != s["state"] and (
        s["state"] == "TIME_WAIT" or s["cause"] in (
            "tw_expired", "fin_wait2_timeout", "data_after_close"))
        for s in o["steps"])


def counted_as_tw(o):
    if COUNTED_AT_THE_END:
        return minisocket(o) and ended(o, "tw_expired", "fin_wait2_timeout")
    return minisocket(o) and not born_mini(o)


def born_mini(o):
    """A minisocket already when the module came."""
    return o["complete"] == "late" and o["steps"] and o["steps"][0]["object"] == "mini" \
        and o["steps"][0]["old"] in ("TIME_WAIT", "FIN_WAIT2")


def repeats(conns):
    return sum((o["synack_rtx"] or 0) + (o["syn_rtx"] or 0) for o in conns)


def total(conns, test):
    return sum(bool(test(o)) for o in conns)


COUNTERS = {
    "ActiveOpens": lambda v: total(v, sent_syn),
    "PassiveOpens": lambda v: total(v, child),
    "AttemptFails": lambda v: total(v, lambda o: ended(o, "req_reset") or (
        to_close(o, "SYN_SENT", "SYN_RECV") and last(o)["object"] == "full" and
        not ended(o, "connect_failed", "close", "exit", "disconnect"))),
    "EstabResets": lambda v: total(v, lambda o: to_close(o, "ESTABLISHED", "CLOSE_WAIT")),
    "TW": lambda v: total(v, counted_as_tw),
    "TWKilled": lambda v: 0,
    "TWRecycled": lambda v: total(v, lambda o: ended(o, "tw_reused")),
    "TCPTimeWaitOverflow": lambda v: total(v, lambda o: ended(o, "tw_limit")),
    "SyncookiesRecv": lambda v: total(v, lambda o: o["syncookie"]),
    "TCPFastOpenPassive": lambda v: total(v, lambda o: o["fastopen"]),
    "TCPAbortOnClose": lambda v: total(v, lambda o: ended(o, "unread")),
    "TCPAbortOnTimeout": lambda v: total(v, lambda o: ended(
        o, "rtx_timeout", "keepalive", "user_timeout")),
    "EmbryonicRsts": lambda v: total(v, lambda o: ended(o, "req_reset")),
}


def check(data, name):
    """Complaints about one namespace: counters that do not add up."""
    ino = data["nets"][name]
    conns = [o for o in data["final"]["conns"] if o["netns"] == ino]
    now, then = data["counters"][str(ino)], data["before"].get(str(ino), {})
    out = []
    for counter, compute in COUNTERS.items():
        if counter not in now:
            continue
        delta, want = now[counter] - then.get(counter, 0), compute(conns)
        if delta != want:
            out.append("%s is %d, from the timelines %d" % (counter, delta, want))
    # Of late ones some were repeated before the counters were read first.
    sure = repeats(o for o in conns if o["complete"] == "complete")
    delta = now["TCPSynRetrans"] - then.get("TCPSynRetrans", 0)
    if not sure <= delta <= repeats(conns):
        out.append("TCPSynRetrans is %d, from the timelines %d" % (delta, sure))
    there = total(conns, lambda o: o["open"] and o["state"] in ("ESTABLISHED", "CLOSE_WAIT"))
    if now["CurrEstab"] != there:
        out.append("CurrEstab is %d, shown open are %d" % (now["CurrEstab"], there))
    return out
