/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_PAIR_FIXTURE_H
#define TEST_UNIT_PAIR_FIXTURE_H
/*
 * The resident pair as `start` makes it, in a folder of the test's own, with a played runtime, a
 * client on its socket and an events service (pair_events.h) in a process of its own. The server
 * is hardened; only under a sanitizer, which makes system calls of its own, it goes without.
 *
 *     ROOT/ns/ID/    bundles      ROOT/s/socket    the shim's      ROOT/events    see pair_events.h
 *
 * Requests and answers are read and written by the names of their fields, so that one function does
 * for all methods.
 */
#include <ftw.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "proto/task.ttrpc.h"
#include "proto/task_v3.ttrpc.h"
#include "shim/harden.h"
#include "shim/monitor.h"
#include "test/test.h"
#include "test/unit/pair_runtime.h"

#undef stdin
#undef stdout
#undef stderr

#define SECOND UINT64_C(1000000000)

#ifndef __has_feature
#define __has_feature(name) 0
#endif

int __real_harden_server(int log_fd);
int __wrap_harden_server(int log_fd);

int __wrap_harden_server(int log_fd)
{
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
	(void)log_fd;
	return 0;
#else
	return __real_harden_server(log_fd);
#endif
}

struct pair {
	char root[64];
	char socket[96], publisher[96]; /* publisher "": none */
	const char *program;            /* the shim's name; NULL: any */
	const struct runtime *runtime;  /* NULL: the played one */
	pid_t monitor, server, daemon;
	struct ttrpc_loop loop;
	struct ttrpc_client *client;
	int log_fd; /* the FIFO that the shim logs into */
};

struct call {
	const struct ttrpc_method *method;
	bool done;
	struct ttrpc_status status;
	ProtobufCMessage *response; /* NULL: the status is not OK */
};

/* ---- files ---- */

static inline const char *pair_path(const struct pair *pair, const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof(paths[0]), "%s/%s", pair->root, name);
	return path;
}

/* ROOT/ns/ID/name */
static inline const char *pair_file(const struct pair *pair, const char *id, const char *name)
{
	char tail[160];
	snprintf(tail, sizeof(tail), "ns/%s/%s", id, name);
	return pair_path(pair, tail);
}

