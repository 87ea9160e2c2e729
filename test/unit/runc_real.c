/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real runc and crun, where they are installed or unpacked, over cgroups of v1 and of v2: one
 * container's life through all functions, and that what we do in a runtime's place comes to the same.
 */
#include <glob.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shim/command.h"
#include "shim/runc_cgroup.h"
#include "test/unit/runc_cgroups.h"
#include "test/unit/runc_fixture.h"

/* Each %s is a member more, or nothing. */
#define PROCESS                                                                                    \
	"{\"args\":[\"/bin/busybox\",\"sh\",\"-c\",\"%s\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]," \
	"\"user\":{\"uid\":0,\"gid\":0},\"rlimits\":[{\"type\":\"RLIMIT_CPU\","                    \
	"\"hard\":18446744073709551615,\"soft\":18446744073709551615}]%s}"

static const char config_format[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":%s,\"root\":{\"path\":\"rootfs\"},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\"}],"
	"\"linux\":{\"cgroupsPath\":\"/mote-real-%d/one\",\"namespaces\":[{\"type\":\"pid\"},"
	"{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}]}}";

/* A process that runs a shell's command. Valid until called again. */
static const char *process(const char *script, const char *more)
{
	static char json[1024];

	snprintf(json, sizeof(json), PROCESS, script, more);
	return json;
}

/* What a shell prints; "": it failed. To be freed. */
static char *printed(const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct command command = COMMAND_NULL;
	struct command_result result = COMMAND_RESULT_NULL;
	struct failure failure;

	command.argv = argv;
	command.capture = true;
	command.output_only = true;
	ASSERT_EQ(command_run(&command, &result, &failure), 0);
	if (result.status != 0)
		result.output[0] = '\0';
	result.output[strcspn(result.output, "\n")] = '\0';
	return result.output;
}

/* As build/daemons/env.sh does it. */
static void find_daemons(void)
{
	char here[512], value[4096];
	glob_t found;

	ASSERT(getcwd(here, sizeof(here)));
	snprintf(value, sizeof(value),
		 "%s/build/daemons/usr/bin:%s/build/daemons/usr/sbin:%s/build/daemons/bin:%s", here,
		 here, here, getenv("PATH"));
	setenv("PATH", value, 1);
	snprintf(value, sizeof(value), "%s/build/daemons/usr/lib/*-linux-gnu*", here);
	if (glob(value, 0, NULL, &found) == 0)
		setenv("LD_LIBRARY_PATH", found.gl_pathv[0], 1);
	globfree(&found);
}

static void need(const char *program)
{
	char script[64], *path;

	snprintf(script, sizeof(script), "command -v %s", program);
	path = printed(script);
	if (!*path)
		SKIP("no %s", program);
	free(path);
}

static void rootfs_make(void)
{
	static const char *const folders[] = {"rootfs", "rootfs/bin", "rootfs/proc", "rootfs/dev"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		ASSERT_EQ(mkdir(folders[i], 0755), 0);
	free(printed("cp $(command -v busybox) rootfs/bin/busybox"));
	ASSERT_EQ(access("rootfs/bin/busybox", X_OK), 0);
}

/* more: members of the container's process besides what it runs. */
static void world_begin(const char *program, void (*cgroups)(void), const char *more)
{
	Containerd__Runc__V1__Options options;
	char config[4096];
	int null;

	if (getuid() != 0)
		SKIP("only root runs containers here");
	find_daemons();
	need(program);
	need("busybox");
	cgroups();
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	fixture_begin(program, "");
	rootfs_make();
	snprintf(config, sizeof(config), config_format, process("sleep 1000", more), getpid());
	fixture_write("bundle/config.json", config, 0600);
	fixture_options(&options, program);
	options.binary_name = (char *)(uintptr_t)program;
	fixture_send(&options);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		fixture_task.stdio[i] = null;
}

static void succeed(int (*function)(void), int line)
{
	if (fixture_call(function) != 0)
		test_fail(__FILE__, line, "%d, %s", fixture_shared->result, fixture_task.error);
}

#define SUCCEED(function) succeed(function, __LINE__)

static void create_and_start(void)
{
	SUCCEED(fixture_create);
	fixture_task.options.size = 0;
	fixture_task.options.type_url = "";
	fixture_task.pid = fixture_shared->pid;
	ASSERT(fixture_task.pid > 1);
	SUCCEED(fixture_start);
}

static pid_t exec(const char *id, const char *json)
{
	fixture_task.exec_id = id;
	fixture_json(json);
	SUCCEED(fixture_exec);
	fixture_task.exec_id = "";
	return fixture_shared->pid;
}

/*
 * As a subreaper has to: a failed exec leaves a process in the container's PID namespace, and before
 * that one is reaped its init does not end.
 */
static int ended(pid_t pid)
{
	int status;
	pid_t one;

	do
		one = waitpid(-1, &status, 0);
	while (one > 0 && one != pid);
	ASSERT_EQ(one, pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What `ps` of the runtime says is what we say. */
static void expect_same_pids(const char *program, size_t n)
{
	char script[512], *list;
	size_t listed = 0;

	ASSERT(runc_cgroup_folder(&fixture_task));
	SUCCEED(fixture_pids);
	ASSERT_EQ(fixture_shared->n, n);
	snprintf(script, sizeof(script), "%s --root %s/root/ns ps --format json one | tr '\\n' ' '",
		 program, fixture_top);
	list = printed(script);
	for (char *at = list; (at = strpbrk(at, "0123456789")); listed++) {
		pid_t pid = (pid_t)strtol(at, &at, 10);
		size_t found = 0;

		for (size_t i = 0; i < n; i++)
			found += fixture_shared->pids[i] == pid;
		ASSERT_EQ(found, 1);
	}
	ASSERT_EQ(listed, n);
	free(list);
}

/* The folder above the container's cgroups, one in each hierarchy, is the test's. */
static void world_end(void)
{
	char path[128];

	fixture_shared->force = true;
	SUCCEED(fixture_remove);
	ASSERT(!fixture_exists("root/ns/one"));
	snprintf(path, sizeof(path), CGROUPS "/mote-real-%d", getpid());
	rmdir(path);
	for (size_t i = 0; i < sizeof(cgroups_controllers) / sizeof(char *); i++) {
		snprintf(path, sizeof(path), CGROUPS "/%s/mote-real-%d", cgroups_controllers[i],
			 getpid());
		rmdir(path);
	}
	close(fixture_task.stdio[0]);
	fixture_end();
}

static void life(const char *program, void (*cgroups)(void))
{
	pid_t one, two;

	world_begin(program, cgroups, "");
	create_and_start();
	expect_same_pids(program, 1);
	one = exec("e1", process("exec sleep 1000", ""));
	two = exec("e2", process("exit 7", ",\"terminal\":true"));
	ASSERT_EQ(ended(two), 7);
	expect_same_pids(program, 2);
	ASSERT(!fixture_exists("bundle/e1.pid") && !fixture_exists("bundle/.e1.process"));
	fixture_task.exec_id = "e1";
	pid_t init = fixture_task.pid;
	fixture_task.pid = one;
	ASSERT_EQ(fixture_send_signal(SIGUSR1, false), 0);
	ASSERT_EQ(ended(one), 128 + SIGUSR1);
	fixture_task.exec_id = "";
	fixture_task.pid = init;
	expect_same_pids(program, 1);
	/* frozen: whatever the version of cgroups, SIGKILL ends it */
	SUCCEED(fixture_pause);
	ASSERT_EQ(fixture_send_signal(SIGKILL, false), 0);
	ASSERT_EQ(ended(init), 137);
	fixture_task.pid = 0;
	SUCCEED(fixture_pids);
	ASSERT_EQ(fixture_shared->n, 0);
	fixture_shared->force = false;
	SUCCEED(fixture_remove);
	SUCCEED(fixture_remove); /* it is not there any more */
	world_end();
}

/* What fails, and whose words clients get. */
static void failures(const char *program, void (*cgroups)(void))
{
	world_begin(program, cgroups, "");
	create_and_start();
	fixture_task.exec_id = "e1";
	fixture_json("{\"args\":[\"nothing\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],"
		     "\"user\":{\"uid\":0,\"gid\":0}}");
	ASSERT(fixture_call(fixture_exec) < 0);
	ASSERT_EQ(strncmp(fixture_task.error, "OCI runtime exec failed: ", 25), 0);
	ASSERT(strstr(fixture_task.error, "executable file") &&
	       strstr(fixture_task.error, "not found"));
	ASSERT(!fixture_exists("bundle/e1.pid") && !fixture_exists("bundle/.e1.process"));
	fixture_task.exec_id = "";
	if (strcmp(program, "runc") == 0) /* crun takes it for done */
		fixture_failed(fixture_resume, RUNTIME_UNKNOWN,
			       "OCI runtime resume failed: container not paused");
	fixture_task.checkpoint = fixture_top;
	if (system("command -v criu >/dev/null") != 0) {
		ASSERT(fixture_call(fixture_checkpoint) < 0);
		ASSERT(strstr(fixture_task.error, " path= "));
	}
	fixture_task.checkpoint = "";
	ASSERT_EQ(fixture_send_signal(SIGKILL, true), 0); /* all: by the runtime on v1 */
	ASSERT_EQ(ended(fixture_task.pid), 137);
	fixture_task.pid = 0;
	ASSERT(fixture_call(fixture_pause) < 0);
	ASSERT_EQ(strncmp(fixture_task.error, "OCI runtime pause failed: ", 26), 0);
	world_end();
}

static int listener(struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(name->sun_path, sizeof(name->sun_path), "%s/pty.sock", fixture_top);
	ASSERT(fd >= 0);
	ASSERT_EQ(bind(fd, (struct sockaddr *)name, sizeof(*name)), 0);
	ASSERT_EQ(listen(fd, 4), 0);
	return fd;
}

/* The terminal's master that a runtime has sent. */
static int master(int listening)
{
	char payload[256];
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = {payload, sizeof(payload)};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct winsize size = {.ws_row = 5, .ws_col = 6};
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC), received;

	ASSERT(fd >= 0);
	ASSERT(recvmsg(fd, &message, MSG_CMSG_CLOEXEC) > 0);
	close(fd);
	ASSERT(CMSG_FIRSTHDR(&message));
	memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	ASSERT_EQ(ioctl(received, TIOCSWINSZ, &size), 0);
	return received;
}

static void expect_read(int fd, const char *expected)
{
	char text[64];
	size_t n = 0;

	while (n < strlen(expected)) {
		ssize_t one = read(fd, text + n, sizeof(text) - 1 - n);

		ASSERT(one > 0);
		n += (size_t)one;
	}
	text[n] = '\0';
	ASSERT_STR(text, expected);
}

static void terminals(const char *program, void (*cgroups)(void))
{
	struct sockaddr_un name;
	int listening, fd;
	pid_t pid;

	world_begin(program, cgroups, ",\"terminal\":true");
	listening = listener(&name);
	fixture_task.console_socket = name.sun_path;
	create_and_start();
	fd = master(listening);
	/* the process says no, the request yes */
	pid = exec("e1", process("read line; stty size", ",\"terminal\":false"));
	close(fd);
	fd = master(listening);
	ASSERT_EQ(write(fd, "\n", 1), 1);
	expect_read(fd, "\r\n5 6\r\n"); /* the echo, too: it is a terminal */
	ASSERT_EQ(ended(pid), 0);
	close(fd);
	close(listening);
	ASSERT_EQ(fixture_send_signal(SIGKILL, false), 0);
	ASSERT_EQ(ended(fixture_task.pid), 137);
	world_end();
}

#define LIVES(program, version)                                                                    \
	TEST(program##_life_##version)                                                             \
	{                                                                                          \
		life(#program, cgroups_##version);                                                 \
	}                                                                                          \
	TEST(program##_failures_##version)                                                         \
	{                                                                                          \
		failures(#program, cgroups_##version);                                             \
	}

LIVES(runc, v1)
LIVES(runc, v2)
LIVES(crun, v1)
LIVES(crun, v2)

TEST(runc_terminals)
{
	terminals("runc", cgroups_v1);
}

TEST(crun_terminals)
{
	terminals("crun", cgroups_v1);
}

static void update(const char *program)
{
	char path[256], text[32] = "";
	FILE *file;

	world_begin(program, cgroups_v1, "");
	create_and_start();
	fixture_json("{\"pids\":{\"limit\":77}}");
	SUCCEED(fixture_update);
	snprintf(path, sizeof(path), CGROUPS "/pids/mote-real-%d/one/pids.max", getpid());
	file = fopen(path, "re");
	ASSERT(file && fgets(text, sizeof(text), file));
	fclose(file);
	ASSERT_STR(text, "77\n");
	ASSERT_EQ(fixture_send_signal(SIGKILL, false), 0);
	ASSERT_EQ(ended(fixture_task.pid), 137);
	fixture_shared->force = true;
	SUCCEED(fixture_remove);
	ASSERT(fixture_call(fixture_update) < 0);
	ASSERT_EQ(fixture_task.error_code, RUNTIME_UNKNOWN);
	ASSERT_EQ(strncmp(fixture_task.error, program, strlen(program)), 0);
	ASSERT(strstr(fixture_task.error, " did not terminate successfully: exit status 1: "));
	world_end();
}

TEST(runc_update)
{
	update("runc");
}

TEST(crun_update)
{
	update("crun");
}
