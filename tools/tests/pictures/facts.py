#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What is in pictures against what the same tool says with -j.

usage: facts.py numbers TOOL RECORDING   every number of every ladder
       facts.py svg TOOL RECORDING       the ladders as SVG, against those of the page
       facts.py overview TOOL RECORDING  every number of the overview
       facts.py chrome TOOL RECORDING    the trace, against its format and -j
       facts.py mermaid TOOL RECORDING   the structure and the numbers of each diagram
       facts.py shape FILE...            elements and texts of SVG files, in order
       facts.py hostile TOOL RECORDING   nothing gets out of its place
"""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
SHORT = {"ESTABLISHED": "ESTAB"}
NAMELESS = {"?": "unknown"}
complaints = []


def complain(*words):
    complaints.append(" ".join(str(w) for w in words))


def run(tool, *args):
    return subprocess.run([tool, *args], capture_output=True, text=True).stdout


def show(tool, recording):
    lines = [json.loads(line) for line in run(tool, "show", "-j", "-i", recording).splitlines()]
    return [c for c in lines if "summary" not in c]


def summary(tool, recording):
    return json.loads(run(tool, "show", "-j", "-i", recording).splitlines()[-1])["summary"]


def check_address(c, text):
    """Does it name both ends? Ports are numbers, and addresses made of them."""
    for end in (c["local"], c["remote"])[:1 if c["state"] == "LISTEN" else 2]:
        if end["port"] and not re.search(r"%s(%%\w+)?\]?:%d( |$)" % (
                re.escape(end["addr"]), end["port"]), text):
            complain(c["id"], "is not", text)


def page(tool, recording):
    """The data of the HTML page: all ladders at once."""
    html = run(tool, "export", "--html", "-", "-i", recording)
    return json.loads(html.split('type="application/json">', 1)[1].split("</script>", 1)[0])


def duration(ns):
    s = (ns + 500000000) // 1000000000
    if ns >= 86400 * 10**9:
        return "%dd%02dh" % (s // 86400, s // 3600 % 24)
    if ns >= 3600 * 10**9:
        return "%dh%02dm" % (s // 3600, s // 60 % 60)
    if s >= 60:
        return "%dm%02ds" % (s // 60, s % 60)
    for unit, name in ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns")):
        if unit == 1 or ns + unit // 2000 >= unit:
            break
    return "%.*f%s" % (1 if unit > 1 and ns < unit * 9.95 else 0, ns / unit, name)


# ---- numbers ----

ROLES = {True: "server", False: "client", None: "end"}
ARROWS = {True: "<-", False: "->", None: "--"}


class Ladder:
    """One of them: the texts, and the JSON of its ends."""

    def __init__(self, texts, ends, now):
        self.texts, self.ends, self.now = texts, ends, now
        self.name = texts[0]
        self.steps = [s for e in ends for s in e["steps"]]
        self.events = [s for e in ends for s in e["events"]]
        self.times = {s["ts_ns"] for s in self.steps + self.events if s["ts_ns"]}
        self.times |= {s["ts_ns"] for e in ends for s in e["states"] if s["ts_ns"]}
        births = [e["birth_ns"] or min(self.times) for e in ends]
        self.first = min(births)
        self.left = list(texts)

    def take(self, text):
        if text in self.left:
            self.left.remove(text)
        else:
            complain(self.name, "lacks", repr(text))

    def states(self):
        for end in self.ends:
            for i, s in enumerate(end["states"]):
                if not s["state_nr"]:
                    continue
                name = ("~" if s.get("inferred") else "") + SHORT.get(s["state"], s["state"])
                last = i + 1 == len(end["states"])
                if s["length_ns"] is not None:
                    name += " " + duration(s["length_ns"])
                elif not last:
                    name += " ?"
                elif s["state"] != "CLOSE":
                    known = s["ts_ns"] and s["ts_ns"] <= self.now
                    name += " %s+" % (duration(self.now - s["ts_ns"]) if known else "?")
                self.take(name)
                if s.get("missing_before"):
                    self.take("! steps missing: %d" % s["missing_before"])

    def isns(self):
        """x and y: of the left and of the right end, by the lanes' headings."""
        lanes = [re.match(r"(~?)(client|server|end)(?: (sk:\w+)|, not seen)$", t)
                 for t in self.texts]
        lanes = [m.groups() for m in lanes if m]
        isn = {}
        for end in self.ends:
            side = [lane[2] for lane in lanes].index(end["id"])
            if lanes[side][1] != ROLES[end["passive"]]:
                complain(self.name, "calls", end["id"], "a", lanes[side][1])
            if lanes[not side][0] and lanes[not side][1] != ROLES[
                    None if end["passive"] is None else not end["passive"]]:
                complain(self.name, "calls the peer of", end["id"], "a", lanes[not side][1])
            own, other = "yx" if side else "xy"
            isn.setdefault(own, None), isn.setdefault(other, None)
            isn[own] = end["iss"] if end["iss"] is not None else isn[own]
            isn[other] = isn[other] if isn[other] is not None else end["irs"]
        self.isn = isn
        if any(e["redacted"] for e in self.ends):
            return
        head = "x = %s, y = %s" % tuple("?" if isn[k] is None else isn[k] for k in "xy")
        if not any(t == head or t.startswith(head + ";") for t in self.texts):
            complain(self.name, "lacks", head)

    def segments(self):
        known = set()
        for s in self.steps:
            for key in ("snd_una", "snd_nxt", "rcv_nxt"):
                if key in s:
                    known |= {s[key], s[key] + s["unsent"], s[key] - 1}
        known = {k % 2**32 for k in known}
        firsts = [t for t in self.texts if re.match(r"SYN.* seq=", t)]
        if len(firsts) > 2:
            complain(self.name, "a first sequence number is sent twice:", firsts)
        for t in self.texts:
            for key, seq, letter in re.findall(r"(seq|ack)=(\d+) \(([xy])\)", t):
                if self.isn[letter] != int(seq):
                    complain(self.name, t, "is not the ISN", self.isn[letter])
            for letter, plus in re.findall(r"=([xy])\+(\d+)", t):
                if int(plus) != 1 and (self.isn[letter] + int(plus)) % 2**32 not in known:
                    complain(self.name, t, "is no number of a step")

    def clock(self):
        shown = {t for t in self.texts if re.fullmatch(r"-?\d+\.\d{6}", t)}
        want = {"%d.%06d" % divmod((ts - self.first) // 1000, 10**6) for ts in self.times
                if ts >= self.first}
        for t in shown - want:
            complain(self.name, "time", t, "is that of no step")
        for end in self.ends:
            for s in end["states"]:
                t = "%d.%06d" % divmod((s["ts_ns"] - self.first) // 1000, 10**6)
                if s["ts_ns"] and t not in shown:
                    complain(self.name, "lacks the time", t, "of", s["state"])

    def waits(self):
        """What the breaks say is the time between two that are shown."""
        times = sorted(self.times | {self.now})
        between = {duration(b - a) for a in times for b in times if b > a}
        for t in self.texts:
            if re.fullmatch(r"[\d.]+(ns|us|ms|s)|\d+[mhd]\d\d[smh]", t) and t not in between:
                complain(self.name, "wait", t, "is not between two steps")

    def owners(self):
        want = {"%d %s" % (s["owner"]["pid"], s["owner"]["comm"])
                for s in self.steps + self.events if s.get("owner")}
        for t in self.texts:
            m = re.match(r"(connect|close|shutdown|accept)\(\) (\d+ [^,]*)", t)
            if m and m[2] not in want:
                complain(self.name, t, "is nobody's call")
        waits = [e["accept_wait_ns"] for e in self.ends if "accept_wait_ns" in e]
        shown = [t.rsplit(" ", 1)[1] for t in self.texts if ", waited " in t]
        if sorted(map(duration, waits)) != sorted(shown):
            complain(self.name, "waited", shown, "for accept(), not", waits)
        for s in self.steps:
            if s["cause"] == "connect_failed" and any(t.startswith("SYN ") for t in self.texts):
                complain(self.name, "a SYN that connect() did not send")
            if s["cause"] == "connect" and s["owner"]:
                self.take("connect() %d %s" % (s["owner"]["pid"], s["owner"]["comm"]))

    def check(self):
        self.states()
        self.isns()
        self.segments()
        self.clock()
        self.waits()
        self.owners()


def numbers(tool, recording):
    conns, data = show(tool, recording), page(tool, recording)
    by_key = {}
    for c in conns:
        by_key.setdefault(c["id"], []).append(c)
    if len(conns) != len(data["conns"]):
        complain("the page has", len(data["conns"]), "connections, not", len(conns))
    done = 0
    for index, picture in enumerate(data["ladders"]):
        texts = [s[8] for s in picture["s"] if s[0] == 3]
        # In the same order, so that reused cookies are told apart.
        ends = [c for c, p in zip(conns, data["conns"]) if p.get("ladder") == index]
        if not ends:
            complain("nobody's ladder:", texts[0])
            continue
        if len(ends) == 1 and ends[0]["peer"]:
            ends += [c for c in by_key[ends[0]["peer"]]][-1:]
        Ladder(texts, ends, data["now"]).check()
        done += 1
    names = [name for name, _ in data["inks"][data["firstState"]:]]
    for c, p in zip(conns, data["conns"]):
        got = [(names[v[0]], v[1], v[2]) for v in p["visits"]]
        if got != [(NAMELESS.get(s["state"], s["state"]), s["ts_ns"], s["length_ns"])
                   for s in c["states"]]:
            complain(c["id"], "states of the page are not those of -j:", got)
        got = p["id"], p["state"], p["history"], p["arrow"], bool(p["open"])
        if got != (c["id"], c["state_nr"], c["complete"], ARROWS[c["passive"]], c["open"]):
            complain(c["id"], "the page says", got)
        check_address(c, p["local"] + " " + p["remote"])
    if data["lost"] != summary(tool, recording)["lost_unrecovered"]:
        complain("records lost:", data["lost"])
    print("%d ladders of %d connections" % (done, len(conns)))


# ---- SVG ----

def parts(root):
    """Of each element: what it is, what it says, when, how long."""
    for e in root:
        says = e.text if e.tag == SVG + "text" else e.findtext(SVG + "title")
        times = [int(e.get(k)) if e.get(k) else None for k in ("data-ts", "data-ns")]
        yield e.tag.replace(SVG, ""), e.get("class", ""), says or "", *times


def svg(tool, recording):
    """Texts are those of the page, which numbers() compares; bars are those of -j."""
    data, conns, done = page(tool, recording), show(tool, recording), 0
    for c, p in list(zip(conns, data["conns"]))[::8]:
        last = [k for k, o in enumerate(conns) if o["id"] == c["id"]][-1]
        if "ladder" not in p or conns[last] is not c:
            continue
        done += 1
        got = list(parts(ET.fromstring(run(tool, "export", "-q", "--svg", "-", "-i", recording,
                                           c["id"]))))
        want = [s[8] for s in data["ladders"][p["ladder"]]["s"] if s[0] == 3]
        # The heading is that of the connection asked for.
        if [g[2] for g in got if g[0] == "text"][3:] != want[3:]:
            complain(c["id"], "has other texts than its page")
        bars = {g[3:] for g in got if g[0] == "rect" and g[3]}
        for s in c["states"]:
            if s["ts_ns"] and (s["ts_ns"], s["length_ns"]) not in bars:
                complain(c["id"], "has no bar of", s["state"], s["ts_ns"], s["length_ns"])
    print("%d SVG files" % done)


def check_bars(conns, got):
    """One bar for each state, and two texts for each connection."""
    want = [(s["state"], s["ts_ns"] or None, s["length_ns"]) for c in conns
            for i, s in enumerate(c["states"])
            if not (s["state"] == "CLOSE" and i + 1 == len(c["states"]))]
    bars = [g[2:] for g in got if g[0] == "rect" and g[2]]
    if bars != want:
        complain("bars", [b for b in bars if b not in want], "not",
                 [w for w in want if w not in bars])
    labels = [k for k, g in enumerate(got) if g[0] == "text" and g[2].startswith("sk:")]
    for c, k in zip(conns, labels):
        check_address(c, " ".join(got[k][2].split()[1:4]))
        beside = [g[2] for g in got[k + 1:] if g[0] == "text"][0]
        age = "?" if c["age_ns"] is None else duration(c["age_ns"])
        want = "%s %s+" % (SHORT.get(c["state"], c["state"]), age)
        if got[k][2].split()[0] != c["id"] or (c["open"] and beside.lstrip("! ") != want):
            complain(got[k][2], "is", beside, "not", c["id"], want)
    return sum(g[2].startswith("! ") for g in got if g[0] == "text")


def check_groups(conns, got):
    texts = [g[2] for g in got if g[0] == "text"]
    groups, stuck = {}, 0
    for c in conns:
        listens = c["states"][0]["state"] == "LISTEN"
        local, remote = c["local"]["port"], c["remote"]["port"]
        port = local if c["passive"] or listens else remote
        if c["passive"] is None:
            port = min(local, remote)
        who = c["opener"]["comm"] if c["opener"] else "?"
        groups.setdefault("port %d, %s %s" % (
            port, "listener" if listens else ROLES[c["passive"]], who), []).append(c)
    rest = len(conns)
    for k, title in enumerate(texts):
        if not re.match(r"port \d+, |\d+ other groups", title):
            continue
        n, is_open = map(int, re.fullmatch(r"(\d+), open (\d+)", texts[k + 1]).groups())
        members = groups.get(title)
        rest -= n
        if members and (n, is_open) != (len(members), sum(c["open"] for c in members)):
            complain(title, "has", texts[k + 1], "not", len(members))
        if not members and title != "%d other groups" % (len(groups) - 39):
            complain("no such group:", title)
        m = re.fullmatch(r"! (\d+) stuck, up to (.*)", texts[k + 2]) if texts[k + 2:] else None
        stuck += int(m[1]) if m else 0
        if m and members and (int(m[1]) > is_open or
                              m[2] not in [duration(c["age_ns"]) for c in members if c["open"]]):
            complain(title, texts[k + 2])
    if rest:
        complain(rest, "connections are in no group, or in two")
    return stuck


def overview(tool, recording):
    conns = show(tool, recording)
    got = list(parts(ET.fromstring(run(tool, "export", "-q", "--svg", "-", "-i", recording))))
    texts = [g[2] for g in got if g[0] == "text"]
    bars = len(conns) <= 60
    stuck = check_bars(conns, got) if bars else check_groups(conns, got)
    if int(texts[0].split()[0]) != len(conns):
        complain(texts[0])
    counts = {}
    for c in conns:
        name = SHORT.get(c["state"], c["state"])
        counts[name] = counts.get(name, 0) + 1
    line = texts[1].split("at the end: ")[1]
    if {k: int(n) for n, k in re.findall(r"(\d+) ([A-Z_0-9?]+)(?=,)", line)} != counts:
        complain(line, "not", counts)
    lost = re.search(r"records lost: (\d+)", line)
    if int(lost[1] if lost else 0) != summary(tool, recording)["lost_unrecovered"]:
        complain(line)
    if int(re.search(r"(\d+) stuck", line)[1]) != stuck:
        complain(line, "but", stuck, "are marked")
    print("%d %s, %d stuck" % (len(conns), "bars" if bars else "connections in groups", stuck))


# ---- the trace ----

NEEDED = {"M": {"args"}, "X": {"ts", "dur"}, "i": {"ts", "s"}, "s": {"ts", "id"},
          "f": {"ts", "id", "bp"}}


def ns_of(us):
    return round(us * 1000)


def chrome(tool, recording):
    trace = json.loads(run(tool, "export", "--chrome", "-", "-i", recording))
    events = trace["traceEvents"]
    threads, slices, flows, points = {}, {}, {}, {}
    for e in events:
        missing = ({"ph", "name", "pid", "tid"} | NEEDED.get(e["ph"], {"?"})) - set(e)
        if missing:
            complain("lacks", missing, e)
        if e["ph"] == "M" and e["name"] == "thread_name":
            if e["tid"] in threads:
                complain("two threads", e["tid"])
            threads[e["tid"]] = e
        elif e["ph"] == "X":
            slices.setdefault(e["tid"], []).append(e)
        elif e["ph"] in "sf":
            flows.setdefault(e["id"], []).append(e)
        if e["ph"] in "isf":
            points.setdefault(e["tid"], []).append(e)
    for e in events:
        if e["ph"] != "M" and threads[e["tid"]]["pid"] != e["pid"]:
            complain("a thread of two processes", e)
    for of_thread in slices.values():
        for a, b in zip(of_thread, of_thread[1:]):
            if ns_of(a["ts"]) + ns_of(a["dur"]) > ns_of(b["ts"]):
                complain("slices overlap", a, b)
    for f in flows.values():
        if [e["ph"] for e in f] != ["s", "f"] or f[0]["ts"] > f[1]["ts"]:
            complain("no arrow", f)
        for e in f:
            if not any(ns_of(s["ts"]) <= ns_of(e["ts"]) <= ns_of(s["ts"]) + ns_of(s["dur"])
                       for s in slices.get(e["tid"], [])):
                complain("an arrow that ends nowhere", e)
    conns = show(tool, recording)
    if len(threads) != len(conns):
        complain(len(threads), "threads for", len(conns), "connections")
    for tid, c in zip(threads, conns):
        want = [(s["state"], s["ts_ns"], s["length_ns"]) for i, s in enumerate(c["states"])
                if s["ts_ns"] and not (s["state"] == "CLOSE" and i + 1 == len(c["states"]))]
        got = [(s["args"]["state"], ns_of(s["ts"]), s["args"].get("length_ns"))
               for s in slices.get(tid, []) if "since_ns" in s["args"]]
        if want != got:
            complain(threads[tid]["args"]["name"], "has", got, "not", want)
        times = {s["ts_ns"] for s in c["steps"] + c["events"] + c["states"]}
        for e in slices.get(tid, []):
            length = e["args"].get("length_ns")
            if length is not None and ns_of(e["dur"]) != length:
                complain("is drawn", e["dur"], "long:", e)
        for e in points.get(tid, []):
            if ns_of(e["ts"]) not in times:
                complain("at the time of no step:", e)
    print("%d slices, %d arrows" % (sum(map(len, slices.values())), len(flows)))


# ---- the diagram ----

LINES = [r"    participant [CS] as [^<>;]+<br/>([^<>;#]|#\d+;)+",
         r"    Note (left of C|right of S): ([^<>;#]|#\d+;)+",
         r"    (C(->>|-x)S|S(->>|-x)C): ([^<>;#]|#\d+;)+"]


def check_diagram(c, lines, texts):
    """All that it says is in the ladder, which numbers() compares with -j."""
    left = list(texts)
    for line in lines[3:]:
        said = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), line.split(": ", 1)[1])
        time = re.match(r"(-?\d+\.\d{6}) ", said) if "Note" in line else None
        said = said[time.end():] if time else said
        if (time and time[1] not in texts) or said not in left:
            complain(c["id"], "is not in its ladder:", line)
        else:
            left.remove(said)
    for t in left[7:]:
        if re.search(r"(seq|ack)=|^[A-Z]+[A-Z_0-9]* ([\d.]+[a-z]|\?)|\(\) \d", t):
            complain(c["id"], "the diagram lacks", t)


