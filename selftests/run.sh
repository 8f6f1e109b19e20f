#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs tests one after the other, as root, on the machine it is started on:
# in a virtual machine (selftests/vm/vm.sh), or anywhere.
#
# usage: selftests/run.sh RESULTS TEST...
#
# Run it from the top folder. A TEST is the name of a script here, or of a
# program in build/selftests. RESULTS/results.tap gets every result, and
# RESULTS/TEST/output what each test said.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
mkdir -p "$1"
results=$(cd "$1" && pwd)
shift
start_results

# Where the clock counts instructions it leaps while the machine waits for a file,
# by hours if the other machine's disk is slow: vm.sh watches that one.
timeout=$(sed -n 's/^timeout=//p' selftests/settings)
timeout=${TEST_TIMEOUT-$timeout}

# A test that leaves the module behind would spoil the next one.
is_loaded() {
	[ -d /sys/module/tcptrail ]
}

run() {
	local test=$1 program=./$1
	[ -e "selftests/$test" ] || program=$top/build/selftests/$test
	export TCPTRAIL_OUT=$results/$test
	TMPDIR=$(mktemp -d -p /tmp)
	export TMPDIR
	(cd selftests && run_test "$test" timeout -k 600 "$timeout" "$program")
	rm -rf --one-file-system "$TMPDIR"
	if is_loaded; then
		add_result "not ok $test: left the module loaded"
		echo "FAILED  $test: left the module loaded"
		rmmod tcptrail
	fi
}

# A kernel that finds leaks: what there was before does not count.
kmemleak=/sys/kernel/debug/kmemleak
[ ! -e $kmemleak ] || echo clear > $kmemleak
# One that finds data races, once it is told to.
[ ! -e /sys/kernel/debug/kcsan ] || echo on > /sys/kernel/debug/kcsan

# Only the second scan reports: what has just been allocated is too young. When
# sysfs_slab_add() fails, which torture/failslab brings about, nobody drops the
# kobject that has the name of the new slab cache (Linux 6.12): not our leak.
leaks() {
	echo scan > $kmemleak && echo scan > $kmemleak || return
	awk '/^unreferenced/ { flush(); report = "" }
		{ report = report $0 "\n" }
		function flush() {
			if (report ~ /sysfs_slab_add/) kernels++
			else if (report != "") { printf "%s", report; ours++ }
		}
		END { flush(); printf "# names of slab caches: %d\n", kernels
			exit ours > 0 }' $kmemleak
}

for test in "$@"; do
	run "$test"
done
[ ! -e $kmemleak ] || run_test kmemleak leaks
echo "# complete" >> "$results/results.tap"
! grep -q '^not ok' "$results/results.tap"
