#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures what tcptrail costs, beside the kernel's own trace event and the
# tools that use it. "make bench" calls this.
#
# usage: bench/run.sh [TABLE...]
#   TABLE   cost bpf scale storm latency memory smp tool stuck (default: all)
#
#   BENCH_ROUNDS   rounds per figure (default 5)
#   BENCH_PEERS    only these, as guest.sh names them
#   BENCH_LOADS    only these: rst fin syn
#   BENCH_STUCK    sockets and processes of the table stuck ("100000 5000")
#
# One virtual machine per table. In those that count instructions (all but
# smp) the figures are repeatable to about 0.1 %, and it does not matter what
# else this machine does. Left in build/bench: figures (as guest.sh printed
# them), one CSV per table, report.md and cost.svg.
set -eu

cd "$(dirname "$0")/.."
cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
out=$PWD/build/bench
release=$(cat "$cache/kernels/own/release")
module=$PWD/build/$release/tcptrail.ko
tool=$PWD/build/tools/tcptrail

mkdir -p "$out"
bench/deps.sh
make -s tool
make -s module KDIR="$cache/kernels/own/build"
for program in load follow synth stuck timed; do
	"${CC:-cc}" -O2 -Wall -Wextra -D_GNU_SOURCE -Imodule/uapi \
		-o "$out/$program" "bench/$program.c"
done

# guest TABLE VM_OPTION...
guest() {
	local table=$1
	shift
	echo "  $table" >&2
	selftests/vm/vm.sh "$@" --timeout 3600 --out "$out/vm-$table" -- \
		env BENCH_OUT="$out/vm-$table" BENCH_ROUNDS="${BENCH_ROUNDS:-5}" \
		BENCH_PEERS="${BENCH_PEERS:-}" BENCH_LOADS="${BENCH_LOADS:-}" \
		BENCH_STUCK="${BENCH_STUCK:-}" \
		bench/guest.sh "$table" "$out/load" "$out/follow" "$module" "$tool" \
		2> "$out/$table.log" | tee "$out/$table.new" ||
		echo "  the table $table is not complete, see build/bench/$table.log" >&2
	mv "$out/$table.new" "$out/$table.figures"
}

# reader NAME RECORDS COMMAND...: a line of the table "tool"
reader() {
	local name=$1 records=$2
	shift 2
	echo "tool $name $records $("$out/timed" "$@")"
}

# lines COMMAND...: of events, without headings
lines() {
	"$@" 2> /dev/null | grep -c "$event"
}

# The readers of recordings, on this machine itself: of the same connections
# with each recorder, and of a long one that is made up.
tool_speed() {
	local records=${BENCH_RECORDS:-5000000} from=$out/vm-record kind
	local event=inet_sock_set_state said
	echo "  tool" >&2
	rm -rf "$from"
	guest record --icount --mem 4G > /dev/null
	said=$(sed -n 's/.* \([0-9]*\) records in .*/\1/p' "$from/trail.said")
	for kind in show "show -j" events "events -j"; do
		reader "tcptrail-${kind/ /}" "$said" "$tool" $kind -i "$from/trail"
	done
	if [ -s "$from/trace.dat" ]; then
		set -- trace-cmd report -i "$from/trace.dat"
		reader trace-cmd-report "$(lines "$@")" "$@"
	fi
	if [ -s "$from/perf.data" ]; then
		set -- perf script -f -i "$from/perf.data"
		reader perf-script "$(lines "$@")" "$@"
	fi
	if [ -s "$from/perf.data" ] && command -v babeltrace2 > /dev/null &&
	   perf data convert -f --to-ctf "$from/ctf" -i "$from/perf.data" >&2; then
		set -- babeltrace2 "$from/ctf"
		reader babeltrace2 "$(lines "$@")" "$@"
	fi
	"$out/synth" "$records" > "$out/synth.tcptrail"
	for kind in show "show -j" events "events -j"; do
		reader "long-${kind/ /}" $records \
			"$tool" $kind -i "$out/synth.tcptrail"
	done
	reader long-none $records "$tool" show -i "$out/synth.tcptrail" state close-wait
	rm -f "$out/synth.tcptrail"
}

[ $# -gt 0 ] || set -- cost bpf scale storm latency memory smp tool stuck
for table; do
	case $table in
	cost | bpf | storm | latency | memory) guest "$table" --icount --mem 4G ;;
	scale) guest scale --icount --mem 6G ;;
	stuck) guest stuck --icount --mem 6G ;;
	smp)
		for cpus in 1 2 4; do guest smp --smp $cpus; done > "$out/smp.all"
		mv "$out/smp.all" "$out/smp.figures" ;;
	tool)
		tool_speed | tee "$out/tool.new"
		mv "$out/tool.new" "$out/tool.figures" ;;
	*) sed -n '5,8s/^# //p' "$0" >&2; exit 2 ;;
	esac
done

python3 bench/report.py "$out"
