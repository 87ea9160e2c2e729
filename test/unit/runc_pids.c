/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pids of a container: as a runtime prints them, and as they are read from its cgroup; which
 * cgroup that is, and when nobody knows.
 */
#include <limits.h>
#include <signal.h>
#include <time.h>

#include "shim/runc_cgroup.h"
#include "test/unit/runc_cgroups.h"
#include "test/unit/runc_fixture.h"

/* ---- printed by a runtime ---- */

static const struct {
	const char *printed;
	size_t n;
} lists[] = {{"[]", 0}, {"null", 0}, {"[1,22]", 2}, {"[\\n  1,\\n  22\\n]\\n", 2}};

TEST(printed)
{
	char script[128];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		snprintf(script, sizeof(script), "printf '%s'", lists[i].printed);
		fixture_begin("runc", script);
		ASSERT_EQ(fixture_call(fixture_pids), 0);
		fixture_expect_words("ps --format json one");
		ASSERT_EQ(fixture_shared->n, lists[i].n);
		if (lists[i].n > 0)
			ASSERT(fixture_shared->pids[0] == 1 && fixture_shared->pids[1] == 22);
		fixture_end();
	}
}

TEST(printed_nonsense)
{
	static const char *const printed[] = {"", "[1", "{}", "[-1]", "[\"1\"]", "[99999999999]"};
	char script[128];

	for (size_t i = 0; i < sizeof(printed) / sizeof(printed[0]); i++) {
		snprintf(script, sizeof(script), "printf '%s'", printed[i]);
		fixture_begin("runc", script);
		ASSERT(fixture_call(fixture_pids) < 0);
		ASSERT_EQ(fixture_task.error_code, RUNTIME_UNKNOWN);
		ASSERT(strstr(fixture_task.error, "/runc ps printed "));
		fixture_end();
	}
}

TEST(runtime_that_fails)
{
	char text[256];

	fixture_begin("runc", "echo 'container does not exist'; exit 1");
	fixture_task.pid = 4711;
	snprintf(text, sizeof(text),
		 "%s/runc did not terminate successfully: exit status 1: container does not exist",
		 fixture_top);
	fixture_failed(fixture_pids, RUNTIME_UNKNOWN, text);
	fixture_task.pid = 0; /* it has ended: then that is no wonder */
	ASSERT_EQ(fixture_call(fixture_pids), 0);
	ASSERT_EQ(fixture_shared->n, 0);
	fixture_end();
}

/* ---- read from cgroups ---- */

static char folder[PATH_MAX];

static void world_begin(const char *root)
{
	snprintf(folder, sizeof(folder), "%s/mote-pids-%d", root, getpid());
	if (mkdir(folder, 0755) < 0)
		SKIP("no cgroup can be made: %s", strerror(errno));
	fixture_begin("runc", "printf '[4711]'");
}

static const char *below(const char *name)
{
	static char path[PATH_MAX];

	ASSERT(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
	return path;
}

/* In the folder of that name below the world's own; "": in that. */
static pid_t sleeper(const char *where)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0) {
		cgroups_write(below(where), "cgroup.procs", "0");
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	return pid;
}

