# SPDX-License-Identifier: GPL-2.0
"""Rows 13, 14 and 15: which connection is which, and what is none."""

from case import HANDSHAKE_C, HANDSHAKE_S, scenario
from test_reset import active, passive, to_time_wait


@scenario(13, "reconnect")
def reconnect(case):
    """One socket, two connections: the same cookie, two timelines."""
    yield from case.pair()
    gone = yield from case.c.call("disconnect 0")
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "disconnect", gone)], closer=gone.pid),
              case.server(HANDSHAKE_S + [("CLOSE", "rst_in")], errno="ECONNRESET"))
    first = case.cport
    yield from case.join(sslot=2)
    nth = int(case.cport == first)
    case.mate(case.client(HANDSHAKE_C, nth=nth), case.server(HANDSHAKE_S, nth=nth))


@scenario(13, "reuseport")
def reuseport(case):
    """Two listeners on one port, each in its own process."""
    case.s, case.c = case.actor("s"), case.actor("c")
    other = case.actor("s", "2")
    yield from case.listen(case.s, "reuseport 1")
    yield from case.listen(other, "reuseport 1")
    n = 12
    accepts = []
    for a in (case.s, other):
        lines = []
        for i in range(n):
            lines += ["accept 0 %d" % (i + 1), "name %d" % (i + 1)]
        accepts.append(a.do(*lines))
    clients = []
    for i in range(n):
        yield from case.socket(case.c, slot=i)
        op = yield from case.c.call("connect %d %s %d" % (i, case.saddr, case.port))
        clients.append((op, (yield from case.c.call("name %d" % i))))
    yield (lambda: sum(o.done for ops in accepts for o in ops) == 2 * n, 30)
    byport = {}
    for ops in accepts:
        for accept, name in zip(ops[::2], ops[1::2]):
            if name.done:
                byport[int(name.more[1])] = (accept, name)
    case.note(all(any(o.done for o in ops) for ops in accepts), "one listener got nothing")
    for op, name in clients:
        case.cport = int(name.more[0])
        accept, sname = byport[case.cport]
        case.calls.update(connect=op, cname=name, accept=accept, sname=sname)
        case.mate(case.client(HANDSHAKE_C), case.server(HANDSHAKE_S))


@scenario(13, "fifty")
def fifty(case):
    """Fifty connections to one port."""
    n = 50
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s, backlog=64)
    lines = []
    for i in range(1, n + 1):
        lines += ["accept 0 %d" % i, "name %d" % i]
    accepts = case.s.do(*lines)
    lines = []
    for i in range(n):
        lines += ["socket %d %d" % (i, case.family),
                  "connect %d %s %d" % (i, case.saddr, case.port), "name %d" % i]
    connects = case.c.do(*lines)
    yield from case.c.wait(connects)
    yield from case.s.wait(accepts)
    ends = case.s.do(*["recv %d 9" % n, "sleep 200"] +
                     ["close %d" % i for i in range(1, n + 1)])[2:]
    closes = case.c.do(*["close %d" % i for i in range(n)])
    yield from case.s.wait(ends)
    byport = {int(accepts[2 * i + 1].more[1]): i for i in range(n)}
    for i in range(n):
        case.cport = int(connects[3 * i + 2].more[0])
        k = byport[case.cport]
        case.calls.update(connect=connects[3 * i + 1], cname=connects[3 * i + 2],
                          accept=accepts[2 * k], sname=accepts[2 * k + 1])
        case.mate(case.client(HANDSHAKE_C + active(closes[i], ("CLOSE", "tw_expired")),
                              closer=closes[i].pid),
                  case.server(HANDSHAKE_S + passive(ends[k]), closer=ends[k].pid))


@scenario(13, "every-segment-twice", nets="dup")
def twice(case):
    """netem doubles every packet: one connection all the same."""
    yield from case.pair()
    close, end = yield from to_time_wait(case)
    case.mate(case.client(HANDSHAKE_C + active(close, ("CLOSE", "tw_expired")),
                          closer=close.pid),
              case.server(HANDSHAKE_S + passive(end), closer=end.pid))
    # The second FIN came in TIME_WAIT.
    case.world.expects[-2]["events"] = ["tw_restart"]


