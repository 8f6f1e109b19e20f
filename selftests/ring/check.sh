#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs everything there is about module/ring.h; "make check" calls it.
set -u
cd "$(dirname "$0")" || exit 1
export TSAN_OPTIONS=halt_on_error=1

n=0
failed=0

# Each part speaks TAP itself, shown indented; exit status 4 is a skip.
part() {
	local name=$1 status=0 result=ok why
	shift
	"$@" > "$O/log" 2>&1 || status=$?
	sed 's/^/    /' "$O/log"
	why=$(sed -n 's/.*# *SKIP */ # SKIP /p' "$O/log" | head -n 1)
	case $status in
	0) why="" ;;
	4) ;;
	*) result="not ok" why="" failed=1 ;;
	esac
	n=$((n + 1))
	echo "$result $n $name$why"
}

echo "TAP version 13"
echo "1..6"
for build in plain asan tsan; do
	part $build "$O/ring_test-$build"
done
part twins ./twins.sh
part litmus litmus/run.sh
part sync ./check-sync.sh
exit $failed
