# SPDX-License-Identifier: GPL-2.0
"""Rows 1, 6, 7 and 11: how connections come about, or do not."""

from case import HANDSHAKE_C, HANDSHAKE_S, scenario
from rawpeer import RawPeer
from test_owner import Died


def hang_up(case, cslot=0):
    """The client resets: the shortest end. Returns the states of both."""
    close = yield from case.c.call("opt %d linger 0" % cslot, "close %d" % cslot)
    return [("CLOSE", "linger0", close)], [("CLOSE", "rst_in")]


@scenario(1, "handshake", nets="slow")
def handshake(case):
    yield from case.pair()
    connect = case.calls["connect"]
    case.note(connect.after - connect.before >= 80000000, "connect() took less than 80 ms")
    yield 0.2
    snap = yield from case.world.snapshot(case.cnet, case.snet)
    case.client(HANDSHAKE_C, snap=snap)
    case.server(HANDSHAKE_S, snap=snap)
    cend, send = yield from hang_up(case)
    case.mate(case.client(HANDSHAKE_C + cend, closer=case.c.pid, numbers=True,
                          least={"SYN_SENT": 80000000}),
              case.server(HANDSHAKE_S + send, errno="ECONNRESET", numbers=True,
                          least={"SYN_RECV": 79900000}))


@scenario(6, "stale-syn")
def stale_syn(case):
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    peer.send("S")
    yield from peer.wait("SA")
    snap = yield from case.world.snapshot(case.snet)
    case.server([("SYN_RECV", "syn_in")], snap=snap)
    yield from peer.wait("SA")
    yield from peer.wait("SA")
    yield 8
    case.server([("SYN_RECV", "syn_in"), ("CLOSE", "synack_timeout")], synack_rtx=2)


@scenario(6, "repeated-syn")
def repeated_syn(case):
    """The SYN comes again: one request, and a SYN+ACK more."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    peer.send("S")
    yield from peer.wait("SA")
    yield 1.5
    peer.send("S", seq=peer.seq - 1)
    yield 9
    case.server([("SYN_RECV", "syn_in"), ("CLOSE", "synack_timeout")])


@scenario(6, "listener-gone")
def listener_gone(case):
    """The listener closes; its request stays until the timer finds out."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    peer.send("S")
    yield from peer.wait("SA")
    yield from case.s.call("close 0")
    yield 3
    case.server([("SYN_RECV", "syn_in"), ("CLOSE", "listener_closed")])


def failing(case, error, cause):
    """The client's end of a connect() that fails."""
    name = yield from case.c.call("name 0")
    connect = case.calls["connect"]
    case.note(connect.ret == -1 and connect.errno == error[0],
              "connect() said %d, errno %d" % (connect.ret, connect.errno))
    case.calls["cname"] = name
    return case.client([("CLOSE", cause)], errno=error[1])


@scenario(7, "refused")
def refused(case):
    case.c = case.actor("c")
    case.cport = 20000 + case.port
    yield from case.socket(case.c, bind=case.cport)
    case.calls["connect"] = yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    yield from failing(case, (111, "ECONNREFUSED"), "refused")


def connect_raw(case, peer):
    case.c = case.actor("c")
    case.cport = 20000 + case.port
    yield from case.socket(case.c, bind=case.cport)
    case.calls["connect"], = case.c.do("connect 0 %s %d" % (case.saddr, case.port))
    return (yield from peer.wait("S"))


@scenario(7, "no-answer")
def no_answer(case):
    peer = case.raw("server")
    yield from connect_raw(case, peer)
    yield from case.c.wait([case.calls["connect"]])
    e = yield from failing(case, (110, "ETIMEDOUT"), "rtx_timeout")
    # Two, and from 6.5 on some more: tcp_syn_linear_timeouts.
    e["syn_rtx"] = sum(seg.flags == {"S"} for seg in peer.inbox) - 1


@scenario(7, "unreachable")
def unreachable(case):
    peer = case.raw("server")
    seg = yield from connect_raw(case, peer)
    yield 0.05
    peer.unreachable(seg)
    yield from case.c.wait([case.calls["connect"]])
    yield from failing(case, (113, "EHOSTUNREACH"), "unreachable")


@scenario(7, "given-up")
def given_up(case):
    """close() before an answer came."""
    peer = case.raw("server")
    case.c = case.actor("c")
    case.cport = 20000 + case.port
    yield from case.socket(case.c, bind=case.cport)
    connect, name = case.c.do("nconnect 0 %s %d" % (case.saddr, case.port), "name 0")
    yield from peer.wait("S")
    yield 0.1
    close = yield from case.c.call("close 0")
    case.calls.update(connect=connect, cname=name)
    case.client([("CLOSE", "close", close)], closer=close.pid)