@scenario(13, "two-last-acks")
def two_last_acks(case):
    """The final ACK of the handshake twice, back to back."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    accept, = case.s.do("accept 0 1")
    peer.send("S")
    yield from peer.wait("SA")
    peer.send("A")
    peer.send("A")
    yield from case.s.wait([accept])
    case.calls.update(accept=accept, sname=(yield from case.s.call("name 1")))
    case.server(HANDSHAKE_S)


# ---- 14 ----

@scenario(14, "v4-to-v6-listener", families=(4,))
def mapped(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s, "v6only 0", addr="::", family=6)
    yield from case.socket(case.c)
    yield from case.join()
    close, end = yield from to_time_wait(case)
    case.mate(case.client(HANDSHAKE_C + active(close, ("CLOSE", "tw_expired")),
                          closer=close.pid),
              case.server(HANDSHAKE_S + passive(end), closer=end.pid, family="inet6",
                          flags={"mapped": True}))


@scenario(14, "mptcp")
def mptcp(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.s.call("socket 0 %d mptcp" % case.family,
                           "bind 0 %s %d" % (case.saddr, case.port), "listen 0 5")
    sock = yield from case.c.call("socket 0 %d mptcp" % case.family)
    if sock.ret < 0:
        case.skip = "no MPTCP sockets here: errno %d" % sock.errno
        return
    accept, = case.s.do("accept 0 1")
    connect = yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    yield from case.s.wait([accept])
    name = yield from case.c.call("name 0")
    case.cport = int(name.more[0])
    yield from case.c.call("send 0 100")
    yield from case.s.call("recv 1 100")
    case.calls = {"connect": connect}
    # The subflows are TCP; who accepts and closes them is MPTCP itself.
    more = {"flags": {"mptcp": True}, "opener": "any", "may": [case.c.pid, case.s.pid]}
    case.mate(case.client(HANDSHAKE_C, **more), case.server(HANDSHAKE_S, **more))


@scenario(14, "sctp")
def sctp(case):
    """SCTP uses the same tracepoint; it must leave no trace."""
    case.s, case.c = case.actor("s"), case.actor("c")
    op = yield from case.s.call("socket 0 %d sctp" % case.family)
    if op.ret < 0:
        case.skip = "no SCTP sockets here: errno %d" % op.errno
        return
    op = yield from case.s.call("bind 0 %s %d" % (case.saddr, case.port), "listen 0 5")
    accept, = case.s.do("accept 0 1")
    op = yield from case.c.call("socket 0 %d sctp" % case.family,
                                "connect 0 %s %d" % (case.saddr, case.port))
    case.note(op.ret == 0, "SCTP connect() failed: errno %d" % op.errno)
    yield from case.s.wait([accept])
    yield from case.c.call("close 0")
    yield from case.s.call("close 1", "close 0")
    case.end("s", [], absent=True, cport=0)


# ---- 15: begun before the module was loaded ----

def loaded(case):
    """All that must come before the module has; waits for it."""
    case.world.ready += 1
    yield (lambda: case.world.loaded, 900)


@scenario(15, "established", late=True)
def late_established(case):
    yield from case.pair()
    yield from loaded(case)
    close, end = yield from to_time_wait(case)
    case.mate(case.client(active(close, ("CLOSE", "tw_expired")), closer=close.pid,
                          complete="late", tail=True, opener="any", passive=None),
              case.server(passive(end), closer=end.pid, complete="late", tail=True,
                          accept=None, opener="any", passive=None))


@scenario(15, "time-wait", late=True)
def late_time_wait(case):
    """Nothing but its end is left to be seen."""
    yield from case.pair()
    yield from to_time_wait(case)
    yield from loaded(case)
    case.client([("CLOSE", "tw_expired")], complete="late", tail=True, opener="any",
                closer="any", isns=False, passive=None)


@scenario(15, "fin-wait2", late=True)
def late_fin_wait2(case):
    yield from case.pair()
    yield from case.c.call("close 0")
    yield from loaded(case)
    yield 0.1
    end = yield from case.s.call("close 1")
    case.client([("TIME_WAIT", "fin_in"), ("CLOSE", "tw_expired")], complete="late",
                tail=True, opener="any", closer="any", passive=None)
    case.server([("LAST_ACK", "close", end), ("CLOSE", "ack_of_fin")], closer=end.pid,
                complete="late", tail=True, accept=None, opener="any", passive=None)


@scenario(15, "listener", late=True)
def late_listener(case):
    """The listener is late, what it accepts afterwards is not."""
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s)
    yield from loaded(case)
    yield from case.socket(case.c)
    yield from case.join()
    close, end = yield from to_time_wait(case)
    case.mate(case.client(HANDSHAKE_C + active(close, ("CLOSE", "tw_expired")),
                          closer=close.pid),
              case.server(HANDSHAKE_S + passive(end), closer=end.pid))


@scenario(15, "waiting-for-accept", late=True)
def late_accept(case):
    """Accepted after the module was loaded: late, with its acceptor."""
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s)
    yield from case.socket(case.c)
    connect = yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    case.cport = int((yield from case.c.call("name 0")).more[0])
    case.calls["connect"] = connect
    yield from loaded(case)
    accept = yield from case.s.call("accept 0 1")
    case.calls.update(accept=accept, sname=(yield from case.s.call("name 1")))
    close, end = yield from to_time_wait(case)
    case.client(active(close, ("CLOSE", "tw_expired")), closer=close.pid,
                complete="late", tail=True, opener="any", passive=None)
    case.server(passive(end), closer=end.pid, complete="late", tail=True)


@scenario(15, "connecting", late=True)
def late_connecting(case):
    """A SYN went out before, the SYN+ACK comes after."""
    peer = case.raw("server")
    case.c, case.cport = case.actor("c"), 20000 + case.port
    yield from case.socket(case.c, "syncnt 10", bind=case.cport)
    case.calls["connect"], = case.c.do("connect 0 %s %d" % (case.saddr, case.port))
    yield from peer.wait("S")
    yield from loaded(case)
    peer.send("SA")
    yield from case.c.wait([case.calls["connect"]])
    case.calls["cname"] = yield from case.c.call("name 0")
    case.client([("ESTABLISHED", "synack_in")], complete="late", tail=True, opener="any")


@scenario(15, "half-open", late=True)
def late_half_open(case):
    """A SYN came before, the last ACK after."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s, "syncnt 10")
    accept, = case.s.do("accept 0 1")
    peer.send("S")
    yield from peer.wait("SA")
    yield from loaded(case)
    peer.send("A")
    yield from case.s.wait([accept])
    case.calls.update(accept=accept, sname=(yield from case.s.call("name 1")))
    case.server([("ESTABLISHED", "ack_in")], complete="late", tail=True)
