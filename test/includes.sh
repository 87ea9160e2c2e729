#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Who may include what. Includes of the tree's own files are written from the root and point only
# downwards:
#
#     proto < ttrpc < api < shim        seccomp < shim        test uses all
#
# A runtime (shim/runc*, shim/skeleton.c) is written against shim/shim.h and, as anybody's may be, what
# libshim offers for its workers: running a program, small files, texts of failures, config.json, the
# pids of a cgroup. Of the resident pair, and of all else in shim/, it knows nothing: what it could not
# do without would be missing for the runtimes of others. The libraries of others have one user each.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=test/report.sh
. test/report.sh

# FILE:LINE:NAME for each include of the files in $@: quoted ones as "NAME, others as <NAME
includes_of() {
	[ $# = 0 ] || grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null "$@" |
		sed -nE 's/^([^:]*:[0-9]*):[^"<]*(["<][^">]*).*/\1:\2/p'
}

sources() {
	find "$@" -name '*.[ch]' -not -path 'test/golden/*' -not -path 'ttrpc/examples/*' 2>/dev/null | sort
}

# direction FOLDER MAY...: own includes of FOLDER's files begin with FOLDER or one of MAY
direction() {
	local folder=$1 pattern files
	pattern=$(echo "$*" | tr ' ' '|')
	mapfile -t files < <(sources "$folder")
	report "$folder" "$(includes_of "${files[@]}" | grep ':"' | grep -vE ":\"($pattern)/")"
}

# What anybody's programs include who use libttrpc: its public headers, and their own stubs.
examples() {
	local files offered='ttrpc/(intercept|limits|loop|metadata|policy|stream|ttrpc)\.h'
	mapfile -t files < <(find ttrpc/examples -name '*.[ch]' | sort)
	report examples "$(includes_of "${files[@]}" | grep ':"' | grep -vE ":\"($offered|[a-z]*\.ttrpc\.h)\$")"
}

# library NAME FOLDER...: only files in FOLDERs include <NAME>
library() {
	local name=$1 pattern files
	shift
	pattern=$(echo "$*" | tr ' ' '|')
	mapfile -t files < <(sources api proto seccomp shim test ttrpc)
	report "$name" "$(includes_of "${files[@]}" | grep -E ":<$name" | grep -vE "^($pattern)/")"
}

runtimes() {
	local files offered='shim/(shim|cgroup_procs|command|failure|file|config_json)\.h'
	mapfile -t files < <(sources shim | grep -E '^shim/(runc[^/]*|skeleton)\.[ch]$')
	report runtimes "$(includes_of "${files[@]}" | grep ':"' |
		grep -vE ":\"($offered|shim/runc[^/]*|proto/.*)\$")"
}

top_level() {
	local may='api build LICENSE Makefile proto README.md seccomp shim test ttrpc' entry others=
	for entry in *; do
		case " $may " in
		*" $entry "*) ;;
		*) others="$others $entry" ;;
		esac
	done
	report top_level "$others"
}

direction ttrpc proto
direction api proto ttrpc
direction seccomp
direction shim proto ttrpc api seccomp
direction test proto ttrpc api seccomp shim
runtimes
examples
library seccomp.h seccomp
library jansson.h shim test
top_level
exit $status
