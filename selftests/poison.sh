#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every byte of every record is filled by somebody: drives all scenarios on a
# module that fills memory with one byte before it is used, and looks for that
# byte. In a virtual machine; "make check-poison" builds the modules and calls this
# twice, with two bytes, so that it is no accident.
#
#   TT_POISON   the byte, 0xf1 or 0xf7
set -u

# Sorts of records, a type and a cause each, that must have been seen.
sorts_min=45

say() { # NUMBER NAME STATUS
	if [ "$3" = 0 ]; then echo "ok $1 $2"; else echo "not ok $1 $2"; fi
}

out=${TCPTRAIL_OUT:-/tmp/poison}
mkdir -p "$out"
programs=$PWD/../build/selftests
echo "TAP version 13"
echo "1..3"
status=0 byte=${TT_POISON:?}
export TCPTRAIL_KO=$PWD/../build/poison-$byte/tcptrail.ko
export TCPTRAIL_KEEP=$out/records-$byte
TCPTRAIL_OUT=$out/scenarios-$byte scenarios/run.py > "$out/scenarios-$byte.log" 2>&1
say 1 "$byte: scenarios" $? | tee -a "$out/said"
"$programs/poison" "$byte" "$TCPTRAIL_KEEP" > "$out/poison-$byte"
status=$?
sed 's/^/# /' "$out/poison-$byte"
[ "$(grep -c ^sort "$out/poison-$byte")" -ge $sorts_min ] || status=1
say 2 "$byte: every field of every record is filled" "$status" | tee -a "$out/said"
FUZZ_CALLS=20000 "$programs/device/fuzz" | sed 's/^\(not ok\|ok\|1\.\.\|TAP\)/# \1/' > "$out/fuzz-$byte"
status=${PIPESTATUS[0]}
cat "$out/fuzz-$byte"
say 3 "$byte: random calls, a small ring" "$status" | tee -a "$out/said"
! grep -q '^not ok' "$out/said"
