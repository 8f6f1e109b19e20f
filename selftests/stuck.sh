#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tcptrail stuck against sockets of every kind; see stuck/. First one of each,
# that were there before the module; then many, with it; then owners that are
# hard to tell.
set -eu

programs="bash sh env python3 ip ss nginx setpriv unshare nsenter sysctl cat ls sleep
	mount findmnt promtool insmod rmmod"
modules="collections, ctypes, json, os, re, signal, socket, struct, subprocess, sys,
	threading, time, encodings.idna, encodings.latin_1"

# With what a program needs to start.
take() {
	cp -L --parents "$1" "$root"
	{ ldd "$1" 2>/dev/null || true; } | grep -o '/[^ ]*' | while read -r lib; do
		[ -e "$root$lib" ] || cp -L --parents "$lib" "$root"
	done
}

# A machine whose clock counts instructions skips the time it waits for a file,
# and files here are another machine's. So all that is used is in memory.
make_root() {
	mount -t tmpfs -o mode=755 root "$root"
	mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{proc,sys,dev,run,tmp,var/log/nginx,var/lib/nginx}
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$root/$dir"
	done
	for program in $programs; do
		take "$(command -v "$program")"
		[ -e "$root/usr/bin/$program" ] || cp "$(command -v "$program")" "$root/usr/bin"
	done
	python3 -IS -c "import $(echo "$modules" | tr -d '\n\t')
for module in list(sys.modules.values()):
    for path in (getattr(module, '__file__', None), getattr(module, '__cached__', None)):
        if path and os.path.exists(path):
            print(path)" | while read -r file; do
		take "$file"
	done
	cp --parents /etc/{passwd,group,nsswitch.conf} "$root"
	for dir in proc sys dev run; do
		mount --rbind "/$dir" "$root/$dir"
	done
	cp -r stuck "$TCPTRAIL" "$TCPTRAIL_KO" ../build/selftests/{stuck_server,between.so} "$root/tmp"
	take "$TCPTRAIL"
	# Somebody who is not root runs it too.
	chmod -R a+rX "$root/tmp"
}

for module in veth tcp_diag; do
	modprobe "$module" 2>/dev/null || true
done
root=$TMPDIR/root
mkdir "$root"
make_root

run() { # NAME [ENV]... PROGRAM [WORDS]...
	local name=$1
	shift
	chroot "$root" env -C /tmp PATH=/usr/sbin:/usr/bin PYTHONDONTWRITEBYTECODE=1 TMPDIR=/tmp \
		STUCK_SERVER=/tmp/stuck_server STUCK_BETWEEN=/tmp/between.so \
		TCPTRAIL=/tmp/tcptrail TCPTRAIL_KO=/tmp/tcptrail.ko \
		"$@" > "$TMPDIR/$name" || status=1
	grep -v '^1\.\.' "$TMPDIR/$name"
}

# Without site packages: they take longer to load than the test to run.
status=0
run one STUCK_SCALE=1 python3 -uIS stuck/run.py --insmod
run many python3 -uIS stuck/run.py
run special python3 -uIS stuck/special.py
echo "1..$(cat "$TMPDIR"/{one,many,special} | grep -cE '^(not )?ok')"
[ ! -d /sys/module/tcptrail ] || rmmod tcptrail
umount -R "$root"
exit $status