static void end_process(pid_t pid)
{
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

static int keep(void)
{
	runc_cgroup_keep(&fixture_task, fixture_task.pid);
	return 0;
}

/* Read, not printed by the script; those of the list, in any order. */
static void expect_pids(const pid_t *pids, size_t n)
{
	ASSERT_EQ(fixture_call(fixture_pids), 0);
	ASSERT(!fixture_exists("argv"));
	ASSERT_EQ(fixture_shared->n, n);
	for (size_t i = 0; i < n; i++) {
		size_t found = 0;

		for (size_t k = 0; k < n; k++)
			found += fixture_shared->pids[k] == pids[i];
		ASSERT_EQ(found, 1);
	}
}

static void read_recursively(const char *root)
{
	pid_t pids[4];

	world_begin(root);
	ASSERT_EQ(mkdir(below("a"), 0755), 0);
	ASSERT_EQ(mkdir(below("a/b"), 0755), 0);
	pids[0] = fixture_task.pid = sleeper("");
	ASSERT_EQ(fixture_call(keep), 0);
	ASSERT_STR(runc_cgroup_folder(&fixture_task), folder);
	pids[1] = sleeper("a");
	pids[2] = sleeper("a/b");
	pids[3] = sleeper("a/b");
	expect_pids(pids, 4);
	/* as systemd does it, once it runs: the container's cgroup is still the whole */
	char number[16];
	snprintf(number, sizeof(number), "%d", pids[0]);
	cgroups_write(below("a"), "cgroup.procs", number);
	expect_pids(pids, 4);
	end_process(pids[0]);
	fixture_task.pid = 0;
	expect_pids(pids + 1, 3);
	for (int i = 1; i < 4; i++)
		end_process(pids[i]);
	expect_pids(pids, 0);
	ASSERT_EQ(rmdir(below("a/b")), 0);
	ASSERT_EQ(rmdir(below("a")), 0);
	ASSERT_EQ(rmdir(folder), 0);
	expect_pids(pids, 0);
	fixture_end();
}

TEST(read_recursively_v1)
{
	cgroups_v1();
	read_recursively(CGROUPS "/devices");
}

TEST(read_recursively_v2)
{
	cgroups_v2();
	read_recursively(CGROUPS);
}

/* More than a read gives at once. */
TEST(read_many)
{
	enum { N = 900 };
	static pid_t pids[N];

	cgroups_v2();
	world_begin(CGROUPS);
	for (int i = 0; i < N; i++)
		pids[i] = sleeper("");
	fixture_task.pid = pids[N - 1]; /* the last that is listed */
	ASSERT_EQ(fixture_call(keep), 0);
	expect_pids(pids, N);
	ASSERT_EQ(fixture_send_signal(SIGKILL, true),
		  0); /* all at once; the runtime is not asked */
	ASSERT(!fixture_exists("argv"));
	for (int i = 0; i < N; i++)
		ASSERT_EQ(waitpid(pids[i], NULL, 0), pids[i]);
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}

/* A container that shares the shim's cgroup, or a root that is nobody's: what is there is not it. */
TEST(no_cgroup_of_its_own)
{
	cgroups_v2();
	world_begin(CGROUPS);
	fixture_task.pid = sleeper("..");
	ASSERT_EQ(fixture_call(keep), 0);
	ASSERT(!runc_cgroup_folder(&fixture_task));
	end_process(fixture_task.pid);
	cgroups_write(folder, "cgroup.procs", "0");
	fixture_task.pid = sleeper("");
	ASSERT_EQ(fixture_call(keep), 0);
	ASSERT(!runc_cgroup_folder(&fixture_task));
	ASSERT_EQ(fixture_call(fixture_pids), 0);
	ASSERT(fixture_exists("argv") && fixture_shared->n == 1 && fixture_shared->pids[0] == 4711);
	end_process(fixture_task.pid);
	cgroups_write(CGROUPS, "cgroup.procs", "0");
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}

/* What /proc tells of may not be what is mounted here, as in a container with cgroups of its own. */
TEST(cgroups_that_are_not_mounted)
{
	cgroups_v2();
	world_begin(CGROUPS);
	fixture_task.pid = sleeper("");
	ASSERT_EQ(mount("tmpfs", CGROUPS, "tmpfs", 0, ""), 0);
	ASSERT_EQ(fixture_call(keep), 0);
	ASSERT(!runc_cgroup_folder(&fixture_task));
	end_process(fixture_task.pid);
	ASSERT_EQ(umount(CGROUPS), 0);
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}

TEST(init_that_is_gone)
{
	cgroups_v2();
	world_begin(CGROUPS);
	fixture_task.pid = sleeper("");
	end_process(fixture_task.pid);
	ASSERT_EQ(fixture_call(keep), 0);
	ASSERT(!runc_cgroup_folder(&fixture_task));
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}

/* A program of another name may keep its containers elsewhere. */
TEST(another_runtime_is_asked)
{
	Containerd__Runc__V1__Options options;
	struct failure failure;

	cgroups_v2();
	world_begin(CGROUPS);
	fixture_script("other", "printf '[4711]'");
	fixture_options(&options, "other");
	ASSERT_EQ(runc_options_keep(&options, &fixture_task, &failure), 0);
	fixture_task.pid = sleeper("");
	ASSERT_EQ(fixture_call(keep), 0);
	ASSERT_EQ(fixture_call(fixture_pids), 0);
	ASSERT(fixture_exists("argv") && fixture_shared->n == 1 && fixture_shared->pids[0] == 4711);
	end_process(fixture_task.pid);
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}

/* A folder that somebody wrote into the bundle's state is read only where cgroups are. */
TEST(folder_elsewhere)
{
	fixture_begin("runc", "");
	runc_options_keep_more(&fixture_task, "/etc");
	ASSERT(!runc_cgroup_folder(&fixture_task));
	runc_options_keep_more(&fixture_task, CGROUPS "/x");
	ASSERT_STR(runc_cgroup_folder(&fixture_task), CGROUPS "/x");
	fixture_end();
}

/* On v1 what is frozen does not die before it is thawed. */
TEST(killed_while_frozen)
{
	cgroups_v1();
	world_begin(CGROUPS "/freezer");
	fixture_task.pid = sleeper("");
	cgroups_write(folder, "freezer.state", "FROZEN");
	ASSERT_EQ(fixture_send_signal(SIGKILL, false), 0);
	ASSERT_EQ(waitpid(fixture_task.pid, NULL, 0), fixture_task.pid);
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}

/* ---- left by a runtime that was killed in create or restore ---- */

static void config_write(const char *cgroups_path)
{
	char config[PATH_MAX];

	snprintf(config, sizeof(config), "{\"linux\": {\"cgroupsPath\": \"%s\"}}", cgroups_path);
	fixture_write("bundle/config.json", config, 0644);
}

/* With a folder of the container's state, as such a runtime leaves it. */
static void remove_left(const char *cgroups_path, bool force)
{
	config_write(cgroups_path);
	fixture_script("runc", "mkdir -p $top/root/ns/one");
	fixture_shared->force = force;
	ASSERT_EQ(fixture_call(fixture_remove), 0);
}

static void left_alone(const char *cgroups_path, bool force)
{
	remove_left(cgroups_path, force);
	ASSERT_EQ(access(folder, F_OK), 0);
}

static void state_make(void)
{
	ASSERT_EQ(mkdir(fixture_path("root"), 0700), 0);
	ASSERT_EQ(mkdir(fixture_path("root/ns"), 0700), 0);
	ASSERT_EQ(mkdir(fixture_path("root/ns/one"), 0700), 0);
}

static void removed_when_empty(const char *root)
{
	char elsewhere[PATH_MAX];
	const char *path;

	world_begin(root);
	path = strrchr(folder, '/');
	state_make();
	left_alone(path, false);
	left_alone(path + 1, true);
	left_alone("/", true);
	snprintf(elsewhere, sizeof(elsewhere), "/../%s%s", strrchr(root, '/') + 1, path);
	left_alone(elsewhere, true);
	pid_t pid = sleeper("");
	left_alone(path, true);
	end_process(pid);
	remove_left(path, true);
	ASSERT(access(folder, F_OK) < 0);
	fixture_end();
}

TEST(left_on_v1)
{
	cgroups_v1();
	removed_when_empty(CGROUPS "/devices");
}

TEST(left_on_v2)
{
	cgroups_v2();
	removed_when_empty(CGROUPS);
}

/* One that was killed in restore, of a container that is deleted then. */
TEST(left_and_unknown)
{
	cgroups_v2();
	world_begin(CGROUPS);
	config_write(strrchr(folder, '/'));
	fixture_script("runc", "echo 'container does not exist'; exit 1");
	fixture_shared->force = false;
	ASSERT_EQ(fixture_call(fixture_remove), 0);
	ASSERT(access(folder, F_OK) < 0);
	fixture_end();
}

static double remove_seconds(void)
{
	struct timespec begin, end;

	ASSERT_EQ(clock_gettime(CLOCK_MONOTONIC, &begin), 0);
	left_alone(strrchr(folder, '/'), true);
	ASSERT_EQ(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
}

/* The wait for those who may be about to leave is one for all hierarchies. */
TEST(in_use_on_v1)
{
	static const char *const more[] = {"cpuacct", "memory", "freezer", "blkio", "pids"};
	enum { N = sizeof(more) / sizeof(more[0]) };
	char path[N][PATH_MAX], number[16];

	cgroups_v1();
	world_begin(CGROUPS "/devices");
	state_make();
	pid_t pid = sleeper("");
	double one = remove_seconds();

	snprintf(number, sizeof(number), "%d", pid);
	for (int i = 0; i < N; i++) {
		snprintf(path[i], sizeof(path[i]), CGROUPS "/%s%s", more[i], strrchr(folder, '/'));
		if (mkdir(path[i], 0755) == 0)
			cgroups_write(path[i], "cgroup.procs", number);
	}
	ASSERT(remove_seconds() < one * 3);
	end_process(pid);
	for (int i = 0; i < N; i++)
		rmdir(path[i]);
	ASSERT_EQ(rmdir(folder), 0);
	fixture_end();
}
