# SPDX-License-Identifier: GPL-2.0
"""Rows 2, 3, 4, 5 and 10: connections that are closed in order."""

from case import HANDSHAKE_C, HANDSHAKE_S, scenario
from topo import boot_ns


def last_to_close(case, close):
    return case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", close),
                                      ("CLOSE", "ack_of_fin")], closer=close.pid)


@scenario(2, "teardown")
def teardown(case):
    yield from case.pair()
    end = case.s.do("recv 1 9", "sleep 150", "close 1")
    close = yield from case.c.call("close 0")
    yield from case.s.wait(end)
    case.mate(case.client(HANDSHAKE_C + [
        ("FIN_WAIT1", "close", close), ("FIN_WAIT2", "ack_of_fin"), ("TIME_WAIT", "fin_in"),
        ("CLOSE", "tw_expired")], closer=close.pid), last_to_close(case, end[-1]))
    case.listener()


@scenario(2, "server-first")
def server_first(case):
    yield from case.pair()
    end = case.c.do("recv 0 9", "sleep 150", "close 0")
    close = yield from case.s.call("close 1")
    yield from case.c.wait(end)
    case.mate(case.client(HANDSHAKE_C + [
        ("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", end[-1]), ("CLOSE", "ack_of_fin")],
        closer=end[-1].pid), case.server(HANDSHAKE_S + [
            ("FIN_WAIT1", "close", close), ("FIN_WAIT2", "ack_of_fin"),
            ("TIME_WAIT", "fin_in"), ("CLOSE", "tw_expired")], closer=close.pid))


@scenario(3, "one-segment")
def one_segment(case):
    yield from case.pair()
    end = case.s.do("recv 1 9", "close 1")
    close = yield from case.c.call("close 0")
    yield from case.s.wait(end)
    case.mate(case.client(HANDSHAKE_C + [
        ("FIN_WAIT1", "close", close), ("TIME_WAIT", "fin_ack_in"), ("CLOSE", "tw_expired")],
        closer=close.pid), last_to_close(case, end[-1]))


@scenario(4, "half-close")
def half_close(case):
    yield from case.pair()
    first = case.s.do("recv 1 9", *["send 1 100", "sleep 300"] * 2)
    shut = yield from case.c.call("shutdown 0 wr")
    end = case.c.do("recv 0 100000", "close 0")
    yield from case.s.wait(first)
    snap = yield from case.world.snapshot(case.cnet, case.snet)
    going = HANDSHAKE_C + [("FIN_WAIT1", "shutdown", shut), ("FIN_WAIT2", "ack_of_fin")]
    case.client(going, snap=snap, closer=shut.pid)
    case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in")], snap=snap)
    sends = case.s.do(*["send 1 100", "sleep 300"] * 3, "close 1")
    yield from case.s.wait(sends)
    yield from case.c.wait(end)
    case.note(end[0].ret == 500, "the client read %d bytes, not 500" % end[0].ret)
    case.mate(case.client(going + [("TIME_WAIT", "fin_in"), ("CLOSE", "tw_expired")],
                          closer=shut.pid, bytes_in=500),
              last_to_close(case, sends[-1]))


@scenario(4, "shutdown-close")
def shutdown_close(case):
    """shutdown() first, close() in FIN_WAIT2: the FIN was shutdown's."""
    yield from case.pair()
    end = case.s.do("recv 1 9", "sleep 100")
    shut = yield from case.c.call("shutdown 0 wr")
    yield from case.s.wait(end)
    close = yield from case.c.call("close 0")
    yield 0.2
    end.append((yield from case.s.call("close 1")))
    case.mate(case.client(HANDSHAKE_C + [
        ("FIN_WAIT1", "shutdown", shut), ("FIN_WAIT2", "ack_of_fin"), ("TIME_WAIT", "fin_in"),
        ("CLOSE", "tw_expired")], closer=shut.pid,
        inner=[["FIN_WAIT2", "close", close.pid, close.span()]]),
        last_to_close(case, end[-1]))


