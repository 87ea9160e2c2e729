/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `delete`: what it answers, what it takes away, and what it leaves alone. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "proto/task.pb-c.h"
#include "shim/address.h"
#include "shim/endpoint.h"
#include "shim/state.h"
#include "test/unit/program.h"
#include "test/unit/state_array.h"

#define NAME "io.containerd.test.v2"
#define LINE "shim -namespace ns -id one -address /nowhere.sock delete"
#define HEX "3952538c7aa24c23355bb6397b388bbec4206355c938659f030f79c2cc947e00"

/* Leaves in the bundle what it was called with. */
static int remove_note(struct runtime_task *task, bool force)
{
	int fd = open("removed", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dprintf(fd, "%s %s [%s] %d %d %.*s\n", task->namespace_, task->id, task->exec_id, task->pid,
		force, (int)task->state_size, (const char *)task->state);
	close(fd);
	return 0;
}

static int remove_refuse(struct runtime_task *task, bool force)
{
	(void)force;
	return runtime_fail(task, RUNTIME_INTERNAL, "the container is stuck");
}

static int remove_break(struct runtime_task *task, bool force)
{
	(void)task;
	(void)force;
	return -ENOMEM;
}

/* As one that runs a program does. */
static int remove_wait(struct runtime_task *task, bool force)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
		return -ECHILD;
	return remove_note(task, force);
}

static const struct runtime noting = {.name = NAME, .remove = remove_note};
static const struct runtime refusing = {.name = NAME, .remove = remove_refuse};
static const struct runtime waiting = {.name = NAME, .remove = remove_wait};
static const struct runtime broken = {.name = NAME, .remove = remove_break};

struct answer {
	uint32_t pid, exit_status;
	int64_t seconds;
	int32_t nanos;
};

static struct answer answer_of(const struct program *program)
{
	ASSERT_EQ(program->status, 0);
	Containerd__Task__V2__DeleteResponse *response =
		containerd__task__v2__delete_response__unpack(NULL, program->out_size,
							      (const uint8_t *)program->out);
	ASSERT(response && response->exited_at);
	struct answer answer = {.pid = response->pid,
				.exit_status = response->exit_status,
				.seconds = response->exited_at->seconds,
				.nanos = response->exited_at->nanos};
	protobuf_c_message_free_unpacked(&response->base, NULL);
	return answer;
}

