#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runtimes that are not there, fail, hang, print garbage or die; what the user of ctr reads then.
# After each the harness checks that nothing is left.
. "$(dirname "$0")/lib.sh"

# with_runtime BINARY ID [FLAG...]: a container in the background by this runtime, under the stock
# name, for which alone ctr takes one. Sets STATUS and ID; the error is in the file err.
with_runtime() {
	local binary=$1 id=$2
	ID=$id
	shift 2
	status_of ctr "$@" run -d --null-io --runtime io.containerd.runc.v2 --runc-binary \
		"$binary" \
		--rootfs "$ROOTFS" "$id" /bin/busybox sleep 1000
}

# refused TEXT: the container could not be made; one line says so. ctr keeps containerd's record
# of it.
refused() {
	ctr container rm "${ID:-}" 2>/dev/null || true
	same "exit code of ctr" 1 "$STATUS"
	same "output of ctr" "" "$(<out)"
	holds "error of ctr" "$1" "$(<err)"
	same "lines of the error" 1 "$(grep -c . err)"
}

missing_binary() {
	with_runtime no-runc missing
	refused 'exec: "no-runc": executable file not found in $PATH'
	holds "error of ctr" "OCI runtime create failed" "$(<err)"
	with_runtime /no/such/runc missing
	refused '/no/such/runc: no such file or directory'
	: >not-executable
	with_runtime "$PWD/not-executable" missing
	refused 'permission denied'
}
scenario missing_binary

missing_command() {
	runtime_flags "$1"
	status_of ctr run --rm "${RUNTIME[@]}" --rootfs "$ROOTFS" command /no/such/command
	refused "failed to create shim task: OCI runtime create failed"
	holds "error of ctr" "o such file or directory" "$(<err)"
	status_of ctr run --rm "${RUNTIME[@]}" --rootfs "$ROOTFS" command no-such-command
	holds "error of ctr" "executable file" "$(<err)"
	holds "error of ctr" "not found in \$PATH" "$(<err)"
}
scenario missing_command runc crun

skeleton_missing_command() {
	runtime_flags skeleton
	status_of ctr run --rm "${RUNTIME[@]}" --rootfs "$ROOTFS" command /no/such/command
	same "exit code, as a shell's" 127 "$STATUS"
}
scenario --mote skeleton_missing_command

missing_rootfs() {
	status_of ctr run --rm --runtime "$MOTE_RUNTIME" --rootfs /no/such/folder nothing /bin/true
	refused "OCI runtime create failed"
}
scenario missing_rootfs

# create fails without a word
silent_failure() {
	wrapper_make runtime runc "*' create '*) exit 3 ;;"
	with_runtime "$PWD/runtime" silent
	refused "OCI runtime create failed"
	holds "error of ctr" "exit status 3" "$(<err)"
}
scenario silent_failure

# create fails and says why where runtimes do; the last error counts
told_failure() {
	wrapper_make runtime runc "*' create '*) while [ \"\$1\" != --log ]; do shift; done
		cat $PWD/log >>\"\$2\"; exit 1 ;;"
	cat >log <<-'END'
		{"level":"error","msg":"first","time":"2026-01-01T00:00:00Z"}
		{"level":"error","msg":"the \"reason\"","time":"2026-01-01T00:00:00Z"}
		{"level":"warning","msg":"other","time":"2026-01-01T00:00:00Z"}
	END
	with_runtime "$PWD/runtime" told
	refused 'OCI runtime create failed: the "reason": unknown'
}
scenario told_failure

garbage() {
	wrapper_make runtime runc "*' create '*) while [ \"\$1\" != --log ]; do shift; done
		head -c 100000 /dev/urandom >>\"\$2\"; head -c 100000 /dev/urandom >&2
		head -c 100000 /dev/urandom; exit 1 ;;"
	with_runtime "$PWD/runtime" garbage
	same "exit code of ctr" 1 "$STATUS"
	holds "error of ctr" "OCI runtime create failed" "$(tr -d '\0' <err)"
	ctr container rm garbage
}
scenario garbage

# A line that is no JSON must not hide the one that is.
garbage_and_reason() {
	wrapper_make runtime runc "*' create '*) while [ \"\$1\" != --log ]; do shift; done
		cat $PWD/log >>\"\$2\"; exit 1 ;;"
	printf '%s\n' 'no json' '{"level":' '{"level":"error","msg":"the reason"}' '{"cut' >log
	with_runtime "$PWD/runtime" garbage
	refused 'OCI runtime create failed: the reason: unknown'
}
scenario --mote garbage_and_reason

