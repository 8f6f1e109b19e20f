#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tcptrail stuck against sockets of every kind; see stuck/. First one of each,
# that were there before the module; then many, with it; then owners that are
# hard to tell.
set -eu

for module in veth tcp_diag; do
	modprobe "$module" 2>/dev/null || true
done
root=$TMPDIR/root
mkdir "$root"
mount -t tmpfs -o mode=755 root "$root"
archive=../build/selftests/stuck_root.tar
# The machine that built all this may have programs of another architecture.
if [ ! -e "$archive" ]; then
	archive=$TMPDIR/root.tar
	stuck/root.sh "$archive"
fi
tar -xf "$archive" -C "$root"
for dir in proc sys dev run; do
	mount --rbind "/$dir" "$root/$dir"
done
cp -r stuck "$TCPTRAIL" "$TCPTRAIL_KO" ../build/selftests/{stuck_server,between.so} "$root/tmp"
# Somebody who is not root runs it too.
chmod -R a+rX "$root/tmp"

# The clock would also skip the time that it takes to get rid of a line, so what
# is said stays in memory until the end, whatever the end is.
finish() {
	grep -v '^1\.\.' "$root/tmp/said" || true
	echo "1..$(grep -cE '^(not )?ok' "$root/tmp/said")"
	[ ! -d /sys/module/tcptrail ] || rmmod tcptrail
	umount -R "$root"
}
trap finish EXIT
trap 'exit 1' TERM

status=0
run() { # [ENV]... PROGRAM [WORDS]...
	chroot "$root" env -C /tmp PATH=/usr/sbin:/usr/bin PYTHONDONTWRITEBYTECODE=1 TMPDIR=/tmp \
		STUCK_SERVER=/tmp/stuck_server STUCK_BETWEEN=/tmp/between.so \
		TCPTRAIL=/tmp/tcptrail TCPTRAIL_KO=/tmp/tcptrail.ko \
		"$@" >> "$root/tmp/said" 2>&1 || status=1
}

# A thousand sockets at a time, of which run.py holds most.
ulimit -n 65536
# Without site packages: they take longer to load than the test to run.
run STUCK_SCALE=1 python3 -uIS stuck/run.py --insmod
run python3 -uIS stuck/run.py
run python3 -uIS stuck/special.py
exit $status
