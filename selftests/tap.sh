# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs tests and keeps score. To be sourced; the variable "results" names a
# folder: results.tap there collects every result of every test, one a line.

start_results() {
	mkdir -p "$results"
	: > "$results/results.tap"
}

# A result is a line "ok", "not ok" or "ok # SKIP why".
add_result() {
	printf '%s\n' "$*" >> "$results/results.tap"
}

# run_test NAME COMMAND...
#
# The command speaks TAP, or its exit status alone is the result (4: skip).
# Whatever a test says, ending badly or early is a failure of its own.
run_test() {
	local name=$1 status=0 folder=$results/$1
	shift
	mkdir -p "$folder"
	"$@" > "$folder/output" 2>&1 < /dev/null || status=$?
	add_results_of "$name" $status "$folder/output" > "$folder/results.tap"
	cat "$folder/results.tap" >> "$results/results.tap"
	tell "$name" "$folder"
}

# Top-level lines count; lines of subtests are indented or commented.
add_results_of() {
	awk -v name="$1" -v status="$2" '
	function result(word, text) { print word " " name (text == "" ? "" : ": " text) }
	/^1\.\.[0-9]+/ {
		plan = substr($1, 4) + 0; planned = 1
		if (plan == 0) { sub(/^[^#]*# */, ""); why = $0 }
	}
	/^Bail out!/ { bailed = 1; sub(/^Bail out! */, ""); bailed_why = $0 }
	/^(not )?ok([ \t]|$)/ {
		seen++
		word = $1 == "not" ? "not ok" : "ok"
		sub(/^(not )?ok[ \t]*[0-9]*[ \t]*(- *)?/, "")
		# A failure that was expected, or an unexpected success.
		if (word == "not ok" && /# *(TODO|XFAIL)/)
			word = "ok"
		if (word == "not ok")
			failed++
		result(word, $0)
	}
	/^# *SKIP|SKIP/ { skip = $0; sub(/^.*SKIP:? */, "", skip) }
	NF { last = $0 }
	END {
		if (bailed)
			result("not ok", "gave up: " bailed_why)
		else if (!seen && status == 4)
			result("ok", "# SKIP " (skip != "" ? skip : last))
		else if (planned && plan == 0 && !seen)
			result("ok", "# " why)
		else if (!seen)
			result(status == 0 ? "ok" : "not ok", status == 0 ? "" : "exit status " status)
		else if (planned && seen != plan)
			result("not ok", "planned " plan " tests, ran " seen " (exit status " status ")")
		else if (status != 0 && status != 4 && !failed)
			result("not ok", "exit status " status)
	}' "$3"
}

count() {
	grep -cE "$1" "$2" || true
}

# One line a test; the output of one that failed is shown too.
tell() {
	local name=$1 list=$2/results.tap passed failed skipped
	failed=$(count '^not ok' "$list")
	skipped=$(count '^ok.*# *SKIP' "$list")
	passed=$(($(count '^ok' "$list") - skipped))
	if [ "$failed" = 0 ]; then
		echo "ok      $name: $passed passed${skipped:+$([ "$skipped" = 0 ] || echo ", $skipped skipped")}"
		[ -z "${V:-}" ] || sed 's/^/  | /' "$2/output"
	else
		echo "FAILED  $name: $failed failed, $passed passed"
		tail -n 60 "$2/output" | sed 's/^/  | /'
	fi
}
