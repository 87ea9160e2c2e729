#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every method in every state of a container's init and of an exec: what is refused is refused with
# the code and the text that clients know, and changes nothing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# One row for each method, one cell for each state: `ok`, or `CODE TEXT` of the error, of which TEXT
# is a part. `ok FIELD=VALUE`: in the answer. `-`: another test's matter. A blocked Wait is ended by
# its deadline. This table is the tests' own, written from what clients of containerd's own shim rely
# on; the shim's is in shim/process.c.
init_table() {
	cat <<'END'
created | checkpoint | running | paused | stopped
Start | ok | - | 2 cannot start a running process | 2 cannot start a paused process | 2 cannot start a stopped process
Delete | ok | ok | 2 cannot delete a running process | 2 cannot delete a paused process | ok exit_status=137
Kill signal=18 | ok | 5 : not found | ok | ok | 5 process already finished: not found
Pause | 2 cannot pause task in created state | 2 cannot pause task in created state | ok | 2 cannot pause a paused container | 2 cannot pause a stopped container
Resume | 2 cannot resume task in created state | 2 cannot resume task in created state | 2 cannot resume a running process | ok | 2 cannot resume a stopped container
Update resources={"pids":{"limit":99}} | ok | 2 exit status 1: | ok | ok | 2 cannot update a stopped container
Checkpoint path=/proc/absent | 2 cannot checkpoint a task in created state | 2 cannot checkpoint a task in created state | 2 criu-dump.log | 2 criu-dump.log | 2 cannot checkpoint a stopped container
Exec exec_id=again spec={} | ok | 2 cannot exec in a created state | ok | 2 cannot exec in a paused state | 2 cannot exec in a stopped state
Pids | ok pid= | ok | ok pid= | ok pid= | ok pid=
Stats | ok stats=io.containerd.cgroups. | 5 cgroup does not exist: not found | ok stats=io.containerd.cgroups. | ok stats=io.containerd.cgroups. | ok stats=io.containerd.cgroups.
ResizePty width=80 height=24 | ok | ok | ok | ok | ok
CloseIO stdin=1 | ok | ok | ok | ok | ok
Wait | 4 | 4 | 4 | 4 | ok exit_status=137
State | ok status=1 | ok status=1 | ok status=2 | ok status=4 | ok status=3
Connect | ok shim_pid= | ok shim_pid= | ok shim_pid= | ok shim_pid= | ok shim_pid=
Shutdown | ok | ok | ok | ok | ok
Create | 6 : already exists | 6 : already exists | 6 : already exists | 6 : already exists | 6 : already exists
END
}

unknown_table() {
	local method
	echo unknown
	for method in Start Delete "Kill signal=9" Pause Resume "Update resources={}" "Checkpoint path=/x" \
		"Exec exec_id=e spec={}" Pids Stats "ResizePty width=1 height=1" CloseIO Wait State; do
		echo "$method | 5 container not created: not found"
	done
	echo "Connect | ok shim_pid="
	echo "Shutdown | ok"
}

exec_table() {
	cat <<'END'
unknown | created | running | stopped
Start | 5 process does not exist EXEC: not found | ok | 2 cannot start a running process | 2 cannot start a stopped process
Delete | 5 process does not exist EXEC: not found | ok | 2 cannot delete a running process | ok exit_status=137
Kill signal=18 | 5 process does not exist EXEC: not found | 9 process not created: failed precondition | ok | 5 process already finished: not found
ResizePty width=80 height=24 | 5 process does not exist EXEC: not found | ok | ok | 2 cannot resize a stopped container
CloseIO stdin=1 | 5 process does not exist EXEC: not found | ok | ok | ok
Wait | 5 process does not exist EXEC: not found | 4 | 4 | ok exit_status=137
State | 5 process does not exist EXEC: not found | ok status=1 | ok status=2 | ok status=3
Exec spec={} | - | 6 id EXEC: already exists | 6 id EXEC: already exists | 6 id EXEC: already exists
END
}

SLEEP='{"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/", "user": {"uid": 0, "gid": 0}}'

# Methods that leave the state when they succeed need a container for themselves.
changes_state() {
	case $1 in
	Start | Delete | Pause | Resume) [[ $2 == ok* ]] ;;
	*) false ;;
	esac
}

