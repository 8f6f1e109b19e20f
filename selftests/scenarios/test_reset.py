# SPDX-License-Identifier: GPL-2.0
"""Rows 8 and 9: resets, timeouts, and TIME_WAIT that ends early."""

import subprocess

from case import HANDSHAKE_C, HANDSHAKE_S, scenario
from topo import inside


@scenario(8, "linger-0")
def linger0(case):
    yield from case.pair()
    close = yield from case.c.call("opt 0 linger 0", "close 0")
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "linger0", close)], closer=close.pid),
              case.server(HANDSHAKE_S + [("CLOSE", "rst_in")], errno="ECONNRESET"))


@scenario(8, "unread-data")
def unread(case):
    yield from case.pair()
    yield from case.s.call("send 1 100")
    yield from case.c.call("poll 0 in 5000")
    close = yield from case.c.call("close 0")
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "unread", close)], closer=close.pid),
              case.server(HANDSHAKE_S + [("CLOSE", "rst_in")], errno="ECONNRESET"))


@scenario(8, "data-after-close")
def data_after_close(case):
    """In a closed FIN_WAIT2: the minisocket answers with a RST."""
    yield from case.pair()
    ops = case.s.do("recv 1 9", "sleep 150", "send 1 100")
    close = yield from case.c.call("close 0")
    yield from case.s.wait(ops)
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [
        ("FIN_WAIT1", "close", close), ("FIN_WAIT2", "ack_of_fin"),
        ("CLOSE", "data_after_close")], closer=close.pid),
        case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in"), ("CLOSE", "rst_in")],
                    errno="EPIPE"))


@scenario(8, "data-with-ack")
def data_with_ack(case):
    """Data in the very segment that acknowledges the FIN."""
    peer = case.raw("server")
    yield from case.raw_answer(peer)
    close = yield from case.c.call("close 0")
    yield from peer.wait("FA")
    peer.send("A", data=b"x" * 50)
    yield from peer.wait("R")
    # The kernel resets before it has moved on: FIN_WAIT2 may not show.
    case.client(HANDSHAKE_C + [("FIN_WAIT1", "close", close),
                               ("CLOSE", "data_after_close")],
                closer=close.pid, optional=["FIN_WAIT2"])


@scenario(8, "reset-in")
def reset_in(case):
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    yield from case.raw_open(peer)
    peer.send("R")
    yield 0.2
    case.server(HANDSHAKE_S + [("CLOSE", "rst_in")], errno="ECONNRESET")


@scenario(8, "reset-request")
def reset_request(case):
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    peer.send("S")
    yield from peer.wait("SA")
    peer.send("R")
    yield 0.2
    case.server([("SYN_RECV", "syn_in"), ("CLOSE", "req_reset")])


