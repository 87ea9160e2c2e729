/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loggers that never say that they are ready, and never read: they end with the work that wanted them,
 * however that ends, and with the pair.
 */
#include "shim/state.h"
#include "test/unit/pair_fixture.h"

struct waiting {
	struct call create;
	pid_t logger, worker;
};

static void logger_uri(const struct pair *pair, char uri[static 2048])
{
	char script[512], *to = stpcpy(uri, "binary-v2:///bin/sh?-c=");
	snprintf(script, sizeof(script),
		 "trap '' TERM; cd %s; echo $$ $PPID >pids.new; mv pids.new pids; exec sleep 1000",
		 pair_file(pair, "one", ""));
	for (const char *from = script; *from; from++)
		to += sprintf(to, "%%%02x", (unsigned char)*from);
}

/* A create that waits for its logger, which the monitor knows. */
static void create_begin(struct pair *pair, struct waiting *waiting)
{
	char uri[2048];
	ProtobufCMessage *request = call_request("Create", "one");
	logger_uri(pair, uri);
	call_set(request, "bundle", pair_file(pair, "one", ""));
	call_set(request, "stdout", uri);
	call_send(pair->client, &waiting->create, "Create", request, 0);
	call_ok(pair, "Connect", "one"); /* the request has been read */
	UNTIL(pair_exists(pair, "one", "pids"));
	FILE *file = fopen(pair_file(pair, "one", "pids"), "re");
	ASSERT(file != NULL);
	ASSERT_EQ(fscanf(file, "%d %d", &waiting->logger, &waiting->worker), 2);
	fclose(file);
}

static bool process_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

TEST(worker_that_is_killed)
{
	struct pair pair = {0};
	struct waiting waiting;
	char log[1024];

	pair_init(&pair);
	create_begin(&pair, &waiting);
	ASSERT_EQ(kill(waiting.worker, SIGKILL), 0);
	call_end(&pair, &waiting.create);
	call_check(&waiting.create, TTRPC_UNKNOWN, "the shim's worker ended without an answer");
	UNTIL(process_gone(waiting.logger));
	call_ok(&pair, "Connect", "one");
	ssize_t n = read(pair.log_fd, log, sizeof(log) - 1);
	ASSERT(n > 0);
	pair_deinit(&pair);
}

TEST(create_that_is_cancelled)
{
	struct pair pair = {0};
	struct waiting waiting;

	pair_init(&pair);
	create_begin(&pair, &waiting);
	call_expect(&pair, "Delete", "one", TTRPC_NOT_FOUND, "container not created: not found");
	call_end(&pair, &waiting.create);
	UNTIL(process_gone(waiting.logger));
	pair_deinit(&pair);
}

TEST(server_that_is_killed)
{
	struct pair pair = {0};
	struct waiting waiting;

	pair_init(&pair);
	create_begin(&pair, &waiting);
	ASSERT_EQ(kill(pair.server, SIGKILL), 0);
	ASSERT_EQ(waitpid(pair.monitor, NULL, 0), pair.monitor);
	/* it is the test's to reap now */
	UNTIL(waitpid(waiting.logger, NULL, WNOHANG) != 0);
	UNTIL(waitpid(-1, NULL, WNOHANG) < 0);
	call_end(&pair, &waiting.create);
	pair_clean(&pair);
}

/* Then nobody is left to end it but the verb `delete`, which reads of it in the bundle. */
TEST(monitor_that_is_killed)
{
	struct pair pair = {0};
	struct waiting waiting;
	struct state state;
	uint64_t start_time;

	pair_init(&pair);
	create_begin(&pair, &waiting);
	UNTIL(pair_exists(&pair, "one", "mote.task"));
	ASSERT_EQ(state_read(pair_file(&pair, "one", ""), &state), 0);
	ASSERT_EQ(state.n_processes, 1);
	ASSERT_EQ(state.processes[0].pid, waiting.logger);
	ASSERT(state.processes[0].logger);
	ASSERT_EQ(process_start_time(waiting.logger, &start_time), 0);
	ASSERT_EQ(state.processes[0].start_time, start_time);
	state_deinit(&state);
	ASSERT_EQ(kill(pair.monitor, SIGKILL), 0);
	ASSERT_EQ(waitpid(pair.monitor, NULL, 0), pair.monitor);
	UNTIL(process_gone(waiting.worker) || waitpid(waiting.worker, NULL, WNOHANG) != 0);
	ASSERT_EQ(kill(waiting.logger, SIGKILL), 0);
	UNTIL(waitpid(-1, NULL, WNOHANG) < 0);
	call_end(&pair, &waiting.create);
	pair_clean(&pair);
}