@scenario(7, "shut-down")
def shut_down(case):
    """shutdown() before an answer came."""
    peer = case.raw("server")
    case.c = case.actor("c")
    case.cport = 20000 + case.port
    yield from case.socket(case.c, bind=case.cport)
    connect, name = case.c.do("nconnect 0 %s %d" % (case.saddr, case.port), "name 0")
    yield from peer.wait("S")
    shut = yield from case.c.call("shutdown 0 rdwr")
    case.calls.update(connect=connect, cname=name)
    case.client([("CLOSE", "disconnect", shut)], closer=shut.pid)


@scenario(7, "in-use")
def in_use(case):
    """connect() fails after SYN_SENT, before a SYN: the port pair is taken."""
    yield from case.pair("reuseaddr 1", bind=20000 + case.port)
    first = case.client(HANDSHAKE_C)
    case.mate(first, case.server(HANDSHAKE_S))
    yield from case.socket(case.c, "reuseaddr 1", slot=1, bind=case.cport)
    op = yield from case.c.call("connect 1 %s %d" % (case.saddr, case.port))
    case.note(op.ret == -1 and op.errno == 99, "connect() said %d, errno %d" % (op.ret, op.errno))
    case.end("c", [("SYN_SENT", "connect", op), ("CLOSE", "connect_failed", op)], nth=1,
             opener=[op.pid, "connect"], closer="any")


@scenario(11, "never-accepted")
def never_accepted(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s)
    yield from case.socket(case.c)
    case.calls["connect"] = yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    case.calls["cname"] = yield from case.c.call("name 0")
    case.cport = int(case.calls["cname"].more[0])
    snap = yield from case.world.snapshot(case.snet)
    case.server(HANDSHAKE_S, snap=snap, not_accepted=True)
    close = yield from case.s.call("close 0")
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "rst_in")], errno="ECONNRESET"),
              case.server(HANDSHAKE_S + [("CLOSE", "listener_closed")], not_accepted=True))
    case.listener(("CLOSE", "close", close), closer=close.pid)


@scenario(11, "server-killed")
def server_killed(case):
    """The same, and nobody closed it: the server was killed."""
    yield from case.pair()
    yield from case.socket(case.c, slot=1)
    connect = yield from case.c.call("connect 1 %s %d" % (case.saddr, case.port))
    name = yield from case.c.call("name 1")
    case.s.kill()
    yield 0.3
    end = Died(case.s.pid)
    close = yield from case.c.call("close 0")
    yield 0.3
    case.listener(("CLOSE", "exit", end), closer=end.pid)
    case.mate(case.client(HANDSHAKE_C + [("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", close),
                                         ("CLOSE", "ack_of_fin")], closer=close.pid),
              case.server(HANDSHAKE_S + [("FIN_WAIT1", "exit", end), ("FIN_WAIT2", "ack_of_fin"),
                                         ("TIME_WAIT", "fin_in"), ("CLOSE", "tw_expired")],
                          closer=end.pid))
    case.cport = int(name.more[0])
    case.calls.update(connect=connect, cname=name)
    del case.calls["accept"]
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "rst_in")], errno="ECONNRESET"),
              case.server(HANDSHAKE_S + [("CLOSE", "listener_closed")], not_accepted=True))


@scenario(11, "reset-then-accepted")
def reset_then_accepted(case):
    """It was over before accept() returned it."""
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s)
    yield from case.socket(case.c)
    case.calls["connect"] = yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    case.calls["cname"] = yield from case.c.call("name 0")
    case.cport = int(case.calls["cname"].more[0])
    cend, send = yield from hang_up(case)
    yield 0.2
    yield from case.s.call("accept 0 1")
    case.mate(case.client(HANDSHAKE_C + cend, closer=case.c.pid),
              case.server(HANDSHAKE_S + send, errno="ECONNRESET", opener="any",
                          may=[case.s.pid], not_accepted="any"))


@scenario(11, "accepted-late")
def accepted_late(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s)
    yield from case.socket(case.c)
    yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    connect = case.c.log[-1]
    yield 0.7
    yield from case.s.call("accept 0 1")
    accept = case.s.log[-1]
    case.calls.update(connect=connect, accept=accept,
                      cname=(yield from case.c.call("name 0")),
                      sname=(yield from case.s.call("name 1")))
    case.cport = int(case.calls["cname"].more[0])
    cend, send = yield from hang_up(case)
    case.mate(case.client(HANDSHAKE_C + cend, closer=case.c.pid),
              case.server(HANDSHAKE_S + send, errno="ECONNRESET", accept_wait=700000000))


def crowd(case):
    """A queue that holds three; two in it, then two more at once: both SYNs
    are taken, the second one's last ACK finds the queue full."""
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s, backlog=2)
    connects, names = [], []
    for i in range(4):
        yield from case.socket(case.c, slot=i)
    for i in range(4):
        connects += case.c.do("%sconnect %d %s %d" % ("n" if i > 1 else "", i, case.saddr,
                                                      case.port))
    for i in range(4):
        names += case.c.do("name %d" % i)
    yield from case.c.wait(connects + names)
    yield 0.5
    return list(zip(connects, names))


