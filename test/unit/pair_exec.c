/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs in the pair: their life, their order with their init's end, and what waits for them. The
 * runtime is the played one, with an exec that is `exec` in its file names; its program is the word
 * that its request carries.
 */
#include <sys/resource.h>

#include "shim/message.h"
#include "shim/state.h"
#include "test/unit/pair_events.h"

#define GONE(id) TTRPC_NOT_FOUND, "process does not exist " id ": not found"

/* Its descriptor 3 is one of its output, so that nothing of the shim stays open in it. */
static int spoken_exec(struct runtime_task *task, pid_t *ret_pid)
{
	char program[64] = "";
	int result = played_call(task, "exec");
	if (result != 0)
		return result;
	const char *word = strstr(task->json, "[\"");
	if (!word || !memccpy(program, word + 2, '"', sizeof(program) - 1))
		return -EINVAL;
	*strchr(program, '"') = 0;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		runtime_child_init(task, task->stdio[1]);
		for (const char *step = program; *step; step++)
			played_step(*step);
		pause();
		_exit(0);
	}
	*ret_pid = pid;
	return 0;
}

/* With `tell-made` it puts the process and the worker into `made`. */
static int telling_exec(struct runtime_task *task, pid_t *ret_pid)
{
	char name[32];
	int result = spoken_exec(task, ret_pid);
	if (result != 0 || !played_file("tell", "made", name))
		return result;
	FILE *file = fopen("made.new", "we");
	if (!file || fprintf(file, "%d %d", *ret_pid, getpid()) < 1 || fclose(file) != 0 ||
	    rename("made.new", "made") < 0)
		return -EIO;
	return 0;
}

static struct runtime executing;

static void exec_pair_init(struct pair *pair, bool events)
{
	executing = played;
	executing.exec = telling_exec;
	pair->runtime = &executing;
	if (events)
		events_pair_init(pair);
	else
		pair_init(pair);
	call_ok(pair, "Create", "one");
	call_ok(pair, "Start", "one");
}

static void exec_begin(struct pair *pair, struct call *call, const char *method, const char *exec)
{
	ProtobufCMessage *request = call_request(method, "one");
	call_set(request, "exec_id", exec);
	if (strcmp(method, "Kill") == 0)
		*(uint32_t *)call_field(request, "signal") = SIGTERM;
	call_send(pair->client, call, method, request, 0);
}

static void exec_expect(struct pair *pair, const char *method, const char *exec,
			enum ttrpc_code code, const char *text)
{
	struct call call;
	exec_begin(pair, &call, method, exec);
	call_end(pair, &call);
	call_check(&call, code, text);
	call_free(&call);
}

static void exec_add_to(struct pair *pair, const char *exec, const char *program,
			const char *output)
{
	struct call call;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	ProtobufCMessage *request = call_request("Exec", "one");
	call_set(request, "exec_id", exec);
	call_set(request, "stdout", output);
	char json[128];
	spec.value.len = (size_t)snprintf(json, sizeof(json), "{\"args\": [\"%s\"]}", program);
	spec.value.data = (uint8_t *)json;
	*(Google__Protobuf__Any **)call_field(request, "spec") = &spec;
	call_send(pair->client, &call, "Exec", request, 0);
	call_end(pair, &call);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
}

static void exec_add(struct pair *pair, const char *exec, const char *program)
{
	exec_add_to(pair, exec, program, "");
}

static uint32_t exec_number(struct pair *pair, const char *method, const char *exec,
			    const char *field)
{
	struct call call;
	exec_begin(pair, &call, method, exec);
	call_end(pair, &call);
	call_check(&call, TTRPC_OK, "");
	uint32_t number = call_number(&call, field);
	call_free(&call);
	return number;
}

