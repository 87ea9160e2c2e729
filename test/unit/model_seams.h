/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_MODEL_SEAMS_H
#define TEST_UNIT_MODEL_SEAMS_H
/*
 * The server's own objects, without its sockets: what they call in other objects is played here, by
 * the linker's --wrap, so that a hundred thousand lives of a container take seconds.
 *
 *   calls     of clients: struct ttrpc_call is ours, an answer is written into it
 *   verbs     for the monitor: kept in a list, for the test to report on in any order
 *   events    for containerd: given to event_published() at once
 *   kills     for want of memory: counted here, read when the server looks
 *   memory    counted: what is allocated is freed
 *
 * A fault is what the server must not do. In a mutant it is what was looked for: see model.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/task.h"
#include "proto/events.pb-c.h"
#include "shim/config.h"
#include "shim/task.h"
#include "test/test.h"

#define CALLS_MAX 64
#define VERBS_MAX 64
#define HISTORY_SIZE 1024

struct ttrpc_call {
	const char *method;
	bool open;  /* its answer is awaited */
	bool gone;  /* its client does not wait for it any more */
	bool taken; /* the handler answers later */
	int error;
	ttrpc_cancel_fn cancelled;
	void *userdata;
	enum ttrpc_code code;
	char text[128];
	uint32_t pid, status, exit_status;
	int64_t exited_at;
};

struct flying_verb {
	struct verb verb;
	bool cancelled; /* a create that can only fail by now */
};

static struct seams {
	struct ttrpc_call calls[CALLS_MAX];
	size_t n_calls;
	struct flying_verb verbs[VERBS_MAX];
	size_t n_verbs;
	oom_killed_fn oom_killed; /* NULL: nobody watches */
	void *oom_userdata;
	int oom_fd;
	unsigned oom_kills, oom_told;
	long allocations;
	char history[HISTORY_SIZE]; /* what was done, in words */
	size_t history_size;
} seams;

static struct server server;
static const struct containerd_task_v2_task_handlers *handlers;
static void (*on_fault)(void); /* of a mutant; NULL: the test fails */

__attribute__((format(printf, 1, 2))) static inline void remember(const char *format, ...)
{
	va_list arguments;
	size_t room = HISTORY_SIZE - seams.history_size;
	va_start(arguments, format);
	int size = vsnprintf(seams.history + seams.history_size, room, format, arguments);
	va_end(arguments);
	if (size > 0 && (size_t)size < room)
		seams.history_size += (size_t)size;
}

__attribute__((format(printf, 1, 2))) static inline void fault(const char *format, ...)
{
	va_list arguments;
	char text[256];
	if (on_fault)
		on_fault();
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	test_fail(__FILE__, __LINE__, "%s, after:%s", text, seams.history);
}

/* ---- calls ---- */

static inline struct ttrpc_call *call_open(const char *method)
{
	ASSERT(seams.n_calls < CALLS_MAX);
	struct ttrpc_call *call = &seams.calls[seams.n_calls++];
	*call = (struct ttrpc_call){.method = method, .open = true};
	return call;
}

/* The handler has returned. */
static inline void call_handled(const struct ttrpc_call *call, int result)
{
	if (result != 0)
		fault("%s returned %d", call->method, result);
	if (call->open && !call->taken)
		fault("%s was neither answered nor kept", call->method);
}

static inline void call_abandon(struct ttrpc_call *call, int error)
{
	call->open = false;
	call->gone = true;
	call->error = error;
	call->cancelled(call, call->userdata);
}

static inline void call_close(struct ttrpc_call *call)
{
	if (!call->open)
		fault("%s is answered %s", call->method, call->gone ? "when it is gone" : "twice");
	call->open = false;
}

int __wrap_ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int __wrap_ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
{
	va_list arguments;
	call_close(call);
	call->code = code;
	va_start(arguments, format);
	vsnprintf(call->text, sizeof(call->text), format, arguments);
	va_end(arguments);
	return 0;
}

static inline const void *response_field(const ProtobufCMessage *response, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(response->descriptor, name);
	return field ? (const char *)response + field->offset : NULL;
}

static inline void response_number(const ProtobufCMessage *response, const char *name,
				   uint32_t *ret_number)
{
	const uint32_t *number = response_field(response, name);
	if (number)
		*ret_number = *number;
}

int __wrap_ttrpc_reply(struct ttrpc_call *call, const ProtobufCMessage *response);
int __wrap_ttrpc_reply(struct ttrpc_call *call, const ProtobufCMessage *response)
{
	Google__Protobuf__Timestamp *const *time = response_field(response, "exited_at");
	call_close(call);
	call->code = TTRPC_OK;
	response_number(response, "pid", &call->pid);
	response_number(response, "status", &call->status);
	response_number(response, "exit_status", &call->exit_status);
	call->exited_at = time ? (*time)->seconds : 0;
	return 0;
}

void __wrap_ttrpc_call_take(struct ttrpc_call *call, ttrpc_cancel_fn cancelled, void *userdata);
void __wrap_ttrpc_call_take(struct ttrpc_call *call, ttrpc_cancel_fn cancelled, void *userdata)
{
	call->taken = true;
	call->cancelled = cancelled;
	call->userdata = userdata;
}

int __wrap_ttrpc_call_error(const struct ttrpc_call *call);
int __wrap_ttrpc_call_error(const struct ttrpc_call *call)
{
	return call->error;
}