trimmed() {
	local text=$1
	text=${text#"${text%%[! ]*}"}
	echo "${text%"${text##*[! ]}"}"
}

# cell EXPECTED WHERE ID [FIELD=VALUE]... -- METHOD [FIELD=VALUE]...
cell() {
	local expected=$1 where=$2 id=$3 words=() status=0
	shift 3
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	local method=$2
	shift 2
	"$TASK" --timeout "$([ "$method" = Wait ] && echo 150 || echo 20000)" "$ADDRESS" "$method" \
		id="$id" "${words[@]}" "$@" >answer 2>&1 || status=$?
	if [[ $expected == ok* ]]; then
		same "how $method $where ended ($(<answer))" 0 $status
		holds "answer of $method $where" "$(trimmed "${expected#ok}")" "$(<answer)"
	else
		same "how $method $where ended ($(<answer))" 1 $status
		holds "answer of $method $where" "error ${expected%% *} " "$(<answer)"
		holds "answer of $method $where" "${expected#* }" "$(<answer)"
	fi
}

# ---- an init -----------------------------------------------------------------------------------

reach() {
	local state=$1 id=$2
	hand_bundle "$id"
	case $state in
	checkpoint) hand_create "$id" checkpoint="$SCRATCH/image" ;;
	*) hand_create "$id" ;;
	esac
	case $state in
	running | paused | stopped) call Start id="$id" >/dev/null ;;
	esac
	case $state in
	paused) call Pause id="$id" ;;
	stopped)
		call Kill id="$id" signal=9
		must_become 10 "$id stops" state_is "$id" STOPPED
		;;
	esac
}

leave() {
	"$TASK" "$ADDRESS" Kill id="$1" signal=9 >/dev/null 2>&1 || true
	"$TASK" "$ADDRESS" Resume id="$1" >/dev/null 2>&1 || true
	must_become 10 "$1 can be deleted" "$TASK" "$ADDRESS" Delete id="$1"
}

# column TABLE NUMBER: its lines are METHOD and its words, a tab, and the cell
column() { "$1" | tail -n +2 | awk -F ' [|] ' -v n="$2" '{ print $1 "\t" $(n + 1) }'; }

init_in() {
	local number=$2 state=$3 line method expected words id
	reach "$state" "$state"
	while IFS=$'\t' read -r line expected; do
		[ "$expected" != - ] || continue
		read -ra words <<<"$line"
		method=${words[0]}
		[ "$method" != Create ] || words+=(bundle="$HAND/$state")
		[ "$method" != Exec ] || words[2]="spec=$SLEEP"
		id=$state
		if changes_state "$method" "$expected"; then
			id=$state.$method
			reach "$state" "$id"
		fi
		cell "$expected" "when $state" "$id" -- "${words[@]}"
		[ "$id" = "$state" ] || [ "$method" = Delete ] || leave "$id"
		[[ $expected == ok* ]] || [ "$state" = checkpoint ] || is_still "$state"
	done < <(column init_table "$number")
	leave "$state"
}
is_still() {
	local numbers=([0]="" [1]=created [2]=running [3]=stopped [4]=paused)
	same "state afterwards" "$1" "${numbers[$(field status State id="$1")]}"
}

init() {
	local number=0 state
	begin "$1" shim
	mkdir image
	for state in created checkpoint running paused stopped; do
		number=$((number + 1))
		init_in "$1" $number $state
	done
	hand_shutdown shim
}
scenario --mote init runc crun

# Of what was never made, and of what was deleted; a Delete is answered again.
unknown() {
	local line expected words
	begin "$1" shim
	hand_create shim
	reach stopped gone
	call Delete id=gone >first
	same "the second Delete" "$(<first)" "$(call Delete id=gone)"
	while IFS=$'\t' read -r line expected; do
		read -ra words <<<"$line"
		cell "$expected" "when unknown" absent -- "${words[@]}"
		[ "${words[0]}" = Delete ] || cell "$expected" "when deleted" gone -- "${words[@]}"
	done < <(column unknown_table 1)
	hand_end shim
	hand_shutdown shim
}
scenario --mote unknown runc

# ---- an exec -----------------------------------------------------------------------------------

reach_exec() {
	[ "$1" != unknown ] || return 0
	call Exec id=shim exec_id="$2" spec="$SLEEP"
	[ "$1" != created ] || return 0
	call Start id=shim exec_id="$2" >/dev/null
	[ "$1" = stopped ] || return 0
	call Kill id=shim exec_id="$2" signal=9
	must_become 10 "$2 stops" exec_is "$2" 3
}
exec_is() { [ "$(field status State id=shim exec_id="$1")" = "$2" ]; }

leave_exec() {
	[ "$1" != unknown ] || return 0
	"$TASK" "$ADDRESS" Kill id=shim exec_id="$2" signal=9 >/dev/null 2>&1 || true
	must_become 10 "$2 can be deleted" "$TASK" "$ADDRESS" Delete id=shim exec_id="$2"
}

exec_in() {
	local number=$1 state=$2 line expected words method name
	reach_exec "$state" "$state"
	while IFS=$'\t' read -r line expected; do
		[ "$expected" != - ] || continue
		read -ra words <<<"$line"
		method=${words[0]}
		[ "$method" != Exec ] || words[1]="spec=$SLEEP"
		name=$state
		if changes_state "$method" "$expected"; then
			name=$state.$method
			reach_exec "$state" "$name"
		fi
		cell "${expected//EXEC/$name}" "of an exec when $state" shim exec_id="$name" -- \
			"${words[@]}"
		[ "$name" = "$state" ] || [ "$method" = Delete ] || leave_exec "$state" "$name"
	done < <(column exec_table "$number")
	leave_exec "$state" "$state"
}