static inline void pair_put(const struct pair *pair, const char *id, const char *name,
			    const char *text)
{
	int fd = open(pair_file(pair, id, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void pair_remove(const struct pair *pair, const char *id, const char *name)
{
	ASSERT_EQ(unlink(pair_file(pair, id, name)), 0);
}

static inline bool pair_exists(const struct pair *pair, const char *id, const char *name)
{
	return access(pair_file(pair, id, name), F_OK) == 0;
}

static inline void pair_bundle(const struct pair *pair, const char *id, const char *program)
{
	ASSERT_EQ(mkdir(pair_file(pair, id, ""), 0700), 0);
	pair_put(pair, id, "program", program);
}

static inline int pair_remove_one(const char *path, const struct stat *file, int kind,
				  struct FTW *where)
{
	(void)file;
	(void)kind;
	(void)where;
	return remove(path);
}

/* ---- the pair's life ---- */

static inline int pair_listen(struct pair *pair)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, pair->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT(fd >= 0);
	ASSERT_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ASSERT_EQ(listen(fd, 64), 0);
	return fd;
}

/* The command line of `start` in one piece, as the kernel makes it: the monitor writes over it. */
static inline void pair_config(const char *program, struct shim_config *ret_config)
{
	static char words[4096], *argv[10];
	static const char *const rest[] = {"-namespace", "ns",  "-address", "/a.sock",
					   "-id",        "one", "start"};
	char *end = stpcpy(words, program) + 1;
	int argc = 1;

	argv[0] = words;
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++, argc++) {
		argv[argc] = end;
		end = stpcpy(end, rest[i]) + 1;
	}
	*ret_config = (struct shim_config){.runtime = &played,
					   .namespace_ = argv[2],
					   .address = argv[4],
					   .id = argv[6],
					   .argv = argv,
					   .argc = argc};
}

static inline void pair_launch(struct pair *pair)
{
	struct shim_config config;
	struct monitor_handle handle;
	struct monitor_setup setup = {.debug = false};

	pair_config(pair->program ? pair->program : "shim", &config);
	if (pair->runtime)
		config.runtime = pair->runtime;
	ASSERT_EQ(chdir(pair_file(pair, "one", "")), 0);
	ASSERT_EQ(monitor_spawn(&config, &handle), 0);
	ASSERT_EQ(chdir("/"), 0);
	int fd = pair_listen(pair);
	strcpy(setup.socket_path, pair->socket);
	strcpy(setup.publisher_path, pair->publisher);
	ASSERT_EQ(monitor_launch(&handle, &setup, fd), 0);
	close(fd);
	pair->monitor = handle.pid;
}

static inline struct ttrpc_client *pair_connect(struct pair *pair)
{
	struct ttrpc_client *client;
	ASSERT_EQ(ttrpc_client_connect(&pair->loop, pair->socket, SECOND, &client), 0);
	return client;
}

static inline void pair_folders(struct pair *pair)
{
	strcpy(pair->root, "/tmp/mote-pair.XXXXXX");
	ASSERT(mkdtemp(pair->root) != NULL);
	strcpy(pair->socket, pair_path(pair, "s/socket"));
	ASSERT_EQ(mkdir(pair_path(pair, "s"), 0700), 0);
	ASSERT_EQ(mkdir(pair_path(pair, "ns"), 0700), 0);
	pair_bundle(pair, "one", "");
	ASSERT_EQ(mkfifo(pair_file(pair, "one", "log"), 0600), 0);
	pair->log_fd = open(pair_file(pair, "one", "log"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT(pair->log_fd >= 0);
}

/* ---- calls ---- */

static inline void *call_field(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
	if (!field)
		test_fail(__FILE__, __LINE__, "%s has no field %s", message->descriptor->name,
			  name);
	return (char *)(uintptr_t)message + field->offset;
}

static inline void call_set(ProtobufCMessage *message, const char *name, const char *value)
{
	*(const char **)call_field(message, name) = value;
}

static inline uint32_t call_number(const struct call *call, const char *name)
{
	ASSERT(call->response != NULL);
	return *(uint32_t *)call_field(call->response, name);
}

static inline const char *call_string(const struct call *call, const char *name)
{
	ASSERT(call->response != NULL);
	return *(char **)call_field(call->response, name);
}

/* exited_at; that it is there is part of the contract. */
static inline int64_t call_time(const struct call *call)
{
	ASSERT(call->response != NULL);
	const Google__Protobuf__Timestamp *time =
		*(Google__Protobuf__Timestamp **)call_field(call->response, "exited_at");
	ASSERT(time != NULL);
	return time->seconds;
}

static inline void call_done(void *userdata, const struct ttrpc_status *status,
			     const ProtobufCMessage *response)
{
	struct call *call = userdata;
	call->done = true;
	call->status = *status;
	if (!response)
		return;
	size_t size = protobuf_c_message_get_packed_size(response);
	uint8_t *bytes = malloc(size + 1);
	protobuf_c_message_pack(response, bytes);
	call->response = protobuf_c_message_unpack(response->descriptor, NULL, size, bytes);
	free(bytes);
}

static inline const struct ttrpc_method *call_method(const struct ttrpc_service *service,
						     const char *name)
{
	for (size_t i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, name) == 0)
			return &service->methods[i];
	test_fail(__FILE__, __LINE__, "no method %s", name);
}

/* The request of a method, with its id; to be freed. */
static inline ProtobufCMessage *call_request(const char *method, const char *id)
{
	const ProtobufCMessageDescriptor *input =
		call_method(&containerd_task_v2_task_service, method)->input;
	ProtobufCMessage *request = malloc(input->sizeof_message);
	ASSERT(request != NULL);
	protobuf_c_message_init(input, request);
	call_set(request, "id", id);
	return request;
}

/* Frees the request. */
static inline void call_send(struct ttrpc_client *client, struct call *call, const char *method,
			     ProtobufCMessage *request, uint64_t timeout)
{
	const struct ttrpc_options options = {.timeout = timeout};
	const struct ttrpc_service *service = &containerd_task_v2_task_service;
	*call = (struct call){.method = call_method(service, method)};
	ASSERT_EQ(ttrpc_client_call(client, service, call->method, &options, request, call_done,
				    call),
		  0);
	free(request);
}

static inline void call_begin(struct pair *pair, struct call *call, const char *method,
			      const char *id)
{
	ProtobufCMessage *request = call_request(method, id);
	const char *bundle = pair_file(pair, id, "");
	if (strcmp(method, "Create") == 0)
		call_set(request, "bundle", bundle);
	if (strcmp(method, "Kill") == 0)
		*(uint32_t *)call_field(request, "signal") = SIGTERM;
	call_send(pair->client, call, method, request, 0);
}

static inline void call_end(struct pair *pair, struct call *call)
{
	while (!call->done)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair->loop, -1), 0);
}

