# SPDX-License-Identifier: Apache-2.0
#
# The tables of `bench`, from the consoles of the machines: awk -v goal=N -v megabytes=N -f table.awk
# label=LABEL CONSOLE label=LABEL CONSOLE... The first is the one that is judged.
#
# What one container costs is what all after the FIRST one took, divided by their number. FIRST and
# FLOOR are those of `fill`.
BEGIN { FIRST = 10; FLOOR = 32768 }

/^fill: end / { why[label] = $0; sub(/^fill: end [0-9]* /, "", why[label]) }
/^fill: time / { why[label] = "the time, " $3 " s" }
/^fill: memory / {
	n = $3
	last[label] = n
	for (i = 4; i <= NF; i++) {
		split($i, pair, "=")
		now[label, pair[1]] = pair[2]
		if (n == FIRST) first[label, pair[1]] = pair[2]
	}
}
/^fill: (processes|slab) / { looked[label] = $3 }
/^fill: processes / {
	for (i = 5; i <= NF; i++) {
		split($i, pair, "=")
		name = $4 " " pair[1]
		now[label, name] = pair[2]
		if ($3 == FIRST) first[label, name] = pair[2]
	}
}
/^fill: slab / {
	slabs[$4]
	now[label, "slab " $4] = $5 / 1024
	if ($3 == FIRST) first[label, "slab " $4] = $5 / 1024
}

function seen(label) { return last[label] > FIRST + 1 }
# Names of two words are of processes and slabs, which are not looked at after every container.
function each(label, name,    n) {
	n = name ~ / / ? looked[label] : last[label]
	return (now[label, name] - first[label, name]) / (n - FIRST)
}
function is_known(label, name) {
	return seen(label) && (label, name) in now && (name !~ / / || looked[label] > FIRST)
}
# More of the available memory than of what is in use.
function cost(label) { return -each(label, "MemAvailable") }

# How many it would hold, for one that was ended by something else.
function forecast(label) {
	if (!seen(label) || now[label, "MemAvailable"] <= FLOOR) return ""
	return sprintf("; at this rate it is full with %d",
		FIRST + (first[label, "MemAvailable"] - FLOOR) / cost(label))
}

function ratio(x, y) {
	if (x + 0 == 0 || y + 0 == 0) return "-"
	return x < y ? sprintf("1/%.1f", y / x) : sprintf("%.1f", x / y)
}

function summary(    i, l, mark) {
	printf "\nContainers in a machine of %d MB (cgroup v2, crun, null IO, a process that waits, ", megabytes
	printf "network namespaces of their own):\n"
	printf "  %-12s %10s %9s  %14s %9s  %s\n", "", "containers", "ratio", "kB each, after", "ratio",
		"ended by"
	printf "  %-12s %10s %9s  %14s\n", "", "", "", "the " FIRST "th"
	for (i = 1; i <= labels; i++) {
		l = label_of[i]
		if (!(l in last)) {
			printf "  %-12s not measured: there was no time\n", l
			continue
		}
		if (!(l in why)) why[l] = "the machine stopped"
		printf "  %-12s %10d %9s  %14s %9s  %s\n", l, last[l], ratio(last[judged], last[l]),
			seen(l) ? sprintf("%.0f", cost(l)) : "-",
			seen(l) && seen(judged) ? ratio(cost(judged), cost(l)) : "-", why[l] forecast(l)
	}
	if (judged == "mote") printf "  goal: %s >= %d containers: %s\n", judged, goal, (last[judged] >= goal ? "met" : "missed")
	printf "  (a ratio is %s by the other)\n", judged
}

function head(text,    i) {
	printf "\n%s\n  %-40s", text, ""
	for (i = 1; i <= labels; i++) printf " %11s", label_of[i]
	printf "\n"
}
function row(title, name, factor,    i, l) {
	printf "  %-40s", title
	for (i = 1; i <= labels; i++) {
		l = label_of[i]
		printf " %11s", is_known(l, name) ? sprintf("%.1f", factor * each(l, name)) : "-"
	}
	printf "\n"
}

function details(    i, l, parts, n, names) {
	n = split("SUnreclaim PageTables KernelStack AnonPages Shmem Percpu", names)
	head("Where the kB of a container go, as far as the machine's kernel tells:")
	row("available memory", "MemAvailable", -1)
	row("  slabs that can't be given back", "SUnreclaim", 1)
	row("  anonymous memory", "AnonPages", 1)
	row("  tmpfs: bundles, state", "Shmem", 1)
	row("  page tables, the lower two levels", "PageTables", 1)
	row("  kernel stacks", "KernelStack", 1)
	row("  percpu", "Percpu", 1)
	for (i = 1; i <= labels; i++) {
		l = label_of[i]
		now[l, "rest"] = -now[l, "MemAvailable"]
		first[l, "rest"] = -first[l, "MemAvailable"]
		for (p = 1; p <= n; p++) {
			now[l, "rest"] -= now[l, names[p]]
			first[l, "rest"] -= first[l, names[p]]
		}
	}
	row("  the rest: upper page tables, buffers", "rest", 1)
	head("Of it, by processes:")
	row("shim: processes", "shim count", 1)
	row("shim: threads", "shim threads", 1)
	row("shim: PSS", "shim pss", 1)
	row("shim: USS", "shim uss", 1)
	row("shim: page tables", "shim tables", 1)
	row("containerd: what its PSS grows by", "containerd pss", 1)
	row("the container's process: PSS", "pause pss", 1)
	row("the container's process: page tables", "pause tables", 1)
}

# Each cache that makes a difference, in the order of what it costs the judged one.
function caches(    name, i, best, done) {
	head("Slabs, kB of each container; those of " judged " above 2 kB:")
	for (;;) {
		best = ""
		for (name in slabs)
			if (!(name in done) && each(judged, "slab " name) > 2 &&
			    (best == "" || each(judged, "slab " name) > each(judged, "slab " best)))
				best = name
		if (best == "") return
		done[best]
		row(best, "slab " best, 1)
	}
}

END {
	for (i = 1; i < ARGC; i++)
		if (sub(/^label=/, "", ARGV[i])) label_of[++labels] = ARGV[i]
	judged = label_of[1]
	summary()
	details()
	if (is_known(judged, "shim pss")) caches()
}
