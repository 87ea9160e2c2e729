/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pair answers to each method in each state of a container, under both names of the
 * service, and to requests that no daemon sends.
 */
#include "test/unit/pair_fixture.h"

#define NO_CONTAINER TTRPC_NOT_FOUND, "container not created: not found"
#define NO_PROCESS TTRPC_NOT_FOUND, "process does not exist e1: not found"
#define NOT_BUILT TTRPC_UNIMPLEMENTED, "not implemented" /* the runtime has no such function */
#define OK TTRPC_OK, ""

struct expected {
	const char *method;
	enum ttrpc_code code;
	const char *text;
};

/* Those that change the state come last. */
static const struct expected absent[] = {
	{"State", NO_CONTAINER},      {"Start", NO_CONTAINER},
	{"Delete", NO_CONTAINER},     {"Pids", NO_CONTAINER},
	{"Kill", NO_CONTAINER},       {"CloseIO", NO_CONTAINER},
	{"Wait", NO_CONTAINER},       {"Connect", OK},
	{"Pause", NO_CONTAINER},      {"Resume", NO_CONTAINER},
	{"Checkpoint", NO_CONTAINER}, {"Exec", NO_CONTAINER},
	{"ResizePty", NO_CONTAINER},  {"Update", NO_CONTAINER},
	{"Stats", NO_CONTAINER},
};

static const struct expected created[] = {
	{"Create", TTRPC_ALREADY_EXISTS, "task one: already exists"},
	{"State", OK},
	{"Pids", OK},
	{"CloseIO", OK},
	{"Connect", OK},
	{"Shutdown", OK},
	{"Pause", TTRPC_UNKNOWN, "cannot pause task in created state"},
	{"Resume", TTRPC_UNKNOWN, "cannot resume task in created state"},
	{"Checkpoint", TTRPC_UNKNOWN, "cannot checkpoint a task in created state"},
	{"Exec", NOT_BUILT},
	{"ResizePty", OK},
	{"Start", OK},
};

static const struct expected running[] = {
	{"Create", TTRPC_ALREADY_EXISTS, "task one: already exists"},
	{"State", OK},
	{"Start", TTRPC_UNKNOWN, "cannot start a running process"},
	{"Delete", TTRPC_UNKNOWN, "cannot delete a running process"},
	{"Pids", OK},
	{"CloseIO", OK},
	{"CloseIO", OK},
	{"Connect", OK},
	{"Shutdown", OK},
	{"Pause", NOT_BUILT},
	{"Resume", TTRPC_UNKNOWN, "cannot resume a running process"},
	{"ResizePty", OK},
	{"Kill", OK},
};

static const struct expected stopped[] = {
	{"Create", TTRPC_ALREADY_EXISTS, "task one: already exists"},
	{"Wait", OK},
	{"State", OK},
	{"Start", TTRPC_UNKNOWN, "cannot start a stopped process"},
	{"Pids", OK},
	{"Kill", TTRPC_NOT_FOUND, "process already finished: not found"},
	{"CloseIO", OK},
	{"Connect", OK},
	{"Shutdown", OK},
	{"Pause", TTRPC_UNKNOWN, "cannot pause a stopped container"},
	{"Resume", TTRPC_UNKNOWN, "cannot resume a stopped container"},
	{"Update", TTRPC_UNKNOWN, "cannot update a stopped container"},
	{"Checkpoint", TTRPC_UNKNOWN, "cannot checkpoint a stopped container"},
	{"ResizePty", OK},
	{"Delete", OK},
	{"Delete", OK}, /* an answer that was lost */
};

static const struct expected deleted[] = {
	{"State", NO_CONTAINER},
	{"Kill", NO_CONTAINER},
	{"Wait", NO_CONTAINER},
	{"Delete", OK},
};

#define CHECK_ALL(pair, table)                                                                     \
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)                              \
	call_expect(pair, table[i].method, "one", table[i].code, table[i].text)

TEST(methods_and_states)
{
	struct pair pair = {0};

	pair_init(&pair);
	CHECK_ALL(&pair, absent);
	call_ok(&pair, "Create", "one");
	CHECK_ALL(&pair, created);
	CHECK_ALL(&pair, running);
	call_ok(&pair, "Wait", "one"); /* for the signal to have its effect */
	CHECK_ALL(&pair, stopped);
	CHECK_ALL(&pair, deleted);
	call_ok(&pair, "Create", "one");
	CHECK_ALL(&pair, created);
	pair_deinit(&pair);
}

