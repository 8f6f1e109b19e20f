#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Following for ever takes no more memory than following for a while. TAP on
# standard output.
#
# usage: memory.sh [BUILD]     (default: ../../build/tools, built without sanitizers)
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build/tools}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0 failed=0

forever() { # NAME ARGUMENTS... : what 50,000 records took, and 1 MiB, is the limit
	local name=$1 most status
	shift
	most=$("$build/stream" "$1" 50000 "${@:2}" 2>&1 > /dev/null | sed -n 's/^peak //p')
	(ulimit -v $((most + 1024)); exec "$build/stream" "$1" 5000000 "${@:2}") \
		> /dev/null 2> "$tmp/stderr"
	status=$?
	n=$((n + 1))
	if [ $status = 0 ] || [ $status = 4 ]; then
		echo "ok $n - $name, in $((most + 1024)) KiB"
	else
		failed=$((failed + 1))
		echo "not ok $n - $name, in $((most + 1024)) KiB"
		sed 's/^/# /' "$tmp/stderr"
	fi
}

forever "events -f for 5,000,000 records" follow
forever "events -f -j for 5,000,000 records" follow -j
forever "the facts of stuck and top from 5,000,000 records" facts

echo "1..$n"
[ $failed = 0 ]
