#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# libttrpc as somebody else's project sees it: installed into a folder, with the README's own commands,
# and used from a folder outside of the tree, where nothing but the installed files can be found. Its
# headers are C11 and C++17 each by itself, its symbols are its own, and the examples run.
# seconds: 600
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/report.sh
. "$top/test/report.sh"
readme=$top/ttrpc/README.md
scratch=$(mktemp -d)
PREFIX=$scratch/installed
use=$scratch/use
export PREFIX

finish() {
	rm -rf "$scratch"
	exit $status
}
trap finish EXIT
trap 'status=1; exit' INT TERM

# commands NAME: the lines of the README's example, run in $2; what they complain about
commands() {
	local text
	text=$(sed -n "/^<!-- example: $1 -->\$/,/^<!-- end of example: $1 -->\$/p" "$readme" | sed -n 's/^    //p')
	if [ -z "$text" ]; then
		echo "no example $1"
	elif ! (cd "$2" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL bash -euc "$text") >"$scratch/log" 2>&1; then
		tail -n 20 "$scratch/log"
	elif grep -q 'warning:' "$scratch/log"; then
		grep 'warning:' "$scratch/log"
	fi
}

# part NAME: runs it in a shell of its own, which leaves nothing running; what it complains about
part() {
	(
		trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
		"$1"
	)
}

# until_true SECONDS COMMAND...: tries until it works
until_true() {
	local tries=$(($1 * 20))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# serve PROGRAM ADDRESS: in the background, until it is ready; its id in $server
serve() {
	"$use/$1" "$2" >"$scratch/$1.out" 2>&1 &
	server=$!
	until_true 60 grep -q '^ready' "$scratch/$1.out" || echo "$1 is not ready: $(cat "$scratch/$1.out")"
}

# stop: asks the server to end; a complaint unless it does so with status 0
stop() {
	kill "$server"
	wait "$server" || echo "the server left with status $?"
}

# same WHAT IT MUST BE: a complaint if they differ
same() { [ "$1" = "$2" ] || echo "'$1' instead of '$2'"; }

# ---- the library ----

headers() {
	local header compiler
	for header in "$PREFIX"/include/ttrpc/*.h; do
		header=ttrpc/$(basename "$header")
		echo "#include \"$header\"" >"$scratch/header.c"
		echo "int used; int main(void) { return used; }" >>"$scratch/header.c"
		cp "$scratch/header.c" "$scratch/header.cc"
		for compiler in gcc clang; do
			command -v $compiler >/dev/null || continue
			$compiler -std=c11 -pedantic-errors -Wall -Wextra -Werror -I"$PREFIX/include" \
				-fsyntax-only "$scratch/header.c" 2>&1 | head -n 3
		done
		for compiler in g++ clang++; do
			command -v $compiler >/dev/null || continue
			$compiler -std=c++17 -pedantic-errors -Wall -Wextra -Werror -I"$PREFIX/include" \
				-fsyntax-only "$scratch/header.cc" 2>&1 | head -n 3
		done
	done
}

# Own names, none of which a program could have too.
symbols() {
	nm -g --defined-only "$PREFIX/lib/libttrpc.a" |
		awk 'NF == 3 && $3 !~ /^(ttrpc_|google__)/ { print $3 }'
}

lengths() {
	local name lines
	for name in echo_server echo_client; do
		lines=$(wc -l <"$use/$name.c")
		[ "$lines" -le 60 ] || echo "$name.c has $lines lines"
	done
}

# ---- the examples ----

echo_calls() {
	local out
	serve echo_server "$scratch/echo"
	out=$("$use/echo_client" "$scratch/echo" hello 'two words' 2>&1)
	same "$?: $out" "0: hello
two words"
	out=$("$use/echo_client" "$scratch/echo" '' again 2>&1)
	same "$?: $out" "1: error 3: nothing to say
again"
	stop
	out=$("$use/echo_client" "$scratch/nobody" hello 2>&1)
	same "$?: $out" "2: $scratch/nobody: No such file or directory"
}

# says NAME TEXT: the whole line is in the file
says() { grep -sqxF "$2" "$scratch/$1.out"; }

# A member's lines come from a pipe that the test holds open, so that it stays in the room.
chat() {
	local name ann bob
	serve chat_server "@example-chat-$$"
	for name in ann bob; do
		mkfifo "$scratch/$name"
		"$use/chat_client" "@example-chat-$$" $name <"$scratch/$name" \
			>"$scratch/$name.out" 2>&1 &
		eval "$name=$!"
	done
	exec 7>"$scratch/ann" 8>"$scratch/bob"
	echo 'hello' >&7
	until_true 60 says ann 'ann: hello' || echo "ann doesn't hear herself"
	echo 'I am here' >&8
	until_true 60 says ann 'bob: I am here' || echo "ann doesn't hear bob"
	until_true 60 says bob 'bob: I am here' || echo "bob doesn't hear himself"
	echo 'then let us go' >&7
	until_true 60 says bob 'ann: then let us go' || echo "bob doesn't hear ann"
	exec 7>&-
	wait "$ann" || echo "ann left with status $?"
	echo 'alone' >&8
	until_true 60 says bob 'bob: alone' || echo "bob isn't in the room any more"
	! says ann 'bob: alone' || echo "ann hears bob"
	exec 8>&-
	wait "$bob" || echo "bob left with status $?"
}

# A thousand lines from a pipe: more than what is read, or under way, at once.
chat_flood() {
	local out
	serve chat_server "$scratch/flood"
	out=$(seq 1000 | "$use/chat_client" "$scratch/flood" me 2>&1 | cksum)
	same "$out" "$(seq 1000 | sed 's/^/me: /' | cksum)"
}

loops() {
	local out
	serve epoll_loop "$scratch/loop"
	out=$(printf '%s\n' one two three | "$use/poll_loop" "$scratch/loop" 2>&1)
	same "$?: $out" "0: one
two
three"
	out=$({ sleep 0.2; echo later; } | "$use/poll_loop" "$scratch/loop" 2>&1)
	same "$?: $out" "0: later"
	# More than the server keeps at once: the rest is refused, and nothing is lost.
	out=$(seq 500 | "$use/poll_loop" "$scratch/loop" 2>&1 | wc -l)
	same "$out" 500
	stop
}

report install "$(commands install "$top")"
mkdir "$use"
cp "$top"/ttrpc/examples/* "$use"
report generate "$(commands generate "$use")"
report compile "$(commands compile "$use")"
report headers "$(headers)"
report symbols "$(symbols)"
report lengths "$(lengths)"
report echo "$(part echo_calls)"
report chat "$(part chat)"
report chat_flood "$(part chat_flood)"
report loops "$(part loops)"
