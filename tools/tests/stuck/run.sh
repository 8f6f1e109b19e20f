#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What stuck says of machines that are made up. TAP on standard output.
#
# usage: run.sh BUILD
#
#   UPDATE=1   write the expected outputs anew; read the difference before you
#              keep it
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C.UTF-8 TZ=UTC COLUMNS=90
unset NO_COLOR

n=0 failed=0

result() { # STATUS NAME, what went wrong on standard input
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=$((failed + 1))
		echo "not ok $n - $2"
		head -n 40 | sed 's/^/# /'
	fi
}

for text in "$here"/*.text; do
	name=$(basename "$text" .text) recording=
	if [ -e "$here/$name.events" ]; then
		recording=$tmp/$name.rec
		"$build/mkrec" "$here/$name.events" "$recording" || exit 1
	fi
	"$build/fix" "$text" "$tmp/$name.world" $recording > "$tmp/$name.got" 2>&1
	[ "${UPDATE:-0}" = 0 ] || cp "$tmp/$name.got" "$here/$name.want"
	diff -u "$here/$name.want" "$tmp/$name.got" > "$tmp/diff"
	result $? "stuck: $name" < "$tmp/diff"
done

# A rule without an example or without a word in the manual is none.
"$build/fix" --rules > "$tmp/rules"
while read -r rule; do
	grep -qh "\"rule\":\"$rule\"" "$tmp"/*.got || echo "$rule: no example"
	grep -q "^\.B $rule$" "$here/../../man/tcptrail-stuck.8" ||
		echo "$rule: not in tcptrail-stuck.8"
done < "$tmp/rules" > "$tmp/missing"
[ ! -s "$tmp/missing" ]
result $? "every rule has an example and is explained" < "$tmp/missing"

sed -n '/^{/p' "$tmp"/*.got |
	python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]' 2> "$tmp/json"
result $? "JSON is JSON" < "$tmp/json"

"$build/fix" --mutate 300 "$here/every.text" "$tmp/mutants" > "$tmp/mutants.log" 2>&1
result $? "300 damaged inputs" < "$tmp/mutants.log"

echo "1..$n"
[ $failed = 0 ]
