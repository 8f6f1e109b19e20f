#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The differential run: makes many random connections in a virtual machine, then
# compares what tcptrail recorded with what packets and calls prove.
#
# usage: selftests/differential/run.sh CONNECTIONS SEED [OUT]
#
# To be started in the top folder, with module, tool and traffic built. Exit
# status: 0 all equal; 1 a mismatch, records lost, or more than 1 % undecided.
# What was seen is left in OUT (default: build/results/differential); to look
# at one connection again: compare.py --connection LINK:LOCALPORT ROUND.
set -eu

. selftests/env.sh
connections=$1 seed=$2 out=${3:-$top/build/results/differential}
here=selftests/differential
started=$SECONDS
rm -rf "$out"
mkdir -p "$out"

echo "# $connections connections, seed $seed: a virtual machine makes them"
# shellcheck disable=SC2016 # for the guest
selftests/vm/vm.sh --icount --mem 4G --timeout $((300 + connections / 10)) --out "$out" -- \
	bash -c '. selftests/env.sh; exec python3 -IS "$@"' guest "$here/guest.py" \
	--traffic build/selftests/traffic --out "$out" \
	--connections "$connections" --seed "$seed"
echo "# made after $((SECONDS - started)) s"

status=0
python3 "$here/compare.py" --tool "$TCPTRAIL" "$out"/round-* > "$out/compared" || status=$?
cat "$out/compared"
echo "# compared after $((SECONDS - started)) s"
exit $status