@scenario(8, "reset-last-ack")
def reset_last_ack(case):
    """A RST in place of the ACK of our FIN."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    yield from case.raw_open(peer)
    peer.send("FA")
    yield 0.2
    close = yield from case.s.call("close 1")
    yield from peer.wait("FA")
    peer.send("R", seq=peer.seq)
    yield 0.2
    case.server(HANDSHAKE_S + [("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", close),
                               ("CLOSE", "rst_in")], closer=close.pid, errno="ECONNRESET")


def silent(case, cause, *options):
    peer = case.raw("server")
    yield from case.raw_answer(peer, *options)
    case.client(HANDSHAKE_C + [("CLOSE", cause)], errno="ETIMEDOUT")


@scenario(8, "silent-peer")
def silent_peer(case):
    yield from silent(case, "rtx_timeout")
    yield from case.c.call("send 0 100")
    yield 30


@scenario(8, "silent-user-timeout")
def silent_user_timeout(case):
    yield from silent(case, "user_timeout", "user_timeout 3000")
    yield from case.c.call("send 0 100")
    yield 15


@scenario(8, "silent-keepalive")
def silent_keepalive(case):
    yield from silent(case, "keepalive", "keepalive 1", "keepidle 2", "keepintvl 1",
                      "keepcnt 2")
    yield 10


@scenario(8, "repair")
def repair(case):
    """close() in TCP_REPAIR: silent on the wire."""
    yield from case.pair()
    close = yield from case.c.call("opt 0 repair 1", "close 0")
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "repair", close)], closer=close.pid),
              case.server(HANDSHAKE_S))


# ---- TIME_WAIT that ends early ----

TIME_WAIT = [("FIN_WAIT2", "ack_of_fin"), ("TIME_WAIT", "fin_in")]


def to_time_wait(case, first="c", wait=200):
    """Closes both ends, @first before the other; returns both close()s."""
    a, b = (case.c, case.s) if first == "c" else (case.s, case.c)
    sa, sb = ("0", "1") if first == "c" else ("1", "0")
    end = b.do("recv %s 9" % sb, "sleep %d" % wait, "close " + sb)
    close = yield from a.call("close " + sa)
    yield from b.wait(end)
    yield 0.1
    return close, end[-1]


def active(close, *end):
    return [("FIN_WAIT1", "close", close)] + TIME_WAIT + list(end)


def passive(close):
    return [("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", close), ("CLOSE", "ack_of_fin")]


@scenario(9, "new-syn")
def new_syn(case):
    port = 20000 + case.port
    yield from case.pair("reuseaddr 1", soptions=("reuseaddr 1",), bind=port)
    first, second = yield from to_time_wait(case, "s")
    case.mate(case.server(HANDSHAKE_S + active(first, ("CLOSE", "tw_new_syn")),
                          closer=first.pid),
              case.client(HANDSHAKE_C + passive(second), closer=second.pid))
    yield 1.5
    yield from case.socket(case.c, "reuseaddr 1", bind=port)
    yield from case.join()
    first, second = yield from to_time_wait(case, "c")
    case.mate(case.client(HANDSHAKE_C + active(first, ("CLOSE", "tw_expired")),
                          closer=first.pid, nth=1),
              case.server(HANDSHAKE_S + passive(second), closer=second.pid, nth=1))


@scenario(9, "reused")
def reused(case):
    port = 20000 + case.port
    yield from case.pair("reuseaddr 1", soptions=("reuseaddr 1",), bind=port)
    first, second = yield from to_time_wait(case)
    ended = case.client(HANDSHAKE_C + active(first, ("CLOSE", "tw_reused")),
                        closer=first.pid)
    case.mate(ended, case.server(HANDSHAKE_S + passive(second), closer=second.pid))
    yield 2.5
    yield from case.socket(case.c, "reuseaddr 1", bind=port)
    yield from case.join()
    ended["end_span"] = case.calls["connect"].span()
    case.mate(case.client(HANDSHAKE_C, nth=1), case.server(HANDSHAKE_S, nth=1))


@scenario(9, "reused-by-itself", nets="few")
def reused_by_itself(case):
    """connect() chooses the port; the only one there is has a TIME_WAIT."""
    yield from case.pair()
    first, second = yield from to_time_wait(case)
    ended = case.client(HANDSHAKE_C + active(first, ("CLOSE", "tw_reused")),
                        closer=first.pid)
    case.mate(ended, case.server(HANDSHAKE_S + passive(second), closer=second.pid))
    yield 2.5
    yield from case.socket(case.c)
    yield from case.join()
    ended["end_span"] = case.calls["connect"].span()
    case.mate(case.client(HANDSHAKE_C, nth=1), case.server(HANDSHAKE_S, nth=1))


@scenario(9, "reset")
def reset(case):
    peer = case.raw("server")
    yield from case.raw_answer(peer)
    close, = case.c.do("close 0")
    yield from peer.wait("FA")
    peer.send("A")
    yield 0.05
    peer.send("FA")
    yield from peer.wait("A")
    yield 0.5
    peer.send("R")
    yield 0.2
    case.client(HANDSHAKE_C + active(close, ("CLOSE", "tw_rst")), closer=close.pid)


def destroy(case, side="c"):
    """ss -K on one end; returns the pid of ss, and what it says it has killed."""
    net = case.cnet if side == "c" else case.snet
    test = ("( dport = :%d )" if side == "c" else "( sport = :%d )") % case.port
    with inside(net.name):
        p = subprocess.Popen(case.world.topo.stage("ss", "-K", "-tan", "state", "all", test),
                             stdout=subprocess.PIPE, text=True)
    yield (lambda: p.poll() is not None, 60)
    return p.pid, p.stdout.read()


@scenario(9, "ss-K")
def ss_k(case):
    yield from case.pair()
    close, end = yield from to_time_wait(case)
    pid, killed = yield from destroy(case)
    yield 0.2
    # In 5.10 a minisocket refuses, and lives on.
    end_c = "destroyed" if "TIME-WAIT" in killed else "tw_expired"
    case.mate(case.client(HANDSHAKE_C + active(close, ("CLOSE", end_c)),
                          closer=close.pid, may=[pid]),
              case.server(HANDSHAKE_S + passive(end), closer=end.pid))


@scenario(8, "ss-K")
def ss_k_established(case):
    yield from case.pair()
    pid, _ = yield from destroy(case)
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "destroyed")], errno="ECONNABORTED",
                          may=[pid], closer="any"),
              case.server(HANDSHAKE_S + [("CLOSE", "rst_in")], errno="ECONNRESET"))


@scenario(8, "ss-K-request")
def ss_k_request(case):
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    peer.send("S")
    yield from peer.wait("SA")
    net, port = case.snet, case.cport
    with inside(net.name):
        p = subprocess.Popen(case.world.topo.stage(
            "ss", "-K", "-tan", "state", "all", "( dport = :%d )" % port),
            stdout=subprocess.PIPE, text=True)
    yield (lambda: p.poll() is not None, 60)
    yield 0.2
    case.server([("SYN_RECV", "syn_in"), ("CLOSE", "destroyed")], may=[p.pid])


COOKIE_S = [("SYN_RECV", "syncookie"), ("ESTABLISHED", "ack_in")]


@scenario(9, "limit-close", nets="odd")
def limit_close(case):
    """No room for a TIME_WAIT: the socket ends when its FIN is acknowledged."""
    yield from case.pair()
    end = case.s.do("recv 1 9", "sleep 150", "close 1")
    close = yield from case.c.call("close 0")
    yield from case.s.wait(end)
    yield 0.1
    case.mate(case.client(HANDSHAKE_C + [
        ("FIN_WAIT1", "close", close), ("FIN_WAIT2", "ack_of_fin"), ("CLOSE", "tw_limit")],
        closer=close.pid),
        case.server(COOKIE_S + [("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", end[-1]),
                                ("CLOSE", "rst_in")], closer=end[-1].pid,
                    errno="ECONNRESET", flags={"syncookie": True}))


@scenario(9, "limit-shutdown", nets="odd")
def limit_shutdown(case):
    """The same with the FIN of the peer, after shutdown()."""
    yield from case.pair()
    end = case.s.do("recv 1 9", "sleep 150", "close 1")
    shut = yield from case.c.call("shutdown 0 wr")
    yield from case.s.wait(end)
    yield 0.1
    case.mate(case.client(HANDSHAKE_C + [
        ("FIN_WAIT1", "shutdown", shut), ("FIN_WAIT2", "ack_of_fin"), ("CLOSE", "tw_limit")],
        closer=shut.pid),
        case.server(COOKIE_S + passive(end[-1]), closer=end[-1].pid,
                    flags={"syncookie": True}))


@scenario(9, "namespace-gone", nets="gone", last=True)
def namespace_gone(case):
    yield from case.pair()
    close, end = yield from to_time_wait(case)
    case.mate(case.client(HANDSHAKE_C + active(close, ("CLOSE", "netns_exit")),
                          closer=close.pid),
              case.server(HANDSHAKE_S + passive(end), closer=end.pid))
    # Nobody may stay in the namespaces that go (run.py).
    case.c.do("exit")
    case.s.do("exit")
