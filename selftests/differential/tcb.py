# SPDX-License-Identifier: GPL-2.0
"""What the model knows of one end of one connection (RFC 9293: its TCB)."""

MS, SEC = 1000000, 1000000000
NEVER = 1 << 62
FULL = ("SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT", "LAST_ACK",
        "CLOSING")
WINDOW = 60000          # less than any window that is offered here


def rel(number, first):
    """A sequence number, counted from the first one of that side."""
    n = (number - first) & 0xFFFFFFFF
    return n - (1 << 32) if n >> 31 else n


class Impossible(Exception):
    """An order in which the calls could not have returned what they did."""


class Step:
    """A transition: it happened between lo and hi."""
    __slots__ = ("state", "cause", "owner", "lo", "hi")

    def __init__(self, state, cause, owner, lo, hi):
        self.state, self.cause, self.owner, self.lo, self.hi = state, cause, owner, lo, hi

    def text(self):
        return "%s/%s%s in %d..%d" % (self.state, self.cause,
                                      " by %d" % self.owner if self.owner else "",
                                      self.lo, self.hi)


class Conn:
    """One end of one connection."""

    def __init__(self, passive):
        self.passive, self.state, self.steps = passive, "CLOSE", []
        self.iss = self.irs = None
        self.una, self.sent = 0, 0          # SND.UNA, SND.NXT
        self.advanced = 0                   # when SND.UNA did last
        self.rcv, self.told = 0, 0          # RCV.NXT, and what of it was acknowledged
        self.fin_end = None                 # behind our FIN
        self.got_fin = None                 # the peer's FIN is here (not: in order)
        self.holes = []                     # [begin, end) out of order
        self.dead = self.deaf = self.mute = self.linger = self.mini = False
        self.recent = None                  # TS.Recent (RFC 7323)
        self.timer = None                   # of request, TIME_WAIT: (lo, hi)
        self.timeouts = 0                   # of the request
        self.asked = 0                      # when its SYN came last
        self.listener_gone = False
        self.accepted = self.opener = self.closer = self.errno = self.sid = self.soft = None
        self.out = []                       # (begin, end, ts) of what was sent
        self.synacks = self.restarts = 0

    def step(self, state, cause, when, owner=None):
        self.steps.append(Step(state, cause, owner, *when))
        self.state = state
        if owner and cause not in ("connect", "accept") and self.closer is None:
            self.closer = owner

    def over(self):
        return self.state == "CLOSE"
