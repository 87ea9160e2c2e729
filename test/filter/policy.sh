#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the policy's compiler says of bad policies: one line, the file, the line, the reason; a status
# that stops make; no output. And that a good one gives the same output every time.
set -u
cd "$(dirname "$0")/../.." || exit 1
compile=build/host/seccomp-compile
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

report() { # NAME [WHAT WENT WRONG]
	if [ $# -eq 1 ]; then
		echo "ok policy.$1"
	else
		echo "not ok policy.$1: $2"
		failed=1
	fi
}

# refused NAME EXPECTED [ARCHITECTURE]: the policy comes on stdin.
refused() {
	local said status
	cat >"$folder/policy"
	rm -f "$folder/output"
	said=$("$compile" "${3:-x86_64}" "$folder/policy" "$folder/output" 2>&1)
	status=$?
	if [ "$said" != "$folder/policy:$2" ]; then
		report "$1" "said '$said'"
	elif [ $status -ne 1 ]; then
		report "$1" "status $status"
	elif [ -e "$folder/output" ]; then
		report "$1" "an output was written"
	else
		report "$1"
	fi
}

refused no_reason "2: a rule needs a reason, after '#'" <<-'END'
	# a comment
	read
END
refused empty_reason "1: a rule needs a reason, after '#'" <<-'END'
	read #
END
refused unknown_call "1: raed: no such system call on this architecture" <<-'END'
	raed   # a slip
END
refused missing_elsewhere "2: epoll_wait: no such system call on this architecture" aarch64 <<-'END'
	read         # both have it
	epoll_wait   # x86_64 alone has it
END
refused present_elsewhere "1: read: exists on other architectures too" aarch64 <<-'END'
	read @x86_64 # both have it
END
refused unknown_architecture "1: read: an architecture that is not known here" <<-'END'
	read @pdp11 # before its time
END
refused twice "3: read is already in line 1" <<-'END'
	read   # once

	read   # again
END
refused once_with_conditions "2: fcntl is already in line 1" <<-'END'
	fcntl                 # all of it
	fcntl 1 == F_GETFL    # so this says nothing
END
refused unknown_constant "1: 'F_SETOWNER' is neither a number nor a known constant" <<-'END'
	fcntl 1 == F_SETOWNER # a slip
END
refused no_such_argument "1: there is no argument '6'" <<-'END'
	fcntl 6 == 1 # there are six
END
refused half_a_condition "1: a condition reads 'N == VALUE' or 'N & MASK == VALUE'" <<-'END'
	fcntl 1 = 3 # a slip
END
refused same_argument_twice "1: argument 1 is tested twice" <<-'END'
	fcntl 1 == 3, 1 == 4 # would never hold
END
refused impossible "1: the condition can never hold" <<-'END'
	fcntl 1 & 4 == 3 # 3 has other bits
END
refused nothing "1: allows nothing" <<-'END'
	# only this
END

# The calls of the table that every architecture has, and others until there are 41.
calls() {
	grep -o '"[a-z0-9_]*"' test/filter/expected.c | tr -d '"' | sort -u | grep -v '^epoll_wait$'
	printf '%s\n' getuid getgid getppid gettid uname times sysinfo getcwd sync umask chroot fsync flock \
		getsid getpgid setsid dup chdir
}
refused too_many "41: more than 40 system calls" <<-END
	$(calls | head -n 41 | sed 's/$/ # one more/')
END

if "$compile" x86_64 "$folder/missing" "$folder/output" 2>"$folder/said"; then
	report missing_file "status 0"
elif [ "$(cat "$folder/said")" != "$folder/missing: No such file or directory" ]; then
	report missing_file "said '$(cat "$folder/said")'"
else
	report missing_file
fi

for architecture in x86_64 aarch64; do
	if "$compile" $architecture seccomp/server.policy "$folder/again" &&
		cmp "$folder/again" build/gen/seccomp/server_$architecture.h; then
		report same_again_$architecture
	else
		report same_again_$architecture "the output differs, or none came"
	fi
done
exit $failed