TEST(what_state_tells)
{
	struct pair pair = {0};
	struct call state;

	pair_init(&pair);
	uint32_t pid = pair_number(&pair, "Create", "one", "pid");
	call_begin(&pair, &state, "State", "one");
	call_end(&pair, &state);
	ASSERT_STR(call_string(&state, "id"), "one");
	ASSERT_STR(call_string(&state, "bundle"), pair_file(&pair, "one", ""));
	ASSERT_STR(call_string(&state, "exec_id"), "");
	ASSERT_STR(call_string(&state, "stdout"), "");
	ASSERT_EQ(call_number(&state, "pid"), pid);
	ASSERT_EQ(call_number(&state, "exit_status"), 0);
	ASSERT_EQ(call_time(&state), -62135596800); /* Go's zero time */
	call_free(&state);
	pair_deinit(&pair);
}

/* Until its delete: a daemon that comes back takes a shim without processes for leaked. */
TEST(pids_in_each_state)
{
	struct pair pair = {0};
	struct call call;

	pair_init(&pair);
	uint32_t pid = pair_number(&pair, "Create", "one", "pid");
	for (int state = 0; state < 3; state++) {
		call_begin(&pair, &call, "Pids", "one");
		call_end(&pair, &call);
		const Containerd__Task__V2__PidsResponse *response = (const void *)call.response;
		ASSERT_EQ(response->n_processes, 1);
		ASSERT_EQ(response->processes[0]->pid, pid);
		call_free(&call);
		if (state == 0)
			call_ok(&pair, "Start", "one");
		if (state == 1)
			call_ok(&pair, "Kill", "one");
		if (state == 1)
			call_ok(&pair, "Wait", "one");
	}
	pair_deinit(&pair);
}

/* Of each method that has the field; none of these containers has any. */
TEST(exec_ids_are_unknown)
{
	static const char *const methods[] = {"State", "Start",   "Delete",
					      "Kill",  "CloseIO", "Wait"};
	struct pair pair = {0};
	struct call call;

	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		ProtobufCMessage *request = call_request(methods[i], "one");
		call_set(request, "exec_id", "e1");
		call_send(pair.client, &call, methods[i], request, 0);
		call_end(&pair, &call);
		call_check(&call, NO_PROCESS);
	}
	pair_deinit(&pair);
}

TEST(third_version_is_the_same_service)
{
	struct pair pair = {0};
	Containerd__Task__V2__ConnectRequest request = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	Containerd__Task__V2__StateRequest state = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
	const struct ttrpc_service *service = &containerd_task_v3_task_service;
	struct call call = {.done = false};

	pair_init(&pair);
	uint32_t pid = pair_number(&pair, "Create", "one", "pid");
	request.id = state.id = (char *)(uintptr_t) "one";
	ASSERT_EQ(ttrpc_client_call(pair.client, service, call_method(service, "Connect"), NULL,
				    &request.base, call_done, &call),
		  0);
	call_end(&pair, &call);
	ASSERT_EQ(call_number(&call, "task_pid"), pid);
	call_free(&call);
	state.id = (char *)(uintptr_t) "two";
	call = (struct call){.method = call_method(service, "State")};
	ASSERT_EQ(ttrpc_client_call(pair.client, service, call.method, NULL, &state.base, call_done,
				    &call),
		  0);
	call_end(&pair, &call);
	call_check(&call, NO_CONTAINER);
	pair_deinit(&pair);
}

/* ---- what no daemon sends ---- */

static void create_refused(struct pair *pair, const char *id, const char *field, const char *value,
			   enum ttrpc_code code, const char *text)
{
	struct call call;
	ProtobufCMessage *request = call_request("Create", id);
	call_set(request, "bundle", pair_file(pair, "one", ""));
	if (field)
		call_set(request, field, value);
	call_send(pair->client, &call, "Create", request, 0);
	call_end(pair, &call);
	call_check(&call, code, text);
	call_free(&call);
}

TEST(ids_that_are_none)
{
	static const struct {
		const char *id, *shown;
	} ids[] = {
		{"", ""},           {"..", ".."},
		{".", "."},         {"a/b", "a/b"},
		{"-a", "-a"},       {"../one", "../one"},
		{"a b", "a b"},     {"\xff\xfe", "??"},
		{"one\n", "one\n"}, {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
	};
	struct pair pair = {0};
	char text[256], long_id[200];

	pair_init(&pair);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		snprintf(text, sizeof(text), "identifier \"%s\" is not valid: invalid argument",
			 ids[i].shown);
		create_refused(&pair, ids[i].id, NULL, NULL, TTRPC_INVALID_ARGUMENT, text);
	}
	memset(long_id, 'a', sizeof(long_id));
	long_id[sizeof(long_id) - 1] = 0;
	snprintf(text, sizeof(text), "identifier \"%.128s\" is not valid: invalid argument",
		 long_id);
	create_refused(&pair, long_id, NULL, NULL, TTRPC_INVALID_ARGUMENT, text);
	call_expect(&pair, "State", "\xff", NO_CONTAINER);
	pair_deinit(&pair);
}

