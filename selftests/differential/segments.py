# SPDX-License-Identifier: GPL-2.0
"""Segments that arrive (RFC 9293, 3.10.7), as net/ipv4/tcp_input.c takes them."""

from seen import ACK, FIN, ICMP, RST, SYN
from tcb import SEC, WINDOW, Conn, rel


class Segments:
    """The part of the machine that receives; model.py has the rest."""

    def received(self, p):
        c = self.cur
        if p.flags & ICMP:
            if c and c.state == "SYN_SENT" and c.iss == p.seq:
                self.in_icmp(c, p)
            return
        if c and c.state == "REQUEST" and c.listener_gone:
            c.step("CLOSE", "listener_closed", self.when(p))    # tcp_v4_rcv()
        if not c or c.over():
            self.no_socket(p)
        elif c.state == "SYN_SENT":
            self.in_syn_sent(c, p)
        elif c.state == "REQUEST":
            self.in_request(c, p)
        elif c.mini:
            self.in_mini(c, p)
        else:
            self.in_full(c, p)

    def in_icmp(self, c, p):
        """tcp_v4_err(): while a call owns the socket only a soft error."""
        if self.owned(p.ts) and self.choose():
            c.soft = p.err
            return
        c.errno = p.err
        c.step("CLOSE", "unreachable", self.when(p))

    def no_socket(self, p):
        if p.flags & (SYN | ACK | RST | FIN) != SYN:
            return
        sid = self.listeners(p.ts)
        if sid is None:
            return
        c = self.cur = Conn(True)
        self.conns.append(c)
        c.listener, c.irs, c.recent, c.rcv, c.told = sid, p.seq, p.tsval, 1, 1
        c.timer, c.asked = self.span(p.ts, SEC), p.ts
        c.step("REQUEST", "syn_in", self.when(p))

    def in_syn_sent(self, c, p):
        """tcp_rcv_synsent_state_process()"""
        if c.iss is None:
            return
        if p.flags & ACK:
            if rel(p.ack, c.iss) != 1:
                return
            if p.flags & RST:
                c.errno = "ECONNREFUSED"
                c.step("CLOSE", "refused", self.when(p))
            elif p.flags & SYN:
                c.irs, c.rcv, c.told, c.una, c.recent = p.seq, 1, 1, 1, p.tsval
                c.step("ESTABLISHED", "synack_in", self.when(p))
        elif p.flags & SYN and not p.flags & RST:
            c.irs, c.rcv, c.told, c.recent = p.seq, 1, 1, p.tsval
            c.step("SYN_RECV", "syn_in", self.when(p))

    @staticmethod
    def in_window(begin, end, first):
        """tcp_in_window()"""
        return begin == first or (end > first and begin < first + WINDOW)

    def in_request(self, c, p):
        """tcp_check_req()"""
        begin = rel(p.seq, c.irs)
        end = begin + p.len + bool(p.flags & SYN) + bool(p.flags & FIN)
        kind = p.flags & (RST | SYN | ACK)
        if begin == 0 and kind == SYN:
            c.asked = p.ts
            return
        if kind & ACK and not kind & RST and (c.iss is None or rel(p.ack, c.iss) != 1):
            return
        if self.paws(c, p, 0) or not self.in_window(begin, end, 1):
            return
        if kind & RST and begin != 1:
            return
        if kind & RST or (kind & SYN and begin != 0):
            c.step("CLOSE", "req_reset", self.when(p))
        elif kind & ACK:
            # The child: in SYN_RECV still, but no request any more.
            c.state, c.out = "SYN_RECV", []
            if begin <= 1 and p.tsval is not None:
                c.recent = p.tsval
            self.in_full(c, p)

    @staticmethod
    def paws(c, p, slack):
        return c.recent is not None and p.tsval is not None and \
            rel(c.recent, p.tsval) > slack

    def in_mini(self, c, p):
        """tcp_timewait_state_process()"""
        begin = rel(p.seq, c.irs)
        end = begin + p.len + bool(p.flags & SYN) + bool(p.flags & FIN)
        old = self.paws(c, p, 0) and not p.flags & RST
        if c.state == "TIME_WAIT":
            self.in_time_wait(c, p, begin, end, old)
            return
        if old or not self.in_window(begin, end, c.rcv):
            return
        if p.flags & RST:
            c.step("CLOSE", "rst_in", self.when(p))
        elif p.flags & SYN and begin >= c.rcv:
            c.step("CLOSE", "tw_new_syn", self.when(p))
        elif not p.flags & ACK or end <= c.rcv or begin == end:
            return
        elif not p.flags & FIN or end != c.rcv + 1:
            c.step("CLOSE", "data_after_close", self.when(p))
        else:
            c.rcv = end
            c.recent = p.tsval if p.tsval is not None else c.recent
            self.time_wait(c, self.when(p), "fin_in")

    def in_time_wait(self, c, p, begin, end, old):
        if not old and begin == c.rcv and (begin == end or p.flags & RST):
            if p.flags & RST:
                c.step("CLOSE", "tw_rst", self.when(p))
                return
            self.restart_counted(c, p)
            c.recent = p.tsval if p.tsval is not None else c.recent
        elif p.flags & (SYN | RST | ACK) == SYN and not old and (
                begin > c.rcv or (p.tsval is not None and c.recent is not None and
                                  rel(p.tsval, c.recent) > 0)):
            if self.listeners(p.ts) is not None:
                c.step("CLOSE", "tw_new_syn", self.when(p))
                self.no_socket(p)
        elif not p.flags & RST and (old or p.flags & ACK):
            self.restart_counted(c, p)

    def restart_counted(self, c, p):
        c.restarts += 1
        self.restart(c, p.ts)

    # ---- a full socket ----

    def in_full(self, c, p):
        """tcp_rcv_established(), tcp_rcv_state_process()"""
        if not p.flags & (ACK | RST | SYN):
            return
        begin = rel(p.seq, c.irs)
        end = begin + p.len + bool(p.flags & SYN) + bool(p.flags & FIN)
        if not self.acceptable(c, p, begin, end):
            return
        ack = rel(p.ack, c.iss) if p.flags & ACK else c.una
        if ack < 1 or ack > c.sent:
            return              # tcp_ack() < 0: challenge ACK, or a RST in SYN_RECV
        # tcp_replace_ts_recent()
        if p.tsval is not None and begin <= c.told and not self.paws(c, p, 0):
            c.recent = p.tsval
        if ack > c.una:
            c.una, c.advanced = ack, p.ts
        fresh = self.on_ack(c, p, begin, end)
        if not c.over() and not c.mini:
            self.on_text(c, p, begin, end, fresh)

    def acceptable(self, c, p, begin, end):
        """tcp_validate_incoming()"""
        if not p.flags & RST and self.paws(c, p, 1):
            return False
        behind_fin = begin == c.rcv - 1 and c.state in ("CLOSE_WAIT", "LAST_ACK", "CLOSING")
        if end < c.told or begin > c.rcv + WINDOW:
            if p.flags & RST and behind_fin:
                self.reset(c, p)
            return False
        if p.flags & RST:
            if begin == c.rcv or behind_fin or (
                    self.sysctls.get("ipv4/tcp_sack", 1) and c.holes and
                    begin == max(h[1] for h in c.holes)):
                self.reset(c, p)
            return False
        if p.flags & SYN:
            return c.state == "SYN_RECV" and not c.passive and bool(p.flags & ACK) and \
                end == c.rcv and begin + 1 == end and rel(p.ack, c.iss) == c.sent
        return True

    def reset(self, c, p):
        c.errno = "EPIPE" if c.state == "CLOSE_WAIT" else "ECONNRESET"
        c.step("CLOSE", "rst_in", self.when(p))

    def beyond(self, c, p, begin, end):
        """Text behind what was received in order?"""
        return end != begin and end - bool(p.flags & FIN) > c.rcv

    def on_ack(self, c, p, begin, end):
        """Step 5. True: our FIN has been acknowledged by this segment."""
        acked = c.fin_end is not None and c.una >= c.fin_end
        when = self.when(p)
        if c.state == "SYN_RECV":
            c.step("ESTABLISHED", "ack_in", when)
            if c.mute:
                c.step("FIN_WAIT1", "shutdown", when)
        elif c.state == "FIN_WAIT1" and acked:
            c.step("FIN_WAIT2", "ack_of_fin", when)
            if not c.dead:
                return True
            if self.beyond(c, p, begin, end):
                c.step("CLOSE", "data_after_close", when)
            elif not p.flags & FIN:
                self.fin_wait2(c, *when)
            return True
        elif c.state == "CLOSING" and acked:
            self.time_wait(c, when, "ack_of_fin")
        elif c.state == "LAST_ACK" and acked:
            c.step("CLOSE", "ack_of_fin", when)
        return False

    def on_text(self, c, p, begin, end, fresh):
        """Steps 7 and 8: tcp_data_queue(), tcp_fin()"""
        if begin == end:
            return
        if c.state in ("FIN_WAIT1", "FIN_WAIT2") or (
                c.state in ("CLOSE_WAIT", "CLOSING", "LAST_ACK") and begin < c.rcv):
            if c.deaf and self.beyond(c, p, begin, end):
                c.errno = "ECONNRESET"
                c.step("CLOSE", "data_after_close", self.when(p))
                return
        if end <= c.rcv:
            return
        if p.flags & FIN:
            c.got_fin = end
        c.holes.append((max(begin, c.rcv), end))
        c.holes.sort()
        while c.holes and c.holes[0][0] <= c.rcv:
            c.rcv = max(c.rcv, c.holes.pop(0)[1])
        if c.got_fin == c.rcv:
            c.got_fin, c.holes, c.deaf = "done", [], True
            self.on_fin(c, p, fresh)

    def on_fin(self, c, p, fresh):
        when = self.when(p)
        if c.state == "ESTABLISHED":
            c.step("CLOSE_WAIT", "fin_in", when)
        elif c.state == "FIN_WAIT1":
            c.step("CLOSING", "fin_in", when)
        elif c.state == "FIN_WAIT2":
            self.time_wait(c, when, "fin_ack_in" if fresh else "fin_in")
