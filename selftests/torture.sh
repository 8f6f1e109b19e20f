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
# Two machines, one after the other. Loading and unloading goes on in one with
# four CPUs that take turns: QEMU before 8.1 may go on with the old code of a
# function when its CPUs run side by side. The rest has CPUs that do.
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
turns=() side_by_side=()
for test; do
	case $test in
	*/cycles|*/failslab) turns+=("$test") ;;
	*)                   side_by_side+=("$test") ;;
	esac
done
variables=(TORTURE_PERCENT="$percent" TT_PATIENCE=20 V=1 ${SEED:+SEED="$SEED"})

rm -rf "$all"
results=$all/build
start_results
run_test build build_for "$kernel" | label build
if ! grep -q '^not ok' "$results/results.tap"; then
	[ ${#side_by_side[@]} = 0 ] ||
		boot smp --smp 4 --kernel "$kernel" --timeout 7200 -- \
			"${variables[@]}" "${side_by_side[@]}"
	[ ${#turns[@]} = 0 ] ||
		boot turns --icount --smp 4 --kernel "$kernel" --timeout 7200 -- \
			"${variables[@]}" "${turns[@]}"
fi
sum_up
