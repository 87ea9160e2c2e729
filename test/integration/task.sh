#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The task service, call by call, and the events, without containerd in between.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

ZERO_TIME=-62135596800.000000000 # what Go takes for "not yet"

life() {
	begin "$1" life /bin/busybox sh -c "exit 9"
	local pid
	same "task_pid before Create" "" "$(field task_pid Connect id=life)"
	pid=$(field pid Create id=life bundle="$HAND/life" "${OPTIONS[@]}")
	same "task_pid" "$pid" "$(field task_pid Connect id=life)"
	call State id=life >state
	grep -qx "pid=$pid" state && grep -qx "status=1" state && grep -qx "id=life" state &&
		grep -qx "bundle=$HAND/life" state && grep -qx "exited_at=$ZERO_TIME" state ||
		fail "state after Create: $(<state)"
	same "pid of Start" "$pid" "$(field pid Start id=life)"
	same "exit_status of Wait" 9 "$(field exit_status Wait id=life)"
	call State id=life >state
	grep -qx "pid=$pid" state && grep -qx "status=3" state && grep -qx "exit_status=9" state ||
		fail "state after the exit: $(<state)"
	call Delete id=life >deleted
	grep -qx "pid=$pid" deleted && grep -qx "exit_status=9" deleted ||
		fail "Delete: $(<deleted)"
	same "exited_at of Delete" "$(grep exited_at state)" "$(grep exited_at deleted)"
	[ $(($(date +%s) - $(sed -n 's/^exited_at=\([0-9]*\).*/\1/p' deleted))) -lt 10 ] ||
		fail "$(<deleted) at $(date +%s)"
	hand_shutdown life
	sink_has $'create life\nstart life\nexit life\ndelete life'
	same "pid of all events" 4 "$(grep -c "pid=$pid" "$HAND_EVENTS")"
	same "events with status 9" 2 "$(grep -c "status=9" "$HAND_EVENTS")"
}
scenario --mote life runc crun skeleton

both_services() {
	begin "$1" both
	hand_create both
	"$TASK" --service containerd.task.v3.Task "$ADDRESS" Start id=both >/dev/null
	"$TASK" --service containerd.task.v3.Task "$ADDRESS" State id=both >three
	call State id=both >two
	same "State over v3" "$(<two)" "$(<three)"
	hand_end both
	hand_shutdown both
}
scenario --mote both_services runc

# ---- events ----

# whole_life ID: of a container in the group of the first
whole_life() {
	hand_bundle "$1" /bin/busybox true
	life_of_bundle "$1"
}
life_of_bundle() {
	hand_start "$1"
	hand_create "$1"
	call Start id="$1" >/dev/null
	call Wait id="$1" >/dev/null
	call Delete id="$1" >/dev/null
}
life_events() { printf '%s\n' "create $1" "start $1" "exit $1" "delete $1"; }

# While nobody takes them, events are kept; then they come, in order.
events_wait() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "events"'
	local number
	for number in 1 2 3 4 5; do
		whole_life "life$number"
	done
	[ ! -s "$HAND_EVENTS" ] || fail "there are events"
	sink_start
	sink_has "$(for number in 1 2 3 4 5; do life_events "life$number"; done)"
	hand_shutdown life1
}
scenario --mote events_wait runc

# The taker goes away and comes back, three times.
events_go_on() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "events"'
	local number expected=
	for number in 1 3 5; do
		sink_start
		whole_life "life$number"
		expected+=${expected:+$'\n'}$(life_events "life$number")
		sink_has "$expected"
		sink_stop
		whole_life "life$((number + 1))"
		expected+=$'\n'$(life_events "life$((number + 1))")
	done
	sink_start
	sink_has "$expected"
	hand_shutdown life1
}
scenario --mote events_go_on runc skeleton

