#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Events as containerd's clients see them: each once, in order, with the right content.
. "$(dirname "$0")/lib.sh"

# run ID COMMAND...
run() {
	local id=$1
	shift
	ctr run --rm "${RUNTIME[@]}" --rootfs "$ROOTFS" "$id" "$@"
}

order() {
	runtime_flags "$1"
	run order /bin/busybox sh -c "echo x"
	events_are order "create start exit delete"
}
scenario order runc crun skeleton

# A process that ends before the runtime's start command has.
order_of_true() {
	runtime_flags "$1"
	local number
	for number in {1..20}; do
		run "true$number" /bin/busybox true
	done
	for number in {1..20}; do
		events_are "true$number" "create start exit delete"
	done
}
scenario order_of_true runc crun skeleton

# event_field ID TOPIC FIELD
event_field() {
	grep -F "\"container_id\":\"$1\"" "$EVENTS" | grep -F "/tasks/$2 " |
		grep -o "\"$3\":[^,}]*" | sed -n 1p | cut -d: -f2-
}

content() {
	runtime_flags "$1"
	local pid
	ctr run -d --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" content /bin/busybox sleep 1000
	pid=$(task_pid content)
	remove_container content
	events_are content "create start exit delete"
	same "pid of create" "$pid" "$(event_field content create pid)"
	same "bundle of create" "\"$BUNDLES/content\"" "$(event_field content create bundle)"
	same "pid of start" "$pid" "$(event_field content start pid)"
	same "id of exit" '"content"' "$(event_field content exit id)"
	same "pid of exit" "$pid" "$(event_field content exit pid)"
	same "status of exit" 137 "$(event_field content exit exit_status)"
	same "pid of delete" "$pid" "$(event_field content delete pid)"
	same "status of delete" 137 "$(event_field content delete exit_status)"
	same "time of exit in exit and delete" "$(event_field content exit exited_at)" \
		"$(event_field content delete exited_at)"
	# ctr 1.7 and later print seconds
	[[ $(event_field content exit exited_at) =~ $(date -u +%Y-)|seconds\":$(date +%s | cut -c1-5) ]] ||
		fail "time of exit: $(event_field content exit exited_at)"
}
scenario --mote content runc crun skeleton

side_by_side() {
	runtime_flags "$1"
	local number
	for number in {1..8}; do
		run "side$number" /bin/busybox sh -c "exit $number" &
	done
	wait
	for number in {1..8}; do
		events_are "side$number" "create start exit delete"
		same "status of exit" "$number" "$(event_field "side$number" exit exit_status)"
	done
}
scenario side_by_side runc crun

# In one shim all events go through one queue.
group() {
	runtime_flags "$1"
	local number
	for number in {1..6}; do
		ctr run -d --null-io "${RUNTIME[@]}" --annotation \
			io.containerd.runc.v2.group=events \
			--rootfs "$ROOTFS" "group$number" /bin/busybox true
	done
	for number in {1..6}; do
		must_become 5 "task stops" task_is "group$number" STOPPED
		remove_container "group$number"
	done
	for number in {1..6}; do
		events_are "group$number" "create start exit delete"
	done
}
scenario group runc crun

# A create that fails makes no event of the shim's.
failed_create() {
	runtime_flags "$1"
	status_of run failed_create /no/such/command
	same "exit code" 1 "$STATUS"
	run after_failed_create /bin/busybox true
	events_are after_failed_create "create start exit delete"
	same "events of the failed create" "" "$(events_of failed_create)"
}
scenario failed_create runc crun

run_scenarios "$@"