void *__wrap_ttrpc_call_userdata(const struct ttrpc_call *call);
void *__wrap_ttrpc_call_userdata(const struct ttrpc_call *call)
{
	(void)call;
	return &server;
}

uint64_t __wrap_ttrpc_call_deadline(const struct ttrpc_call *call);
uint64_t __wrap_ttrpc_call_deadline(const struct ttrpc_call *call)
{
	(void)call;
	return 0;
}

const void *__wrap_ttrpc_call_payload(const struct ttrpc_call *call, size_t *ret_size);
const void *__wrap_ttrpc_call_payload(const struct ttrpc_call *call, size_t *ret_size)
{
	(void)call;
	*ret_size = 4;
	return "byte";
}

/* ---- what the server is given, once ---- */

int __wrap_api_task_register(struct ttrpc_server *unused,
			     const struct containerd_task_v2_task_handlers *table, void *userdata);
int __wrap_api_task_register(struct ttrpc_server *unused,
			     const struct containerd_task_v2_task_handlers *table, void *userdata)
{
	(void)unused;
	(void)userdata;
	handlers = table;
	return 0;
}

void __wrap_server_update_idle(struct server *unused);
void __wrap_server_update_idle(struct server *unused)
{
	(void)unused;
}

/* ---- the monitor ---- */

int __wrap_payload_seal(const void *bytes, size_t size);
int __wrap_payload_seal(const void *bytes, size_t size)
{
	(void)bytes;
	(void)size;
	return dup(STDIN_FILENO);
}

static void verb_check(const struct flying_verb *flying);

int __wrap_verb_send(int fd, const struct verb *verb, int payload_fd);
int __wrap_verb_send(int fd, const struct verb *verb, int payload_fd)
{
	(void)fd;
	(void)payload_fd;
	ASSERT(seams.n_verbs < VERBS_MAX);
	struct flying_verb *flying = &seams.verbs[seams.n_verbs++];
	*flying = (struct flying_verb){.verb = *verb};
	verb_check(flying);
	return 0;
}

static inline void report_deliver(const struct report *report, int oom_fd)
{
	struct report_message message;
	char text[] = "it failed";
	report_init(&message);
	message.report = *report;
	message.report.text_size = report->code == TTRPC_OK ? 0 : sizeof(text) - 1;
	message.text = text;
	message.fds[ROLE_OOM_FILE] = oom_fd;
	if (operation_report(&server, &message) < 0)
		fault("a report was refused");
	report_deinit(&message);
}

/* ---- events ---- */

static void event_published(const char *topic, const ProtobufCMessage *event);

int __wrap_api_publisher_publish(struct api_publisher *publisher, const char *topic,
				 const ProtobufCMessage *event);
int __wrap_api_publisher_publish(struct api_publisher *publisher, const char *topic,
				 const ProtobufCMessage *event)
{
	(void)publisher;
	event_published(topic, event);
	return 0;
}

int __wrap_api_publisher_publish_packed(struct api_publisher *publisher, const char *topic,
					const char *name, const void *bytes, size_t size);
int __wrap_api_publisher_publish_packed(struct api_publisher *publisher, const char *topic,
					const char *name, const void *bytes, size_t size)
{
	(void)publisher;
	ASSERT_STR(name, "containerd.events.TaskCreate");
	Containerd__Events__TaskCreate *event =
		containerd__events__task_create__unpack(NULL, size, bytes);
	ASSERT(event != NULL);
	event_published(topic, &event->base);
	containerd__events__task_create__free_unpacked(event, NULL);
	return 0;
}

/* ---- kills for want of memory ---- */

int __wrap_oom_start(struct oom *oom, struct ttrpc_loop *loop, int event_fd, int file_fd,
		     oom_killed_fn killed, void *userdata);
int __wrap_oom_start(struct oom *oom, struct ttrpc_loop *loop, int event_fd, int file_fd,
		     oom_killed_fn killed, void *userdata)
{
	(void)loop;
	(void)event_fd;
	*oom = OOM_NULL;
	oom->file_fd = seams.oom_fd = file_fd;
	seams.oom_killed = killed;
	seams.oom_userdata = userdata;
	return 0;
}

static inline void oom_tell(struct oom *oom)
{
	unsigned n = seams.oom_kills - seams.oom_told;
	seams.oom_told = seams.oom_kills;
	if (n > 0 && seams.oom_killed)
		seams.oom_killed(oom, n, seams.oom_userdata);
}

static bool oom_blind; /* a mutant */

void __wrap_oom_check(struct oom *oom);
void __wrap_oom_check(struct oom *oom)
{
	if (oom->file_fd >= 0 && !oom_blind)
		oom_tell(oom);
}

void __wrap_oom_stop(struct oom *oom);
void __wrap_oom_stop(struct oom *oom)
{
	if (oom->file_fd < 0)
		return;
	close(oom->file_fd);
	oom->file_fd = -1;
	seams.oom_killed = NULL;
}

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	void *memory = __real_malloc(size);
	seams.allocations += memory != NULL;
	return memory;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	long before = seams.allocations; /* musl's makes it by malloc */
	void *memory = __real_calloc(n, size);
	seams.allocations = before + (memory != NULL);
	return memory;
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	seams.allocations -= memory != NULL;
	__real_free(memory);
}

#endif