TEST(life_of_an_exec)
{
	struct pair pair = {0};

	exec_pair_init(&pair, true);
	exec_add(&pair, "e1", "x");
	ASSERT_EQ(exec_number(&pair, "State", "e1", "status"), 1);
	exec_expect(&pair, "Kill", "e1", TTRPC_FAILED_PRECONDITION,
		    "process not created: failed precondition");
	exec_expect(&pair, "Start", "e1", TTRPC_OK, "");
	ASSERT_EQ(exec_number(&pair, "Wait", "e1", "exit_status"), 7);
	ASSERT_EQ(exec_number(&pair, "State", "e1", "status"), 3);
	exec_expect(&pair, "Start", "e1", TTRPC_UNKNOWN, "cannot start a stopped process");
	exec_expect(&pair, "Kill", "e1", TTRPC_NOT_FOUND, "process already finished: not found");
	ASSERT_EQ(exec_number(&pair, "Delete", "e1", "exit_status"), 7);
	ASSERT_EQ(exec_number(&pair, "Delete", "e1", "exit_status"), 7);
	exec_expect(&pair, "State", "e1", GONE("e1"));
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");
	call_ok(&pair, "Delete", "one");
	events_expect(&pair, "one",
		      "create start exec-added exec-started exit e1 7 exit 143 delete");
	pair_deinit(&pair);
}

/* Not before the last exec is its init's exit seen, by anybody; its waiters learn it then. */
TEST(init_ends_last)
{
	struct pair pair = {0};
	struct call wait;

	exec_pair_init(&pair, true);
	exec_add(&pair, "e1", "w");
	exec_expect(&pair, "Start", "e1", TTRPC_OK, "");
	pair_put(&pair, "one", "hold-kill", "");
	call_begin(&pair, &wait, "Wait", "one");
	uint32_t pid = pair_number(&pair, "State", "one", "pid");
	ASSERT_EQ(kill((pid_t)pid, SIGKILL), 0);
	/* it has no PID namespace of its own: the rest is killed, which is held up here */
	UNTIL(pair_exists(&pair, "one", "in-kill"));
	ASSERT_EQ(pair_status(&pair, "one"), 2);
	exec_add(&pair, "e2", "x");
	exec_expect(&pair, "Start", "e2", TTRPC_FAILED_PRECONDITION,
		    "container one init process is not running: failed precondition");
	ASSERT(!wait.done);
	pair_put(&pair, "one", "fail-kill", "no");
	pair_remove(&pair, "one", "hold-kill");
	/* the runtime refused, so each was to be killed alone; that it refused, too */
	uint32_t exec = exec_number(&pair, "State", "e1", "pid");
	ASSERT_EQ(kill((pid_t)exec, SIGKILL), 0);
	call_end(&pair, &wait);
	ASSERT_EQ(call_number(&wait, "exit_status"), 137);
	call_free(&wait);
	ASSERT_EQ(pair_status(&pair, "one"), 3);
	call_ok(&pair, "Delete", "one");
	events_expect(
		&pair, "one",
		"create start exec-added exec-started exec-added exit e1 137 exit 137 delete");
	pair_deinit(&pair);
}

/* The last call of a queue may free what the queue is in. */
TEST(deletes_that_wait_for_a_start_that_fails)
{
	struct pair pair = {0};
	struct call start, calls[3];

	exec_pair_init(&pair, false);
	exec_add(&pair, "e1", "x");
	pair_put(&pair, "one", "hold-exec", "");
	exec_begin(&pair, &start, "Start", "e1");
	UNTIL(pair_exists(&pair, "one", "in-exec"));
	exec_begin(&pair, &calls[0], "Delete", "e1");
	exec_begin(&pair, &calls[1], "Start", "e1");
	exec_begin(&pair, &calls[2], "Delete", "e1");
	call_ok(&pair, "State", "one");
	pair_put(&pair, "one", "fail-exec", "no such program");
	pair_remove(&pair, "one", "hold-exec");
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "no such program");
	for (int i = 0; i < 3; i++)
		call_end(&pair, &calls[i]);
	call_check(&calls[0], TTRPC_OK, "");
	call_check(&calls[1], GONE("e1"));
	call_check(&calls[2], TTRPC_OK, "");
	for (int i = 0; i < 3; i++)
		call_free(&calls[i]);
	call_ok(&pair, "State", "one");
	pair_deinit(&pair);
}