static void removed_compare(const char *expected)
{
	char content[256];
	int fd = open(program_path("one/removed"), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	program_drain(fd, content, sizeof(content));
	ASSERT_STR(content, expected);
}

static void prepare(struct program *program, const struct runtime *runtime)
{
	*program = (struct program){.runtime = runtime, .cwd = "one"};
	program_prepare();
	program_bundle("one", "{}");
}

TEST(nothing_to_delete)
{
	struct program program;
	time_t before = time(NULL);

	prepare(&program, &noting);
	program_run(&program, LINE);
	struct answer answer = answer_of(&program);
	ASSERT_STR(program.err, "");
	ASSERT_EQ(answer.pid, 0);
	ASSERT_EQ(answer.exit_status, 137);
	ASSERT(answer.seconds >= before && answer.seconds <= time(NULL));
	removed_compare("ns one [] 0 1 \n");
	program_clean();
}

TEST(the_bundle_may_be_named)
{
	struct program program;
	char line[256];

	prepare(&program, &noting);
	program.cwd = NULL;
	snprintf(line, sizeof(line), "shim -namespace ns -id one -bundle %s delete",
		 program_path("one"));
	program_run(&program, line);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	removed_compare("ns one [] 0 1 \n");
	snprintf(line, sizeof(line), "shim -namespace ns -id one -bundle=%s/ delete",
		 program_path("one"));
	program_run(&program, line);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	program_clean();
}

/* With SIGCHLD ignored the kernel would reap our children, and nobody learn how they ended. */
TEST(caller_that_ignores_its_children)
{
	struct program program;

	prepare(&program, &waiting);
	program.ignored = SIGCHLD;
	program_run(&program, LINE);
	ASSERT_STR(program.err, "");
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	removed_compare("ns one [] 0 1 \n");
	program_clean();
}

/* The same, however often it is asked for. */
TEST(recorded_exit)
{
	struct state_process processes[] = {{.pid = 4711,
					     .start_time = 99,
					     .exited = true,
					     .exit_status = 7,
					     .exited_at = 1700000000,
					     .exited_at_nanos = 123456789}};
	struct program program;

	prepare(&program, &noting);
	program_file("one/init.pid", "1");
	ASSERT_EQ(state_write_array(program_path("one"), processes, 1), 0);
	ASSERT_EQ(state_write_runtime(program_path("one"), "kept", 4), 0);
	for (int i = 0; i < 2; i++) {
		program_run(&program, LINE);
		struct answer answer = answer_of(&program);
		ASSERT_STR(program.err, "");
		ASSERT_EQ(answer.pid, 4711);
		ASSERT_EQ(answer.exit_status, 7);
		ASSERT_EQ(answer.seconds, 1700000000);
		ASSERT_EQ(answer.nanos, 123456789);
	}
	removed_compare("ns one [] 0 1 kept\nns one [] 0 1 kept\n");
	program_clean();
}

static const struct {
	const char *text;
	uint32_t pid;
} pid_files[] = {{"4711", 4711}, {"4711\n", 4711}, {"", 0},           {"x", 0},
		 {"-5", 0},      {"0", 0},         {"99999999999", 0}};

TEST(pid_of_a_runtimes_file)
{
	for (size_t i = 0; i < sizeof(pid_files) / sizeof(pid_files[0]); i++) {
		struct program program;
		prepare(&program, &noting);
		program_file("one/init.pid", pid_files[i].text);
		program_run(&program, LINE);
		ASSERT_STR(program.err, "");
		ASSERT_EQ(answer_of(&program).pid, pid_files[i].pid);
		program_clean();
	}
}

static pid_t sleeper(uint64_t *ret_start_time)
{
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	ASSERT_EQ(process_start_time(pid, ret_start_time), 0);
	return pid;
}

/* An init and an exec die; a process that has only the number of one that was recorded lives on. */
TEST(recorded_processes_are_killed)
{
	struct state_process processes[3] = {{.exec_id = ""}, {.exec_id = "e1"}, {.exec_id = "e2"}};
	struct program program;
	int status;

	prepare(&program, &noting);
	for (int i = 0; i < 3; i++)
		processes[i].pid = sleeper(&processes[i].start_time);
	processes[2].start_time--;
	ASSERT_EQ(state_write_array(program_path("one"), processes, 3), 0);
	program_run(&program, LINE);
	ASSERT_STR(program.err, "");
	ASSERT_EQ(answer_of(&program).pid, processes[0].pid);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(waitpid(processes[i].pid, &status, WNOHANG), processes[i].pid);
		ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	ASSERT_EQ(waitpid(processes[2].pid, &status, WNOHANG), 0);
	kill(processes[2].pid, SIGKILL);
	ASSERT_EQ(waitpid(processes[2].pid, &status, 0), processes[2].pid);
	program_clean();
}

/* Whether a child of the process holds a pidfd. */
static bool child_has_pidfd(pid_t parent)
{
	char path[128], text[512], target[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	program_drain(fd, text, sizeof(text));
	for (char *at = text, *end; strtol(at, &end, 10) > 0; at = end) {
		for (int number = 3; number < 16; number++) {
			snprintf(path, sizeof(path), "/proc/%ld/fd/%d", strtol(at, NULL, 10),
				 number);
			ssize_t n = readlink(path, target, sizeof(target) - 1);
			target[n > 0 ? n : 0] = 0;
			if (strstr(target, "pidfd"))
				return true;
		}
	}
	return false;
}

/*
 * A process that makes one which ends so, lets it be recorded by the test, and reaps it when the test's
 * other child, the delete verb, looks at it.
 */
static pid_t late_reaper(int signal, int status, struct state_process *ret_process)
{
	int ends[2];
	pid_t test = getpid();
	ASSERT_EQ(pipe(ends), 0);
	pid_t reaper = fork();
	ASSERT(reaper >= 0);
	if (reaper == 0) {
		siginfo_t info;
		pid_t pid = fork();
		if (pid == 0) {
			raise(signal);
			_exit(status);
		}
		ASSERT_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
		ASSERT_EQ(write(ends[1], &pid, sizeof(pid)), sizeof(pid));
		while (!child_has_pidfd(test))
			usleep(500);
		_exit(waitpid(pid, NULL, 0) == pid ? 0 : 1);
	}
	ASSERT_EQ(read(ends[0], &ret_process->pid, sizeof(pid_t)), sizeof(pid_t));
	close(ends[0]);
	close(ends[1]);
	ASSERT_EQ(process_start_time(ret_process->pid, &ret_process->start_time), 0);
	return reaper;
}

/* PIDFD_GET_INFO with PIDFD_INFO_EXIT: since 6.15. */
static bool kernel_tells_exits(void)
{
	uint64_t info[8] = {1 << 3};
	pid_t pid = fork();
	if (pid == 0)
		_exit(9);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ASSERT(fd >= 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	bool tells = syscall(SYS_ioctl, fd, _IOWR(0xFF, 11, info), info) == 0 && info[0] & (1 << 3);
	close(fd);
	return tells;
}

/* The residents were killed, then the container ended by itself, and nobody wrote down how. */
TEST(exit_that_only_the_kernel_knows)
{
	static const struct {
		int signal, status;
		uint32_t expected;
	} ends[] = {{0, 42, 42}, {0, 0, 0}, {SIGTERM, 0, 143}};
	struct program program;
	int status;

	if (!kernel_tells_exits())
		SKIP("the kernel is older than 6.15");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct state_process process = {.exec_id = ""};
		prepare(&program, &noting);
		pid_t reaper = late_reaper(ends[i].signal, ends[i].status, &process);
		ASSERT_EQ(state_write_array(program_path("one"), &process, 1), 0);
		program_run(&program, LINE);
		ASSERT_STR(program.err, "");
		ASSERT_EQ(answer_of(&program).pid, process.pid);
		ASSERT_EQ(answer_of(&program).exit_status, ends[i].expected);
		ASSERT_EQ(waitpid(reaper, &status, 0), reaper);
		ASSERT_EQ(status, 0);
		program_clean();
	}
}

TEST(failed_steps_are_warnings)
{
	struct program program;

	prepare(&program, &refusing);
	program_run(&program, LINE);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	ASSERT(strstr(program.err, "level=warning msg=\"cannot remove the container: "
				   "the container is stuck\" id=one namespace=ns"));
	program.runtime = &broken;
	program_run(&program, LINE);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	ASSERT(strstr(program.err, "cannot remove the container: cannot allocate memory"));

	program.runtime = &noting;
	program_file("one/mote.task", "something else\n");
	program_file("one/address", "unix:///etc/passwd");
	program_run(&program, LINE);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	ASSERT(strstr(program.err, "cannot read the container's state: "));
	ASSERT(strstr(program.err, "cannot remove the socket: "));
	program_clean();
}

static void socket_make(char path[static ADDRESS_PATH_SIZE], struct endpoint *endpoint)
{
	struct failure failure;
	char address[ADDRESS_PATH_SIZE + 8];
	int length = snprintf(path, ADDRESS_PATH_SIZE, "%s/" HEX, program_root);
	ASSERT(length < (int)ADDRESS_PATH_SIZE);
	ASSERT_EQ(endpoint_open(path, endpoint, &failure), 0);
	snprintf(address, sizeof(address), "unix://%s", path);
	program_file("one/address", address);
}

TEST(stale_socket_is_removed_and_a_live_one_not)
{
	struct program program;
	struct endpoint endpoint;
	char path[ADDRESS_PATH_SIZE];

	prepare(&program, &noting);
	socket_make(path, &endpoint);
	program_run(&program, LINE);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	ASSERT_EQ(access(path, F_OK), 0);
	endpoint_close(&endpoint);
	program_run(&program, LINE);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	ASSERT_STR(program.err, "");
	ASSERT(access(path, F_OK) < 0 && errno == ENOENT);
	program_clean();
}

TEST(bundle_of_a_sandbox_has_no_config)
{
	struct program program;

	prepare(&program, &noting);
	ASSERT_EQ(unlink(program_path("one/config.json")), 0);
	program_file("one/address", "unix:///run/containerd/s/" HEX);
	program_run(&program, LINE);
	ASSERT_EQ(answer_of(&program).exit_status, 137);
	program_clean();
}

/* @: the test's folder */
static const struct {
	const char *line, *err;
} refused[] = {
	{"shim -id one delete", NAME ": shim namespace cannot be empty"},
	{"shim -namespace ns delete", NAME ": shim id cannot be empty"},
	{"shim -namespace ns -id ../one delete", NAME ": invalid id \"../one\""},
	{"shim -namespace ns -id two delete", NAME ": bundle @/one is not of container two"},
	{"shim -namespace ns -id one -bundle @/none delete",
	 NAME ": bundle @/none: no such file or directory"},
	{"shim -namespace ns -id one -bundle @/one/config.json delete",
	 NAME ": bundle @/one/config.json: not a directory"},
	{"shim -namespace ns -id empty -bundle @/empty delete",
	 NAME ": @/empty is no bundle: it has no config.json"},
};

static void expand(char *to, size_t size, const char *from)
{
	const char *at = strchr(from, '@');
	int before = at ? (int)(at - from) : (int)strlen(from);
	snprintf(to, size, "%.*s%s%s", before, from, at ? program_root : "", at ? at + 1 : "");
}

TEST(bundles_that_are_not_ours)
{
	struct program program;

	prepare(&program, &noting);
	program_bundle("empty", NULL);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char line[256], err[256];
		expand(line, sizeof(line), refused[i].line);
		expand(err, sizeof(err), refused[i].err);
		program_run(&program, line);
		ASSERT_EQ(program.status, 1);
		ASSERT_EQ(program.out_size, 0);
		ASSERT_STR(program.err, err);
		ASSERT(!program_exists("one/removed") && !program_exists("empty/removed"));
	}
	program_clean();
}

TEST(answer_that_cannot_be_given)
{
	struct program program;

	prepare(&program, &noting);
	program.output = "/dev/full";
	program_run(&program, LINE);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, NAME ": no space left on device");
	program_clean();
}
