# SPDX-License-Identifier: GPL-2.0
"""Does the judge find what is wrong? Needs no kernel.

selfcheck.json holds what one run left of a few connections. It must be found
in order as it is, and out of order after each of the mutations below.
"selfcheck.py WORLD.JSON" distils a new one from $TCPTRAIL_OUT/world.json.
"""

import copy
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from judge import Judge         # noqa: E402

FILE = os.path.join(HERE, "selfcheck.json")
KEEP = ("row 1 handshake ipv4 veth", "row 2 teardown ipv6 veth",
        "row 3 one-segment ipv4 loopback", "row 6 stale-syn ipv4 veth",
        "row 8 linger-0 ipv4 veth", "row 9 new-syn ipv4 veth")


def distil(world):
    """Only the connections of these cases, and what was seen of them."""
    expects = [e for e in world["expects"] if e["case"] in KEEP and e.get("snap") is None]
    number = {e["id"]: i for i, e in enumerate(expects)}
    ends = {(e["netns"], *e["local"], *e["remote"]) for e in expects}
    for e in expects:
        e["id"] = number[e["id"]]
        e["peer"] = number.get(e["peer"])
    keys = {"%s %d|%s %d" % k[1:] for k in ends}
    pairs = {"|".join(sorted(k.split("|"))) for k in keys}
    conns = [o for o in world["final"]["conns"] if
             (o["netns"], o["local"]["addr"], o["local"]["port"], o["remote"]["addr"],
              o["remote"]["port"]) in ends]
    spans = {}
    for o in conns:
        at = spans.setdefault(str(o["netns"]), [])
        at.append((o["birth_ns"], o["states"][-1]["ts_ns"]))
    return {
        "expects": expects, "snaps": [], "final": {"conns": conns, "ss": {}},
        "packets": {n: {k: v for k, v in index.items() if k in pairs}
                    for n, index in world["packets"].items()
                    if any(e["link"] == n for e in expects)},
        "samples": {
            "runs": {n: {k: v for k, v in runs.items() if k in keys}
                     for n, runs in world["samples"]["runs"].items() if n in spans},
            # One in ten will do.
            "polls": {n: polls[::10] for n, polls in world["samples"]["polls"].items()
                      if n in spans},
        },
        "tasks": {str(e["opener"][0]): world["tasks"][str(e["opener"][0])] for e in expects
                  if isinstance(e["opener"], list)},
        "nets": {}, "counters": {}, "before": {}, "loaded": world["loaded"],
        "pids": world["pids"],
        "cases": [c for c in world["cases"] if c["name"] in KEEP],
    }


# ---- what can be wrong ----

def conn(data, case, side, nth=0):
    e = next(e for e in data["expects"] if e["case"].startswith(case) and
             e["side"] == side and e["nth"] == nth)
    found = sorted((o for o in data["final"]["conns"] if o["netns"] == e["netns"] and
                    [o["local"]["addr"], o["local"]["port"]] == e["local"] and
                    [o["remote"]["addr"], o["remote"]["port"]] == e["remote"]),
                   key=lambda o: o["birth_ns"])
    return found[nth]


def state(o, name):
    return next(s for s in o["states"] if s["state"] == name)


def step(o, cause):
    return next(s for s in o["steps"] if s["cause"] == cause)


def shift(o, name, ns):
    """One state begins at another time; the lengths still add up."""
    for items in (o["states"], o["steps"]):
        for i, s in enumerate(items):
            if s["state"] == name and s["cause"] != "accept":
                s["ts_ns"] += ns
                if s["length_ns"] is not None:
                    s["length_ns"] -= ns
                if i:
                    items[i - 1]["length_ns"] += ns
                break


def swapped_cause(d):
    o = conn(d, "row 2", "c")
    state(o, "FIN_WAIT1")["cause"] = step(o, "close")["cause"] = "shutdown"


def wrong_end(d):
    o = conn(d, "row 2", "c")
    state(o, "CLOSE")["cause"] = step(o, "tw_expired")["cause"] = o["end_cause"] = "tw_rst"


def wrong_owner(d):
    step(conn(d, "row 2", "c"), "close")["owner"]["pid"] += 1


def carrier_named(d):
    o = conn(d, "row 2", "c")
    step(o, "fin_in")["owner"] = dict(step(o, "close")["owner"])


def owner_missing(d):
    step(conn(d, "row 8", "c"), "linger0")["owner"] = None


