# SPDX-License-Identifier: GPL-2.0
"""Runs the traffic of all cases side by side, in one process.

A case is a generator. It yields seconds to sleep, a function to wait for until
it returns something true, or (function, seconds) to wait no longer than that.
Actors (actor.c) are the processes that make the system calls.
"""

import heapq
import os
import select
import socket
import subprocess

from topo import boot_ns

WAIT = 200.0        # seconds of the guest's clock; nothing waits longer


class Late(Exception):
    """What a case waited for did not come."""


class Op:
    """One command of an actor: when, by which process, with what result."""

    def __init__(self, line):
        self.line, self.done = line, False
        self.task = None        # who waits for it
        self.pid = self.before = self.after = self.ret = self.errno = None
        self.more = []

    def finish(self, words):
        (self.pid, self.before, self.after, self.ret, self.errno) = map(int, words[1:6])
        self.more = words[6:]
        self.done = True

    def span(self):
        """[before, after] of the call; the end is open while it runs."""
        return [self.before, self.after] if self.done else [None, None]


class Ops:
    """Wait for these commands to end."""

    def __init__(self, ops, seconds):
        self.ops, self.seconds = ops, seconds

    def done(self):
        return all(o.done for o in self.ops)


class Actor:
    """A process that makes system calls; its log is the application's word."""

    def __init__(self, loop, control, pid, comm):
        self.loop, self.control, self.pid, self.comm = loop, control, pid, comm
        self.waiting, self.log, self.fds, self.dead = [], [], [], False
        control.setblocking(False)
        loop.add_reader(control, self.receive)

    def do(self, *lines):
        """Starts commands, returns their Ops."""
        ops = [Op(line) for line in lines]
        self.waiting += ops
        self.log += ops
        self.control.send("\n".join(lines).encode())
        return ops

    def receive(self):
        try:
            text, fds, _, _ = socket.recv_fds(self.control, 4096, 4)
        except (BlockingIOError, ConnectionResetError):
            return
        self.fds += fds
        if not text:
            self.loop.remove_reader(self.control)
            self.dead = True
            return
        words = text.decode().split()
        if words[0] == "hello" and self.waiting and self.waiting[0].line.startswith("exec"):
            words[0] = "exec"       # the new program answers for it
        if words[0] in ("fd", "hello"):
            return
        op = self.waiting.pop(0)
        op.finish(words)
        if op.task:
            self.loop.finished.append(op.task)

    def wait(self, ops, seconds=WAIT):
        yield Ops(ops, seconds)
        return ops[-1]

    def call(self, *lines, seconds=WAIT):
        """Runs commands to their end; returns the Op of the last one."""
        return (yield from self.wait(self.do(*lines), seconds))

    def fork(self, comm):
        op, = self.do("fork " + comm)
        # The child answers the command too, on the control it was given.
        yield (lambda: op.done and self.fds, WAIT)
        child = Actor(self.loop, socket.socket(fileno=self.fds.pop()), op.ret, comm)
        child.waiting.append(Op("fork"))
        self.loop.know(op.ret, comm)
        self.loop.actors.append(child)
        return child

    def kill(self, signal=9):
        os.kill(self.pid, signal)