/* However many there are: the server's stack does not grow with them. */
TEST(starts_that_wait_for_a_start_when_the_init_ends)
{
	enum { N = 4000 };
	static struct call calls[N];
	struct pair pair = {0};
	struct rlimit stack, small;

	ASSERT_EQ(getrlimit(RLIMIT_STACK, &stack), 0);
	small = stack;
	small.rlim_cur = 192 << 10;
	ASSERT_EQ(setrlimit(RLIMIT_STACK, &small), 0);
	exec_pair_init(&pair, false);
	ASSERT_EQ(setrlimit(RLIMIT_STACK, &stack), 0);
	exec_add(&pair, "e1", "x");
	pair_put(&pair, "one", "hold-exec", "");
	for (int i = 0; i < N; i++)
		exec_begin(&pair, &calls[i], "Start", "e1");
	UNTIL(pair_exists(&pair, "one", "in-exec"));
	uint32_t pid = pair_number(&pair, "State", "one", "pid");
	ASSERT_EQ(kill((pid_t)pid, SIGKILL), 0);
	UNTIL(pair_exists(&pair, "one", "in-kill")); /* the server has heard of it */
	pair_put(&pair, "one", "fail-exec", "too late");
	pair_remove(&pair, "one", "hold-exec");
	for (int i = 0; i < N; i++) {
		call_end(&pair, &calls[i]);
		if (i == 0)
			call_check(&calls[i], TTRPC_UNKNOWN, "too late");
		else
			call_check(&calls[i], TTRPC_FAILED_PRECONDITION,
				   "container one init process is not running: failed "
				   "precondition");
	}
	call_ok(&pair, "Wait", "one");
	pair_deinit(&pair);
}

/* A kill whose process is gone by the time that its own report comes has done what was asked. */
TEST(kill_that_is_slower_than_the_delete)
{
	struct pair pair = {0};
	struct call call;

	exec_pair_init(&pair, false);
	exec_add(&pair, "e1", "w");
	exec_expect(&pair, "Start", "e1", TTRPC_OK, "");
	pair_put(&pair, "one", "after-kill", "");
	exec_begin(&pair, &call, "Kill", "e1");
	ASSERT_EQ(exec_number(&pair, "Wait", "e1", "exit_status"), 128 + SIGTERM);
	exec_expect(&pair, "Delete", "e1", TTRPC_OK, "");
	ASSERT(!call.done);
	pair_remove(&pair, "one", "after-kill");
	call_end(&pair, &call);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
	pair_deinit(&pair);
}

/* An exec whose start failed may be started again; who waited for it was told. */
TEST(start_that_fails)
{
	struct pair pair = {0};
	struct call wait;

	exec_pair_init(&pair, false);
	exec_add(&pair, "e1", "x");
	pair_put(&pair, "one", "fail-exec", "not now");
	exec_begin(&pair, &wait, "Wait", "e1");
	exec_expect(&pair, "Start", "e1", TTRPC_UNKNOWN, "not now");
	call_end(&pair, &wait);
	ASSERT_EQ(call_number(&wait, "exit_status"), 0);
	ASSERT_EQ(call_time(&wait), -62135596800);
	call_free(&wait);
	pair_remove(&pair, "one", "fail-exec");
	exec_expect(&pair, "Start", "e1", TTRPC_OK, "");
	ASSERT_EQ(exec_number(&pair, "Wait", "e1", "exit_status"), 7);
	pair_deinit(&pair);
}

/* Beside each other, and beside a start that hangs, which the init's end does not wait for for ever. */
TEST(start_that_hangs)
{
	struct pair pair = {0};
	struct call start;

	exec_pair_init(&pair, false);
	exec_add(&pair, "e1", "x");
	exec_add(&pair, "e2", "x");
	pair_put(&pair, "one", "hold-exec", "");
	exec_begin(&pair, &start, "Start", "e1");
	UNTIL(pair_exists(&pair, "one", "in-exec"));
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "the shim's worker ended without an answer");
	call_ok(&pair, "Delete", "one");
	exec_expect(&pair, "State", "e2", TTRPC_NOT_FOUND, "container not created: not found");
	pair_deinit(&pair);
}