static inline void call_free(struct call *call)
{
	if (call->response)
		protobuf_c_message_free_unpacked(call->response, NULL);
	call->response = NULL;
}

static inline void call_check(const struct call *call, enum ttrpc_code code, const char *text)
{
	if (call->status.error || call->status.code != code ||
	    (code != TTRPC_OK && strcmp(call->status.text, text) != 0))
		test_fail(__FILE__, __LINE__, "%s: error %d code %d \"%s\", not %d \"%s\"",
			  call->method->name, call->status.error, call->status.code,
			  call->status.text, code, text);
}

/* One call from its begin to its end, with the answer that is expected. */
static inline void call_expect(struct pair *pair, const char *method, const char *id,
			       enum ttrpc_code code, const char *text)
{
	struct call call;
	call_begin(pair, &call, method, id);
	call_end(pair, &call);
	call_check(&call, code, text);
	call_free(&call);
}

static inline void call_ok(struct pair *pair, const char *method, const char *id)
{
	call_expect(pair, method, id, TTRPC_OK, "");
}

static inline uint32_t pair_number(struct pair *pair, const char *method, const char *id,
				   const char *field)
{
	struct call call;
	call_begin(pair, &call, method, id);
	call_end(pair, &call);
	call_check(&call, TTRPC_OK, "");
	uint32_t number = call_number(&call, field);
	call_free(&call);
	return number;
}

static inline uint32_t pair_status(struct pair *pair, const char *id)
{
	return pair_number(pair, "State", id, "status");
}

/* ---- beginning and end of a test ---- */

static inline void pair_begin(struct pair *pair)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pair_launch(pair);
	ASSERT_EQ(ttrpc_loop_init(&pair->loop), 0);
	pair->client = pair_connect(pair);
	pair->server = (pid_t)pair_number(pair, "Connect", "one", "shim_pid");
}

static inline void pair_init(struct pair *pair)
{
	pair_folders(pair);
	pair_begin(pair);
}

/* The monitor's status; whatever else is left of the shim ends with it. */
static inline int pair_await_end(struct pair *pair)
{
	int status;
	ASSERT_EQ(waitpid(pair->monitor, &status, 0), pair->monitor);
	if (pair->daemon > 0)
		kill(pair->daemon, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return status;
}

static inline void pair_clean(struct pair *pair)
{
	pair->client = ttrpc_client_free(pair->client);
	ttrpc_loop_deinit(&pair->loop);
	close(pair->log_fd);
	ASSERT_EQ(nftw(pair->root, pair_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* In whatever state it is. */
static inline void pair_deinit(struct pair *pair)
{
	char log[4096];
	ASSERT_EQ(kill(pair->monitor, SIGKILL), 0);
	pair_await_end(pair);
	ssize_t n = read(pair->log_fd, log, sizeof(log) - 1);
	if (n > 0)
		test_fail(__FILE__, __LINE__, "the shim logged: %.*s", (int)n, log);
	pair_clean(pair);
}

#endif
