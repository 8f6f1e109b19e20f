#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The litmus tests say something about module/ring.h only as long as they are
# the same program. Compares, by the labels W1..W4 and R1..R4 in the comments:
# which access each is, and which barrier stands behind it.
set -u
cd "$(dirname "$0")" || exit 1
ring=../../module/ring.h
failed=0

result() {
	if [ "$2" ]; then
		sed 's/^/# /' <<< "$2"
		echo "not ok $1"
		failed=1
	else
		echo "ok $1"
	fi
}

# "W1 WRITE_ONCE", "W1+ smp_wmb", ... A label stands on the line of its access,
# or in a comment above it. A barrier without label belongs to the label before.
accesses() {
	sed 's/ring_store_word/WRITE_ONCE/; s/ring_load_word/READ_ONCE/' "$@" | awk '
	/^ \*|^#/ { next }
	match($0, /\/\* [WR][1-4][: ]/) { label = last = substr($0, RSTART + 3, 2) }
	{ sub(/\/\*.*/, "") }
	match($0, /(READ_ONCE|WRITE_ONCE|smp_[a-z_]+)\(/) {
		name = substr($0, RSTART, RLENGTH - 1)
		if (label != "")
			print label, name
		else if (name ~ /^smp_/)
			print last "+", name
		label = ""
	}'
}

# What a test or a twin does, without its words.
code() {
	sed '1d; /^(\*/,/\*)$/d' "$1"
}

echo "TAP version 13"
echo "1..5"

result "1 ring.h and litmus have the same accesses and barriers" "$(
	diff <(accesses $ring | sort -u) \
		<(accesses litmus/ring-{overwrite,publish}.litmus | sort -u))"

# W2 is written by whoever fills the slot, between ring_begin(), _commit().
result "2 ring.h has every label, in order" "$(
	diff <(printf '%s\n' W1 W3 W4 R1 R2 R3 R4) \
		<(accesses $ring | sed -n '/^W2/d; s/^\([WR][1-4]\) .*/\1/p'))"

result "3 each test named in ring.h is there, with broken twins" "$(
	for name in $(grep -o '\<ring-[a-z]*\>' $ring | sort -u); do
		ls "litmus/$name.litmus" "litmus/$name+broken-"*.litmus 2>&1 >/dev/null
	done)"

result "4 each broken twin differs from its test by one line" "$(
	for twin in litmus/*+broken-*.litmus; do
		changed=$(diff <(code "${twin%%+*}.litmus") <(code "$twin") | grep -c '^<')
		[ "$changed" = 1 ] || echo "$twin: $changed lines differ"
	done)"
# The flag of the sleepers, and the barriers around it.
wakeup() {
	sed 's/\/\*.*//; s/ring_wake_wanted\|\*wanted/FLAG/; /^P2/,$d' "$1" |
		grep -oE 'smp_mb\(\)|[a-zA-Z_]+\(FLAG[^)]*\)'
}

result "5 ring_cpu.h wakes readers as ring-wakeup does" "$(
	diff <(wakeup ../../module/ring_cpu.h) <(wakeup litmus/ring-wakeup.litmus))"
exit $failed
