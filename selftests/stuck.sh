#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tcptrail stuck against sockets of every kind, with the module; see stuck/.
set -eu

for module in veth tcp_diag; do
	modprobe "$module" 2>/dev/null || true
done
cc -O2 -Wall -o "$TMPDIR/server" stuck/server.c
export STUCK_SERVER=$TMPDIR/server PYTHONDONTWRITEBYTECODE=1

insmod "$TCPTRAIL_KO"
trap 'rmmod tcptrail' EXIT
# Without site packages: they take longer to load than the test to run.
python3 -uIS stuck/run.py
