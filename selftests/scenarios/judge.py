# SPDX-License-Identifier: GPL-2.0
"""Compares what tcptrail shows with what everybody else saw.

Works on plain data (run.py leaves it as world.json), so it runs anywhere.
A complaint is a sentence; no complaints, and the case holds.
"""

import bisect

import wire
from witness import ends

OPEN_ENDED = 1 << 63


class Connection:
    """One object of tcptrail's, with the packets of its time."""

    def __init__(self, obj, packets, slack, until=OPEN_ENDED):
        self.obj = obj
        self.states, self.steps = obj["states"], obj["steps"]
        # A SYN cookie is answered before there is anything to be born.
        # One that was there before the module began at some other time.
        first = 0 if obj["syncookie"] or obj["complete"] == "late" else obj["birth_ns"]
        self.local = [obj["local"]["addr"], obj["local"]["port"]]
        self.remote = [obj["remote"]["addr"], obj["remote"]["port"]]
        # Up to the birth of the next one between the same ends.
        self.packets = [p for p in packets if first - slack <= p["t"] <= until]

    def tasks(self):
        """Every process that is named anywhere, with the place."""
        for who in ("opener", "closer"):
            if self.obj.get(who):
                yield who, self.obj[who]
        for s in self.steps:
            if s.get("owner"):
                yield "owner of %s/%s" % (s["state"], s["cause"]), s["owner"]