def mermaid(tool, recording):
    done, data = 0, page(tool, recording)
    pages = {p["id"]: p for p in data["conns"]}
    for c in show(tool, recording):
        lines = run(tool, "export", "-q", "--mermaid", "-", "-i", recording,
                    c["id"]).splitlines()
        if not lines:
            if not any(s["state"] == "LISTEN" for s in c["states"]):
                complain(c["id"], "has no diagram")
            continue
        done += 1
        if lines[0] != "sequenceDiagram":
            complain(c["id"], "begins with", lines[0])
        for line in lines[1:]:
            if not any(re.fullmatch(p, line) for p in LINES):
                complain(c["id"], "no line of a diagram:", line)
        check_diagram(c, lines, [s[8] for s in data["ladders"][pages[c["id"]]["ladder"]]["s"]
                                 if s[0] == 3])
    print("%d diagrams" % done)


# ---- structure ----

def shape(*files):
    for name in files:
        root = ET.parse(name).getroot()
        if root.tag != SVG + "svg":
            complain(name, "is no SVG")
        for e in root:
            tag = e.tag.replace(SVG, "")
            text = e.text if tag in ("text", "title") else e.findtext(SVG + "title")
            if tag != "style":
                print(tag, e.get("class", "-"), "" if text is None else json.dumps(text), sep="\t")


# ---- hostile names ----

def hostile(tool, recording):
    html = run(tool, "export", "--html", "-", "-i", recording)
    comms = {s["owner"]["comm"] for c in show(tool, recording) for s in c["steps"]
             if s.get("owner")}
    evil = [c for c in comms if re.search("[<>&\"';`]", c)]
    if not evil:
        complain("the recording has no hostile names")
    if html.count("</script") != 2 or html.count("<script") != 2:
        complain("a script more than there should be")
    for c in evil:
        if c in html:
            complain("as it came in the page:", c)
    for c in show(tool, recording):
        svg = run(tool, "export", "-q", "--svg", "-", "-i", recording, c["id"])
        ET.fromstring(svg)
        if [t for t in evil if "<" in t and t in svg]:
            complain("as it came in the SVG of", c["id"])
    data = json.dumps(page(tool, recording))
    for c in evil:
        if json.dumps(c)[1:-1] not in data:
            complain("is not in the page at all:", c)
    print("%d hostile names" % len(evil))


def main():
    globals()[sys.argv[1]](*sys.argv[2:])
    for line in complaints[:40]:
        print("!", line)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