def wrong_closer(d):
    conn(d, "row 2", "s")["closer"]["pid"] += 1


def wrong_opener(d):
    conn(d, "row 1", "s")["opener"]["how"] = "connect"


def no_accept(d):
    o = conn(d, "row 1", "s")
    o["steps"].remove(step(o, "accept"))


def wrong_iss(d):
    conn(d, "row 1", "c")["iss"] += 1


def swapped_isns(d):
    o = conn(d, "row 2", "s")
    o["iss"], o["irs"] = o["irs"], o["iss"]


def missing_state(d):
    o = conn(d, "row 2", "c")
    o["states"].remove(state(o, "FIN_WAIT2"))


def extra_state(d):
    o = conn(d, "row 3", "c")
    o["states"].insert(3, dict(state(o, "TIME_WAIT"), state="FIN_WAIT2"))


def wrong_order(d):
    v = conn(d, "row 2", "c")["states"]
    v[3], v[4] = v[4], v[3]


def wrong_length(d):
    state(conn(d, "row 2", "c"), "TIME_WAIT")["length_ns"] += 1


def late_syn(d):
    """As other tools have it: SYN_RECV only from the last ACK on."""
    shift(conn(d, "row 1", "s"), "SYN_RECV", 79000000)


def too_early(d):
    shift(conn(d, "row 2", "c"), "TIME_WAIT", -100000)


def too_long(d):
    shift(conn(d, "row 2", "c"), "CLOSE", 20000000000)


def outside_call(d):
    shift(conn(d, "row 2", "s"), "LAST_ACK", 1000000000)


def not_complete(d):
    conn(d, "row 2", "c")["complete"] = "hole"


def step_missing(d):
    conn(d, "row 2", "c")["missing_steps"] = 1


def wrong_cookie(d):
    conn(d, "row 2", "c")["cookie"] += 1


def wrong_peer(d):
    conn(d, "row 2", "c")["peer"] = "sk:1"


def still_open(d):
    conn(d, "row 2", "c")["open"] = True


def wrong_errno(d):
    conn(d, "row 8", "s")["errno"] = None


def not_shown(d):
    d["final"]["conns"].remove(conn(d, "row 6", "s"))


def twice(d):
    o = copy.deepcopy(conn(d, "row 6", "s"))
    o["birth_ns"] += 1
    d["final"]["conns"].append(o)


def fewer_repeats(d):
    conn(d, "row 6", "s")["synack_rtx"] -= 1


def mixed_up(d):
    """The two connections between the same ends as one."""
    a, b = conn(d, "row 9", "s"), conn(d, "row 9", "s", 1)
    a["steps"] += b["steps"]
    a["states"] += b["states"]
    d["final"]["conns"].remove(b)


def wrong_window(d):
    step(conn(d, "row 1", "c"), "synack_in")["snd_wnd"] *= 2


def wrong_start(d):
    conn(d, "row 1", "c")["opener"]["start_ticks"] += 1


def reset_not_told(d):
    conn(d, "row 8", "c")["events"] = []


def too_many_bytes(d):
    step(conn(d, "row 2", "s"), "ack_of_fin")["bytes_in"] = 1


MUTATIONS = [
    wrong_start, reset_not_told, too_many_bytes,
    swapped_cause, wrong_end, wrong_owner, carrier_named, owner_missing, wrong_closer,
    wrong_opener, no_accept, wrong_iss, swapped_isns, missing_state, extra_state, wrong_order,
    wrong_length, late_syn, too_early, too_long, outside_call, not_complete, step_missing,
    wrong_cookie, wrong_peer, still_open, wrong_errno, not_shown, twice, fewer_repeats,
    mixed_up, wrong_window,
]


def complaints(data):
    return [text for _, _, found in Judge(data).cases() for text in found]


def main(tap):
    with open(FILE) as f:
        good = json.load(f)
    tap.print_header()
    tap.set_plan(len(MUTATIONS) + 1)
    found = complaints(copy.deepcopy(good))
    for text in found:
        tap.print_msg(text)
    tap.test_result(not found, "in order as it was seen")
    for mutate in MUTATIONS:
        bad = copy.deepcopy(good)
        mutate(bad)
        found = complaints(bad)
        tap.test_result(bool(found), "found: %s" % mutate.__name__)
    # finished() exits with the right status.
    tap.finished()


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        small = distil(json.load(source))
    with open(FILE, "w") as target:
        json.dump(small, target, separators=(",", ":"), sort_keys=True)
        target.write("\n")
