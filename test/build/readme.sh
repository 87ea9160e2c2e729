#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What README.md says: its examples build and run, what it names is there, its numbers and lists are
# those of the sources. The examples are built in a copy of the tree, build/test/readme, with the
# README's own commands; then the runtime runs containers, by the harness of the integration tests.
. "$(dirname "$0")/../integration/lib.sh"
# shellcheck source=test/report.sh
. "$TOP/test/report.sh"

README=$TOP/README.md
COPY=$TOP/build/test/readme
FOLDERS='api|build|proto|seccomp|shim|test|ttrpc'
EXAMPLE_LINES=100

# ---- reading the README -------------------------------------------------------------------------

# section NAME: the lines between <!-- NAME --> and <!-- end of NAME -->
section() { sed -n "/^<!-- $1 -->\$/,/^<!-- end of $1 -->\$/p" "$README" | grep -v '^<!--'; }

# example NAME: the fenced block behind <!-- example: NAME -->
example() {
	awk -v mark="<!-- example: $1 -->" '
		$0 == mark { found = 1 }
		found && /^```/ { if (inside) exit; inside = 1; next }
		inside' "$README"
}

# What stands between backquotes, and the indented lines.
code() {
	sed '/^```/,/^```/d' "$README" | grep -oE '`[^`]+`' | tr -d '`'
	grep '^    ' "$README"
}

# ---- what it names ------------------------------------------------------------------------------

make_copy() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL nice make -s -C "$COPY" "$@" 2>&1; }

# As make_copy, with nothing to say unless it fails.
made() { make_copy "$@" >"$COPY/make.log" || grep -m 3 -E 'error|[*]{3}' "$COPY/make.log"; }

# A path is in the tree, was built by the README's commands, or can be.
paths() {
	local path
	grep -oE "(^|[^A-Za-z0-9_./<-])($FOLDERS)/[A-Za-z0-9_./-]*" "$README" |
		sed 's/^[^a-z]//; s/\.$//' | sort -u | while read -r path; do
		[ "$path" != build/daemons/env.sh ] || path=.deps/env.sh # which is copied there
		[ -e "$COPY/$path" ] || make_copy -n "$path" >/dev/null || echo "no $path"
	done
}

targets() {
	local target
	code | grep -oE '(^ *|&& )make [a-z][a-z-]*( |$)' | sed 's/.*make //' | sort -u |
		while read -r target; do
			grep -qE "^(\.PHONY:.* )?$target( |:|\$)" "$TOP"/Makefile "$TOP"/*/rules.mk ||
				echo "make $target is not there"
		done
}

# ---- what it counts and lists -------------------------------------------------------------------

# A number of the README in C.
in_c() { sed 's/ MiB/ << 20/; s/ KiB/ << 10/; s/ s$/ * SECOND/' <<<"$1"; }

# The lines of the sources, with those that are continued made one.
defines() {
	sed -e ':a' -e '/\\$/N' -e 's/\\\n//' -e 'ta' "$TOP"/{api,seccomp,shim,ttrpc}/*.[ch]
}

# The preprocessor compares; a name that has another definition elsewhere is a complaint of its own.
limits() {
	local name limit
	echo '#define SECOND 1000000000ull'
	section limits | sed -n 's/^| `\([A-Z_]*\)` | \([^|]*\) |.*/\1 \2/p' |
		while read -r name limit; do
			defines | grep -E "^#define ${name}[[:space:]]" ||
				echo "#error \"$name is not defined\""
			echo "_Static_assert(($name) == ($(in_c "$limit")), \"$name is not $limit\");"
		done
}

check_limits() { limits | gcc -Werror -fsyntax-only -x c - 2>&1 | grep -oE 'error: .*'; }

# differ WHAT IN-THE-SOURCES IN-THE-README: lists of words
differ() {
	comm -3 <(sort <<<"$2") <(sort <<<"$3") | sed "s/^\t/the README alone has $1 /; t
		s/^/the sources alone have $1 /"
}

verbs() {
	differ verb "$(grep -oE '^	\[VERB_[A-Z_]*\]' "$TOP/shim/verbs.c" | tr -d '\t[]')" \
		"$(grep '^| `VERB_' "$README" | cut -d'|' -f2 | grep -oE 'VERB_[A-Z_]*')"
}

# The methods that have no handler, spelled as the schema does.
methods_left() {
	local handlers method member
	handlers=$(sed -n '/task_handlers handlers = {/,/^}/s/^	\.\([a-z_]*\) = .*/\1/p' \
		"$TOP/shim/task.c")
	sed -n 's/^[[:space:]]*rpc \([A-Za-z]*\)(.*/\1/p' "$TOP/proto/task.proto" |
		while read -r method; do
			member=$(sed -E 's/([a-z])([A-Z])/\1_\2/g' <<<"$method")
			grep -qxE "${member,,}_?" <<<"$handlers" || echo "$method"
		done
}

methods() {
	differ 'an unimplemented' "$(methods_left)" "$(section 'unimplemented methods' |
		grep -oE '^- (`[A-Z][A-Za-z]*`(, )?)+' | grep -oE '[A-Z][A-Za-z]*')"
}

