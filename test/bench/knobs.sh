# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The variables that `make run`, `make bench` and `make bench-vm` take. A script of theirs reads all of
# its own before it does anything else and then calls knobs_end: with the argument `check` it ends there,
# which is how the Makefile asks before it gets or builds anything.

knob_refuse() {
	printf '%s\n' "$*" >&2
	exit 1
}

# knob_number NAME DEFAULT [LEAST]: prints what the variable says; LEAST is 1
knob_number() {
	local value=${!1:-$2} least=${3:-1}
	if [[ ! $value =~ ^(0|[1-9][0-9]{0,8})$ ]] || [ "$value" -lt "$least" ]; then
		knob_refuse "$1=$value: that is no number from $least to 999999999"
	fi
	echo "$value"
}

# Whether BENCH_ONLY, a pattern, chooses the part of this name.
wanted() { [[ $1 =~ ${BENCH_ONLY:-} ]]; }

# knob_only PART...: all that there are
knob_only() {
	local name
	for name in "$@"; do ! wanted "$name" || return 0; done
	knob_refuse "BENCH_ONLY=$BENCH_ONLY: no part matches that; there are $*"
}

# knobs_end the script's arguments...
knobs_end() { [ "${1:-}" != check ] || exit 0; }
