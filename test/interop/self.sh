#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The rows of make interop with our own client and server, and the two streaming programs.
. "$(dirname "$0")/lib.sh"

begin mote
if start_server "$tools/interop-server" "$socket"; then
	our_clients
	stop_server KILL
fi
if start_server "$tools/interop-server" "$socket"; then
	"$tools/interop-client-gone" server_stops | lines server
	stop_server TERM
	if [ "$status" = 0 ]; then
		echo "ok mote.server.server_status"
	else
		echo "not ok mote.server.server_status: it left with $status"
	fi
fi

# uid_line UID WANTED NAME: the statuses of the client and then of the server, which is for that uid.
uid_line() {
	start_server "$tools/ttrpc-streaming-server" "$socket" -u "$1" || return
	"$tools/ttrpc-streaming-client" "$socket" >"$work/streaming" 2>&1
	served=$?
	stop_server TERM
	if [ "$served$status" = "$2" ] && [ ! -e "$socket" ]; then
		echo "ok mote.streaming_server.uid_$3"
	else
		echo "not ok mote.streaming_server.uid_$3: client $served, server $status: $(tail -n 1 "$work/streaming")"
	fi
}

uid_line "$(id -u)" 00 own
uid_line 54321 10 other
for arguments in "" "-u" "-u x $socket" "-u -1 $socket" "$socket more"; do
	# shellcheck disable=SC2086
	"$tools/ttrpc-streaming-server" $arguments 2>"$work/usage" >&2
	if [ $? = 2 ] && grep -q '^usage: ' "$work/usage"; then
		echo "ok mote.streaming_server.usage"
	else
		echo "not ok mote.streaming_server.usage: with '$arguments'"
	fi
done
end
