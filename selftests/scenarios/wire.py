# SPDX-License-Identifier: GPL-2.0
"""Times and numbers against the packets: a cause comes before its effect."""

# tcpdump reads another clock than the module; both are mapped to one.
SLACK = 50000


def fin_seq(packet):
    return (packet["seq"] + packet["len"]) & 0xFFFFFFFF


class Trace:
    """The packets of one connection as one end sees them."""

    def __init__(self, c):
        self.all = c.packets
        self.tx = [p for p in c.packets if p["src"] == c.local]
        self.rx = [p for p in c.packets if p["src"] == c.remote]
        fins = [p for p in self.tx if "F" in p["flags"]]
        self.our_fin = fins[0] if fins else None
        self.acked = (fin_seq(fins[0]) + 1) & 0xFFFFFFFF if fins else None

    def first(self, side, test, after=0):
        return next((p for p in getattr(self, side) if p["t"] >= after and test(p)), None)


def syn(p):
    return "S" in p["flags"] and "A" not in p["flags"]


def synack(p):
    return "S" in p["flags"] and "A" in p["flags"]


def fin(p):
    return "F" in p["flags"]


def rst(p):
    return "R" in p["flags"]


def acks(trace):
    return lambda p: "A" in p["flags"] and trace.acked is not None and p["ack"] == trace.acked


def evidence(cause, state, ts, t, e):
    """(packet that must have come before, packet that must come after)."""
    iss_acked = [p for p in t.rx if "A" in p["flags"] and "S" not in p["flags"]]
    data = [p for p in iss_acked if p["len"]]
    last_syn = [p for p in t.rx if syn(p) and p["t"] <= ts + SLACK]
    if cause == "connect":
        return None, t.first("tx", syn)
    if cause == "syn_in":
        p = t.first("rx", syn)
        return p, p and t.first("tx", synack, p["t"] - SLACK)
    if cause == "fastopen":
        return t.first("rx", syn), t.first("tx", synack)
    if cause == "synack_in":
        p = t.first("rx", synack)
        return p, p and t.first("tx", lambda q: "A" in q["flags"] and "S" not in q["flags"],
                                p["t"] - SLACK)
    if cause in ("ack_in", "syncookie"):
        if e["passive"] is False:       # simultaneous open: the ACK came with a SYN
            return t.first("rx", synack), None
        if e.get("again"):              # the last one before it did
            iss_acked = [p for p in iss_acked if p["t"] <= ts + SLACK][1:][-1:]
        found = data if e.get("first_data") else iss_acked
        return found[0] if found else None, None
    if cause == "fin_in":
        p = t.first("rx", fin)
        want = p and (fin_seq(p) + 1) & 0xFFFFFFFF
        return p, p and t.first("tx", lambda q: "A" in q["flags"] and q["ack"] == want)
    if cause in ("close", "shutdown", "exit") and state in ("FIN_WAIT1", "LAST_ACK"):
        return None, t.our_fin
    if cause == "ack_of_fin":
        return t.first("rx", acks(t)), None
    if cause == "fin_ack_in":
        return t.first("rx", fin), None
    if cause in ("rst_in", "refused", "tw_rst", "req_reset"):
        return t.first("rx", rst), None
    if cause in ("linger0", "unread"):
        return None, t.first("tx", rst)
    if cause == "data_after_close":
        p = t.our_fin and t.first("rx", lambda q: q["len"], t.our_fin["t"] - SLACK)
        return p, p and t.first("tx", rst, p["t"] - SLACK)
    if cause == "tw_new_syn":
        return last_syn[-1] if last_syn else None, None
    if cause == "rtx_timeout" and state == "CLOSE":
        return t.tx[-1] if t.tx else None, None
    if cause in ("synack_timeout", "acceptq_full"):
        sent = [p for p in t.tx if synack(p)]
        return sent[-1] if sent else None, None
    return None, None


# Causes that cannot be without a packet: (needs one before, one after).
NEEDS = {
    "connect": (False, True), "syn_in": (True, True), "fastopen": (True, True),
    "synack_in": (True, True), "ack_in": (True, False), "syncookie": (True, False),
    "fin_in": (True, True), "ack_of_fin": (True, False), "fin_ack_in": (True, False),
    "rst_in": (True, False), "refused": (True, False), "tw_rst": (True, False),
    "req_reset": (True, False), "linger0": (False, True), "unread": (False, True),
    "data_after_close": (True, True), "tw_new_syn": (True, False),
}