/* More of them than the monitor is asked for at once: what would begin later would hang unseen. */
TEST(starts_that_hang_and_more_behind_them)
{
	enum { N = EXCLUSIVE_MAX + 2 };
	static struct call starts[N];
	struct pair pair = {0};
	char exec[16];

	exec_pair_init(&pair, false);
	pair_put(&pair, "one", "hold-exec", "");
	for (int i = 0; i < N; i++) {
		snprintf(exec, sizeof(exec), "e%d", i);
		exec_add(&pair, exec, "x");
		exec_begin(&pair, &starts[i], "Start", exec);
	}
	call_ok(&pair, "State", "one"); /* it has read all of them */
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");
	for (int i = 0; i < N; i++) {
		call_end(&pair, &starts[i]);
		if (i < EXCLUSIVE_MAX)
			call_check(&starts[i], TTRPC_UNKNOWN,
				   "the shim's worker ended without an answer");
		else
			call_check(&starts[i], TTRPC_FAILED_PRECONDITION,
				   "container one init process is not running: failed "
				   "precondition");
	}
	pair_deinit(&pair);
}

/* Each start that the delete waits for is given its time, not the first one alone. */
TEST(delete_behind_starts_that_hang)
{
	struct pair pair = {0};
	struct call starts[2];

	exec_pair_init(&pair, false);
	exec_add(&pair, "e1", "x");
	pair_put(&pair, "one", "hold-exec", "");
	for (int i = 0; i < 2; i++)
		exec_begin(&pair, &starts[i], "Start", "e1");
	UNTIL(pair_exists(&pair, "one", "in-exec"));
	exec_expect(&pair, "Delete", "e1", TTRPC_OK, "");
	for (int i = 0; i < 2; i++) {
		call_end(&pair, &starts[i]);
		call_check(&starts[i], TTRPC_UNKNOWN, "the shim's worker ended without an answer");
	}
	pair_deinit(&pair);
}

/* ---- what was made when the start was ended ---- */

struct made {
	pid_t process, worker;
};

static struct made made_read(const struct pair *pair)
{
	struct made made;
	UNTIL(pair_exists(pair, "one", "made"));
	FILE *file = fopen(pair_file(pair, "one", "made"), "re");
	ASSERT(file != NULL);
	ASSERT_EQ(fscanf(file, "%d %d", &made.process, &made.worker), 2);
	fclose(file);
	return made;
}

static bool process_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static bool is_recorded(const struct pair *pair, pid_t pid)
{
	struct state state;
	bool found = false;
	if (state_read(pair_file(pair, "one", ""), &state) < 0)
		return false;
	for (size_t i = 0; i < state.n_processes; i++)
		found |= state.processes[i].pid == pid;
	state_deinit(&state);
	return found;
}

/* The process runs, and its worker waits for a reader of its output. */
static struct made start_that_waits(struct pair *pair, struct call *ret_start)
{
	char output[256];

	exec_pair_init(pair, false);
	strcpy(output, pair_file(pair, "one", "output"));
	ASSERT_EQ(mkfifo(output, 0600), 0);
	pair_put(pair, "one", "tell-made", "");
	exec_add_to(pair, "e1", "w", output);
	exec_begin(pair, ret_start, "Start", "e1");
	struct made made = made_read(pair);
	UNTIL(is_recorded(pair, made.process));
	return made;
}

TEST(start_that_is_cancelled_leaves_no_process)
{
	struct pair pair = {0};
	struct call start;
	struct made made = start_that_waits(&pair, &start);

	exec_expect(&pair, "Delete", "e1", TTRPC_OK, "");
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "the shim's worker ended without an answer");
	UNTIL(process_gone(made.process));
	call_ok(&pair, "State", "one");
	pair_deinit(&pair);
}

TEST(start_whose_worker_is_killed_leaves_no_process)
{
	struct pair pair = {0};
	struct call start;
	char log[1024];
	struct made made = start_that_waits(&pair, &start);

	ASSERT_EQ(kill(made.worker, SIGKILL), 0);
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "the shim's worker ended without an answer");
	UNTIL(process_gone(made.process));
	ASSERT_EQ(exec_number(&pair, "State", "e1", "status"), 1);
	ssize_t n = read(pair.log_fd, log, sizeof(log) - 1);
	ASSERT(n > 0);
	log[n] = 0;
	ASSERT(strstr(log, "ended with status 137"));
	pair_deinit(&pair);
}