class Judge:
    def __init__(self, data):
        self.d = data
        self.bykey = {}         # per list of connections: key -> objects by birth
        self.slack = wire.SLACK
        self.many = {}          # key -> the highest number of a connection
        for e in data["expects"]:
            self.many[self.key(e)] = max(e["nth"], self.many.get(self.key(e), 0))

    # ---- finding ----

    def index(self, snap):
        """(netns, local, remote) -> objects in order of their births."""
        if snap not in self.bykey:
            objs = (self.d["final"] if snap is None else self.d["snaps"][snap])["conns"]
            index = self.bykey[snap] = {}
            for o in objs:
                key = (o["netns"], o["local"]["addr"], o["local"]["port"],
                       o["remote"]["addr"], o["remote"]["port"])
                index.setdefault(key, []).append(o)
            for found in index.values():
                found.sort(key=lambda o: o["birth_ns"])
        return self.bykey[snap]

    @staticmethod
    def key(e):
        return (e["netns"], *e["local"], *e["remote"])

    def objects(self, e, snap):
        return self.index(snap).get(self.key(e), [])

    def find(self, e):
        found = self.objects(e, e.get("snap"))
        if e["nth"] >= len(found):
            return None
        packets = self.d["packets"].get(e["link"], {}).get(ends(e["local"], e["remote"]), [])
        after = found[e["nth"] + 1:]
        return Connection(found[e["nth"]], packets, self.slack,
                          after[0]["birth_ns"] if after else OPEN_ENDED)

    # ---- one end ----

    def expectation(self, e):
        """All complaints about one end of one connection."""
        if e.get("absent"):
            port = e["local"][1]
            return ["%s shows for port %d" % (o["id"], port)
                    for key, found in self.index(None).items() for o in found
                    if key[0] == e["netns"] and port in (key[2], key[4])]
        c = self.find(e)
        side = "%s end%s" % ({"c": "client's", "s": "server's"}[e["side"]],
                             "" if e.get("snap") is None else " (while open)")
        if c is None:
            return ["%s: not shown" % side]
        out = []
        for check in (self.check_identity, self.check_states, self.check_lengths,
                      self.check_owners, self.check_accept, self.check_tasks,
                      self.check_isns, self.check_counts, self.check_samples,
                      self.check_peer, self.check_rest):
            out += check(e, c)
        out += wire.check_times(e, c)
        return ["%s %s: %s" % (side, c.obj["id"], text) for text in out]

    def check_identity(self, e, c):
        o, out = c.obj, []
        for key in ("complete", "family", "errno"):
            if o[key] != e[key]:
                out.append("%s is %s, not %s" % (key, o[key], e[key]))
        if o["passive"] != e["passive"]:
            out.append("passive is %s" % o["passive"])
        if e["complete"] == "complete" and o["missing_steps"]:
            out.append("%d steps are missing" % o["missing_steps"])
        if e["cookie"] is not None and o["cookie"] != e["cookie"]:
            out.append("cookie %x, the socket says %x" % (o["cookie"], e["cookie"]))
        for key in ("syncookie", "fastopen", "mptcp", "mapped"):
            want = e.get("flags", {}).get(key, False)
            if o[key] != want:
                out.append("%s is %s" % (key, o[key]))
        if o["open"] != e["open"]:
            out.append("open is %s" % o["open"])
        return out

    def check_states(self, e, c):
        want = e["states"]
        got = [s for s in c.states if s["state"] not in e.get("optional", ())]
        if e.get("tail"):
            got = got[-len(want):]
        shown = ["%s/%s" % (s["state"], s["cause"]) for s in got]
        if len(got) != len(want) or any(
                g["state"] != w["state"] or g["cause"] not in w["cause"]
                for g, w in zip(got, want)):
            return ["states %s, not %s" % (" ".join(shown), " ".join(
                "%s/%s" % (w["state"], "|".join(w["cause"])) for w in want))]
        if c.obj["state"] != want[-1]["state"]:
            return ["state is %s" % c.obj["state"]]
        end = got[-1]["cause"] if want[-1]["state"] == "CLOSE" else None
        if c.obj["end_cause"] != end:
            return ["end_cause is %s" % c.obj["end_cause"]]
        return []

    def check_lengths(self, e, c):
        """Lengths are differences, steps come one after the other."""
        out = []
        for what, items in (("state", c.states), ("step", c.steps)):
            for a, b in zip(items, items[1:]):
                if not a["ts_ns"]:
                    continue
                if b["ts_ns"] < a["ts_ns"]:
                    out.append("%s %s comes before %s" % (what, b["state"], a["state"]))
                elif a["length_ns"] != b["ts_ns"] - a["ts_ns"]:
                    out.append("length of %s %s is %s" % (what, a["state"], a["length_ns"]))
            if items and items[-1]["length_ns"] is not None:
                out.append("the last %s has a length" % what)
        if not e.get("tail"):
            for i, s in enumerate(c.steps):
                if s["n"] != i:
                    out.append("step %d has the number %s" % (i, s["n"]))
        for state, least in e.get("least", {}).items():
            for s in c.states:
                if s["state"] == state and (s["length_ns"] or 0) < least:
                    out.append("%s for only %d ns" % (state, s["length_ns"]))
        return out

    def check_owners(self, e, c):
        """System calls have their process, all else has none."""
        want = {}
        for w in e["states"]:
            for cause in w["cause"]:
                want[(w["state"], cause)] = w.get("pid")
        for state, cause, pid, _ in e.get("inner", ()):
            want[(state, cause)] = pid
        if e["accept"]:
            for s in c.steps:
                if s["cause"] == "accept":
                    want[(s["state"], "accept")] = e["accept"]["pid"]
        out, seen = [], set()
        for s in c.steps:
            key = (s["state"], s["cause"])
            pid = s["owner"]["pid"] if s.get("owner") else None
            seen.add(key)
            if pid != want.get(key) and not (pid in e.get("may", ()) and not want.get(key)):
                out.append("owner of %s/%s is %s, not %s" % (*key, pid, want.get(key)))
        for state, cause, pid, span in e.get("inner", ()):
            if (state, cause) not in seen:
                out.append("no step %s/%s" % (state, cause))
        return out

    def check_accept(self, e, c):
        o, want = c.obj, e["accept"]
        steps = [s for s in c.steps if s["cause"] == "accept"]
        if e.get("not_accepted") == "any":
            return []
        # Of these it is unknown, unless accept() was seen.
        unknowable = o["passive"] is None or o["passive"] and not o["accepted"] and (
            o["mptcp"] or o["complete"] == "late")
        if o["not_accepted"] != (None if unknowable else bool(e.get("not_accepted"))):
            return ["not_accepted is %s" % o["not_accepted"]]
        if not want:
            return ["it was never accepted, but a step says so"] if steps else []
        if not o["accepted"] or len(steps) != 1:
            return ["accepted is %s, with %d steps" % (o["accepted"], len(steps))]
        out, ts = [], steps[0]["ts_ns"]
        before, after = want["span"]
        if not before <= ts <= after:
            out.append("accept() at %d, outside the call" % ts)
        there = [s["ts_ns"] for s in c.states if s["state"] == "ESTABLISHED"]
        if e["complete"] == "complete" and there and there[0] <= ts:
            if o.get("accept_wait_ns") != ts - there[0]:
                out.append("accept_wait_ns is %s, not %d" % (o.get("accept_wait_ns"),
                                                             ts - there[0]))
        if e.get("accept_wait", 0) > (o.get("accept_wait_ns") or 0):
            out.append("waited for accept() only %s ns" % o.get("accept_wait_ns"))
        return out

    def check_tasks(self, e, c):
        """Opener and closer; and nobody who had nothing to do with it."""
        out, o = [], c.obj
        if e["opener"] != "any":
            got = [o["opener"]["pid"], o["opener"]["how"]] if o["opener"] else None
            if got != e["opener"]:
                out.append("opener is %s, not %s" % (got, e["opener"]))
        if e["closer"] != "any":
            got = o["closer"]["pid"] if o["closer"] else None
            if got != e["closer"] and got not in e.get("may", ()):
                out.append("closer is %s, not %s" % (got, e["closer"]))
        allowed = set(e.get("may", ())) | {s.get("pid") for s in e["states"]}
        allowed |= {e["closer"], e["opener"][0] if e["opener"] else None}
        allowed |= {e["accept"]["pid"] if e["accept"] else None}
        allowed |= {i[2] for i in e.get("inner", ())}
        for place, task in c.tasks():
            pid = task["pid"]
            known = self.d["tasks"].get(str(pid))
            if known and task["start_ticks"] != known["start_ticks"]:
                out.append("%s began at %s, not %s" % (place, task["start_ticks"],
                                                       known["start_ticks"]))
            if known and task["comm"] not in known["comms"]:
                out.append("%s is called %s, not %s" % (place, task["comm"], known["comms"]))
            if known and e.get("snap") is None and \
                    task.get("alive", known["alive"]) != known["alive"]:
                out.append("%s: alive is %s" % (place, task["alive"]))
            if e["opener"] == "any" and place == "opener" and pid not in self.d["pids"]:
                continue
            if e["closer"] == "any" and place == "closer" and pid not in self.d["pids"]:
                continue
            if pid not in allowed:
                out.append("%s is process %d, which had no part in it" % (place, pid))
        return out

    def check_isns(self, e, c):
        """Our and the peer's first sequence number, from their SYNs."""
        out = []
        for key, src in (("iss", c.local), ("irs", c.remote)):
            seqs = {p["seq"] for p in c.packets if "S" in p["flags"] and p["src"] == src}
            got = c.obj[key]
            if key == "irs" and e["states"][0]["state"] == "SYN_SENT" and \
                    len(e["states"]) > 1 and e["states"][1]["state"] == "CLOSE":
                seqs = set()        # nothing came that it accepted
            if e["states"][-1]["cause"] == ["connect_failed"]:
                seqs = set()
            if got is None and (not seqs or e.get("tail")):
                continue        # of one that began before the module it may be unknown
            if got not in seqs:
                out.append("%s is %s, on the wire %s" % (key, got, sorted(seqs)))
        return out

    def check_counts(self, e, c):
        """Repeated SYNs and SYN+ACKs, and payload, as on the wire."""
        if e["link"].startswith("dup") or e.get("tail") or e.get("snap") is not None or \
                not e["remote"][1]:
            return []
        o, out = c.obj, []
        syns = [p for p in c.packets if p["src"] == c.local and "S" in p["flags"]]
        if e["passive"] is True and not o["syncookie"]:
            n = len([p for p in syns if "A" in p["flags"]]) - 1
            if o["synack_rtx"] != (n or (None if o["complete"] == "late" else 0)):
                out.append("synack_rtx is %s, on the wire %d" % (o["synack_rtx"], n))
            events = [v for v in o["events"] if v["kind"] == "synack_rtx"]
            if len(events) != n:
                out.append("%d events tell of %d SYN+ACKs sent again" % (len(events), n))
            for v, p in zip(events, [p for p in syns if "A" in p["flags"]][1:]):
                if v["ts_ns"] > p["t"] + self.slack:
                    out.append("SYN+ACK sent again at %d, on the wire %d" % (v["ts_ns"], p["t"]))
        if e["passive"] is False and e["states"][-1]["cause"] != ["connect_failed"]:
            n = len([p for p in syns if "A" not in p["flags"]]) - 1
            if o["syn_rtx"] != n:
                out.append("syn_rtx is %s, on the wire %d" % (o["syn_rtx"], n))
        for key in ("syn_rtx", "synack_rtx"):
            if key in e and o[key] != e[key]:
                out.append("%s is %s, not %d" % (key, o[key], e[key]))
        if "bytes_in" in e:
            most = max((s.get("bytes_in") or 0) for s in c.steps)
            if most != e["bytes_in"]:
                out.append("bytes_in is at most %d, not %d" % (most, e["bytes_in"]))
        return out

    def check_samples(self, e, c):
        """The state at each moment /proc/net/tcp was read."""
        samples, loaded = self.d["samples"], self.d["loaded"]
        key = "%s %d|%s %d" % (*e["local"], *e["remote"])
        runs = samples["runs"].get(str(e["netns"]), {}).get(key, [])
        spans = []
        for o in self.objects(e, None):
            v = o["states"]
            for i, s in enumerate(v):
                end = v[i + 1]["ts_ns"] if i + 1 < len(v) else OPEN_ENDED
                spans.append((s["state"], s["ts_ns"], end))
        out = []
        for state, b1, a1, b2, a2 in runs:
            for b, a in ((b1, a1), (b2, a2)):
                if b < loaded or a < min(s[1] for s in spans):
                    continue
                if not any(s == state and t <= a and b <= end for s, t, end in spans):
                    now = [s for s, t, end in spans if t <= a and b <= end]
                    out.append("/proc/net/tcp says %s at %d, not %s" % (state, b, now))
        polls = samples["polls"].get(str(e["netns"]), [])
        for state, t, end in spans:
            if state in ("CLOSE", "LISTEN") or not t:
                continue
            for i in range(bisect.bisect_left(polls, [max(t, loaded), 0]), len(polls)):
                b, a = polls[i]
                if a > end:
                    break
                if not any(r[0] == state and r[1] <= b and a <= r[4] for r in runs):
                    out.append("%s at %d, /proc/net/tcp says no" % (state, b))
                    break
        return out[:3]

    def check_peer(self, e, c):
        if e["peer"] is None or e.get("snap") is not None:
            return []
        other = self.find(self.d["expects"][e["peer"]])
        if other is None:
            return []
        if c.obj["peer"] != other.obj["id"]:
            return ["peer is %s, not %s" % (c.obj["peer"], other.obj["id"])]
        return []

    def check_rest(self, e, c):
        out = []
        if e.get("snap") is None and not e.get("tail"):
            n, want = len(self.objects(e, None)), self.many[self.key(e)] + 1
            if n != want:
                out.append("%d connections between these ends, not %d" % (n, want))
        for i, s in e.get("late_in", ()):
            for v in c.states:
                if v["state"] == i and v["ts_ns"] < s - 1000000:
                    out.append("%s while send() stood still" % i)
        for kind in e.get("events", ()):
            if kind not in [v["kind"] for v in c.obj["events"]]:
                out.append("no event %s" % kind)
        for name, least in e.get("counter", {}).items():
            got = self.d["counters"].get(str(e["netns"]), {}).get(name, 0)
            if got < least:
                out.append("the row did not happen: %s is %d" % (name, got))
        if e.get("numbers"):
            out += wire.check_numbers(e, c)
        if e.get("snap") is None:
            out += wire.check_resets(c)
        if not e["link"].startswith("dup"):
            out += wire.check_bytes(c)
        return out

    # ---- whole namespaces ----

    def check_ss(self, name, snap):
        """Every socket of ss is shown open, in its state, with its cookie."""
        out, data = [], self.d["final"] if snap is None else self.d["snaps"][snap]
        for ino, rows in data["ss"].items():
            if int(ino) != self.d["nets"][name]:
                continue
            index = self.index(snap)
            opened = [o for v in index.values() for o in v
                      if o["open"] and o["netns"] == int(ino)]
            listeners = {o["cookie"]: o for o in opened if o["state"] == "LISTEN"}
            for r in rows:
                key = (int(ino), r["local"][0], r["local"][1], r["remote"][0], r["remote"][1])
                found = [o for o in index.get(key, []) if o["open"]]
                if r["state"] == "LISTEN":
                    found = [listeners[r["cookie"]]] if r["cookie"] in listeners else []
                match = [o for o in found if o["cookie"] == r["cookie"]]
                if not match and r["state"] == "LISTEN" and not found:
                    continue        # nothing happened since the module was loaded
                if not match:
                    out.append("ss: %s %s %s sk:%x, shown is %s" % (
                        r["state"], r["local"], r["remote"], r["cookie"] or 0,
                        [o["id"] for o in found]))
                elif match[0]["state"] != r["state"]:
                    out.append("ss: sk:%x is %s, shown is %s" % (
                        r["cookie"], r["state"], match[0]["state"]))
            cookies = {r["cookie"] for r in rows}
            out += ["%s %s is shown open, ss does not know it" % (o["id"], o["state"])
                    for o in opened if o["cookie"] not in cookies]
        return out

    def check_summary(self):
        """Nothing lost, nothing that a hook is missing for."""
        s = self.d["final"].get("summary", {})
        return ["%s is %s" % (k, s.get(k)) for k, want in (
            ("lost", 0), ("incomplete", False), ("hooks_missing", []), ("unknown_records", 0))
            if s.get(k) != want]

    def check_strangers(self):
        """Every connection that is shown is one of ours."""
        keys = {self.key(e) for e in self.d["expects"]}
        listeners = {(k[0], k[2]) for k in keys}
        out = []
        for key, found in self.index(None).items():
            if key in keys or (key[4] == 0 and (key[0], key[2]) in listeners):
                continue
            out += ["%s %s is nobody's: %s %d, %s %d" % (o["id"], o["state"], *key[1:])
                    for o in found]
        return out

    def cases(self):
        """[(name, why skipped, complaints)] for all cases and namespaces."""
        import counters
        bycase = {}
        for e in self.d["expects"]:
            bycase.setdefault(e["case"], []).append(e)
        results = []
        for case in self.d["cases"]:
            out = list(case["notes"])
            if case["failed"]:
                out.append(case["failed"])
            for e in bycase.get(case["name"], []):
                out += self.expectation(e)
            if not bycase.get(case["name"]) and not case["skip"] and not out:
                out.append("nothing was expected of it")
            results.append((case["name"], case["skip"], out))
        if self.d["nets"]:
            results.append(("nothing lost", None, self.check_summary()))
            results.append(("nothing but these connections", None, self.check_strangers()))
        for name in self.d["nets"]:
            if str(self.d["nets"][name]) in self.d["final"]["ss"]:
                results.append(("sockets as in ss, %s" % name, None, self.check_ss(name, None)))
                results.append(("counters of %s" % name, None, counters.check(self.d, name)))
        return results