def crowd_client(case, ops, i):
    connect, name = ops[i]
    case.cport = int(name.more[0])
    case.calls.update(connect=connect, cname=name)
    return case.client(HANDSHAKE_C)


@scenario(11, "queue-full", nets="slow")
def queue_full(case):
    ops = yield from crowd(case)
    for i in range(4):
        accept = yield from case.s.call("accept 0 %d" % (i + 1))
        client = crowd_client(case, ops, i)
        case.calls.update(accept=accept, sname=(yield from case.s.call("name %d" % (i + 1))))
        # The last one is made when its ACK comes again.
        case.mate(client, case.server(HANDSHAKE_S, again=i == 3,
                                      counter={"ListenOverflows": 1}))


@scenario(11, "queue-stays-full", nets="slow")
def queue_stays_full(case):
    ops = yield from crowd(case)
    yield 9
    for i in range(3):
        client = crowd_client(case, ops, i)
        case.mate(client, case.server(HANDSHAKE_S, not_accepted=True))
    crowd_client(case, ops, 3)
    case.server([("SYN_RECV", "syn_in"), ("CLOSE", "acceptq_full")],
                counter={"ListenOverflows": 1})


@scenario(11, "syncookie-queue-full", nets="odd")
def syncookie_queue_full(case):
    """The ACK with a good cookie comes when the queue is full."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s, backlog=0)
    peer.send("S")
    yield from peer.wait("SA")
    other = RawPeer(case.loop, peer.wire.net, case.family, case.cport + 1000,
                    (case.saddr, case.port))
    other.send("S")
    yield from other.wait("SA")
    other.send("A")
    yield 0.1
    peer.send("A")
    yield 0.5
    case.server([("SYN_RECV", "syncookie"), ("CLOSE", "acceptq_full")],
                counter={"ListenOverflows": 1}, flags={"syncookie": True})
    case.cport += 1000
    case.server([("SYN_RECV", "syncookie"), ("ESTABLISHED", "ack_in")], not_accepted=True,
                flags={"syncookie": True})


@scenario(11, "syncookie", nets="odd")
def syncookie(case):
    yield from case.pair()
    cend, send = yield from hang_up(case)
    case.mate(case.client(HANDSHAKE_C + cend, closer=case.c.pid),
              case.server([("SYN_RECV", "syncookie"), ("ESTABLISHED", "ack_in")] + send,
                          errno="ECONNRESET", flags={"syncookie": True}))


@scenario(11, "fastopen")
def fastopen(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s, "fastopen 8")
    for n in (0, 1):        # the first one only fetches the cookie
        accept, = case.s.do("accept 0 %d" % (n + 1))
        yield from case.socket(case.c, slot=n)
        op = yield from case.c.call("fastopen %d %s %d 10" % (n, case.saddr, case.port))
        case.note(op.ret == 10, "sendto() said %d, errno %d" % (op.ret, op.errno))
        yield from case.s.wait([accept])
        yield from case.s.call("recv %d 10" % (n + 1))
        name = yield from case.c.call("name %d" % n)
        case.cport = int(name.more[0])
        case.calls.update(connect=op, accept=accept, cname=name,
                          sname=(yield from case.s.call("name %d" % (n + 1))))
        yield 0.2
        cend, send = yield from hang_up(case, n)
        case.mate(case.client(HANDSHAKE_C + cend, closer=case.c.pid),
                  case.server([("SYN_RECV", "fastopen" if n else "syn_in"),
                               ("ESTABLISHED", "ack_in")] + send, errno="ECONNRESET",
                              flags={"fastopen": bool(n)}))


@scenario(11, "defer-accept")
def defer_accept(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    yield from case.listen(case.s, "defer 20")
    yield from case.socket(case.c)
    accept, = case.s.do("accept 0 1")
    connect = yield from case.c.call("connect 0 %s %d" % (case.saddr, case.port))
    case.calls.update(connect=connect, cname=(yield from case.c.call("name 0")))
    case.cport = int(case.calls["cname"].more[0])
    yield 0.4
    snap = yield from case.world.snapshot(case.cnet, case.snet)
    case.client(HANDSHAKE_C, snap=snap)
    case.server([("SYN_RECV", "syn_in")], snap=snap)
    yield from case.c.call("send 0 10")
    yield from case.s.wait([accept])
    yield from case.s.call("recv 1 10")
    case.calls.update(accept=accept, sname=(yield from case.s.call("name 1")))
    cend, send = yield from hang_up(case)
    case.mate(case.client(HANDSHAKE_C + cend, closer=case.c.pid),
              case.server(HANDSHAKE_S + send, errno="ECONNRESET", first_data=True))
