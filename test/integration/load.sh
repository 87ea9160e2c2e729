#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# parallel: no
# seconds: 1500
# Many at a time: containers in one pod, execs in one container, processes that end at once. Each
# start and each exit is told exactly once, whatever else goes on.
#
# LOAD is the size in percent; the default, 100, is 200 containers, 500 execs and 1000 processes for each
# runtime. LOAD=10 makes a quick run.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

LOAD=${LOAD:-100}
SCENARIO_LIMIT=$(((60 + 4 * LOAD) * ${MOTE_PATIENCE:-1}))
SETTLED=60 # seconds for what comes by itself at the end, on a machine that has other work

scaled() { echo $((($1 * LOAD + 99) / 100)); }

# A bundle that shares its files with that of `shim`, but the log.
pod_bundle() {
	mkdir -p "$HAND/$1/rootfs"
	mkfifo "$HAND/$1/log"
	hand_config "$1" "$2" >"$HAND/$1/config.json"
}

# events_all COUNT: as many, and no more
events_all() {
	wait_for $SETTLED sink_count "$1" || true
	same "number of events" "$1" "$(wc -l <"$HAND_EVENTS")"
}

# topics_are COLUMN PREFIX COUNT TOPICS: COUNT different words of the column begin so; each of them has
# exactly these topics, in this order
topics_are() {
	awk -v column="$1" -v prefix="$2" 'index($column, prefix) == 1 {
		sub("/tasks/", "", $1)
		topics[$column] = topics[$column] " " $1
	}
	END { for (name in topics) print name ":" topics[name] }' "$HAND_EVENTS" >topics
	same "how many have events" "$3" "$(wc -l <topics)"
	same "other events than $4" "" "$(grep -v ": $4\$" topics | head -n 3)"
}

# As CRI does it: start for each, Create, Start; then all are there, all end, nothing is left.
pod() {
	local number last
	last=$(scaled 200)
	HAND_ANNOTATION='"io.kubernetes.cri.sandbox-id": "shim"'
	begin "$1" shim
	hand_create shim
	call Start id=shim >/dev/null
	for ((number = 1; number <= last; number++)); do
		pod_bundle "c$number" '"/bin/busybox", "sleep", "1000"'
		hand_start "c$number"
		hand_create "c$number"
		call Start id="c$number" >/dev/null
	done
	same "processes of shims" 2 "$(shim_pids | wc -l)"
	for ((number = 1; number <= last; number++)); do
		same "pids of container $number" 1 "$(call Pids id="c$number" | wc -l)"
	done
	for ((number = 1; number <= last; number++)); do
		call Kill id="c$number" signal=9
	done
	for ((number = 1; number <= last; number++)); do
		same "exit status of container $number" 137 "$(field exit_status Wait id="c$number")"
		call Delete id="c$number" >/dev/null
		same "what delete says of container $number" exit_status=137 \
			"$(hand_delete "c$number" | "$TASK" decode Delete | grep exit_status)"
	done
	hand_end shim
	hand_shutdown shim
	events_all $((4 * (last + 1)))
	topics_are 3 c "$last" "create start exit delete"
}
scenario --mote pod runc crun

# All are started by clients of their own, at once; each has its own exit status.
execs_at_once() {
	local number last clients=()
	last=$(scaled 500)
	begin "$1" shim
	hand_create shim
	call Start id=shim >/dev/null
	for ((number = 1; number <= last; number++)); do
		call Exec id=shim exec_id="e$number" spec="{\"args\": [\"/bin/busybox\", \"sh\", \
			\"-c\", \"exit $((number % 200))\"], \"cwd\": \"/\"}"
	done
	for ((number = 1; number <= last; number++)); do
		"$TASK" "$ADDRESS" Start id=shim exec_id="e$number" >"start.$number" 2>&1 &
		clients+=($!)
	done
	timeout $((5 * ${MOTE_PATIENCE:-1})) "$TASK" "$ADDRESS" State id=shim >out || fail "State waits for the execs"
	same "State" 2 "$(sed -n 's/^status=//p' out)"
	for ((number = 1; number <= last; number++)); do
		wait "${clients[number - 1]}" || fail "start of exec $number: $(<"start.$number")"
	done
	for ((number = 1; number <= last; number++)); do
		same "exit status of exec $number" "$((number % 200))" \
			"$(exit_status_of Wait id=shim exec_id="e$number")"
		call Delete id=shim exec_id="e$number" >/dev/null
	done
	same "State afterwards" 2 "$(field status State id=shim)"
	hand_end shim
	hand_shutdown shim
	events_all $((3 * last + 4))
	topics_are 4 id=e "$last" "exec-added exec-started exit"
}
# A 0 is not sent.
exit_status_of() {
	local status
	status=$(field exit_status "$@")
	echo "${status:-0}"
}
scenario --mote execs_at_once runc crun

# Containers whose process ends before the runtime's start command does: in lanes side by side.
at_once_over() {
	local lane number pids=() last
	last=$(scaled 250)
	begin "$1" shim
	hand_create shim
	for lane in 1 2 3 4; do
		lane "$lane" "$last" >"lane.$lane" 2>&1 &
		pids+=($!)
	done
	for lane in 1 2 3 4; do
		wait "${pids[lane - 1]}" || fail "lane $lane: $(tail -n 1 "lane.$lane")"
	done
	hand_end shim
	hand_shutdown shim
	events_all $((16 * last + 3))
	topics_are 3 lane $((4 * last)) "create start exit delete"
}
lane() {
	local number id
	# crun makes links in /dev of a root that has none, and may not meet another one's
	cp -al "$ROOTFS" "$SCRATCH/root.$1"
	HAND_ROOT=$SCRATCH/root.$1
	for ((number = 1; number <= $2; number++)); do
		id=lane$1-$number
		pod_bundle "$id" "\"/bin/busybox\", \"sh\", \"-c\", \"exit $((number % 100 + 1))\""
		hand_create "$id"
		call Start id="$id" >/dev/null
		same "exit status of $id" $((number % 100 + 1)) "$(field exit_status Wait id="$id")"
		call Delete id="$id" >/dev/null
		rm -rf "${HAND:?}/$id"
	done
}
scenario --mote at_once_over runc crun

run_scenarios "$@"
