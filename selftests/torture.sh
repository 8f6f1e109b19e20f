#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tortures the module; "make torture" calls it.
#
# usage: selftests/torture.sh [--kernel NAME] [--percent N] [TEST...]
#
#   --kernel    as for vm.sh, or "debug" (default: own)
#   --percent   so much of the full counts (default: $TORTURE_PERCENT or 100)
#   TEST        one of "make -s -C selftests list-torture" (default: all)
#
# SEED=N in the environment repeats the choices of a run that printed N.
#
# Up to four machines, one after the other. Allocations fail in one whose clock
# counts instructions, where the waits of thousands of loads cost nothing. Memory is
# filled where there is little, which takes the less long. Loading
# and unloading under storms takes two CPUs that take turns: functions that both
# execute all the time have their first instruction replaced (vm.sh says what that
# does otherwise), and each load makes all CPUs wait for each other many times.
#
# The last line of the output is "N passed, N failed, N skipped". Everything
# that was said is kept in build/results-torture/KERNEL.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
. selftests/boot.sh

kernel=own percent=${TORTURE_PERCENT:-100}
while [ $# -gt 0 ]; do
	case $1 in
	--kernel)  kernel=${2?}; shift 2 ;;
	--percent) percent=${2?}; shift 2 ;;
	-*)        sed -n '6s/^# //p' "$0" >&2; exit 2 ;;
	*)         break ;;
	esac
done
all=$top/build/results-torture/$kernel
# shellcheck disable=SC2046 # a list of words
[ $# -gt 0 ] || set -- $(list_tests torture)
two=() four=() one=() little=()
for test; do
	case $test in
	*/cycles)   two+=("$test") ;;
	*/failslab) one+=("$test") ;;
	*/memory)   little+=("$test") ;;
	*)          four+=("$test") ;;
	esac
done
variables=(TORTURE_PERCENT="$percent" TT_PATIENCE=20 V=1 ${SEED:+SEED="$SEED"})

# torture MACHINE CPUS MEMORY [TEST...]: nothing without a test.
torture() {
	local name=$1 cpus=$2 memory=$3
	shift 3
	# shellcheck disable=SC2086 # two words
	[ $# = 0 ] || boot "$name" $cpus --mem "$memory" --kernel "$kernel" \
		--timeout 7200 -- "${variables[@]}" "$@"
}

rm -rf "$all"
results=$all/build
start_results
run_test build build_for "$kernel" | label build
if ! grep -q '^not ok' "$results/results.tap"; then
	torture one --icount 3G "${one[@]}"
	torture four "--smp 4" 3G "${four[@]}"
	torture little "--smp 4" 1G "${little[@]}"
	torture two "--smp 2 --turns" 3G "${two[@]}"
fi
sum_up
