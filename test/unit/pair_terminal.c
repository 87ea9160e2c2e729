/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals, execs, files and loggers through the pair: what a client sees of them, from Create to
 * Delete.
 */
#define PLAYED_EXEC played_exec
#include "test/unit/pair_events.h"

static int client_end(const struct pair *pair, const char *name)
{
	ASSERT_EQ(mkfifo(pair_file(pair, "one", name), 0600), 0);
	int fd = open(pair_file(pair, "one", name), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	return fd;
}

/* For its end of input the client has to wait until the process has been started. */
static int input_end(const struct pair *pair, const char *name)
{
	int fd = open(pair_file(pair, "one", name), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	return fd;
}

/* Sends a request and expects success. */
static void send_ok(struct pair *pair, const char *method, ProtobufCMessage *request)
{
	struct call call;
	call_send(pair->client, &call, method, request, 0);
	call_end(pair, &call);
	call_check(&call, TTRPC_OK, "");
	call_free(&call);
}

static void send_exec(struct pair *pair, const char *method, const char *exec_id)
{
	ProtobufCMessage *request = call_request(method, "one");
	call_set(request, "exec_id", exec_id);
	send_ok(pair, method, request);
}

static void resize(struct pair *pair, const char *exec_id, uint32_t height, uint32_t width)
{
	ProtobufCMessage *request = call_request("ResizePty", "one");
	call_set(request, "exec_id", exec_id);
	*(uint32_t *)call_field(request, "height") = height;
	*(uint32_t *)call_field(request, "width") = width;
	send_ok(pair, "ResizePty", request);
}

/* With a terminal, FIFOs for input and output. Returns the client's end of output. */
static int create(struct pair *pair, const char *program)
{
	ProtobufCMessage *request = call_request("Create", "one");
	pair_put(pair, "one", "program", program);
	ASSERT_EQ(mkfifo(pair_file(pair, "one", "stdin"), 0600), 0);
	int output = client_end(pair, "stdout");
	call_set(request, "bundle", pair_file(pair, "one", ""));
	call_set(request, "stdin", pair_file(pair, "one", "stdin"));
	call_set(request, "stdout", pair_file(pair, "one", "stdout"));
	*(protobuf_c_boolean *)call_field(request, "terminal") = true;
	send_ok(pair, "Create", request);
	return output;
}

/* No FIFO is left open behind it: the client reads the end. */
static void read_all(int fd, const char *expected)
{
	char text[128] = "";
	size_t n = 0;
	for (ssize_t size = -1; size != 0;) {
		size = read(fd, text + n, sizeof(text) - 1 - n);
		ASSERT(size >= 0 || errno == EAGAIN);
		n += size > 0 ? (size_t)size : 0;
		ASSERT(n < sizeof(text) - 1);
		nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
	}
	ASSERT_STR(text, expected);
	close(fd);
}

TEST(terminal_from_create_to_delete)
{
	struct pair pair = {0};
	events_pair_init(&pair);
	int output = create(&pair, "troex");
	call_ok(&pair, "Start", "one");
	int input = input_end(&pair, "stdin");
	resize(&pair, "", 33, 44);
	ASSERT_EQ(write(input, "hi", 2), 2);
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(output, "33x44\nhiout\nerr\n");
	events_expect(&pair, "one", "create start exit 7 delete");
	close(input);
	pair_deinit(&pair);
}

/* The client's input ends, and the process speaks on. */
TEST(terminal_without_its_input)
{
	struct pair pair = {0};
	pair_init(&pair);
	int output = create(&pair, "rtox");
	call_ok(&pair, "Start", "one");
	int input = input_end(&pair, "stdin");
	ASSERT_EQ(write(input, "ab", 2), 2);
	close(input);
	call_ok(&pair, "CloseIO", "one");
	resize(&pair, "", 1, 2);
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(output, "ab1x2\nout\n");
	pair_deinit(&pair);
}

/* What left the container has the terminal open still: nobody waits for that. */
TEST(terminal_that_is_held)
{
	struct pair pair = {0};
	pair_init(&pair);
	int output = create(&pair, "ohx");
	call_ok(&pair, "Start", "one");
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 7);
	call_ok(&pair, "Delete", "one");
	read_all(output, "out\n");
	FILE *file = fopen(pair_file(&pair, "one", "holder"), "re");
	int holder = 0;
	ASSERT(file && fscanf(file, "%d", &holder) == 1);
	fclose(file);
	ASSERT_EQ(kill(holder, SIGKILL), 0);
	pair_deinit(&pair);
}

static void exec(struct pair *pair, const char *spec, bool terminal)
{
	ProtobufCMessage *request = call_request("Exec", "one");
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	any.value.data = (uint8_t *)(uintptr_t)spec;
	any.value.len = strlen(spec);
	call_set(request, "exec_id", "more");
	call_set(request, "stdin", pair_file(pair, "one", "in"));
	call_set(request, "stdout", pair_file(pair, "one", "out"));
	if (!terminal)
		call_set(request, "stderr", pair_file(pair, "one", "err"));
	*(protobuf_c_boolean *)call_field(request, "terminal") = terminal;
	*(Google__Protobuf__Any **)call_field(request, "spec") = &any;
	send_ok(pair, "Exec", request);
}

static uint32_t wait_exec(struct pair *pair)
{
	struct call call;
	ProtobufCMessage *request = call_request("Wait", "one");
	call_set(request, "exec_id", "more");
	call_send(pair->client, &call, "Wait", request, 0);
	call_end(pair, &call);
	call_check(&call, TTRPC_OK, "");
	uint32_t status = call_number(&call, "exit_status");
	call_free(&call);
	return status;
}

TEST(exec_with_pipes)
{
	struct pair pair = {0};
	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	call_ok(&pair, "Start", "one");
	ASSERT_EQ(mkfifo(pair_file(&pair, "one", "in"), 0600), 0);
	int output = client_end(&pair, "out"), error = client_end(&pair, "err");
	exec(&pair, "{\"program\": \"coex\"}", false);
	send_exec(&pair, "Start", "more");
	int input = input_end(&pair, "in");
	ASSERT_EQ(write(input, "through ", 8), 8);
	close(input);
	send_exec(&pair, "CloseIO", "more");
	ASSERT_EQ(wait_exec(&pair), 7);
	send_exec(&pair, "Delete", "more");
	read_all(output, "through out\n");
	read_all(error, "err\n");
	pair_deinit(&pair);
}

/* A size that was set before the start is that of the terminal from its beginning. */
TEST(exec_with_a_terminal)
{
	struct pair pair = {0};
	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	call_ok(&pair, "Start", "one");
	ASSERT_EQ(mkfifo(pair_file(&pair, "one", "in"), 0600), 0);
	int output = client_end(&pair, "out");
	exec(&pair, "{\"program\": \"trx\"}", true);
	resize(&pair, "more", 5, 6);
	send_exec(&pair, "Start", "more");
	int input = input_end(&pair, "in");
	ASSERT_EQ(write(input, "hi", 2), 2);
	ASSERT_EQ(wait_exec(&pair), 7);
	send_exec(&pair, "Delete", "more");
	read_all(output, "5x6\nhi");
	close(input);
	pair_deinit(&pair);
}

/* Creates "one", which writes to both outputs and exits, with this for its standard output. */
static void create_to(struct pair *pair, const char *uri, bool terminal)
{
	ProtobufCMessage *request = call_request("Create", "one");
	pair_put(pair, "one", "program", "oex");
	call_set(request, "bundle", pair_file(pair, "one", ""));
	call_set(request, "stdout", uri);
	*(protobuf_c_boolean *)call_field(request, "terminal") = terminal;
	send_ok(pair, "Create", request);
	call_ok(pair, "Start", "one");
	ASSERT_EQ(pair_number(pair, "Wait", "one", "exit_status"), 7);
	call_ok(pair, "Delete", "one");
}

static void expect_file(const struct pair *pair, const char *name, const char *text)
{
	char got[128] = "";
	int fd = open(pair_file(pair, "one", name), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	ASSERT(read(fd, got, sizeof(got) - 1) >= 0);
	ASSERT_STR(got, text);
	close(fd);
}

/* All has been written when Delete answers. */
TEST(output_to_a_file)
{
	struct pair pair = {0};
	char uri[256], got[16] = "";
	pair_init(&pair);
	snprintf(uri, sizeof(uri), "file://%s", pair_file(&pair, "one", "a/log"));
	create_to(&pair, uri, false);
	int fd = open(pair_file(&pair, "one", "a/log"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(read(fd, got, sizeof(got)), 8);
	ASSERT(strstr(got, "out\n") && strstr(got, "err\n")); /* which is first is open */
	close(fd);
	pair_deinit(&pair);
}

/* The logger takes its time with the end, and Delete waits for it. */
static void log_to(struct pair *pair, bool terminal)
{
	char script[1024], uri[4096], *to = uri;
	snprintf(script, sizeof(script),
		 "cd %s; exec 5>&-; cat <&3 >part; cat <&4 >>part; sleep 0.1; mv part all",
		 pair_file(pair, "one", ""));
	to += sprintf(to, "binary:///bin/sh?-c=");
	for (const char *from = script; *from; from++)
		to += sprintf(to, "%%%02x", (unsigned char)*from);
	create_to(pair, uri, terminal);
	expect_file(pair, "all", "out\nerr\n");
	pair_deinit(pair);
}

TEST(output_to_a_logger)
{
	struct pair pair = {0};
	pair_init(&pair);
	log_to(&pair, false);
}

TEST(terminal_to_a_logger)
{
	struct pair pair = {0};
	pair_init(&pair);
	log_to(&pair, true);
}
