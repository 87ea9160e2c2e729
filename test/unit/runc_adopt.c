/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restored processes that are not in the cgroup that runc has noted, as criu leaves them on cgroup v2:
 * the container's are moved there, and nobody else's.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "shim/cgroup_procs.h"
#include "shim/runc_cgroup.h"
#include "test/unit/runc_cgroups.h"
#include "test/unit/runc_fixture.h"

static char top[64], noted[80], below[96], old[80];
static pid_t init;

static void folders_make(void)
{
	snprintf(top, sizeof(top), CGROUPS "/mote-adopt-%d", getpid());
	snprintf(noted, sizeof(noted), "%s/noted", top);
	snprintf(below, sizeof(below), "%s/below", noted);
	snprintf(old, sizeof(old), "%s/old", top);
	if (mkdir(top, 0755) < 0)
		SKIP("no cgroup can be made: %s", strerror(errno));
	ASSERT_EQ(mkdir(noted, 0755), 0);
	ASSERT_EQ(mkdir(old, 0755), 0);
}

/* A process in the cgroup `old` that waits for its end; in a PID namespace of its own with flags for it. */
static pid_t process_begin(unsigned long flags)
{
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	ASSERT(pid >= 0);
	if (pid == 0) {
		cgroups_write(old, "cgroup.procs", "0");
		if (flags && fork() < 0)
			_exit(1);
		for (;;)
			pause();
	}
	return pid;
}

static size_t count(const char *folder)
{
	pid_t pids[16];
	size_t n = 0;

	ASSERT_EQ(cgroup_procs(folder, pids, 16, &n), 0);
	return n;
}

static void count_becomes(const char *folder, size_t n)
{
	for (int i = 0; count(folder) != n; i++) {
		ASSERT(i < 5000);
		usleep(1000);
	}
}

static void process_end(pid_t pid)
{
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

static void namespaces_write(const char *entries)
{
	char config[256];

	snprintf(config, sizeof(config), "{\"linux\": {\"namespaces\": [%s]}}", entries);
	fixture_write("bundle/config.json", config, 0644);
}

static void world_begin(unsigned long flags)
{
	char script[512];

	if (getuid() != 0)
		SKIP("only root makes cgroups");
	cgroups_v2();
	folders_make();
	init = process_begin(flags);
	count_becomes(old, flags ? 2 : 1);
	/* a limit of this size is in it as a rule, and more than an integer of jansson's */
	snprintf(script, sizeof(script),
		 "mkdir -p $top/root/ns/one; printf %d >$pid_file\n"
		 "echo '{\"limit\":18446744073709551615,\"cgroup_paths\":{\"\":\"%s\"}}' "
		 ">$top/root/ns/one/state.json",
		 init, noted);
	fixture_begin("runc", script);
	namespaces_write(flags ? "{\"type\": \"pid\"}" : "");
	fixture_task.checkpoint = "/image";
}

static void world_end(void)
{
	process_end(init);
	count_becomes(top, 0);
	rmdir(old);
	rmdir(below);
	ASSERT_EQ(rmdir(noted), 0);
	ASSERT_EQ(rmdir(top), 0);
	fixture_end();
}

static void restore(void)
{
	Containerd__Runc__V1__Options options;
	struct failure failure;

	fixture_options(&options, "runc");
	ASSERT_EQ(runc_options_keep(&options, &fixture_task, &failure), 0);
	ASSERT_EQ(fixture_call(fixture_restore), 0);
	ASSERT_EQ(fixture_shared->pid, init);
}

TEST(moved)
{
	world_begin(CLONE_NEWPID);
	restore();
	ASSERT_EQ(count(noted), 2);
	ASSERT_EQ(access(old, F_OK), -1);
	ASSERT(runc_cgroup_folder(&fixture_task));
	ASSERT_STR(runc_cgroup_folder(&fixture_task), noted);
	fixture_task.pid = init;
	ASSERT_EQ(fixture_send_signal(SIGKILL, true), 0); /* by what is kept: runc is not asked */
	count_becomes(noted, 0);
	world_end();
}

TEST(others_stay)
{
	world_begin(CLONE_NEWPID);
	pid_t other = process_begin(0), another = process_begin(CLONE_NEWPID);

	count_becomes(old, 5);
	restore();
	ASSERT_EQ(count(noted), 2);
	ASSERT_EQ(count(old), 3);
	process_end(other);
	process_end(another);
	world_end();
}

/* Another container's, which we are not in. */
static void only_init_moves(void)
{
	restore();
	ASSERT_EQ(count(noted), 1);
	ASSERT_EQ(count(old), 1);
	world_end();
}

TEST(joined_pids)
{
	world_begin(CLONE_NEWPID);
	namespaces_write("{\"type\": \"pid\", \"path\": \"/proc/1/ns/pid\"}");
	only_init_moves();
}

TEST(unknown_pids)
{
	world_begin(CLONE_NEWPID);
	ASSERT_EQ(unlink("config.json"), 0);
	only_init_moves();
}

TEST(shared_pids)
{
	world_begin(0);
	pid_t other = process_begin(0);

	count_becomes(old, 2);
	restore();
	ASSERT_EQ(count(noted), 1);
	ASSERT_EQ(count(old), 1);
	process_end(other);
	world_end();
}

/* Whatever the image has, the processes of our namespace are not the container's. */
TEST(shared_pids_of_image)
{
	world_begin(0);
	pid_t other = process_begin(0);

	count_becomes(old, 2);
	namespaces_write("{\"type\": \"pid\"}");
	restore();
	ASSERT_EQ(count(noted), 1);
	ASSERT_EQ(count(old), 1);
	process_end(other);
	world_end();
}

/* It was there before runc made the container's: a stopped container's, say. */
TEST(others_cgroup)
{
	world_begin(CLONE_NEWPID);
	ASSERT_EQ(rmdir(noted), 0);
	ASSERT_EQ(mkdir(noted, 0755), 0);
	restore();
	ASSERT_EQ(count(noted), 2);
	ASSERT_EQ(count(old), 0);
	ASSERT_EQ(access(old, F_OK), 0);
	world_end();
}

/* What is in the right place stays where it is in there. */
TEST(in_place)
{
	world_begin(CLONE_NEWPID);
	ASSERT_EQ(mkdir(below, 0755), 0);
	ASSERT_EQ(runc_cgroup_move(below, init), 0);
	restore();
	ASSERT_EQ(count(noted), 2);
	ASSERT_EQ(count(below), 1);
	ASSERT_STR(runc_cgroup_folder(&fixture_task), noted);
	world_end();
}

TEST(nothing_noted)
{
	char script[64];

	world_begin(CLONE_NEWPID);
	snprintf(script, sizeof(script), "printf %d >$pid_file", init);
	fixture_script("runc", script);
	restore();
	ASSERT_EQ(count(old), 2);
	ASSERT(!runc_cgroup_folder(&fixture_task));
	world_end();
}