exec_states() {
	local number=0 state
	begin "$1" shim
	hand_create shim
	call Start id=shim >/dev/null
	for state in unknown created running stopped; do
		number=$((number + 1))
		exec_in $number $state
	done
	hand_end shim
	hand_shutdown shim
}
scenario --mote exec_states runc crun

# What an exec is while its container is paused, and when it has ended.
exec_of_container() {
	begin "$1" shim
	hand_create shim
	call Exec id=shim exec_id=early spec="$SLEEP"
	call Start id=shim >/dev/null
	reach_exec running runs
	call Pause id=shim
	same "status in a paused container" 4 "$(field status State id=shim exec_id=runs)"
	cell "2 cannot exec in a paused state" "when paused" shim exec_id=new -- Exec "spec=$SLEEP"
	call Resume id=shim
	same "status afterwards" 2 "$(field status State id=shim exec_id=runs)"
	call Kill id=shim signal=9
	must_become 10 "the container stops" state_is shim STOPPED
	same "status of the exec" 3 "$(field status State id=shim exec_id=runs)"
	cell "9 container shim init process is not running: failed precondition" \
		"when the init has ended" shim exec_id=early -- Start
	call Delete id=shim exec_id=early >/dev/null
	call Delete id=shim exec_id=runs >/dev/null
	call Delete id=shim >/dev/null
	hand_shutdown shim
}
scenario --mote exec_of_container runc crun

# It stays created, whoever waits is told, it can be started again and deleted.
exec_fails() {
	begin "$1" shim
	hand_create shim
	call Start id=shim >/dev/null
	call Exec id=shim exec_id=bad spec='{"args": ["/no/such"], "cwd": "/"}'
	"$TASK" "$ADDRESS" Wait id=shim exec_id=bad >waited 2>&1 &
	local waiter=$! number
	for number in 1 2; do
		cell "2 OCI runtime exec failed: " "of no command, time $number" shim exec_id=bad -- Start
		same "status afterwards" 1 "$(field status State id=shim exec_id=bad)"
	done
	wait $waiter || fail "Wait: $(<waited)"
	same "time of the exit that was none" "exited_at=-62135596800.000000000" \
		"$(grep exited_at waited)"
	same "status of the exit that was none" "" "$(grep exit_status waited || true)"
	call Delete id=shim exec_id=bad >/dev/null
	cell "5 process does not exist bad: not found" "when deleted" shim exec_id=bad -- State
	hand_end shim
	hand_shutdown shim
}
scenario --mote exec_fails runc crun

# ---- fields that make no sense -----------------------------------------------------------------

# bad METHOD WORDS...: an error, and the container runs on
bad() {
	local code=$1 status=0
	shift
	"$TASK" --timeout 20000 "$ADDRESS" "$@" id=shim >answer 2>&1 || status=$?
	same "how $* ended ($(<answer))" 1 $status
	[ -z "$code" ] || holds "answer of $*" "error $code " "$(<answer)"
	[[ $* == *$'\n'* ]] || same "lines of the answer of $*" 1 "$(wc -l <answer)"
	same "state afterwards" 2 "$(field status State id=shim)"
}

nonsense() {
	local word
	begin "$1" shim
	hand_create shim
	call Start id=shim >/dev/null
	for word in 65 1000 2147483648 4294967295; do
		bad "" Kill signal="$word"
	done
	for word in ../x a/b . .. "$(printf 'x%.0s' {1..200})" $'new\nline' " "; do
		bad 3 Exec exec_id="$word" spec="$SLEEP"
		bad 5 State exec_id="$word"
	done
	bad 3 Exec exec_id="" spec="$SLEEP"
	bad 3 Exec exec_id=none
	bad 3 Exec exec_id=empty spec=
	for word in '{' '[]' '"x"' 7 '{"args": ' "$(printf '[%.0s' {1..5000})"; do
		call Exec id=shim exec_id=json spec="$word"
		bad 3 Start exec_id=json
		call Delete id=shim exec_id=json >/dev/null
	done
	for word in '' '{' '[]' 7; do
		bad "" Update resources="$word"
	done
	for word in 65536 4294967295; do
		"$TASK" "$ADDRESS" ResizePty id=shim width="$word" height="$word" >answer 2>&1 || true
		same "state afterwards" 2 "$(field status State id=shim)"
	done
	hand_end shim
	hand_shutdown shim
}
scenario --mote nonsense runc crun

run_scenarios "$@"