@scenario(5, "both-close", nets="slow")
def both_close(case):
    yield from case.pair()
    at = boot_ns() + 300000000
    one = case.c.do("until %d" % at, "close 0")
    two = case.s.do("until %d" % at, "close 1")
    yield from case.c.wait(one + two)
    ends = []
    for make, before, op in ((case.client, HANDSHAKE_C, one[-1]),
                             (case.server, HANDSHAKE_S, two[-1])):
        ends.append(make(before + [
            ("FIN_WAIT1", "close", op), ("CLOSING", "fin_in"), ("TIME_WAIT", "ack_of_fin"),
            ("CLOSE", "tw_expired")], closer=op.pid))
    case.mate(*ends)


@scenario(5, "both-open", nets="slow")
def both_open(case):
    case.s, case.c = case.actor("s"), case.actor("c")
    case.cport = 20000 + case.port
    yield from case.socket(case.c, "reuseaddr 1", bind=case.cport)
    yield from case.socket(case.s, "reuseaddr 1", bind=case.port, addr=case.saddr)
    at = boot_ns() + 400000000
    one = case.c.do("until %d" % at, "connect 0 %s %d" % (case.saddr, case.port), "name 0")
    two = case.s.do("until %d" % at, "connect 0 %s %d" % (case.caddr, case.cport), "name 0")
    yield from case.c.wait(one + two)
    case.note(one[1].ret == 0 and two[1].ret == 0, "a connect() failed")
    yield 0.3
    end = case.s.do("recv 0 9", "sleep 200", "close 0")
    close = yield from case.c.call("close 0")
    yield from case.s.wait(end)
    both = [("SYN_RECV", "syn_in"), ("ESTABLISHED", ["synack_in", "ack_in"])]
    first = case.end("c", [("SYN_SENT", "connect", one[1])] + both + [
        ("FIN_WAIT1", "close", close), ("FIN_WAIT2", "ack_of_fin"), ("TIME_WAIT", "fin_in"),
        ("CLOSE", "tw_expired")], closer=close.pid, opener=[one[1].pid, "connect"],
        cookie=int(one[2].more[2]))
    second = case.end("s", [("SYN_SENT", "connect", two[1])] + both + [
        ("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", end[-1]), ("CLOSE", "ack_of_fin")],
        closer=end[-1].pid, opener=[two[1].pid, "connect"], passive=False,
        cookie=int(two[2].more[2]))
    case.mate(first, second)


def never_closes(case, *options, client=(), **more):
    yield from case.pair(*options)
    close = yield from case.c.call("close 0")
    yield 0.3
    e = case.client(HANDSHAKE_C + [("FIN_WAIT1", "close", close)] + list(client),
                    closer=close.pid, **more)
    return e


@scenario(10, "peer-stays")
def peer_stays(case):
    e = yield from never_closes(case, client=[("FIN_WAIT2", "ack_of_fin"),
                                              ("CLOSE", "fin_wait2_timeout")])
    case.mate(e, case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in")]))


@scenario(10, "peer-stays-7s", nets="slow")
def peer_stays_short(case):
    yield from peer_stays(case)


@scenario(10, "linger2-90s")
def linger2(case):
    """Longer than 60 s: a full socket for the first part of it."""
    e = yield from never_closes(case, "linger2 90", client=[
        ("FIN_WAIT2", "ack_of_fin"), ("CLOSE", "fin_wait2_timeout")])
    case.mate(e, case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in")]))


@scenario(10, "linger2-none")
def linger2_none(case):
    """TCP_LINGER2 below zero: no FIN_WAIT2 at all, a RST instead."""
    e = yield from never_closes(case, "linger2 -1", client=[
        ("FIN_WAIT2", "ack_of_fin"), ("CLOSE", "fin_wait2_timeout")])
    case.mate(e, case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in"), ("CLOSE", "rst_in")],
                             errno="EPIPE"))
