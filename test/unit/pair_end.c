/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the pair ends: when it is asked to, when a half of it dies, and what becomes of containers,
 * calls, events, the socket and the log meanwhile.
 */
#include <sys/file.h>

#include "shim/endpoint.h"
#include "test/unit/pair_events.h"

/* A Shutdown is answered when nobody can be led to the shim any more. */
TEST(shutdown)
{
	struct pair pair = {0};
	struct call call;

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	call_ok(&pair, "Shutdown", "one");
	ASSERT_EQ(access(pair.socket, F_OK), 0);
	ASSERT_EQ(pair_status(&pair, "one"), 1);
	call_ok(&pair, "Delete", "one");
	call_begin(&pair, &call, "Shutdown", "one");
	call_end(&pair, &call);
	ASSERT(access(pair.socket, F_OK) < 0);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
	uint64_t before = ttrpc_now();
	ASSERT_EQ(waitpid(pair.monitor, &(int){0}, 0), pair.monitor);
	ASSERT(ttrpc_now() - before < 5 * SECOND);
	events_expect(&pair, "one", "create exit 137 delete");
	events_stop(&pair);
	UNTIL(waitpid(-1, NULL, WNOHANG) < 0);
	pair_clean(&pair);
}

/* Whichever of the two gets the signal. */
static void check_signal(bool to_monitor)
{
	struct pair pair = {0};
	struct call wait, state;
	int status;

	events_pair_init(&pair);
	pid_t pid = (pid_t)pair_number(&pair, "Create", "one", "pid");
	call_ok(&pair, "Start", "one");
	call_begin(&pair, &wait, "Wait", "one");
	call_ok(&pair, "Connect", "one");
	events_expect(&pair, "one", "create start");
	uint64_t before = ttrpc_now();
	ASSERT_EQ(kill(to_monitor ? pair.monitor : pair.server, SIGTERM), 0);
	call_end(&pair, &wait);
	ASSERT(wait.status.code == TTRPC_UNAVAILABLE);
	ASSERT(access(pair.socket, F_OK) < 0);
	ASSERT_EQ(waitpid(pair.monitor, &status, 0), pair.monitor);
	ASSERT(ttrpc_now() - before < 5 * SECOND);
	ASSERT_EQ(status, 0);
	/* nobody killed it: it saw its gate close */
	UNTIL(waitpid(pid, &status, WNOHANG) == pid);
	ASSERT_EQ(status, 0);
	call_send(pair.client, &state, "State", call_request("State", "one"), 0);
	call_end(&pair, &state);
	ASSERT(state.status.error < 0);
	events_stop(&pair);
	UNTIL(waitpid(-1, NULL, WNOHANG) < 0);
	pair_clean(&pair);
}

TEST(signal_to_the_monitor)
{
	check_signal(true);
}

TEST(signal_to_the_server)
{
	check_signal(false);
}

/* A create that hangs is waited for, but not for ever, and does not outlive the shim. */
TEST(signal_while_creates_hang)
{
	enum { N = 34 };
	static struct call calls[N];
	struct pair pair = {0};
	char id[32];

	pair_init(&pair);
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "many-%d", i);
		pair_bundle(&pair, id, "");
		pair_put(&pair, id, "hold-create", "");
		call_begin(&pair, &calls[i], "Create", id);
	}
	call_ok(&pair, "Connect", "one");
	ASSERT_EQ(kill(pair.server, SIGTERM), 0);
	pair_await_end(&pair); /* within the time of a test */
	ASSERT(access(pair.socket, F_OK) < 0);
	for (int i = 0; i < N; i++) {
		call_end(&pair, &calls[i]);
		ASSERT(calls[i].status.error < 0);
	}
	pair_clean(&pair);
}

