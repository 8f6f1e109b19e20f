#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many connections as a text for mkrec: some servers, one of which leaks.

usage: many.py COUNT
"""

import random
import sys

SERVERS = {80: "nginx", 443: "nginx", 5432: "postgres", 6379: "redis-server", 8080: "leaky"}
SECOND, MS = 10**9, 10**6
END = 400 * SECOND


def connection(i, rand, lines):
    port = rand.choice(list(SERVERS) * 12 + list(range(9000, 9060)))
    t = SECOND + int(rand.random() * 300 * SECOND)
    client, server = "%x" % (2 * i + 1), "%x" % (2 * i + 2)
    caller = "size=task pid=%d start=9 comm=client%d" % (1000 + i % 7, i % 7)
    program = "size=task pid=%d start=5 comm=%s" % (port, SERVERS.get(port, "svc%d" % port))
    addr, cport = "10.%d.%d.%d" % (1 + (i >> 16), i >> 8 & 255, i & 255), 20000 + i % 40000

    def step(sock, at, n, old, new, cause, more=""):
        if at < END:
            lines.append((at, "step id=%s t=%d n=%d old=%s new=%s cause=%s %s" %
                          (sock, at, n, old, new, cause, more)))

    def ends(local, remote, at, flags):
        return "local=%s remote=%s birth=%d netns=4026531840 flags=%s" % (local, remote, at, flags)

    caddr, saddr = "%s:%d" % (addr, cport), "10.0.0.2:%d" % port
    numbers = (7 * i, 11 * i)
    step(client, t, 0, "CLOSE", "SYN_SENT", "connect",
         ends(caddr, saddr, t, "iss iss=%d " % numbers[0]) + caller)
    step(server, t + MS, 0, "LISTEN", "REQUEST", "syn_in", "size=mini " +
         ends(saddr, caddr, t + MS, "passive,iss,irs iss=%d irs=%d" % numbers[::-1]))
    step(client, t + 2 * MS, 1, "SYN_SENT", "ESTABLISHED", "synack_in",
         "flags=iss,irs iss=%d irs=%d" % numbers)
    step(server, t + 3 * MS, 1, "REQUEST", "ESTABLISHED", "ack_in", "flags=passive,iss,irs")
    step(server, t + 3 * MS + 10, 2, "ESTABLISHED", "ESTABLISHED", "accept",
         "flags=passive,accepted " + program)
    t += 3 * MS + int(rand.random() * 60 * SECOND)
    step(client, t, 2, "ESTABLISHED", "FIN_WAIT1", "close", caller)
    step(server, t + MS, 3, "ESTABLISHED", "CLOSE_WAIT", "fin_in")
    step(client, t + 2 * MS, 3, "FIN_WAIT1", "FIN_WAIT2", "ack_of_fin")
    if port == 8080 and i % 3:
        return
    t += 3 * MS + int(rand.random() * 2 * SECOND)
    step(server, t, 4, "CLOSE_WAIT", "LAST_ACK", "close", program)
    step(client, t + MS, 4, "FIN_WAIT2", "TIME_WAIT", "fin_in", "size=mini")
    step(server, t + 2 * MS, 5, "LAST_ACK", "CLOSE", "ack_of_fin")
    step(client, t + 60 * SECOND, 5, "TIME_WAIT", "CLOSE", "tw_expired", "size=mini")


def main():
    rand, lines = random.Random(1), []
    for i in range(int(sys.argv[1]) // 2):
        connection(i, rand, lines)
    print("info boot=%d real=1700000000000000000" % END)
    for _, line in sorted(lines):
        print(line)
    print("sync t=%d" % END)


if __name__ == "__main__":
    main()
