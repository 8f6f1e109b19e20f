#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Asks the kernel's memory model about each litmus test: what must not happen
# never does (Never), and in the twins, which lack one thing, it does
# (Sometimes). herd7 and the model come from scripts/deps.sh check.
cd "$(dirname "$0")" || exit 1
here=$PWD

skip() {
	echo "1..0 # SKIP $*"
	exit 4
}

CACHE=${CACHE:-${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}}
model=${MODEL:-$CACHE/linux-source/tools/memory-model}
herd=${HERD7:-$CACHE/herd/herd7}
[ -x "$herd" ] || herd=$(command -v herd7) ||
	skip "no herd7 in $CACHE/herd or PATH (scripts/deps.sh check gets it)"
[ -r "$model/linux-kernel.cat" ] ||
	skip "no linux-kernel.cat in $model (scripts/deps.sh check gets it)"
cd "$model" || exit 1

tests=("$here"/*.litmus)
n=0
failed=0
echo "TAP version 13"
echo "1..${#tests[@]}"
for test in "${tests[@]}"; do
	name=$(basename "$test" .litmus)
	case $name in
	*+broken-*) expected=Sometimes ;;
	*)          expected=Never ;;
	esac
	n=$((n + 1))
	said=$("$herd" -conf linux-kernel.cfg "$test" 2>&1)
	# "Observation NAME Never|Sometimes|Always POSITIVE NEGATIVE"
	if read -r _ _ word yes no <<< "$(grep -F "Observation $name " <<< "$said")" &&
	   [ "$word" = $expected ]; then
		echo "ok $n $name: $word ($yes of $((yes + no)) outcomes)"
	else
		failed=1
		sed 's/^/# /' <<< "$said"
		echo "not ok $n $name: expected $expected"
	fi
done
exit $failed
