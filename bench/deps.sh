#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Installs what tcptrail is compared with, and gnuplot for the picture: what
# is missing, by package name, from this machine's Debian suite.
#
# usage: bench/deps.sh
#
#   DEPS=skip   do nothing; what is missing is left out of the tables
set -eu

[ "${DEPS:-}" != skip ] || exit 0

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=
for package in linux-perf bpftrace bpfcc-tools libbpf-tools trace-cmd babeltrace2 \
		gnuplot-nox; do
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
		grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "make bench installs:$missing (to skip this: DEPS=skip)"
as_root apt-get update -q > /dev/null
# One by one: a suite may lack one of them.
for package in $missing; do
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -q \
		--no-install-recommends "$package" > /dev/null ||
		echo "  no $package: it is left out of the tables"
done