/* Held for as long as an operation works on the container; the delete verb waits for it. */
static bool is_locked(const struct pair *pair, const char *id)
{
	int fd = open(pair_file(pair, id, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(fd >= 0);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0;
	close(fd);
	return locked;
}

TEST(operations_lock_their_bundle)
{
	static const char *const methods[] = {"Create", "Start", "Delete"};
	static const char *const holds[] = {"hold-create", "hold-start", "hold-remove"};
	static const char *const ins[] = {"in-create", "in-start", "in-remove"};
	struct pair pair = {0};
	struct call call;

	pair_init(&pair);
	for (int i = 0; i < 3; i++) {
		pair_put(&pair, "one", holds[i], "");
		call_begin(&pair, &call, methods[i], "one");
		UNTIL(pair_exists(&pair, "one", ins[i]));
		ASSERT(is_locked(&pair, "one"));
		pair_remove(&pair, "one", holds[i]);
		call_end(&pair, &call);
		call_check(&call, TTRPC_OK, "");
		call_free(&call);
		UNTIL(!is_locked(&pair, "one"));
		if (i == 1)
			call_ok(&pair, "Kill", "one");
		if (i == 1)
			call_ok(&pair, "Wait", "one");
	}
	pair_deinit(&pair);
}

TEST(death_of_the_server)
{
	struct pair pair = {0};
	struct call create;
	int status;

	pair_init(&pair);
	pid_t pid = (pid_t)pair_number(&pair, "Create", "one", "pid");
	pair_bundle(&pair, "two", "");
	pair_put(&pair, "two", "hold-create", "");
	call_begin(&pair, &create, "Create", "two");
	UNTIL(pair_exists(&pair, "two", "in-create"));
	ASSERT_EQ(kill(pair.server, SIGKILL), 0);
	ASSERT_EQ(waitpid(pair.monitor, &status, 0), pair.monitor);
	ASSERT_EQ(status, 0);
	ASSERT(access(pair.socket, F_OK) < 0);
	UNTIL(waitpid(pid, &status, WNOHANG) == pid);
	ASSERT_EQ(status, 0);
	UNTIL(!is_locked(&pair, "two"));
	UNTIL(waitpid(-1, NULL, WNOHANG) < 0);
	call_end(&pair, &create);
	ASSERT(create.status.error < 0);
	pair_clean(&pair);
}

TEST(death_of_the_monitor)
{
	struct pair pair = {0};
	int status;

	pair_init(&pair);
	pid_t pid = (pid_t)pair_number(&pair, "Create", "one", "pid");
	ASSERT_EQ(kill(pair.monitor, SIGKILL), 0);
	ASSERT_EQ(waitpid(pair.monitor, &status, 0), pair.monitor);
	UNTIL(waitpid(pair.server, &status, WNOHANG) == pair.server);
	UNTIL(waitpid(pid, &status, WNOHANG) == pid);
	ASSERT_EQ(status, 0);
	/* the delete verb, or a new shim, sweeps it */
	ASSERT_EQ(access(pair.socket, F_OK), 0);
	pair_clean(&pair);
}

/* A `start` that was stopped while it had the lock: the shim ends all the same, and leaves its socket. */
TEST(lock_that_is_kept)
{
	struct pair pair = {0};
	struct call call;

	pair_init(&pair);
	int folder = open(pair_path(&pair, "s"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(folder >= 0);
	ASSERT_EQ(flock(folder, LOCK_EX), 0);
	call_begin(&pair, &call, "Shutdown", "one");
	call_end(&pair, &call);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
	ASSERT_EQ(pair_await_end(&pair), 0);
	ASSERT_EQ(access(pair.socket, F_OK), 0);
	close(folder);
	/* as the delete verb and the next start do */
	ASSERT_EQ(endpoint_sweep(pair.socket), 0);
	ASSERT(access(pair.socket, F_OK) < 0);
	pair_clean(&pair);
}

/* A shim that `start` gives up, or whose start dies, was never there. */
TEST(monitor_without_a_launch)
{
	struct shim_config config;
	struct monitor_handle handle;
	struct pair pair = {0};
	int status;

	pair_folders(&pair);
	pair_config("shim", &config);
	ASSERT_EQ(chdir(pair_file(&pair, "one", "")), 0);
	ASSERT_EQ(monitor_spawn(&config, &handle), 0);
	ASSERT_EQ(chdir("/"), 0);
	monitor_abandon(&handle);
	ASSERT_EQ(waitpid(handle.pid, &status, 0), handle.pid);
	ASSERT_EQ(status, 0);
	ASSERT_EQ(ttrpc_loop_init(&pair.loop), 0);
	pair_clean(&pair);
}

/* What it fails of is what `start` says. Before it was asked, and after. */
TEST(monitor_that_fails)
{
	struct shim_config config;
	const struct monitor_setup setup = {.debug = false};
	struct monitor_handle handle;
	siginfo_t info;

	pair_config("shim", &config);
	ASSERT_EQ(chdir("/"), 0); /* no bundle stands there */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(monitor_spawn(&config, &handle), 0);
		if (i == 0)
			ASSERT_EQ(waitid(P_PID, (id_t)handle.pid, &info, WEXITED | WNOWAIT), 0);
		ASSERT_EQ(monitor_launch(&handle, &setup, STDIN_FILENO), -EINVAL);
		ASSERT_EQ(waitpid(handle.pid, NULL, 0), handle.pid);
	}
}

/* A name so long that the new title does not fit: all that the residents know stays as it was. */
TEST(title_that_does_not_fit)
{
	static char program[1101];
	struct pair pair = {.program = program};

	for (size_t length = 960; length <= 1100; length += 7) {
		memset(program, 'p', length);
		program[length] = 0;
		events_pair_init(&pair);
		call_ok(&pair, "Create", "one");
		call_ok(&pair, "Delete", "one");
		/* the events service checks the namespace */
		events_expect(&pair, "one", "create exit 137 delete");
		pair_deinit(&pair);
		pair.daemon = 0;
	}
}

/* ---- events ---- */

/* While the daemon is away nothing is lost, and the order is kept. */
TEST(events_wait_for_the_daemon)
{
	struct pair pair = {0};
	char id[32];

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	events_expect(&pair, "one", "create");
	events_stop(&pair);
	call_ok(&pair, "Start", "one");
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "more-%d", i);
		pair_bundle(&pair, id, "x");
		call_ok(&pair, "Create", id);
		call_ok(&pair, "Start", id);
		call_ok(&pair, "Wait", id);
		call_ok(&pair, "Delete", id);
	}
	events_start(&pair);
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "more-%d", i);
		events_expect(&pair, id, "create start exit 7 delete");
	}
	events_expect(&pair, "one", "create start exit 143");
	call_ok(&pair, "Delete", "one");
	events_expect(&pair, "one", "create start exit 143 delete");
	pair_deinit(&pair);
}

