# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A runtime that stops at a step of create, start, exec or delete, sourced after lib.sh by the scripts
# that kill somebody there. The file `step` names it:
#
#     before VERB   the runtime has done nothing yet
#     in VERB       it waits for a hook that does not end; there is none in an exec, nor in runc's
#                   start
#     after VERB    it has done all, and has not ended
#     past VERB     it goes on, and ends
#
# When it is reached the file `at` holds the runtime's pid and the worker's.

# steps_make RUNTIME: makes the program `runtime`, and the hooks of a config.json in STEP_HOOKS.
# What it execs is what is killed by the end of the worker.
steps_make() {
	local here=$PWD
	cat >runtime <<-END
		#!/bin/bash
		tell() { echo "\$\$ \$PPID" >$here/\$1.new && mv $here/\$1.new $here/\$1; }
		step=\$(<$here/step) verb=
		for word in "\$@"; do
		    case \$word in create | start | exec | delete) verb=\$word && break ;; esac
		done
		[ "\$step" != "after \$verb" ] || $1 "\$@" || exit
		case \$step in
		"in \$verb") tell in ;;
		"past \$verb") tell at ;;
		"before \$verb" | "after \$verb") tell at && exec sleep 1002 ;;
		esac
		exec $1 "\$@"
	END
	cat >hook <<-END
		#!/bin/bash
		cat >/dev/null # or crun has a SIGPIPE
		[ "\$(<$here/step)" = "in \$1" ] || exit 0
		mv $here/in $here/at
		while [ "\$(<$here/step)" = "in \$1" ]; do sleep 0.02; done
	END
	chmod +x runtime hook
	STEP_HOOKS="\"createRuntime\": [$(hook create)], \"poststart\": [$(hook start)], "
	STEP_HOOKS+="\"poststop\": [$(hook delete)]"
	step_set none
}
hook() { echo "{\"path\": \"$PWD/hook\", \"args\": [\"hook\", \"$1\"]}"; }

# By a rename: it is read at any time.
step_set() {
	rm -f at in
	echo "$1" >step.new
	mv step.new step
}

# The step is held: sets RUNTIME_PID and WORKER_PID.
step_await() {
	must_become 10 "$STEP is reached" [ -s at ]
	read -r RUNTIME_PID WORKER_PID <"$PWD/at"
}

# step_kill VICTIM ID
step_kill() {
	case $1 in
	server) kill -KILL "$(server_pid "$2")" ;;
	monitor) kill -KILL "$(monitor_pid "$2")" ;;
	worker) kill -KILL "$WORKER_PID" ;;
	runtime) kill -KILL "$RUNTIME_PID" ;;
	esac
}

cgroups_of() { find /sys/fs/cgroup -path "/sys/fs/cgroup/*$NAMESPACE/$1" -type d 2>/dev/null; }
