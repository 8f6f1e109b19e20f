# SPDX-License-Identifier: GPL-2.0
"""What the kernel must have done, from packets and calls alone.

The state machine of RFC 9293, 3.10, with what Linux does differently, each time
with the function that does it (net/ipv4/, Linux 6.1). It knows nothing of
tcptrail, and shares no code with it.
"""

from seen import ACK, FIN, RST, SYN
from segments import Segments
from tcb import FULL, MS, NEVER, SEC, Conn, Impossible, rel


class Machine(Segments):
    """Runs one order of one flow's packets and calls."""

    # How much later than the packet's time its transition may happen.
    LATE = 150000
    EARLY = 5000

    def __init__(self, sysctls, listeners, choose, owned, packets):
        """@listeners: time -> sid of the listener; @choose: which of two ways;
        @owned: time -> may a call own the socket?; @packets: of the flow"""
        self.sysctls, self.listeners, self.choose = sysctls, listeners, choose
        self.owned, self.packets = owned, packets
        self.conns, self.cur = [], None

    # ---- time ----

    def when(self, p):
        return p.came - self.EARLY, p.ts + self.LATE

    def deadline(self):
        """(lo, hi, function) of the timer that ends the present state."""
        c = self.cur
        if c.state == "REQUEST":
            return c.timer + (self.on_timer,) if self.request_ends(c) else None
        if c.mini:
            return c.timer + (self.on_timer,)
        if c.state == "SYN_SENT":
            return self.syn_deadline(c)
        if c.state in FULL:
            return self.rtx_deadline(c)
        return None

    def advance(self, now):
        """Timers that must have expired by now do, those that may, perhaps."""
        while self.cur and not self.cur.over():
            d = self.deadline()
            if not d or d[0] > now or (d[1] > now and not self.choose()):
                return
            d[2](d[0], min(d[1], now + self.LATE))

    @staticmethod
    def span(base, length):
        """A kernel timer: jiffies, and wheels that round up by an eighth."""
        return base + length - 10 * MS, base + length * 9 // 8 + 60 * MS

    def syn_deadline(self, c):
        """tcp_write_timeout(): tcp_syn_retries, 1 s and twice as long each time."""
        n = len(c.out)
        if n <= self.sysctls["ipv4/tcp_syn_retries"]:
            return None
        return self.span(c.out[-1][2], SEC << (n - 1)) + (self.give_up,)

    def rtx_deadline(self, c):
        """
        retransmits_timed_out(): nothing was acknowledged for the time that so
        many doublings take, then the next timer finds it out. That timer is
        twice as far from the last retransmission as that one from its forerunner.
        """
        if c.state == "SYN_RECV" and c.out:
            return self.span(c.out[0][2], 7 * SEC) + (self.give_up,)
        at, most = [], 0
        for begin, end, ts in c.out:
            if end > c.una and (end <= most or (begin <= c.una and not at)):
                at.append(ts)
            most = max(most, end)
        if len(at) < 2:
            return None
        retries = self.sysctls["ipv4/tcp_orphan_retries" if c.dead else "ipv4/tcp_retries2"]
        limit = ((2 << retries) - 1) * 200 * MS
        gap = max(at[-1] - max(at[-2], c.advanced), 200 * MS)   # tcp_rearm_rto()
        lo, hi = at[-1] + gap * 16 // 10, at[-1] + gap * 23 // 8 + 60 * MS
        if len(at) == 2:
            # What came between has put off the first one: the gap tells little.
            lo = min(lo, at[1] + limit - 10 * MS)
        if hi - at[1] < limit or self.later(c, hi):
            return None
        return lo, hi if lo - at[1] >= limit else NEVER * 2, self.give_up

    def later(self, c, ts):
        """Did it send anything but a RST after that? Then it had not given up."""
        return any(p.tx and p.ts > ts and not p.flags & RST and
                   abs(rel(p.seq, c.iss)) < 1 << 20 for p in self.packets)

    def give_up(self, lo, hi):
        self.cur.errno = self.cur.soft or "ETIMEDOUT"
        self.cur.step("CLOSE", "rtx_timeout", (lo, hi))

    def on_timer(self, lo, hi):
        c = self.cur
        if c.state == "REQUEST":
            c.step("CLOSE", "listener_closed" if c.listener_gone else "synack_timeout",
                   (lo, hi))
        else:
            c.step("CLOSE", "fin_wait2_timeout" if c.state == "FIN_WAIT2" else "tw_expired",
                   (lo, hi))

    def time_wait(self, c, when, cause):
        c.step("TIME_WAIT", cause, when)
        c.mini = True
        self.restart(c, when[1] - self.LATE)

    def restart(self, c, ts):
        """inet_twsk_schedule(): 60 s, on the wheel's level of 2 s."""
        c.timer = ts + 60 * SEC - 20 * MS, ts + 63 * SEC

    def fin_wait2(self, c, lo, hi):
        """tcp_time_wait(): tcp_fin_timeout, or 3.5 times the retransmission timeout."""
        length = self.sysctls.get("ipv4/tcp_fin_timeout", 60) * SEC
        rto = [b[2] - a[2] for a, b in zip(c.out, c.out[1:]) if a[0] == b[0]]
        longest = max([length] + [7 * r + r // 2 for r in rto])
        c.mini = True
        c.timer = lo + length - 20 * MS, hi + longest * 9 // 8 + 2200 * MS

    # ---- calls ----

    def call(self, s):
        """s: kind, t0, hi, pid and more, see flow.py."""
        c = self.cur
        when = s.t0, s.hi
        if s.kind == "connect":
            self.on_connect(s, when)
        elif s.kind == "in_use":
            self.on_in_use(s, when)
        elif s.kind == "accept":
            self.on_accept(s, when)
        elif not c or c.over():
            return
        elif s.kind == "listener":
            self.on_listener(c, s, when)
        elif c.sid != s.sid or c.mini:
            return              # of a minisocket the program has nothing any more
        elif s.kind == "linger":
            c.linger = True
        elif s.kind == "shutdown":
            self.on_shutdown(c, s, when)
        elif s.kind in ("close", "exit"):
            self.on_close(c, s, when)

    def on_connect(self, s, when):
        old = self.cur
        if old and not old.over():
            if not old.mini:
                raise Impossible        # __inet_check_established()
            old.step("CLOSE", "tw_reused", when)
        c = self.cur = Conn(False)
        self.conns.append(c)
        c.sid, c.opener = s.sid, s.pid
        c.step("SYN_SENT", "connect", when, s.pid)

    def on_in_use(self, s, when):
        """tcp_v4_connect() fails: an equal connection is there already."""
        c = Conn(False)
        self.conns.append(c)
        c.sid, c.opener = s.sid, s.pid
        c.step("SYN_SENT", "connect", when, s.pid)
        c.step("CLOSE", "connect_failed", when, s.pid)

    def on_accept(self, s, when):
        """The queue is first in, first out."""
        c = next((c for c in self.conns if c.passive and not c.accepted and
                  c.listener == s.arg and "ESTABLISHED" in [x.state for x in c.steps] and
                  c.steps[-1].cause != "listener_closed"), None)
        if not c:
            raise Impossible        # it returned this one, so it was there
        c.accepted, c.sid = s.pid, s.sid
        c.opener = s.pid
        if c.over():
            return
        c.step(c.state, "accept", when, s.pid)

    def on_listener(self, c, s, when):
        """inet_csk_listen_stop(): children go at once, requests when next touched."""
        if c.passive and c.listener == s.sid and not c.accepted:
            if c.state == "REQUEST":
                c.listener_gone = True
            else:
                c.step("CLOSE", "listener_closed", when)

    def on_shutdown(self, c, s, when):
        """inet_shutdown(), tcp_shutdown()"""
        if c.state == "SYN_SENT":
            c.step("CLOSE", "disconnect", when, s.pid)
            return
        if s.arg != 1:
            c.deaf = True
        if s.arg != 0:
            c.mute = True
            if c.state in ("ESTABLISHED", "CLOSE_WAIT"):
                c.step("FIN_WAIT1" if c.state == "ESTABLISHED" else "LAST_ACK", "shutdown",
                       when, s.pid)

    def on_close(self, c, s, when):
        """__tcp_close()"""
        c.dead = c.deaf = c.mute = True
        unread = c.rcv - 1 - (c.got_fin == "done") > s.read
        if c.state == "SYN_SENT":
            c.step("CLOSE", s.kind, when, s.pid)
        elif unread:
            c.step("CLOSE", "unread", when, s.pid)
        elif c.linger:
            c.step("CLOSE", "linger0", when, s.pid)
        else:
            c.step({"ESTABLISHED": "FIN_WAIT1", "SYN_RECV": "FIN_WAIT1",
                    "CLOSE_WAIT": "LAST_ACK"}.get(c.state, c.state), s.kind, when, s.pid)
            if c.state == "FIN_WAIT2":
                self.fin_wait2(c, *when)

    # ---- segments out ----

    def sent(self, p):
        c = self.cur
        if not c or c.over():
            return
        if c.iss is None and p.flags & SYN:
            c.iss = p.seq
        if p.flags & RST or c.iss is None:
            return
        if c.state == "REQUEST" and p.flags & SYN:
            self.synack_out(c, p)
        begin = rel(p.seq, c.iss)
        end = begin + p.len + bool(p.flags & (FIN | SYN))
        if end > begin:
            c.out.append((begin, end, p.ts))
        c.sent = max(c.sent, end)
        if p.flags & FIN:
            c.fin_end = end
        if p.flags & ACK and c.irs is not None:
            c.told = max(c.told, rel(p.ack, c.irs))

    def synack_out(self, c, p):
        """reqsk_timer_handler(); tcp_check_req() answers a repeated SYN."""
        if c.synacks and p.ts >= c.timer[0] and p.ts - c.asked > self.LATE:
            c.timeouts += 1
        c.synacks += 1
        c.timer = self.span(p.ts, SEC << c.timeouts)

    def request_ends(self, c):
        """Before it has used all retries, an expiry sends a SYN+ACK instead."""
        return c.timeouts >= self.sysctls["ipv4/tcp_synack_retries"] or c.listener_gone
