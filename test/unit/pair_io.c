/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input and output through the pair, and what Delete waits for: the container's last
 * bytes, but not for ever.
 */
#include "test/unit/pair_events.h"

struct streams {
	int input, output, error; /* the client's ends; -1: none */
};

static int client_end(const struct pair *pair, const char *name, int flags)
{
	ASSERT_EQ(mkfifo(pair_file(pair, "one", name), 0600), 0);
	int fd = open(pair_file(pair, "one", name), flags | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	return fd;
}

/* Creates "one" with FIFOs for its streams; to write its end of input the client has to wait. */
static void create(struct pair *pair, const char *program, struct streams *streams)
{
	struct call call;
	const char *const names[] = {"stdin", "stdout", "stderr"};
	ProtobufCMessage *request = call_request("Create", "one");

	pair_put(pair, "one", "program", program);
	ASSERT_EQ(mkfifo(pair_file(pair, "one", "stdin"), 0600), 0);
	streams->input = -1;
	streams->output = client_end(pair, "stdout", O_RDONLY);
	streams->error = client_end(pair, "stderr", O_RDONLY);
	call_set(request, "bundle", pair_file(pair, "one", ""));
	for (int i = 0; i < 3; i++)
		call_set(request, names[i], pair_file(pair, "one", names[i]));
	call_send(pair->client, &call, "Create", request, 0);
	call_end(pair, &call);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
}

static void start(struct pair *pair, struct streams *streams)
{
	call_ok(pair, "Start", "one");
	streams->input = open(pair_file(pair, "one", "stdin"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(streams->input >= 0);
}

static void streams_close(struct streams *streams)
{
	if (streams->input >= 0)
		close(streams->input);
	close(streams->output);
	close(streams->error);
}

/* What comes until the end of the stream: the writer has closed it, the shim included. */
static void read_all(int fd, const char *expected)
{
	char text[64] = "", byte;
	size_t n = 0;
	for (;;) {
		ssize_t size = read(fd, &byte, 1);
		if (size == 0)
			break;
		if (size < 0) {
			ASSERT_EQ(errno, EAGAIN);
			nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
			continue;
		}
		ASSERT(n < sizeof(text) - 1);
		text[n++] = byte;
	}
	ASSERT_STR(text, expected);
}

TEST(output_and_error)
{
	struct pair pair = {0};
	struct streams streams;

	pair_init(&pair);
	create(&pair, "oeox", &streams);
	start(&pair, &streams);
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(streams.output, "out\nout\n");
	read_all(streams.error, "err\n");
	streams_close(&streams);
	pair_deinit(&pair);
}

/* A client that leaves is no end of input; CloseIO and the last client's end together are. */
TEST(input_until_it_is_closed)
{
	struct pair pair = {0};
	struct streams streams;

	pair_init(&pair);
	create(&pair, "cx", &streams);
	start(&pair, &streams);
	ASSERT_EQ(write(streams.input, "first ", 6), 6);
	close(streams.input);
	streams.input = open(pair_file(&pair, "one", "stdin"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(streams.input >= 0);
	ASSERT_EQ(write(streams.input, "second", 6), 6);
	call_ok(&pair, "CloseIO", "one");
	close(streams.input);
	streams.input = -1;
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(streams.output, "first second");
	streams_close(&streams);
	pair_deinit(&pair);
}

/* `echo hi | ctr run ... cat`: the client is through with its input before there is a process. */
TEST(input_that_is_closed_before_start)
{
	struct pair pair = {0};
	struct streams streams;

	pair_init(&pair);
	create(&pair, "cx", &streams);
	call_ok(&pair, "CloseIO", "one");
	int both = open(pair_file(&pair, "one", "stdin"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(write(both, "hi\n", 3), 3);
	call_ok(&pair, "Start", "one");
	close(both);
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(streams.output, "hi\n");
	streams_close(&streams);
	pair_deinit(&pair);
}

static pid_t holder_of(const struct pair *pair)
{
	char text[32];
	int fd = open(pair_file(pair, "one", "holder"), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	ASSERT(n > 0);
	text[n] = 0;
	close(fd);
	return atoi(text);
}

/*
 * What left the container holds its output open. The answer comes before the caller's deadline,
 * with what was written until then, and the client's reader sees the end.
 */
TEST(delete_waits_for_output_until_its_deadline)
{
	struct pair pair = {0};
	struct streams streams;
	struct call call;

	events_pair_init(&pair);
	create(&pair, "ohx", &streams);
	start(&pair, &streams);
	call_ok(&pair, "Wait", "one");
	pid_t holder = holder_of(&pair);

	uint64_t before = ttrpc_now();
	call_send(pair.client, &call, "Delete", call_request("Delete", "one"), 2 * SECOND);
	call_end(&pair, &call);
	call_check(&call, TTRPC_OK, "");
	ASSERT_EQ(call_number(&call, "exit_status"), 7);
	ASSERT(ttrpc_now() - before >= SECOND);
	call_free(&call);
	ASSERT_EQ(kill(holder, 0), 0);
	read_all(streams.output, "out\n");
	read_all(streams.error, "");
	events_expect(&pair, "one", "create start exit 7 delete");
	ASSERT_EQ(kill(holder, SIGKILL), 0);
	streams_close(&streams);
	pair_deinit(&pair);
}

/* As soon as nobody holds it any more. */
TEST(delete_ends_with_the_last_holder_of_the_output)
{
	struct pair pair = {0};
	struct streams streams;
	struct call call;

	pair_init(&pair);
	create(&pair, "ohx", &streams);
	start(&pair, &streams);
	call_ok(&pair, "Wait", "one");
	call_begin(&pair, &call, "Delete", "one");
	UNTIL(pair_exists(&pair, "one", "in-remove"));
	ASSERT_EQ(pair_number(&pair, "State", "one", "exit_status"), 7);
	ASSERT(!call.done);
	uint64_t before = ttrpc_now();
	ASSERT_EQ(kill(holder_of(&pair), SIGKILL), 0);
	call_end(&pair, &call);
	call_check(&call, TTRPC_OK, "");
	ASSERT(ttrpc_now() - before < 5 * SECOND);
	call_free(&call);
	read_all(streams.output, "out\n");
	streams_close(&streams);
	pair_deinit(&pair);
}

/* Its init holds the pipes until the delete kills it: there is nothing to wait for. */
TEST(delete_of_what_never_ran)
{
	struct pair pair = {0};
	struct streams streams;

	pair_init(&pair);
	create(&pair, "o", &streams);
	uint64_t before = ttrpc_now();
	call_ok(&pair, "Delete", "one");
	ASSERT(ttrpc_now() - before < 5 * SECOND);
	read_all(streams.output, "");
	read_all(streams.error, "");
	streams_close(&streams);
	pair_deinit(&pair);
}

static size_t descriptors_of(pid_t pid)
{
	char path[64], command[128], text[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	snprintf(command, sizeof(command), "ls %s | wc -l", path);
	FILE *pipe = popen(command, "re");
	ASSERT(pipe != NULL && fgets(text, sizeof(text), pipe));
	pclose(pipe);
	return (size_t)atoi(text);
}

/* Containers come and go, with all their pipes, FIFOs and payloads; nothing stays open. */
TEST(descriptors_do_not_grow)
{
	struct pair pair = {0};
	struct streams streams;
	size_t server = 0, monitor = 0;

	pair_init(&pair);
	for (int i = 0; i < 5; i++) {
		create(&pair, "oex", &streams);
		if (i % 2 == 0)
			start(&pair, &streams);
		if (i % 2 == 0)
			call_ok(&pair, "Wait", "one");
		call_ok(&pair, "Delete", "one");
		streams_close(&streams);
		unlink(pair_file(&pair, "one", "stdin"));
		unlink(pair_file(&pair, "one", "stdout"));
		unlink(pair_file(&pair, "one", "stderr"));
		call_expect(&pair, "Pids", "one", TTRPC_NOT_FOUND,
			    "container not created: not found");
		/* the publisher has no address and asks again and again: the same number */
		if (i == 0) { /* warmed up */
			server = descriptors_of(pair.server);
			monitor = descriptors_of(pair.monitor);
		}
		UNTIL(descriptors_of(pair.server) == server);
		UNTIL(descriptors_of(pair.monitor) == monitor);
	}
	pair_deinit(&pair);
}

/* A file in the place of the input's FIFO. */
TEST(input_from_a_file)
{
	struct pair pair = {0};
	struct call call;

	pair_init(&pair);
	pair_put(&pair, "one", "program", "cx");
	pair_put(&pair, "one", "input", "from a file");
	int output = client_end(&pair, "stdout", O_RDONLY);
	ProtobufCMessage *request = call_request("Create", "one");
	call_set(request, "bundle", pair_file(&pair, "one", ""));
	call_set(request, "stdin", pair_file(&pair, "one", "input"));
	call_set(request, "stdout", pair_file(&pair, "one", "stdout"));
	call_send(pair.client, &call, "Create", request, 0);
	call_end(&pair, &call);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
	call_ok(&pair, "Start", "one");
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(output, "from a file");
	close(output);
	pair_deinit(&pair);
}
