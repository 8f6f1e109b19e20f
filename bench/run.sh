#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures what tcptrail costs, beside the kernel's own trace event and the
# tools that use it. "make bench" calls this.
#
# usage: bench/run.sh [TABLE...]
#   TABLE   cost bpf scale storm latency memory smp tool (default: all)
#
#   BENCH_ROUNDS   rounds per figure (default 5)
#   BENCH_PEERS    only these, as guest.sh names them
#   BENCH_LOADS    only these: rst fin syn
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
for program in load follow synth; do
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
		bench/guest.sh "$table" "$out/load" "$out/follow" "$module" "$tool" \
		2> "$out/$table.log" | tee "$out/$table.new" ||
		echo "  the table $table is not complete, see build/bench/$table.log" >&2
	mv "$out/$table.new" "$out/$table.figures"
}

seconds() { python3 bench/timed.py "$@"; }

# The readers of recordings, on this machine itself. The peers' time per record
# does not depend on how many there are; theirs are shorter.
tool_speed() {
	local records=${BENCH_RECORDS:-5000000}
	echo "  tool" >&2
	"$out/synth" "$records" > "$out/synth.tcptrail"
	{
		echo "tool tcptrail-text $records $(seconds "$tool" show -i "$out/synth.tcptrail")"
		echo "tool tcptrail-json $records $(seconds "$tool" show -j -i "$out/synth.tcptrail")"
	} | tee "$out/tool.new"
	rm -f "$out/synth.tcptrail"
	guest record --icount --mem 4G > /dev/null
	if [ -s "$out/vm-record/trace.dat" ]; then
		lines=$(trace-cmd report -i "$out/vm-record/trace.dat" 2> /dev/null | wc -l)
		echo "tool trace-cmd-report $lines $(seconds trace-cmd report -i "$out/vm-record/trace.dat")"
	fi | tee -a "$out/tool.new"
	if [ -s "$out/vm-record/perf.data" ]; then
		lines=$(perf script -f -i "$out/vm-record/perf.data" 2> /dev/null | wc -l)
		echo "tool perf-script $lines $(seconds perf script -f -i "$out/vm-record/perf.data")"
	fi | tee -a "$out/tool.new"
	mv "$out/tool.new" "$out/tool.figures"
}

[ $# -gt 0 ] || set -- cost bpf scale storm latency memory smp tool
for table; do
	case $table in
	cost | bpf | storm | latency | memory) guest "$table" --icount --mem 4G ;;
	scale) guest scale --icount --mem 6G ;;
	smp)
		for cpus in 1 2 4; do guest smp --smp $cpus; done > "$out/smp.all"
		mv "$out/smp.all" "$out/smp.figures" ;;
	tool) tool_speed ;;
	*) sed -n '5,8s/^# //p' "$0" >&2; exit 2 ;;
	esac
done

python3 bench/report.py "$out"