def check_times(e, c):
    if not c.packets and e["states"][-1]["cause"] == ["connect_failed"]:
        return []
    t, out = Trace(c), []
    got = c.states[-len(e["states"]):] if e.get("tail") else c.states
    want = [w for w in e["states"]]
    got = [s for s in got if s["state"] not in e.get("optional", ())]
    if [s["state"] for s in got] != [w["state"] for w in want]:
        return []           # said already
    for s, w in zip(got, want):
        ts, cause = s["ts_ns"], s["cause"]
        span = w.get("span")
        if span and span[0] is not None and not span[0] <= ts <= (span[1] or 1 << 63):
            out.append("%s at %d, but %s was called %d to %d" % (s["state"], ts, cause, *span))
        before, after = evidence(cause, s["state"], ts, t, e)
        need = NEEDS.get(cause, (False, False))
        if not e.get("tail") and need[0] and before is None:
            out.append("%s by %s: no packet did that" % (s["state"], cause))
        if not e.get("tail") and need[1] and after is None and e["complete"] == "complete" \
                and e.get("snap") is None:
            out.append("%s by %s: no packet followed" % (s["state"], cause))
        if before is not None and before["t"] - SLACK > ts:
            out.append("%s at %d, but its packet came at %d" % (s["state"], ts, before["t"]))
        if after is not None and after["t"] + SLACK < ts:
            out.append("%s at %d, but the packet of it left at %d" % (s["state"], ts, after["t"]))
        if cause == "fin_ack_in":
            out += one_segment(t)
    if e.get("end_span") and got and not e["end_span"][0] <= got[-1]["ts_ns"] <= e["end_span"][1]:
        out.append("it ended at %d, outside the call that ended it" % got[-1]["ts_ns"])
    return out


def one_segment(t):
    """The FIN acknowledged ours, and no segment before it did."""
    p = t.first("rx", fin)
    first = t.first("rx", acks(t))
    if p is None or first is None or p is not first:
        return ["on the wire ACK and FIN were not one segment"]
    return []


def check_resets(c):
    """A full socket that sent a RST says so, before it left."""
    sent = [p for p in c.packets if p["src"] == c.local and rst(p)]
    told = [v for v in c.obj["events"] if v["kind"] == "rst_out"]
    last = c.steps[-1] if c.steps else {"state": None}
    # Of others the RST comes when nothing is left but a closed port.
    if last["state"] != "CLOSE" or last["object"] != "full" or last["cause"] not in (
            "linger0", "unread", "data_after_close", "destroyed", "disconnect",
            "fin_wait2_timeout", "listener_closed"):
        return []
    if bool(sent) != bool(told):
        return ["%d RSTs on the wire, events tell of %d" % (len(sent), len(told))]
    if told and told[0]["ts_ns"] > sent[-1]["t"] + SLACK:
        return ["RST at %d, on the wire %d" % (told[0]["ts_ns"], sent[-1]["t"])]
    return []


def check_bytes(c):
    """Never more payload than the wire has carried by then."""
    out = []
    if c.obj["complete"] != "complete":
        return out              # what came before the module counts, too
    for s in c.steps:
        for key, src in (("bytes_in", c.remote), ("bytes_out", c.local)):
            most = sum(p["len"] for p in c.packets
                       if p["src"] == src and p["t"] <= s["ts_ns"] + SLACK)
            if (s.get(key) or 0) > most:
                out.append("%s is %d at %s, on the wire %d" % (key, s[key], s["state"], most))
        if (s.get("unsent") or 0) > 1 << 30 or (s.get("unread") or 0) > 1 << 30:
            out.append("unsent %d, unread %d at %s" % (s["unsent"], s["unread"], s["state"]))
    return out


def check_numbers(e, c):
    """Acks x+1 and y+1, and the windows, as the textbook draws them."""
    out, t = [], Trace(c)
    s = next((s for s in c.steps if s["state"] == "ESTABLISHED" and s.get("snd_wnd")
              is not None), None)
    if s is None:
        return ["ESTABLISHED has no numbers"]
    one = 0xFFFFFFFF
    if s["snd_una"] != (c.obj["iss"] + 1) & one:
        out.append("snd_una is %d, not iss + 1" % s["snd_una"])
    if s["rcv_nxt"] != (c.obj["irs"] + 1) & one:
        out.append("rcv_nxt is %d, not irs + 1" % s["rcv_nxt"])
    first = t.first("rx", syn if e["passive"] else synack)
    if first is None:
        return out + ["no SYN of the other end on the wire"]
    if e["passive"]:
        ack = t.first("rx", lambda p: "A" in p["flags"] and "S" not in p["flags"])
        if ack is None:
            return out + ["no ACK of the handshake on the wire"]
        window = ack["win"] << (first["scale"] or 0)
    else:
        window = first["win"]
    if s["snd_wnd"] != window:
        out.append("snd_wnd is %d, on the wire %d" % (s["snd_wnd"], window))
    return out
