#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Seeds defects into copies of the module, one each, and runs the test that has
# to notice; "make check-defects" calls it.
#
# usage: selftests/defects.sh [own] [debug] [native] | seeds
#   native  what shows in no machine of this kind: a barrier
#   own     what a test notices by what the device says
#   debug   what only a kernel that looks for mistakes notices
#   seeds   runs nothing, but all of them still have something to break
#
# Every test is run with the module as it is, too: there it has to pass.
#
# The last line of the output is "N passed, N failed, N skipped". Everything
# that was said is kept in build/results-defects.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
. selftests/boot.sh
all=$top/build/results-defects
copies=$top/build/defects

# ---- the defects ----

# seed NAME FILE SED...: FILE of a new copy of the module is edited. A sed that
# finds nothing is a failure.
seed() {
	local name=$1 copy=$copies/$1 file=$copies/$1/$2 edit
	shift 2
	rm -rf "$copy"
	mkdir -p "$copy"
	cp -r Kbuild VERSION module "$copy/"
	for edit; do
		cp "$file" "$copies/before"
		sed -i "$edit" "$file"
		! cmp -s "$file" "$copies/before" ||
			add_result "not ok $name: found nothing to break: $edit"
	done
}

defects_own=(
	'unchanged	device/wrap device/stream device/readers device/table'
	'wrong_cookie	device/stream'
	'swapped_cause	device/stream'
	'stale_bytes	device/wrap'
	'loss_off_by_one	device/wrap'
	'moved_cursor	device/readers'
	'kept_trail	device/table'
)
# What lockdep has to notice comes first: it gives up after its first complaint, and
# when a slab is damaged. The last one ends the machine.
defects_debug=(
	'unchanged	device/table device/stream'
	'lock_inversion	device/stream'
	'sleeping_call	device/stream'
	'leaked_trail	device/table'
	'missing_unregister	device/table'
)
defects_native=(barrier_release barrier_both)

make_unchanged()	{ seed unchanged module/trail.c; }
make_wrong_cookie()	{ seed wrong_cookie module/trail.c \
	'/^static .*void trail_to_record/,/^}/s/^\tmemcpy(.*/&\n\trec->conn.cookie ^= 1ULL << 40;/'; }
make_swapped_cause()	{ seed swapped_cause module/cause.c \
	's/cause_by_nobody(old == TCP_SYN_SENT ?/cause_by_nobody(old != TCP_SYN_SENT ?/'; }
make_stale_bytes()	{ seed stale_bytes module/step.h \
	'/^\trec->listener = 0;/d'; }
make_loss_off_by_one()	{ seed loss_off_by_one module/reader.c \
	's/at->next - first);/at->next - first + 1);/'; }
make_moved_cursor()	{ seed moved_cursor module/reader.c \
	's/^struct reader \*reader_create/static struct reader *other;\n\n&/' \
	's/^\treader_restart(rd, true);/&\n\tif (other)\n\t\tother->at[0].next = rd->at[0].next;\n\telse\n\t\tother = rd;/' \
	'/^void reader_destroy/,/^}/s/^{/{\n\tif (other == rd)\n\t\tother = NULL;/'; }
make_kept_trail()	{ seed kept_trail module/step.h \
	's/^\tif (t->objects)/\tif (t->objects || object == TCPTRAIL_O_REQUEST)/'; }
make_sleeping_call()	{ seed sleeping_call module/trail.c \
	's/GFP_NOWAIT | __GFP_NOWARN/GFP_KERNEL/'; }
make_leaked_trail()	{ seed leaked_trail module/trail.c \
	'/^static void trail_end/,/^}/s/^\ttrail_free(t);/\tatomic_dec(\&trail_count);/' \
	's/^static void trail_free(/static void __maybe_unused trail_free(/'; }
# lockdep does not know the locks of the table, which are bits.
make_lock_inversion()	{ seed lock_inversion module/trail.c \
	's/^static atomic64_t trail_refused;/&\nstatic DEFINE_SPINLOCK(trail_one);\nstatic DEFINE_SPINLOCK(trail_two);/' \
	'/^int trail_copy_bucket/,/^}/s/^\tbucket_lock(.*/&\n\tspin_lock(\&trail_one);\n\tspin_lock(\&trail_two);/' \
	'/^int trail_copy_bucket/,/^}/s/^\tbucket_unlock(.*/\tspin_unlock(\&trail_two);\n\tspin_unlock(\&trail_one);\n&/' \
	'/^static void trail_end/,/^}/s/^\ttrail_uncount_request(t);/\tspin_lock(\&trail_two);\n\tspin_lock(\&trail_one);\n&\n\tspin_unlock(\&trail_one);\n\tspin_unlock(\&trail_two);/'; }
