#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# shim/resident.ld: its lists name what there is, nobody forgot to decide about a new file, and what
# comes out are the mappings that its head describes.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=test/report.sh
. test/report.sh
script=shim/resident.ld
shims=(build/containerd-shim-mote-v2 build/containerd-shim-skeleton-v2)

# Objects of libshim.a that run in short-lived processes only, or once in a resident's life.
short_lived=(address bootstrap 'bootstrap.*' cgroup command config_json
	console delete dump endpoint failure fifo flags info launch log logger main mount
	'mount_*' program runc_options.pb-c 'runtime*' sha256 start unmount uri version 'worker*')

# The patterns for the members of an archive, as in "*libshim.a:task.*(.text .text.*)"; those of what is
# run all the time come first.
patterns() { sed -n "s/^\t\t\*$1\.a:\([^(]*\)(.*/\1/p" "$script" | sort -u; }
resident_patterns() { script=<(sed '/text\.look/,$d' "$script") patterns "$1"; }

# matches_any NAME PATTERN...
matches_any() {
	local name=$1 pattern
	shift
	for pattern in "$@"; do
		# shellcheck disable=SC2053
		[[ $name == $pattern ]] && return 0
	done
	return 1
}

# A new file belongs into the script if a resident runs it all the time, else into the list above.
decided() {
	local object resident
	mapfile -t resident < <(patterns libshim)
	while read -r object; do
		matches_any "$object" "${resident[@]}" || matches_any "${object%.o}" "${short_lived[@]}" ||
			echo "$object is neither in $script nor in test/build/layout.sh"
	done < <(ar t build/musl/libshim.a)
}

current() {
	local archive pattern object found
	for archive in libshim libttrpc libprotobuf-c; do
		while read -r pattern; do
			found=
			while read -r object; do
				matches_any "$object" "$pattern" && found=yes && break
			done < <(ar t build/musl/$archive.a)
			[ -n "$found" ] || echo "$archive has no $pattern"
		done < <(patterns $archive)
	done
}

# place FILE SECTION FUNCTION...
place() {
	local file=$1 section=$2 name place
	shift 2
	for name in "$@"; do
		place=$(objdump -t "$file" | sed 's/\.hidden //' |
			awk -v name="$name" '$NF == name { print $(NF - 2) }')
		[ "$place" = "$section" ] || echo "$name of $file is in ${place:-no section}, not in $section"
	done
}

places() {
	local file
	for file in "${shims[@]}"; do
		file=build/musl/${file##*/}.debug
		place "$file" .text.monitor monitor_run verb_handle children_collect state_write_each \
			pages_forget memcpy close __aio_close
		place "$file" .text.server server_main ttrpc_loop_run ttrpc_reply task_register \
			protobuf_c_message_unpack malloc
		place "$file" .text shim_main start_main delete_main worker_run vfprintf
		place "$file" .bss monitor_instance
	done
}

# Functions outside of the residents' parts that their objects call at their start, in their children,
# when something has gone wrong, or when a client asks for what they do directly. Whatever else is
# called belongs beside them: one call maps up to all of the rest (test/integration/residents.sh).
start=(bind geteuid getegid getppid listen log_open mprotect setsockopt sigaction sigaddset sigemptyset
	signal signalfd sigprocmask sysconf worker_run)
trouble=(__assert_fail __stack_chk_fail failure_errno log_write realloc server_dump shutdown
	snprintf strcspn strerror strncmp strsep strspn strtoull vsnprintf)
asked=(cgroup_procs file_write_all metrics_answer metrics_paths_read)

# undefined ARCHIVE PATTERN...: what the members that match need of others
undefined() {
	local archive=$1 member here=
	shift
	nm -u "$archive" 2>/dev/null | sed 's/^ *[Uw] //' | while read -r member; do
		if [[ $member == *: ]]; then
			matches_any "${member%:}" "$@" && here=yes || here=
		elif [ -n "$here" ] && [ -n "$member" ]; then
			echo "$member"
		fi
	done
}

reached() {
	local archive resident name
	for archive in libshim libttrpc libprotobuf-c; do
		mapfile -t resident < <(resident_patterns $archive)
		undefined build/musl/$archive.a "${resident[@]}"
	done | sort -u | comm -12 - <(functions_of_rest) | while read -r name; do
		matches_any "$name" "${start[@]}" "${trouble[@]}" "${asked[@]}" ||
			echo "residents call $name, which is not in their part"
	done
}
functions_of_rest() {
	objdump -t build/musl/containerd-shim-mote-v2.debug | sed 's/\.hidden //' |
		awk 'NF > 3 && $(NF - 2) == ".text" && / F / { print $NF }' | sort -u
}

# Mappings of equal rights that touch each other become one.
apart() {
	local file kind begin size rights last next executable
	for file in "${shims[@]}"; do
		last='' next=0 executable=0
		while read -r kind _ begin _ _ size rights; do
			[ "$kind" = LOAD ] || continue
			rights=${rights%0x*}
			if [ "$rights" = "$last" ] && [ $((begin / 4096)) -eq $next ]; then
				echo "two mappings of $file ($rights) meet at $begin"
			fi
			last=$rights
			next=$(((begin + size + 4095) / 4096))
			[[ $rights != *E* ]] || executable=$((executable + 1))
		done < <(readelf -lW "$file")
		[ $executable -eq 3 ] || echo "$file has $executable executable mappings"
	done
}

for file in "${shims[@]}"; do
	if [ ! -f "$file" ]; then
		echo "not ok layout.all: $file is not there"
		exit 1
	fi
done
report decided "$(decided)"
report current "$(current)"
report places "$(places)"
report reached "$(reached)"
report apart "$(apart)"
exit $status