dies_by_a_signal() {
	wrapper_make runtime runc "*' create '*) kill -SEGV \$\$ ;;"
	with_runtime "$PWD/runtime" signal
	refused "OCI runtime create failed"
	holds "error of ctr" "exit status 139" "$(<err)"
}
scenario dies_by_a_signal

# It claims success, but there is no container.
lies() {
	wrapper_make runtime runc "*' create '*) exit 0 ;;"
	with_runtime "$PWD/runtime" lies
	refused "init.pid"
}
scenario lies

wrong_pid_file() {
	local text
	for text in garbage -1 0 1 99999999999999999999 "" "12 13"; do
		wrapper_make runtime runc \
			"*' create '*) while [ \"\$1\" != --pid-file ]; do shift; done
			printf %s '$text' >\"\$2\"; exit 0 ;;"
		echo "pid file: '$text'"
		with_runtime "$PWD/runtime" pidfile
		refused "pid"
	done
}
scenario --mote wrong_pid_file

# The client gives up; the runtime must not stay.
hangs() {
	wrapper_make runtime runc "*' create '*) exec sleep 1000 ;;"
	with_runtime "$PWD/runtime" hangs --timeout 2s
	same "exit code of ctr" 1 "$STATUS"
	holds "error of ctr" "deadline exceeded" "$(<err)"
	must_become 10 "the runtime has ended" none_of "sleep 1000"
	ctr container rm hangs 2>/dev/null || true
}
scenario hangs

# Every other container of the group goes on while one hangs.
hangs_in_group() {
	local client
	wrapper_make runtime runc "*' create '*hangs*) exec sleep 1000 ;;"
	RUNTIME=(--runtime io.containerd.runc.v2 --runc-binary "$PWD/runtime"
		--annotation io.containerd.runc.v2.group=hanging)
	ctr run -d --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" good /bin/busybox sleep 1001
	ctr --timeout 3s run -d --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" hangs /bin/true >out \
		2>err &
	client=$!
	must_become 5 "it hangs" some_of "sleep 1000"
	same "status of the other" RUNNING "$(task_status good)"
	ctr run -d --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" third /bin/busybox sleep 1001
	same "status of the third" RUNNING "$(task_status third)"
	! wait $client || fail "the hanging create succeeded"
	must_become 10 "the runtime has ended" none_of "sleep 1000"
	ctr container rm hangs 2>/dev/null || true
	remove_container good third
}
scenario --mote hangs_in_group

start_fails() {
	wrapper_make runtime runc "*' start '*) echo 'told on stderr' >&2; exit 4 ;;"
	with_runtime "$PWD/runtime" unstarted
	same "exit code of ctr" 1 "$STATUS"
	holds "error of ctr" "OCI runtime start failed" "$(<err)"
	holds "error of ctr" "exit status 4" "$(<err)"
	same status CREATED "$(task_status unstarted)"
	remove_container unstarted
}
scenario start_fails

# delete fails once; the container can be deleted when the runtime is well again.
delete_fails() {
	wrapper_make runtime runc "*' delete '*) [ ! -e $PWD/broken ] || exit 5 ;;"
	with_runtime "$PWD/runtime" undeleted
	same "exit code of ctr" 0 "$STATUS"
	: >broken
	ctr task kill --signal SIGKILL undeleted
	must_become 5 "task stops" task_is undeleted STOPPED
	status_of ctr task rm undeleted
	holds "error of ctr" "failed to delete task" "$(<err)"
	same "status after it" STOPPED "$(task_status undeleted)"
	rm broken
	ctr task rm undeleted >/dev/null 2>&1
	ctr container rm undeleted
}
scenario --mote delete_fails

kill_fails() {
	wrapper_make runtime runc \
		"*' kill '*) [ ! -e $PWD/broken ] || { echo 'no way' >&2; exit 6; } ;;"
	with_runtime "$PWD/runtime" unkilled
	: >broken
	status_of ctr task kill --signal SIGTERM unkilled
	same "exit code of ctr" 1 "$STATUS"
	holds "error of ctr" "no way" "$(<err)"
	rm broken
	remove_container unkilled
}
scenario kill_fails

# The runtime's create leaves a process behind that holds its output open: nobody may wait for it.
leaves_a_process() {
	wrapper_make runtime runc "*' create '*) sleep 1000 & ;;"
	with_runtime "$PWD/runtime" leaves
	same "exit code of ctr ($(<err))" 0 "$STATUS"
	same status RUNNING "$(task_status leaves)"
	# shellcheck disable=SC2046
	kill -KILL $(pids_of "sleep 1000")
	remove_container leaves
}
scenario --mote leaves_a_process

run_scenarios "$@"