TEST(creates_that_are_none)
{
	struct pair pair = {0};
	char text[512];

	pair_init(&pair);
	pair_bundle(&pair, "two", "");
	snprintf(text, sizeof(text), "bundle %s is not %s: invalid argument",
		 pair_file(&pair, "two", ""), pair_file(&pair, "one", ""));
	text[strlen(text) - strlen("/: invalid argument")] = 0;
	strcat(text, ": invalid argument");
	create_refused(&pair, "one", "bundle", pair_file(&pair, "two", ""), TTRPC_INVALID_ARGUMENT,
		       text);
	create_refused(&pair, "one", "checkpoint", "/somewhere", TTRPC_UNIMPLEMENTED,
		       "checkpoint: not implemented");
	create_refused(&pair, "one", "stdin", "/tmp/\xff", TTRPC_INVALID_ARGUMENT,
		       "a string of the request is not UTF-8: invalid argument");
	create_refused(&pair, "one", "bundle", "\xed\xa0\x80", TTRPC_INVALID_ARGUMENT,
		       "a string of the request is not UTF-8: invalid argument");
	create_refused(&pair, "one", "stdout", "smoke://signals", TTRPC_UNKNOWN,
		       "unknown STDIO scheme smoke");
	ASSERT(!pair_exists(&pair, "one", "in-create"));

	/* a bundle that is not there, and a link in its place, which would lead elsewhere */
	snprintf(text, sizeof(text),
		 "bundle %s/ns/three: no such file or directory: invalid argument", pair.root);
	create_refused(&pair, "three", NULL, NULL, TTRPC_INVALID_ARGUMENT, text);
	char link[256];
	snprintf(link, sizeof(link), "%s/ns/four", pair.root);
	ASSERT_EQ(symlink("two", link), 0);
	snprintf(text, sizeof(text), "bundle %s: not a directory: invalid argument", link);
	create_refused(&pair, "four", NULL, NULL, TTRPC_INVALID_ARGUMENT, text);
	pair_deinit(&pair);
}

TEST(signals_that_are_none)
{
	static const uint32_t signals[] = {65, 1000, 0x7fffffff, 0xffffffff};
	struct pair pair = {0};
	struct call call;
	char text[64];

	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		ProtobufCMessage *request = call_request("Kill", "one");
		*(uint32_t *)call_field(request, "signal") = signals[i];
		call_send(pair.client, &call, "Kill", request, 0);
		call_end(&pair, &call);
		snprintf(text, sizeof(text), "signal %u: invalid argument", signals[i]);
		call_check(&call, TTRPC_INVALID_ARGUMENT, text);
	}
	/* 0 asks whether it is there */
	call_send(pair.client, &call, "Kill", call_request("Kill", "one"), 0);
	call_end(&pair, &call);
	call_check(&call, OK);
	call_free(&call);
	ASSERT(pair_exists(&pair, "one", "in-kill"));
	pair_deinit(&pair);
}

/* ---- bundles in which nothing can be written ---- */

/* A create whose state can't be kept is undone; a process that was started is not told dead. */
TEST(state_that_is_not_taken)
{
	struct pair pair = {0};
	char log[1024];

	pair_init(&pair);
	ASSERT_EQ(mkdir(pair_file(&pair, "one", "mote.runtime"), 0700), 0);
	call_expect(&pair, "Create", "one", TTRPC_UNKNOWN, "is a directory");
	ASSERT(pair_exists(&pair, "one", "in-force"));
	ASSERT_EQ(rmdir(pair_file(&pair, "one", "mote.runtime")), 0);
	call_ok(&pair, "Create", "one");

	ASSERT_EQ(mkdir(pair_file(&pair, "one", ".mote.runtime.new"), 0700), 0);
	call_ok(&pair, "Start", "one");
	ASSERT_EQ(pair_status(&pair, "one"), 2);
	ssize_t n = read(pair.log_fd, log, sizeof(log) - 1);
	ASSERT(n > 0);
	log[n] = 0;
	ASSERT(strstr(log, "level=warning msg=\"the runtime's state is not kept: file exists\""));
	pair_deinit(&pair);
}
