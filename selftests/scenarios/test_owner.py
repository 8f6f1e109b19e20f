# SPDX-License-Identifier: GPL-2.0
"""Row 12: who opened, accepted and closed it, and who only carried packets."""

from case import HANDSHAKE_C, HANDSHAKE_S, scenario


def closing(states, op, cause="close"):
    """The states of the end that closes first, after the handshake."""
    return states + [("FIN_WAIT1", cause, op), ("FIN_WAIT2", "ack_of_fin"),
                     ("TIME_WAIT", "fin_in"), ("CLOSE", "tw_expired")]


def following(states, op):
    return states + [("CLOSE_WAIT", "fin_in"), ("LAST_ACK", "close", op),
                     ("CLOSE", "ack_of_fin")]


class Died:
    """A process that was killed closed it: no call, but a process."""

    def __init__(self, pid):
        self.pid = pid

    def span(self):
        return [None, None]


@scenario(12, "killed")
def killed(case):
    yield from case.pair()
    end = case.s.do("recv 1 9", "sleep 150", "close 1")
    case.c.kill()
    yield from case.s.wait(end)
    died = Died(case.c.pid)
    case.mate(case.client(closing(HANDSHAKE_C, died, "exit"), closer=case.c.pid),
              case.server(following(HANDSHAKE_S, end[-1]), closer=end[-1].pid))


def server_closes(case, who, slot, wait=150):
    """@who closes the server's end, then the client its own."""
    end = case.c.do("recv 0 9", "sleep %d" % wait, "close 0")
    close = yield from who.call("close %d" % slot)
    yield from case.c.wait(end)
    case.mate(case.server(closing(HANDSHAKE_S, close), closer=who.pid),
              case.client(following(HANDSHAKE_C, end[-1]), closer=end[-1].pid))


@scenario(12, "forked")
def forked(case):
    """The child inherits the descriptor and is the last to close it."""
    yield from case.pair()
    child = yield from case.s.fork("r12-child")
    yield from case.s.call("close 1")
    yield 0.1
    yield from server_closes(case, child, 1)


@scenario(12, "orphaned")
def orphaned(case):
    """The parent is gone; the child exits without a close()."""
    yield from case.pair()
    child = yield from case.s.fork("r12-child")
    case.s.do("exit")
    yield lambda: case.s.dead
    end = case.c.do("recv 0 9", "sleep 150", "close 0")
    child.do("exit")
    yield from case.c.wait(end)
    case.mate(case.server(closing(HANDSHAKE_S, Died(child.pid), "exit"), closer=child.pid),
              case.client(following(HANDSHAKE_C, end[-1]), closer=end[-1].pid))


@scenario(12, "executed")
def executed(case):
    """The same process, by the time of the close() another program."""
    yield from case.pair()
    yield from case.s.call("exec r12-other")
    case.loop.tasks[case.s.pid]["comms"].append("r12-other")
    yield from server_closes(case, case.s, 1)


@scenario(12, "passed")
def passed(case):
    """The descriptor goes to another process over a unix socket."""
    yield from case.pair()
    other = case.actor("s", "2")
    yield from other.call("mail box%d" % case.port)
    take, = other.do("take 5")
    yield from case.s.call("give 1 box%d" % case.port, "close 1")
    yield from other.wait([take])
    yield from server_closes(case, other, 5)


@scenario(12, "tun", nets="tun", links=("veth",))
def tun(case):
    """The process that writes to the tun device carries every segment."""
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    yield from case.raw_open(peer)
    peer.send("A", data=b"x" * 20)
    yield from case.s.call("recv 1 20")
    peer.send("FA")
    yield 0.2
    close = yield from case.s.call("close 1")
    yield from peer.wait("F")
    peer.send("A")
    yield 0.2
    case.server(following(HANDSHAKE_S, close), closer=close.pid)


@scenario(12, "tun-reset", nets="tun", links=("veth",))
def tun_reset(case):
    peer = case.raw("client")
    case.s = case.actor("s")
    yield from case.listen(case.s)
    yield from case.raw_open(peer)
    close = yield from case.s.call("shutdown 1 wr")
    yield from peer.wait("F")
    peer.send("A")
    yield 0.2
    peer.send("R")
    yield 0.2
    case.server(HANDSHAKE_S + [("FIN_WAIT1", "shutdown", close), ("FIN_WAIT2", "ack_of_fin"),
                               ("CLOSE", "rst_in")], closer=close.pid, errno="ECONNRESET")


@scenario(12, "tun-active", nets="tun", links=("veth",))
def tun_active(case):
    peer = case.raw("server")
    yield from case.raw_answer(peer)
    close, = case.c.do("close 0")
    yield from peer.wait("FA")
    peer.send("A")
    yield 0.05
    peer.send("FA")
    yield from peer.wait("A")
    case.client(closing(HANDSHAKE_C, close), closer=close.pid)


@scenario(12, "threaded-napi", nets="napi", links=("veth",))
def threaded_napi(case):
    yield from case.pair()
    end = case.s.do("recv 1 9", "sleep 150", "close 1")
    close = yield from case.c.call("close 0")
    yield from case.s.wait(end)
    case.mate(case.client(closing(HANDSHAKE_C, close), closer=close.pid),
              case.server(following(HANDSHAKE_S, end[-1]), closer=end[-1].pid))


@scenario(12, "threaded-napi-reset", nets="napi", links=("veth",))
def threaded_napi_reset(case):
    yield from case.pair()
    close = yield from case.s.call("opt 1 linger 0", "close 1")
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "rst_in")], errno="ECONNRESET"),
              case.server(HANDSHAKE_S + [("CLOSE", "linger0", close)], closer=close.pid))


@scenario(12, "backlog-fin")
def backlog_fin(case):
    """The FIN arrives while the receiver's own send() holds the socket."""
    yield from case.pair()
    slow, = case.c.do("slowsend 0 400")
    yield 0.1
    shut = yield from case.s.call("shutdown 1 wr")
    yield from case.c.wait([slow])
    case.note(slow.ret == 100 and slow.after - slow.before >= 400000000,
              "send() did not stand still: %d" % slow.ret)
    case.note(slow.before < shut.before < slow.after, "the FIN did not come meanwhile")
    yield 0.2
    yield from case.s.call("recv 1 100")
    close = yield from case.c.call("close 0")
    yield 0.2
    case.mate(case.client(following(HANDSHAKE_C, close), closer=close.pid,
                          late_in=[["CLOSE_WAIT", slow.after]]),
              case.server(closing(HANDSHAKE_S, shut, "shutdown"), closer=shut.pid))


@scenario(12, "backlog-reset")
def backlog_reset(case):
    yield from case.pair()
    slow, = case.c.do("slowsend 0 400")
    yield 0.1
    close = yield from case.s.call("opt 1 linger 0", "close 1")
    yield from case.c.wait([slow])
    case.note(slow.before < close.before < slow.after, "the RST did not come meanwhile")
    yield 0.2
    case.mate(case.client(HANDSHAKE_C + [("CLOSE", "rst_in")], errno="ECONNRESET"),
              case.server(HANDSHAKE_S + [("CLOSE", "linger0", close)], closer=close.pid))
