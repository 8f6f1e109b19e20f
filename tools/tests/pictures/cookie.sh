# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Which connection of scenarios.rec.xz is it? To be sourced.

# cookie_of NAMES WORDS...: of the first that has this end and case, see cut.py
cookie_of() {
	names=$1
	shift
	sed -n "s/^\([^ ]*\) $*\$/\1/p" "$names" | head -n 1 | grep . || {
		echo "no such case in $names: $*" >&2
		return 1
	}
}
