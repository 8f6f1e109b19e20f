# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What scripts ask apt. To be sourced.

# own_mirror [SUFFIX]: apt itself says which mirror this machine uses for its
# own suite, or for that with "-security", whatever the format of its sources.
own_mirror() {
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt's own placeholders
	apt-get indextargets --format \
		'$(CREATED_BY) $(COMPONENT) $(RELEASE) $(CODENAME) $(REPO_URI)' |
		awk -v c="$codename" -v s="${1:-}" \
			'$1 == "Packages" && $2 == "main" &&
			($3 == c s || $4 == c s || $3 == "stable" s ||
			 $3 == "testing" s || $3 == "unstable" s || $3 == "sid" s) {
				print $5; exit }'
}
