#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests on kernels that look for mistakes; "make check-debug" calls it.
#
# usage: selftests/debug.sh [debug] [kcsan]
#   debug   every test, on a kernel with KASAN, lockdep, kmemleak and more
#   kcsan   those with two CPUs, and some torture, on a kernel with KCSAN
#
# The kernels are built if they are not there yet, see scripts/debug-kernel.sh.
#
# The last line of the output is "N passed, N failed, N skipped". Everything
# that was said is kept in build/results-debug.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
. selftests/boot.sh
all=$top/build/results-debug

# These kernels take about ten times as long.
common=(--timeout 3600)

# Of the torture, as much as costs minutes; "make torture" does the rest.
short=(TT_PATIENCE=10 TORTURE_PERCENT=2)

# looked MACHINE: kmemleak has, at the end.
looked() {
	grep -q '^\(not \)\?ok kmemleak' "$all/$1/results.tap" ||
		add_result "not ok $1: kmemleak never looked"
}

# Counted in instructions, that kernel is so slow that SYNs are sent again before
# they are answered: what the scenarios expect of time cannot be asked of it.
machines_debug() {
	# shellcheck disable=SC2046 # lists of words
	boot smp --smp 2 --mem 3G --kernel debug "${common[@]}" -- \
		"${short[@]}" $(list_tests smp) \
		torture/small torture/netns torture/signals torture/hotplug
	looked smp
	boot memory --smp 2 --mem 1G --kernel debug "${common[@]}" -- \
		"${short[@]}" torture/memory
	looked memory
	boot turns --smp 2 --turns --mem 3G --kernel debug "${common[@]}" -- \
		"${short[@]}" torture/cycles
	looked turns
	echo "not judged on debug: scenarios/run.py"
	# shellcheck disable=SC2046
	boot icount --icount --mem 3G --kernel debug "${common[@]}" -- \
		"${short[@]}" TT_UNJUDGED=1 $(list_tests icount) torture/failslab
	looked icount
}

# Left out: what needs rules of tc, which that kernel has not, and 100,000 SYNs,
# which take hours there.
machines_kcsan() {
	local tests
	tests=$(list_tests smp | tr ' ' '\n' | grep -vx -e scenarios/race.py -e device/flood)
	echo "left out on kcsan: scenarios/race.py device/flood"
	# shellcheck disable=SC2086 # a list of words
	boot kcsan --smp 2 --kernel kcsan "${common[@]}" -- \
		"${short[@]}" $tests torture/signals torture/small
}

[ $# -gt 0 ] || set -- debug kcsan
rm -rf "$all"
scripts/debug-kernel.sh "$@" || exit 1
for kernel; do
	results=$all/build-$kernel
	start_results
	run_test "build-$kernel" build_for "$kernel" | label build
	grep -q '^not ok' "$results/results.tap" || "machines_$kernel"
done
sum_up