make_missing_unregister() { seed missing_unregister module/hooks.c \
	'/^static void tracepoints_detach/,/^}/s/if (hooks_active/if (i \&\& hooks_active/'; }

W3='/W3:/,/;/s/smp_store_release(&\(.*\), /WRITE_ONCE(\1, /'
R1='/R1/s/smp_load_acquire(&\(.*\));/READ_ONCE(\1);/'
make_barrier_release()	{ seed barrier_release module/ring.h "$W3"; }
make_barrier_both()	{ seed barrier_both module/ring.h "$W3" "$R1"; }

# ---- native ----

# On a machine whose stores and loads keep their order anyway, one barrier less
# shows in that ring.h is no longer the program that litmus/ has proved; two,
# in the build for ThreadSanitizer.
run_native() {
	local name copy log
	for name in "${defects_native[@]}"; do
		"make_$name"
		copy=$copies/$name log=$results/$name
		cp -r selftests "$copy/"
		make -s -C "$copy/selftests/ring" O="$copies/$name/ring" check > "$log" 2>&1
		catches "$name" "$(sed -n 's/^not ok [0-9]* /ring: /p' "$log" | tr '\n' ' ')"
	done
}

# ---- in a machine ----

# ---- nowhere ----

run_seeds() {
	local name
	for name in $(compgen -A function make_); do
		"$name"
		[ -d "$copies/${name#make_}" ] || add_result "not ok $name: made nothing"
	done
	grep -q '^not ok' "$results/results.tap" || add_result "ok seeds"
}

# build_defect KERNEL NAME
build_defect() {
	make -s -C "$cache/kernels/$1/build" M="$copies/$2" \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules > "$copies/$2/log" 2>&1 ||
		{ tail -n 20 "$copies/$2/log"; add_result "not ok $2: does not compile"; }
}

# run_in KERNEL ENTRY...
run_in() {
	local kernel=$1 entry name tests
	shift
	for entry; do
		name=${entry%%$'\t'*}
		"make_$name"
		build_defect "$kernel" "$name"
	done
	selftests/vm/vm.sh --smp 2 --mem 3G --kernel "$kernel" --timeout 2400 \
		--out "$results" -- selftests/defects/guest.sh "$results" \
		"$copies" "$@" 2>&1 | label "$kernel" || true
	for entry; do
		name=${entry%%$'\t'*}
		judge "$name" "$results/$name"
	done
}

# By what a test said, or by what the kernel said meanwhile.
judge() {
	local name=$1 said
	if [ "$name" = unchanged ]; then
		said=$(cat "$2" "$2.kernel" | grep -E "^not ok|$complaint" | head -n 3)
		if [ -n "$said" ] || ! grep -q '^ok' "$2"; then
			add_result "not ok unchanged: $(echo "$said" | head -n 1)"
		else
			add_result "ok unchanged: nothing found"
		fi
		return
	fi
	said=$(grep -hoE "$complaint.*" "$2.kernel" 2>/dev/null | head -n 1)
	# The last one: what the dying machine said.
	[ -n "$said" ] || [ -s "$2.done" ] || [ ! -e "$2" ] ||
		said=$(grep -aoE "$complaint.*" "$results/console" | head -n 1)
	catches "$name" "$said$(sed -n 's/^not ok [0-9]* /, /p' "$2" 2>/dev/null | head -n 2 | tr '\n' ' ')"
}

complaint='BUG: |WARNING: |Objects remaining|KASAN: '

catches() {
	if [ -n "${2// }" ]; then
		add_result "ok $1: noticed by ${2#, }"
	else
		add_result "not ok $1: nobody noticed"
	fi
}

[ $# -gt 0 ] || set -- native own debug
[ "$*" != seeds ] || all=$all-seeds
rm -rf "$all"
mkdir -p "$copies"
for where; do
	results=$all/$where
	start_results
	case $where in
	native) run_native ;;
	seeds)  run_seeds ;;
	own)    build_for own && run_in own "${defects_own[@]}" ;;
	debug)  scripts/debug-kernel.sh debug && build_for debug &&
			run_in debug "${defects_debug[@]}" ;;
	*)      sed -n '7s/^# //p' "$0" >&2; exit 2 ;;
	esac
	sed 's/^/  /' "$results/results.tap"
done
sum_up
