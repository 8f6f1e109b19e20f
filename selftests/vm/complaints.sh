# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # "out" is its caller's
#
# What the log of a kernel must not say. To be sourced.

# "general protection fault ip:" is what happens to a program.
splat='WARNING:|BUG:|Oops|Call Trace|general protection fault[,:]|KASAN:|KCSAN:|UBSAN:|refcount_t'
splat="$splat|scheduling while atomic|blocked for more than|stall(ed)? (on|detected)|detected stall"
splat="$splat|leaked|suspicious RCU usage|possible .* dead?lock|new suspected memory leaks"
splat="$splat|Objects remaining"

# Ends with a sentence if $out/dmesg has a complaint.
#
# KCSAN finds races in the whole kernel; a report that does not name the module
# is not about it, nor are those about two flags of the kernel's own, which it
# changes without a lock: that somebody who polls was woken (fs/select.c), and that
# a task has used a capability (kernel/capability.c). A refused allocation is told with a stack; that is no complaint
# after torture/failslab has said that it begins to refuse, and what kmemleak
# counts then is looked at by run.sh.
complained() {
	awk '
		/failslab: allocations are refused from now on/ { refused = 1 }
		refused && /vmalloc error:|page allocation failure|__kmem_cache_create_args\(/ { told = 1 }
		told && /Call Trace:/ { told = 0; next }
		refused && /kmemleak: [0-9]* new suspected/ { next }
		/=================$/ {
			if (report ~ /data-race in (poll_schedule_timeout[^ ]* \/ pollwake|capable \/ complete_signal)\n/)
				report = ""
			if (report != "" && (report !~ /KCSAN/ || report ~ /tcptrail|WARNING:|Oops/))
				printf "%s", report
			    report = ""; inside = !inside; next }
		inside { report = report $0 "\n"; next }
		{ print }
		END { printf "%s", report }' "$out/dmesg" > "$out/complaints"
	if grep -E "$splat" "$out/complaints" | head -n 5 >&2 && grep -qE "$splat" "$out/complaints"; then
		die "the kernel complained; its log is $out/dmesg"
	fi
	rm -f "$out/complaints"
}
