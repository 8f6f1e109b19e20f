#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make install" puts what it should where it should, "make uninstall" takes all
# of it away again. TAP. Module and tool have been built before.
#
# usage: selftests/install.sh KDIR
set -u

cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL
kdir=$1
release=$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0

check() {
	n=$((n + 1))
	if "${@:2}" > "$tmp/said" 2>&1; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$tmp/said"
	fi
}

run_make() {
	make -s --no-print-directory "$@" KDIR="$kdir" DESTDIR="$tmp/root"
}

installed() { # PREFIX
	diff <(cd "$tmp/root" && find . -type f -printf '%m /%P\n' | sort -k 2) <(sort -k 2 <<EOF2
644 /lib/modules/$release/updates/tcptrail.ko
755 $1/sbin/tcptrail
644 $1/share/bash-completion/completions/tcptrail
644 $1/share/man/man8/tcptrail.8
644 $1/share/man/man8/tcptrail-export.8
644 $1/share/man/man8/tcptrail-stuck.8
644 $1/share/zsh/site-functions/_tcptrail
EOF2
)
}

version() {
	[ "$("$tmp/root$1/sbin/tcptrail" --version | cut -d ' ' -f 2)" = "$(cat VERSION)" ] &&
		[ "$(modinfo -F version "$tmp/root/lib/modules/$release/updates/tcptrail.ko")" = "$(cat VERSION)" ]
}

nothing_left() {
	find "$tmp/root" ! -type d
	[ -z "$(find "$tmp/root" ! -type d)" ]
}

check "install, with DESTDIR" run_make install
check "its files" installed /usr/local
check "uninstall" run_make uninstall
check "nothing is left" nothing_left
check "install, with another PREFIX" run_make install PREFIX=/opt/tcptrail
check "its files" installed /opt/tcptrail
check "both say VERSION" version /opt/tcptrail
check "uninstall" run_make uninstall PREFIX=/opt/tcptrail
check "nothing is left" nothing_left
echo "1..$n"
