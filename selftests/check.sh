#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests and adds them up; "make check" calls it.
#
# usage: selftests/check.sh [native] [vm]
#   native   what needs no kernel of its own: selftests/native.sh
#   vm       two virtual machines side by side, see selftests/Makefile
#
# The last line of the output is "N passed, N failed, N skipped". Everything
# that was said is kept in build/results.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
. selftests/boot.sh
all=$top/build/results
kernel=own

native() {
	results=$all/native
	start_results
	selftests/native.sh "$results" 2>&1 | label native
}

machines() {
	results=$all/build
	start_results
	run_test build build_for "$kernel" | label build
	if grep -q '^not ok' "$results/results.tap"; then
		add_result "ok virtual machines: # SKIP the build failed"
		return
	fi
	run_test install selftests/install.sh "$cache/kernels/$kernel/build" | label build
	echo "Two virtual machines start, each with $(cat "$cache/kernels/$kernel/release") (about a minute)."
	# shellcheck disable=SC2046 # lists of words
	boot icount --icount --kernel "$kernel" --timeout 1500 -- $(list_tests icount) &
	# shellcheck disable=SC2046
	boot smp --smp 2 --kernel "$kernel" --timeout 1500 -- $(list_tests smp) &
	wait
}

rm -rf "$all"
for part in "$@"; do
	case $part in
	native) native ;;
	vm)     machines ;;
	*)      sed -n '6s/^# //p' "$0" >&2; exit 2 ;;
	esac
done
sum_up
