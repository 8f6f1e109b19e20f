#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Packs the programs that the test of stuck uses, with what they need to start.
# A machine whose clock counts instructions skips the time it waits for a file,
# and its files are another machine's: there it is unpacked into memory.
#
# usage: stuck/root.sh ARCHIVE        in selftests/
set -eu -o pipefail

archive=$(realpath "$1")
cd ..
. selftests/env.sh
programs="bash sh env python3 ip ss nginx setpriv unshare nsenter sysctl cat ls sleep
	mount findmnt insmod rmmod promtool"
modules="array, collections, contextlib, ctypes, functools, gc, itertools, json, os, re,
	signal, socket, struct, subprocess, sys, threading, time, encodings.idna,
	encodings.latin_1"
root=$(mktemp -d)
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{proc,sys,dev,run,tmp,var/log/nginx,var/lib/nginx}
for dir in bin sbin lib lib64; do
	ln -s "usr/$dir" "$root/$dir"
done
for program in $programs; do
	path=$(command -v "$program") || {
		echo "stuck/root.sh: $program is not installed; scripts/deps.sh gets it" >&2
		exit 1
	}
	cp -L "$path" "$root/usr/bin/$program"
	needed+=("$path")
done
needed+=("$TCPTRAIL")

# Where the dynamic linker and Python look for them.
mapfile -t modules < <(python3 -IS -c "import $(echo "$modules" | tr -d '\n\t')
for module in list(sys.modules.values()):
    for path in (getattr(module, '__file__', None), getattr(module, '__cached__', None)):
        if path and os.path.exists(path):
            print(path)" | sort -u)
mapfile -t libraries < <({ ldd "${needed[@]}" "${modules[@]}" 2>/dev/null || true; } |
	grep -o '/[^ :]*\( \|$\)' | sort -u)
cp -L --parents "${modules[@]}" ${libraries[@]} /etc/{passwd,group,nsswitch.conf} "$root"
tar -C "$root" --owner=0 --group=0 -cf "$archive.new" .
mv "$archive.new" "$archive"
