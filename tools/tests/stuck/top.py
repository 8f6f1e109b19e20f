#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""tcptrail top on a terminal of 80x24: what it shows, and what it leaves behind.

usage: top.py TOOL FOLDER        TAP lines without numbers; needs tmux
"""
import os
import re
import signal
import socket
import subprocess
import sys
import time

TOOL, FOLDER = sys.argv[1:3]
SOCKET = FOLDER + "/tmux"


def tmux(*words):
    return subprocess.run(["tmux", "-S", SOCKET, "-f", "/dev/null", *words], check=True,
                          capture_output=True, text=True).stdout


def keys(*words):
    tmux("send-keys", *words)


def screen():
    return tmux("capture-pane", "-p")


def wait_for(pattern, seconds=20):
    """The screen, as soon as it looks like that; else as it is."""
    deadline = time.monotonic() + seconds
    while True:
        seen = screen()
        if re.search(pattern, seen, re.M) or time.monotonic() > deadline:
            return seen
        time.sleep(0.05)


def check(name, good, seen=""):
    print("%s - top: %s" % ("ok" if good else "not ok", name))
    if not good:
        for line in str(seen).splitlines():
            print("# " + line)


def shows(name, pattern, *not_these):
    seen = wait_for(pattern)
    check(name, re.search(pattern, seen, re.M) and
          not any(re.search(bad, seen, re.M) for bad in not_these), seen)
    return seen


def pid():
    """Of the tool that runs in the terminal."""
    shell = int(tmux("display", "-p", "#{pane_pid}"))
    found = subprocess.run(["ps", "--ppid", str(shell), "-o", "pid=,comm="], text=True,
                           capture_output=True, check=False).stdout.split()
    return int(found[0]) if found and found[1] == "tcptrail" else None


def settings(seen):
    return re.findall(r"^([0-9a-f]{32}) ", seen, re.M)[-1:]


def start(over="1ns"):
    """Behind it, the settings of the terminal."""
    keys("clear; echo BEFORE; %s top --over %s sport = :%d; stty -g | md5sum" %
         (TOOL, over, PORT), "Enter")
    return wait_for("^STATE +PORT")


def ends(name, how, also=None):
    """It ends, and the terminal is as it was."""
    start()
    how(pid())
    seen = wait_for(r"^[0-9a-f]{32} ")
    state = tmux("display", "-p", "#{alternate_on}#{cursor_flag}#{keypad_flag}").strip()
    check("terminal as before after " + name, not pid() and state == "010" and "BEFORE" in seen and
          "STATE" not in seen and (not also or also in seen) and settings(seen) == BEFORE,
          "%s %s\n%s" % (state, BEFORE, seen))


listener = socket.create_server(("127.0.0.1", 0))
PORT = listener.getsockname()[1]
kept = []
for _ in range(3):
    client = socket.create_connection(("127.0.0.1", PORT))
    kept.append(listener.accept()[0])
    client.close()

tmux("new-session", "-d", "-x", "80", "-y", "24",
     "env -u NO_COLOR PS1='$ ' LC_ALL=C.UTF-8 TERM=screen sh")
try:
    wait_for(r"^\$")
    keys("stty -g | md5sum", "Enter")
    BEFORE = settings(wait_for(r"^[0-9a-f]{32} "))
    start()
    seen = shows("a line for each state, port and owner",
                 r"^CLOSE_WAIT +:%d +%d python3 +3 " % (PORT, os.getpid()))
    lines = seen.splitlines()
    check("head", re.match(r"4 sockets, 3 stuck; sorted by stuck", lines[0]) and
          re.match(r"q quit  s sort  / filter", lines[1]) and
          re.fullmatch(r"STATE +PORT +OWNER +N +\+/s +OLDEST +FINDING", lines[2]) and
          re.match(r"CLOSE_WAIT .* ~\S+ not closed", lines[3]) and
          re.match(r"LISTEN +:%d +%d python3 +1 " % (PORT, os.getpid()), lines[4]), seen)
    keys("s")
    shows("sorted by number", "sorted by number")
    keys("s", "s")
    seen = shows("sorted by state", "sorted by state")
    keys("/", "state listen", "Enter")
    shows("only what a filter chooses", r"^1 socket, 0 stuck.*; only state listen", "^CLOSE_WAIT")
    keys("/", "state lisn", "BSpace", "ten", "Enter")
    shows("a filter can be mended while it is typed", r"; only state listen")
    keys("/", "state wrong", "Enter")
    shows("a bad filter is refused in one sentence", r"no such state.*wrong|wrong")
    keys("/", "Escape")
    shows("Escape ends a filter", r"^4 sockets, 3 stuck", "; only")
    keys("s", "Enter")
    shows("Enter opens the oldest of a line",
          r"CLOSE_WAIT on port %d[\s\S]*q back" % PORT, "^STATE +PORT")
    keys("q")
    shows("and q goes back", "^STATE +PORT")
    kept.pop().close()
    shows("it looks again by itself, and tells the change", r"CLOSE_WAIT .* 2 +-\d\.\d ")
    tmux("resize-window", "-x", "120", "-y", "30")
    shows("it takes a new size", r"^STATE +PORT +OWNER {19,}", )
    tmux("resize-window", "-x", "80", "-y", "24")
    keys("q")
    wait_for(r"^[0-9a-f]{32} ")
    ends("q", lambda p: keys("q"))
    ends("SIGTERM", lambda p: os.kill(p, signal.SIGTERM))
    ends("SIGHUP", lambda p: os.kill(p, signal.SIGHUP))
    ends("Ctrl-C", lambda p: keys("C-c"))
    ends("Ctrl-\\", lambda p: keys("C-\\"))
    ends("SIGTERM while a filter is typed", lambda p: (keys("/", "x"), wait_for("filter, as in ss: x"),
                                                      os.kill(p, signal.SIGTERM)))
    ends("SIGTERM while a connection is shown", lambda p: (keys("Enter"), wait_for("q back"),
                                                          os.kill(p, signal.SIGTERM)))
    ends("an error", lambda p: subprocess.run(["prlimit", "--pid", str(p), "--nofile=3:3"],
                                              check=True), "tcptrail: ")
    keys("clear; TERM=none %s top" % TOOL, "Enter")
    shows("an unknown terminal is refused", "this terminal can't be used")
finally:
    subprocess.run(["tmux", "-S", SOCKET, "kill-server"], check=False)
