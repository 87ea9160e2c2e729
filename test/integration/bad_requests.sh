#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fields of requests that are empty, too long or absurd: each is answered with a code and a text, and
# the container beside it runs on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

SPEC='{"args": ["/bin/true"], "cwd": "/", "env": []}'

running() {
	begin "$1" good
	hand_create good
	call Start id=good >/dev/null
}
running_end() {
	same "status" 2 "$(field status State id=good)"
	hand_end good
	hand_shutdown good
}

ids() {
	local method id long
	running "$1"
	long=$(printf 'a%.0s' {1..4000})
	for id in "" .. a/b "$long" $'a\nb' other; do
		for method in State Start Delete Pids Pause Resume Kill ResizePty CloseIO Wait Stats \
			Update Checkpoint Exec; do
			refused 5 "container not created: not found" $method id="$id"
		done
		call Connect id="$id" >/dev/null
	done
	for id in .. a/b "$long" other; do
		for method in State Start Delete Kill ResizePty CloseIO Wait; do
			refused 5 "process does not exist" $method id=good exec_id="$id"
		done
	done
	for id in "" .. a/b "$long"; do
		refused 3 "is not valid: invalid argument" Exec id=good exec_id="$id" spec="$SPEC"
	done
	running_end
}
scenario --mote ids runc

numbers() {
	local number
	running "$1"
	for number in 65 1000 2147483647 2147483648 4294967295; do
		refused 3 "signal $number: invalid argument" Kill id=good signal=$number
	done
	for number in 65536 4294967295; do
		refused 3 "invalid argument" ResizePty id=good width=$number height=1
		refused 3 "invalid argument" ResizePty id=good width=1 height=$number
	done
	call ResizePty id=good width=65535 height=65535
	call ResizePty id=good width=0 height=0
	running_end
}
scenario --mote numbers runc

json() {
	local text deep number=0
	running "$1"
	deep=$(printf '[%.0s' {1..20000})
	for text in "{" "[]" 7 '"x"' "{} x" '{"args":' "{\"a\": $deep"; do
		refused 3 "invalid argument" Update id=good resources="$text"
		number=$((number + 1))
		call Exec id=good exec_id="e$number" spec="$text"
		refused 3 "invalid argument" Start id=good exec_id="e$number"
		call Delete id=good exec_id="e$number" >/dev/null
	done
	refused 3 "invalid argument" Update id=good
	refused 3 "exec spec is missing: invalid argument" Exec id=good exec_id=e
	refused 3 "invalid argument" Checkpoint id=good
	running_end
}
scenario --mote json runc

run_scenarios "$@"