# ---- its examples -------------------------------------------------------------------------------

# Times are kept, so that only what changed since the last run is compiled.
copy_tree() {
	local entry
	mkdir -p "$COPY/build"
	for entry in .deps Makefile LICENSE api proto seccomp shim test ttrpc; do
		rm -rf "${COPY:?}/$entry"
		cp -rp "$TOP/$entry" "$COPY"
	done
	ln -sfn "$TOP/build/sources" "$COPY/build/sources"
	made
}

runtime() {
	local lines
	rm -f "$COPY"/build/containerd-shim-mine-v2
	mkdir -p "$COPY/elsewhere"
	example mine.c >"$COPY/elsewhere/mine.c"
	lines=$(wc -l <"$COPY/elsewhere/mine.c")
	[ "$lines" -lt $EXAMPLE_LINES ] || echo "the example has $lines lines"
	made "RUNTIME=$COPY/elsewhere/mine.c"
	[ -x "$COPY/build/containerd-shim-mine-v2" ] || echo "make RUNTIME=... makes no shim"
}

client_says() { # STATUS TEXT ARGUMENT...
	local expected="$1 $2" text
	shift 2
	text=$(./client "$@" 2>&1)
	[ "$? $text" = "$expected" ] || echo "the client says '$text', not '$expected'"
}

ttrpc() {
	local name server tries=100
	cd "$COPY" || return
	rm -f client server hello.sock
	for name in hello.proto server.c client.c; do
		example "$name" >"$COPY/$name"
	done
	section 'example: commands' >commands
	bash -e commands 2>&1 | tail -n 3
	./server &
	server=$!
	until [ -S hello.sock ] || [ $((tries--)) = 0 ]; do sleep 0.05; done
	client_says 0 you you
	client_says 3 'who is there?'
	kill $server
	wait $server
	rm -f hello.sock
}

# ---- its runtime, in containers -----------------------------------------------------------------

mine() {
	RUNTIME=(--runtime io.containerd.mine.v2 --rootfs "$ROOTFS")
	ln -s "$COPY/build/containerd-shim-mine-v2" "$MOTE_WORK/bin/"
	same "output" "inside hello" \
		"$(ctr run --rm "${RUNTIME[@]}" inside /bin/sh -c 'echo $(hostname) hello')"
	status_of ctr run --rm "${RUNTIME[@]}" seven /bin/sh -c 'exit 7'
	same "exit code of exit 7" 7 "$STATUS"

	ctr run -d --null-io "${RUNTIME[@]}" killed /bin/sleep 1000
	status_of ctr task ps killed
	holds "a method without an entry" "not implemented" "$(<err)"
	ctr task kill --signal SIGTERM killed
	must_become 5 "task stops" task_is killed STOPPED
	remove_task killed
	same "exit code after SIGTERM" 143 "$EXIT_CODE"
	ctr container rm killed
	rm "$MOTE_WORK/bin/containerd-shim-mine-v2"
}
scenario --mote mine

if [ -z "${MOTE_STAGE:-}" ]; then
	report copy "$(copy_tree)"
	report runtime "$(runtime)"
	report ttrpc "$(ttrpc)"
	report paths "$(paths)"
	report targets "$(targets)"
	report limits "$(check_limits)"
	report verbs "$(verbs)"
	report methods "$(methods)"
fi
run_scenarios "$@" && exit "$status"
