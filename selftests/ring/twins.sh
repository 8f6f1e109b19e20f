#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A test that can't fail is no test: each twin here is module/ring.h with one
# thing broken (by sed), and its test has to notice. Called by check.sh.
#
# A missing smp_wmb() or smp_rmb() shows on weaker machines than this one only,
# and TSan does not know them: litmus/ is where they are missed.
set -u
cd "$(dirname "$0")" || exit 1

# What is taken away from the barriers, found by their labels.
W3='/W3:/,/;/s/smp_store_release(&\(.*\), /WRITE_ONCE(\1, /'
W4='/W4:/,/;/s/smp_store_release(&\(.*\), /WRITE_ONCE(\1, /'
R1='/R1/s/smp_load_acquire(&\(.*\));/READ_ONCE(\1);/'
R2='/R2:/,/;/s/smp_load_acquire(&\(.*\));/READ_ONCE(\1);/'

# try NUMBER BUILD TEST EXPECTED NAME SED...
try() {
	local n=$1 build=$2 test=$3 expected=$4 name=$5 bin=$O/twin-$1 status=0 edit
	shift 5
	cp ../../module/ring.h "$bin.h"
	for edit; do
		cp "$bin.h" "$bin.h.before"
		sed -i "$edit" "$bin.h"
		if cmp -s "$bin.h" "$bin.h.before"; then
			echo "not ok $n $name: sed found nothing to break, adapt twins.sh"
			return
		fi
	done
	# shellcheck disable=SC2086 # lists of options
	if ! $CC $CFLAGS ${!build} -O1 -g0 -DOVERWRITES=300000 \
			-DRING_H="\"$bin.h\"" -o "$bin" ring_test.c; then
		echo "not ok $n $name: does not compile"
		return
	fi
	"$bin" -t "$test" > "$bin.log" 2>&1 || status=$?
	if [ "$expected" = passes ] && [ $status = 0 ]; then
		echo "ok $n $name: $build $test passes"
	elif [ "$expected" != passes ] && [ $status != 0 ] && grep -qF "$expected" "$bin.log"; then
		echo "ok $n $name: noticed by $build $test ($expected)"
	else
		tail -n 20 "$bin.log" | sed 's/^/# /'
		echo "not ok $n $name: $build $test ends with $status, without \"$expected\""
	fi
}

# twin BUILD TEST EXPECTED NAME SED...: EXPECTED is what the test says when it
# notices, or "passes" for a change that is not to be noticed. Two at a time.
n=0
twin() {
	n=$((n + 1))
	try $n "$@" > "$O/twin-$n.tap" 2>&1 &
	[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
}

mkdir -p "$O"
rm -f "$O"/twin-*

twin plain wrap	     'ring_oldest'	'oldest off by one' \
	's/head - r->mask - 1/head - r->mask/'
twin asan size_beyond_slot 'AddressSanitizer' 'size not bounded' \
	'/words > RING_SLOT_WORDS/,+1d'
twin plain overwrite 'rd[i].torn'	'W1 missing' \
	'/\/\* W1 \*\//d'
twin plain overwrite 'rd[i].torn'	'R4 missing' \
	's/return READ_ONCE(word\[0\]) == rec\[0\]/return 1/'
twin tsan  overwrite 'data race'	'R4 an ordinary access' \
	's/READ_ONCE(word\[0\]) == rec/word[0] == rec/'
twin plain publish   'rd[i].lost'	'W4 before W2' \
	's/^.*\/\* W1 \*\//&\n\tsmp_store_release(\&r->head, r->head + 1);/' \
	's/u64 n = r->head;/u64 n = r->head - 1;/'

# Where nothing is overwritten, the records are ordered twice: by word[0] and
# by head. Each of the two is enough; to see its halves missed, take away the
# other one.
twin tsan  publish   'passes'		'ordered by word[0] alone'	"$R1"
twin tsan  publish   'data race'	'and W3 no release'		"$R1" "$W3"
twin tsan  publish   'data race'	'and R2 no acquire'		"$R1" "$R2"
twin tsan  publish   'passes'		'ordered by head alone'		"$R2"
twin tsan  publish   'data race'	'and W4 no release'		"$R2" "$W4"
wait

echo "TAP version 13"
echo "1..$n"
for ((i = 1; i <= n; i++)); do
	cat "$O/twin-$i.tap"
done
[ "$(cat "$O"/twin-*.tap | grep -c '^ok')" = $n ]