class Loop:
    def __init__(self, program):
        self.program = program
        self.readers, self.poll = {}, select.epoll()
        self.timers, self.count = [], 0
        # task -> (name, generator, condition, deadline): those who wait for an
        # actor are looked at when it answers, the others all the time.
        self.waiting, self.calling, self.finished = {}, {}, []
        self.next_check = 0
        self.actors, self.procs, self.tasks = [], [], {}
        self.failed = {}        # task name -> what went wrong
        self.stop = False

    # ---- processes ----

    def actor(self, net, comm):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.posix_spawn(self.program, ["actor", net.name, comm[:15]],
                             {"PATH": "/"}, file_actions=[
                                 (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)])
        theirs.close()
        self.procs.append(pid)
        a = Actor(self, ours, pid, comm[:15])
        self.actors.append(a)
        self.know(pid, comm)
        return a

    def know(self, pid, comm):
        """Remembers a process as /proc shows it: its names and its start."""
        with open("/proc/%d/stat" % pid) as f:
            ticks = int(f.read().rsplit(")", 1)[1].split()[19])
        self.tasks[pid] = {"comms": [comm[:15]], "start_ticks": ticks}

    def reap(self):
        for pid in self.procs:
            try:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass

    # ---- files ----

    def add_reader(self, file, function):
        fd = file if isinstance(file, int) else file.fileno()
        self.readers[fd] = function
        self.poll.register(fd, select.EPOLLIN)

    def remove_reader(self, file):
        fd = file if isinstance(file, int) else file.fileno()
        self.readers.pop(fd, None)
        self.poll.unregister(fd)

    # ---- tasks ----

    def start(self, name, generator, after=0.0):
        self.at(boot_ns() + int(after * 1e9), name, generator)

    def at(self, when, name, generator):
        self.count += 1
        heapq.heappush(self.timers, (when, self.count, name, generator))

    def step(self, name, generator, error=None):
        try:
            wanted = generator.throw(error) if error else next(generator)
        except StopIteration:
            return
        except Exception as e:              # a case that fails is reported
            self.failed[name] = "%s: %s" % (type(e).__name__, e)
            if os.environ.get("SCENARIOS_TRACE"):
                import traceback
                traceback.print_exc()
            return
        if isinstance(wanted, (int, float)):
            self.at(boot_ns() + int(wanted * 1e9), name, generator)
            return
        self.count += 1
        if isinstance(wanted, Ops):
            table, function, seconds = self.calling, wanted.done, wanted.seconds
            for op in wanted.ops:
                op.task = self.count
            self.finished.append(self.count)    # perhaps they have ended already
        else:
            table = self.waiting
            function, seconds = wanted if isinstance(wanted, tuple) else (wanted, WAIT)
        table[self.count] = (name, generator, function, boot_ns() + int(seconds * 1e9))

    def wake(self, table, keys):
        """Goes on with the tasks whose condition holds or whose time is over."""
        t = boot_ns()
        for key in keys:
            name, generator, function, deadline = table.get(key, (None,) * 4)
            if not name:
                continue
            if function():
                del table[key]
                self.step(name, generator)
            elif t > deadline:
                del table[key]
                self.step(name, generator, Late("waited in vain"))

    def check(self):
        while self.finished:
            done, self.finished = self.finished, []
            self.wake(self.calling, done)
        self.wake(self.waiting, list(self.waiting))
        if boot_ns() > self.next_check:
            self.next_check = boot_ns() + 1000000000
            self.wake(self.calling, list(self.calling))

    def run(self, limit=3600.0):
        end = boot_ns() + int(limit * 1e9)
        while not self.stop and (self.timers or self.waiting or self.calling) and boot_ns() < end:
            while self.timers and self.timers[0][0] <= boot_ns():
                _, _, name, generator = heapq.heappop(self.timers)
                self.step(name, generator)
            self.check()
            pause = 0.0 if self.finished else 0.2
            if self.timers:
                pause = min(pause, max(0.0, (self.timers[0][0] - boot_ns()) / 1e9))
            for fd, _ in self.poll.poll(pause):
                if fd in self.readers:
                    self.readers[fd]()
        for name, *_ in [*self.waiting.values(), *self.calling.values()]:
            self.failed[name] = "did not end"
        for _, _, name, _ in self.timers:
            self.failed[name] = "did not end"
        self.waiting, self.timers = {}, []


def drain(proc, seconds=30):
    """Waits for a program started with Popen, not longer than that."""
    try:
        return proc.wait(seconds)
    except subprocess.TimeoutExpired:
        proc.kill()
        return None
