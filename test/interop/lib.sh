# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests with other implementations, sourced: each is a script of one peer.
#
#     interop NAME PROGRAM       all rows, with PROGRAM (server SOCKET, client SOCKET [SCENARIO]) as the peer
#
# NAME is its kind in test/interop/client.c. A line is `ok NAME.ROLE.SCENARIO` and the like, ROLE being
# the peer's. All lines are also kept in build/interop/results for the table that is printed at the end.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2

tools=$PWD/build/test
results=$PWD/build/interop/results
work=$(mktemp -d)
socket=$work/socket
server=
kind=
streams=
status=
recorder=

finish() {
	stop_server KILL
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start_server PROGRAM ARGUMENT...: in the background; returns when it listens.
start_server() {
	rm -f "$socket"
	: >"$work/ready"
	"$@" >"$work/ready" 2>>"$work/log" &
	server=$!
	for _ in {1..600}; do
		! grep -qx ready "$work/ready" || return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.05
	done
	echo "not ok $kind.server: it doesn't listen: $(tail -n 1 "$work/log")"
	return 1
}

# stop_server SIGNAL: and waits for it; its status is in $status, if it is still there.
stop_server() {
	status=
	[ -n "$server" ] || return 0
	kill -"$1" "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	status=$?
	server=
}

# Turns lines of a client, about SCENARIO or PROGRAM.SCENARIO, into ours about ROLE; those of rows that
# are known not to hold become skips.
lines() {
	local role=$1 verdict rest scenario reason
	while read -r verdict rest; do
		[ "$verdict" != not ] || verdict='not ok' rest=${rest#ok }
		scenario=${rest%%:*}
		scenario=${scenario##*.}
		reason=$(sed -n "s/^$kind $role $scenario //p" test/interop/defects)
		case $verdict in
		'not ok' | skip)
			if [ "$verdict" != skip ] && [ -n "$reason" ]; then
				echo "skip $kind.$role.$scenario: the peer $reason"
			else
				echo "$verdict $kind.$role.$scenario: ${rest#*: }"
			fi
			;;
		ok) echo "ok $kind.$role.$scenario" ;;
		*) echo "$verdict $rest" ;;
		esac
	done
}

# Our client on the peer's server.
their_server() {
	local program=$1
	start_server "$program" server "$socket" || return
	our_clients
	stop_server KILL
	start_server "$program" server "$socket" || return
	"$tools/interop-client-gone" server_stops | lines server
	stop_server KILL
}

our_clients() {
	export INTEROP_SOCKET=$socket INTEROP_PEER=$kind TEST_SECONDS=100
	"$tools/interop-client-calls" | lines server
	if [ "$streams" = yes ]; then
		"$tools/interop-client-streams" | lines server
		"$tools/ttrpc-streaming-client" "$socket" >"$work/streaming"
		streaming_line | lines server
	fi
	"$tools/interop-client-gone" client_gone | lines server
	"$tools/interop-client-gone" server_gone | lines server
}

# One line for the whole program, which counts by itself; rows of its own stand for what the peer can't.
streaming_line() {
	local failed
	failed=$(sed -n 's/^not ok \([A-Za-z]*\):.*/\1/p' "$work/streaming" | tr '\n' ' ')
	if [ -z "$failed" ] && grep -qx '7 passed, 0 failed' "$work/streaming"; then
		echo "ok streaming_client"
	else
		echo "not ok streaming_client: $failed$(tail -n 1 "$work/streaming")"
	fi
}

# The peer's client on our server.
their_client() {
	local program=$1 scenario
	start_server "$tools/interop-server" "$socket" || return
	timeout 240 "$program" client "$socket" 2>>"$work/log" >"$work/lines"
	status=$?
	lines client <"$work/lines"
	[ $status -le 1 ] || echo "not ok $kind.client: it left with status $status: $(tail -n 1 "$work/log")"
	timeout 240 "$program" client "$socket" server_gone 2>>"$work/log" | lines client
	stop_server KILL
	start_server "$tools/interop-server" "$socket" || return
	timeout 240 "$program" client "$socket" server_stops 2>>"$work/log" | lines client
	stop_server TERM
	[ "$status" = 0 ] && echo "ok $kind.client.server_status" ||
		echo "not ok $kind.client.server_status: our server left with $status"
}

# begin KIND: what is printed from now on goes to the results, too; end: waits until it has, and says
# whether nothing failed.
begin() {
	kind=$1
	case $kind in
	go-unary | rust-sync) streams=no ;;
	*) streams=yes ;;
	esac
	mkdir -p "$results"
	exec 3>&1 > >(tee "$results/$kind")
	recorder=$!
}

end() {
	exec >&3 3>&-
	wait $recorder
	! grep -q '^not ok' "$results/$kind"
}

interop() {
	begin "$1"
	if [ -e "build/interop/$kind.skip" ]; then
		echo "skip $kind: $(cat "build/interop/$kind.skip")"
	elif [ ! -x "$2" ]; then
		echo "not ok $kind: it could not be built; see build/interop/$kind.log"
	else
		their_server "$2"
		their_client "$2"
		[ $streams = yes ] || echo "skip $kind.streams: the peer has none"
	fi
	end
}