# Forty short lives in one shim, four at a time.
many_lives() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "many"'
	# The root is everybody's, and crun stumbles when another one makes /dev/ptmx at the same time.
	HAND_MOUNT='{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}'
	sink_start
	local number lives=()
	hand_bundle first
	hand_start first
	for number in {1..40}; do
		hand_bundle "many$number" /bin/busybox true
		life_of_bundle "many$number" &
		lives+=($!)
		if [ ${#lives[@]} -eq 4 ]; then
			wait "${lives[@]}"
			lives=()
		fi
	done
	must_become 10 "160 events" sink_count 160
	same "number of events" 160 "$(wc -l <"$HAND_EVENTS")"
	for number in {1..40}; do
		same "events of many$number" "$(life_events "many$number")" \
			"$(sink_lines | grep " many$number\$")"
	done
	hand_shutdown first
}
scenario --mote many_lives runc crun skeleton

# ---- what is refused in which state ----

unknown_container() {
	begin "$1" unknown
	local method
	for method in State Start Delete Pids Kill Wait CloseIO; do
		refused 5 "container not created: not found" $method id=unknown
	done
	refused 5 "container not created: not found" State id=
	same "task_pid" "" "$(field task_pid Connect id=unknown)"
	hand_shutdown unknown
}
scenario --mote unknown_container runc

refused_by_state() {
	begin "$1" states
	hand_create states
	refused 6 "already exists" Create id=states bundle="$HAND/states"
	refused 5 "process does not exist other: not found" State id=states exec_id=other
	call Start id=states >/dev/null
	refused 2 "cannot start a running process" Start id=states
	refused 2 "cannot delete a running process" Delete id=states
	call CloseIO id=states stdin=1
	call CloseIO id=states stdin=1
	# A container still there: nothing happens.
	call Shutdown id=states
	same "status after Shutdown" 2 "$(field status State id=states)"
	call Kill id=states signal=9
	same "exit_status" 137 "$(field exit_status Wait id=states)"
	refused 2 "cannot start a stopped process" Start id=states
	refused 5 "process already finished: not found" Kill id=states signal=15
	call Delete id=states >/dev/null
	refused 5 "container not created: not found" State id=states
	hand_shutdown states
	sink_has $'create states\nstart states\nexit states\ndelete states'
}
scenario --mote refused_by_state runc crun skeleton

wait_parks() {
	begin "$1" waits
	hand_create waits
	local number clients=()
	for number in 1 2 3; do
		"$TASK" "$ADDRESS" Wait id=waits >"wait$number" &
		clients+=($!)
	done
	call Start id=waits >/dev/null
	status_of "$TASK" --timeout 300 "$ADDRESS" Wait id=waits
	same "how a Wait with a timeout ended" 1 "$STATUS"
	holds "its error" "error 4 " "$(<err)"
	call Kill id=waits signal=9
	for number in "${clients[@]}"; do
		wait "$number" || fail "a Wait failed"
	done
	same "exit_status of three" 3 "$(cat wait1 wait2 wait3 | grep -cx exit_status=137)"
	same "exit_status afterwards" 137 "$(field exit_status Wait id=waits)"
	hand_end waits
	hand_shutdown waits
}
scenario --mote wait_parks runc skeleton

deleted_before_start() {
	begin "$1" early
	hand_create early
	call Delete id=early >deleted
	same "exit_status" "exit_status=137" "$(grep exit_status deleted)"
	hand_shutdown early
	sink_has $'create early\nexit early\ndelete early'
}
scenario --mote deleted_before_start runc crun skeleton

killed_before_start() {
	begin "$1" early
	hand_create early
	call Kill id=early signal=9
	same "exit_status" 137 "$(field exit_status Wait id=early)"
	call Delete id=early >/dev/null
	hand_shutdown early
	sink_has $'create early\nexit early\ndelete early'
}
scenario --mote killed_before_start runc crun skeleton

pids() {
	begin "$1" pids /bin/busybox sh -c "sleep 1000 & sleep 1000; true"
	hand_create pids
	call Start id=pids >/dev/null
	must_become 5 "three pids" pids_are 3
	call Pids id=pids >list
	grep -qx "pid=$(field pid State id=pids)" list || fail "init's pid is not in $(<list)"
	call Kill id=pids signal=9 all=1
	call Wait id=pids >/dev/null
	# An empty list makes containerd take the shim for a leaked one after a restart.
	call Pids id=pids >list
	grep -qx "pid=$(field pid State id=pids)" list ||
		fail "no pid of init after its exit: $(<list)"
	hand_end pids
	hand_shutdown pids
}
pids_are() { [ "$(call Pids id=pids | grep -c ^pid=)" = "$1" ]; }
scenario --mote pids runc crun

# ---- failures of Create ----

create_fails() {
	begin "$1" fails /no/such/command
	refused 2 "OCI runtime create failed: " Create id=fails bundle="$HAND/fails" "${OPTIONS[@]}"
	holds "error" "no such file or directory" "$(tr '[:upper:]' '[:lower:]' <"$SCRATCH/answer")"
	refused 5 "container not created: not found" State id=fails
	refused 5 "container not created: not found" Delete id=fails
	# The name is free again.
	sed -i 's|/no/such/command|/bin/true|' "$HAND/fails/config.json"
	hand_create fails
	call Start id=fails >/dev/null
	call Wait id=fails >/dev/null
	hand_end fails
	hand_shutdown fails
	sink_has $'create fails\nstart fails\nexit fails\ndelete fails'
}
scenario --mote create_fails runc crun

foreign_bundle() {
	begin "$1" mine
	hand_bundle other
	mkdir "$SCRATCH/foreign"
	cp "$HAND/mine/config.json" "$SCRATCH/foreign/"
	local bundle
	for bundle in "$SCRATCH/foreign" "$HAND/mine/../../foreign" relative "" /; do
		status_of "$TASK" "$ADDRESS" Create id=mine bundle="$bundle"
		[ "$STATUS" -ne 0 ] || fail "Create with bundle '$bundle' succeeded"
		if [ "$STATUS" -eq 3 ]; then
			must_become 5 "the pair ends as one" no_shim
			hand_start mine
		fi
	done
	same "containers of the runtime" "" \
		"$(ls "/run/containerd/runc/$NAMESPACE" 2>/dev/null || true)"
	hand_create mine
	hand_end mine
	hand_shutdown mine
}
scenario --mote foreign_bundle runc

hostile_ids() {
	begin "$1" good
	local id
	for id in ../good . .. a/b "" "$(printf 'x%.0s' {1..300})" $'new\nline' -flag; do
		status_of "$TASK" "$ADDRESS" Create id="$id" bundle="$HAND/good"
		same "how Create with id '$id' ended" 1 "$STATUS"
	done
	hand_create good
	hand_end good
	hand_shutdown good
}
scenario --mote hostile_ids runc

full_disk() {
	hand_shim "$1"
	sink_start
	mkdir disk
	mount -t tmpfs -o size=256k tmpfs disk
	HAND=$SCRATCH/disk
	hand_bundle full
	hand_start full
	cat /dev/zero >disk/fill 2>/dev/null || true
	status_of "$TASK" "$ADDRESS" Create id=full bundle="$HAND/full"
	same "how Create on a full disk ended" 1 "$STATUS"
	holds "its error" "no space left on device" "$(tr '[:upper:]' '[:lower:]' <err)"
	same "containers of the runtime" "" \
		"$(ls "/run/containerd/runc/$NAMESPACE" 2>/dev/null || true)"
	rm disk/fill
	hand_create full
	hand_end full
	hand_shutdown full
	hand_cleanup
	wait
	umount disk
	sink_has $'create full\nexit full\ndelete full'
}
scenario --mote full_disk runc

# A runtime that hangs: everything but its own container's calls goes on, and Delete ends it.
hanging_create() {
	begin "$1" hangs
	local client status=0
	wrapper_make runtime runc "*' create '*) exec sleep 1000 ;;"
	timeout 15 "$TASK" "$ADDRESS" Create id=hangs bundle="$HAND/hangs" \
		options.binary_name="$PWD/runtime" \
		>created 2>&1 &
	client=$!
	must_become 5 "it hangs" some_of "sleep 1000"
	timeout 2 "$TASK" "$ADDRESS" Connect id=hangs >/dev/null || fail "Connect waits"
	timeout 2 "$TASK" "$ADDRESS" State id=hangs >out 2>&1 || [ $? -eq 1 ] || fail "State waits"
	timeout 5 "$TASK" "$ADDRESS" Delete id=hangs >out 2>&1 || [ $? -eq 1 ] ||
		fail "Delete waits"
	wait $client || status=$?
	same "how Create ended" 1 $status
	must_become 5 "the runtime has ended" none_of "sleep 1000"
	hand_shutdown hangs
}
scenario --mote hanging_create runc

# The request's own time is over.
create_with_deadline() {
	begin "$1" late
	wrapper_make runtime runc "*' create '*) exec sleep 1000 ;;"
	status_of "$TASK" --timeout 500 "$ADDRESS" Create id=late bundle="$HAND/late" \
		options.binary_name="$PWD/runtime"
	same "how Create ended" 1 "$STATUS"
	holds "its error" "error 4 " "$(<err)"
	timeout 5 "$TASK" "$ADDRESS" Delete id=late >out 2>&1 || [ $? -eq 1 ] || fail "Delete waits"
	must_become 5 "the runtime has ended" none_of "sleep 1000"
	hand_shutdown late
}
scenario --mote create_with_deadline runc

run_scenarios "$@"