/* The shim ends when the last of them is delivered, although it was asked before. */
TEST(events_are_delivered_before_the_end)
{
	struct pair pair = {0};

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	events_expect(&pair, "one", "create");
	ASSERT_EQ(kill(pair.daemon, SIGSTOP), 0);
	call_ok(&pair, "Delete", "one");
	call_ok(&pair, "Shutdown", "one");
	ASSERT_EQ(kill(pair.daemon, SIGCONT), 0);
	ASSERT_EQ(waitpid(pair.monitor, &(int){0}, 0), pair.monitor);
	events_expect(&pair, "one", "create exit 137 delete");
	events_stop(&pair);
	UNTIL(waitpid(-1, NULL, WNOHANG) < 0);
	pair_clean(&pair);
}

/* ---- the log ---- */

/* Nobody reads it and it is full: lines are lost, nothing waits. */
TEST(log_that_is_full)
{
	static const char filler[4096];
	struct pair pair = {0};

	pair_init(&pair);
	while (write(pair.log_fd, filler, sizeof(filler)) > 0)
		;
	ASSERT_EQ(errno, EAGAIN);
	/* each of them is worth a line */
	for (int i = 0; i < 3; i++) {
		pair_put(&pair, "one", "crash-create", "");
		call_expect(&pair, "Create", "one", TTRPC_UNKNOWN,
			    "the shim's worker ended without an answer");
	}
	pair_remove(&pair, "one", "crash-create");
	call_ok(&pair, "Create", "one");
	call_ok(&pair, "Delete", "one");

	/* the next line that fits tells how many did not */
	char text[65536];
	while (read(pair.log_fd, text, sizeof(text)) > 0)
		;
	pair_put(&pair, "one", "crash-create", "");
	call_expect(&pair, "Create", "one", TTRPC_UNKNOWN,
		    "the shim's worker ended without an answer");
	ssize_t n = read(pair.log_fd, text, sizeof(text) - 1);
	ASSERT(n > 0);
	text[n] = 0;
	ASSERT(strstr(text, " level=error msg=\"worker "));
	ASSERT(strstr(text, " dropped=3\n"));
	pair_deinit(&pair);
}

/* SIGUSR1 to either of them: what the server knows, and nothing ends. */
TEST(state_is_dumped_on_sigusr1)
{
	struct pair pair = {0};
	char log[4096] = "";
	size_t used = 0;

	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	ASSERT_EQ(kill(pair.monitor, SIGUSR1), 0);
	while (!strstr(log, "process \\\"\\\" pid") && used < sizeof(log) - 1) {
		ssize_t n = read(pair.log_fd, log + used, sizeof(log) - 1 - used);
		if (n > 0)
			used += (size_t)n;
		else
			usleep(1000);
	}
	ASSERT(strstr(log, "1 containers, 0 execs"));
	ASSERT(strstr(log, " created, "));
	call_ok(&pair, "State", "one");
	pair_deinit(&pair);
}
