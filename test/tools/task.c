/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the task service for tests: one call on the shim's socket.
 *
 *     task [OPTION...] SOCKET METHOD [FIELD=VALUE]...
 *     task [OPTION...] SOCKET raw            sends standard input as it is, prints what comes in hex
 *     task decode METHOD                     prints the answer that is on standard input
 *
 *     --service NAME   containerd.task.v2.Task
 *     --timeout MS     the request's own timeout
 *     --uid N, --gid N who connects
 *
 * Fields have their names in the proto. rootfs=TYPE,SOURCE,OPTION,... may be repeated;
 * options.FIELD=VALUE is a field of the runc options, for Checkpoint of its own; spec=TEXT and
 * resources=TEXT are JSON.
 * Prints FIELD=VALUE for each field of the answer. Ends with 0; 1 and "error CODE TEXT" for an error
 * status; 2 for bad arguments; 3 and "closed" or an errno's text if there was no answer.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/tools/task_fields.h"
#include "test/tools/wire.h"

static const char *service = "containerd.task.v2.Task";
static unsigned long timeout_ms;

static void __attribute__((noreturn)) bad_argument(const char *what)
{
	fprintf(stderr, "task: %s\n", what);
	exit(2);
}

static void task_put_mount(struct wire_buffer *buffer, uint32_t number, char *words)
{
	static const uint32_t numbers[] = {1, 2,
					   4}; /* type, source, options; ctr sends no target */
	struct wire_buffer mount = {0};
	size_t index = 0;
	char *save = NULL;

	for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		wire_put_string(&mount, numbers[index], word);
		if (index < 2)
			index++;
	}
	wire_put_bytes(buffer, number, mount.data, mount.size);
	wire_deinit(&mount);
}

static void task_put_any(struct wire_buffer *buffer, uint32_t number, const char *type,
			 const void *value, size_t size)
{
	struct wire_buffer any = {0};

	wire_put_string(&any, 1, type);
	wire_put_bytes(&any, 2, value, size);
	wire_put_bytes(buffer, number, any.data, any.size);
	wire_deinit(&any);
}

static void task_put(struct wire_buffer *buffer, const struct task_field *fields, char *assignment)
{
	static const char json_type[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
	char *value = strchr(assignment, '=');

	if (!value)
		bad_argument("FIELD=VALUE expected");
	*value++ = '\0';
	while (fields->name && strcmp(fields->name, assignment) != 0)
		fields++;
	if (!fields->name)
		bad_argument("no such field");
	switch (fields->kind) {
	case STRING:
		wire_put_string(buffer, fields->number, value);
		break;
	case NUMBER:
		wire_put_uint(buffer, fields->number, strtoull(value, NULL, 0));
		break;
	case MOUNT:
		task_put_mount(buffer, fields->number, value);
		break;
	case JSON:
		task_put_any(buffer, fields->number, json_type, value, strlen(value));
		break;
	default:
		bad_argument("not a field of a request");
	}
}

static void task_encode(struct wire_buffer *request, const struct task_method *method, char **words)
{
	static const char prefix[] = "options.";
	const struct task_options *known = task_find_options(method->name);
	struct wire_buffer payload = {0}, options = {0};

	for (; *words; words++) {
		if (known && strncmp(*words, prefix, sizeof(prefix) - 1) == 0)
			task_put(&options, known->fields, *words + sizeof(prefix) - 1);
		else
			task_put(&payload, method->request, *words);
	}
	if (options.size)
		task_put_any(&payload, known->number, known->type, options.data, options.size);
	wire_put_string(request, 1, service);
	wire_put_string(request, 2, method->name);
	wire_put_bytes(request, 3, payload.data, payload.size);
	if (timeout_ms)
		wire_put_uint(request, 4, timeout_ms * 1000000);
	wire_deinit(&payload);
	wire_deinit(&options);
}

static void task_print_time(const struct wire_field *field)
{
	struct wire_field seconds = {0}, nanos = {0};

	wire_find(field->data, field->size, 1, &seconds);
	wire_find(field->data, field->size, 2, &nanos);
	printf("%lld.%09llu\n", (long long)seconds.value, (unsigned long long)nanos.value);
}

/* PID, and for the process of an exec its name. */
static void task_print_process(const struct wire_field *process)
{
	struct wire_field pid = {0}, any = {0}, details = {0}, exec = {0};

	wire_find(process->data, process->size, 1, &pid);
	printf("%llu", (unsigned long long)pid.value);
	if (wire_find(process->data, process->size, 2, &any) &&
	    wire_find(any.data, any.size, 2, &details) &&
	    wire_find(details.data, details.size, 1, &exec))
		printf(" exec=%.*s", (int)exec.size, (const char *)exec.data);
	putchar('\n');
}

/* The type, then those metrics that tests look at. */
static void task_print_metrics(const struct wire_field *any)
{
	struct wire_field type = {0}, value = {0}, at;

	wire_find(any->data, any->size, 1, &type);
	wire_find(any->data, any->size, 2, &value);
	printf("%.*s\n", (int)type.size, (const char *)type.data);
	for (const struct task_metric *metric = task_metrics; metric->name; metric++) {
		if (strlen(metric->type) != type.size ||
		    memcmp(metric->type, type.data, type.size) != 0)
			continue;
		at = value;
		for (size_t i = 0; i < 3 && metric->path[i]; i++) {
			if (!wire_find(at.data, at.size, metric->path[i], &at))
				at = (struct wire_field){0};
		}
		printf("%s=%llu\n", metric->name, (unsigned long long)at.value);
	}
}

static void task_print_field(const struct task_field *known, const struct wire_field *field)
{
	printf("%s=", known->name);
	switch (known->kind) {
	case NUMBER:
		printf("%llu\n", (unsigned long long)field->value);
		break;
	case TIME:
		task_print_time(field);
		break;
	case PROCESS:
		task_print_process(field);
		break;
	case ANY:
		task_print_metrics(field);
		break;
	default:
		printf("%.*s\n", (int)field->size, (const char *)field->data);
	}
}

static void task_print(const struct task_method *method, const struct wire_field *payload)
{
	struct wire_reader reader = wire_read(payload->data, payload->size);
	struct wire_field field;

	while (wire_next(&reader, &field)) {
		const struct task_field *known = method->response;

		while (known->name && known->number != field.number)
			known++;
		if (known->name)
			task_print_field(known, &field);
		else
			printf("unknown field %u\n", field.number);
	}
}

/* What the answer holds: fields, or an error status. */
static int task_print_response(const struct task_method *method, const struct wire_frame *frame)
{
	const struct wire_buffer *response = &frame->payload;
	struct wire_field status = {0}, code = {0}, text = {0}, payload = {0};

	wire_find(response->data, response->size, 1, &status);
	wire_find(status.data, status.size, 1, &code);
	wire_find(status.data, status.size, 2, &text);
	if (code.value) {
		fprintf(stderr, "error %llu %.*s\n", (unsigned long long)code.value, (int)text.size,
			text.data ? (const char *)text.data : "");
		return 1;
	}
	wire_find(response->data, response->size, 2, &payload);
	task_print(method, &payload);
	return 0;
}

static int no_answer(int negative_errno)
{
	fprintf(stderr, "%s\n",
		negative_errno == -ECONNRESET ? "closed" : strerror(-negative_errno));
	return 3;
}

static int task_call(int fd, const struct task_method *method, char **words)
{
	struct wire_buffer request = {0};
	struct wire_frame frame;
	int r;

	task_encode(&request, method, words);
	r = wire_send(fd, 1, WIRE_REQUEST, &request);
	wire_deinit(&request);
	if (r == 0)
		r = wire_receive(fd, &frame);
	if (r < 0)
		return no_answer(r);
	if (frame.type != WIRE_RESPONSE || frame.stream != 1) {
		fprintf(stderr, "frame of type %u on stream %u\n", frame.type, frame.stream);
		return 3;
	}
	r = task_print_response(method, &frame);
	wire_deinit(&frame.payload);
	return r;
}

/* Sends what standard input holds, then prints what comes until the end, or half a second of silence. */
static int task_raw(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	unsigned char data[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, data, sizeof(data))) > 0) {
		if (send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
			return no_answer(-errno);
	}
	while (poll(&polled, 1, 500) > 0) {
		n = recv(fd, data, sizeof(data), 0);
		if (n <= 0)
			return no_answer(n < 0 ? -errno : -ECONNRESET);
		for (ssize_t i = 0; i < n; i++)
			printf("%02x", data[i]);
	}
	putchar('\n');
	return 0;
}

/* What the delete verb prints is such an answer. */
static int task_decode(const char *name)
{
	const struct task_method *method = task_find_method(name);
	unsigned char data[4096];
	struct wire_field payload = {.data = data};
	size_t n;

	if (!method)
		bad_argument("no such method");
	while ((n = fread(data + payload.size, 1, sizeof(data) - payload.size, stdin)) > 0)
		payload.size += n;
	task_print(method, &payload);
	return 0;
}

static void become(const char *uid, const char *gid)
{
	if (gid && (setgroups(0, NULL) < 0 || setgid((gid_t)strtoul(gid, NULL, 10)) < 0))
		bad_argument(strerror(errno));
	if (uid && setuid((uid_t)strtoul(uid, NULL, 10)) < 0)
		bad_argument(strerror(errno));
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"service", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'},
		{"uid", required_argument, NULL, 'u'},
		{"gid", required_argument, NULL, 'g'},
		{NULL, 0, NULL, 0},
	};
	const char *uid = NULL, *gid = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			service = optarg;
			break;
		case 't':
			timeout_ms = strtoul(optarg, NULL, 10);
			break;
		case 'u':
			uid = optarg;
			break;
		case 'g':
			gid = optarg;
			break;
		default:
			exit(2);
		}
	}
	become(uid, gid);
}

int main(int argc, char **argv)
{
	const struct task_method *method = NULL;
	int fd, r;

	parse_options(argc, argv);
	if (argc - optind < 2)
		bad_argument("usage: task [OPTION...] SOCKET METHOD [FIELD=VALUE]...");
	if (strcmp(argv[optind], "decode") == 0)
		return task_decode(argv[optind + 1]);
	if (strcmp(argv[optind + 1], "raw") != 0) {
		method = task_find_method(argv[optind + 1]);
		if (!method)
			bad_argument("no such method");
	}
	r = wire_connect(argv[optind], &fd);
	if (r < 0)
		return no_answer(r);
	r = method ? task_call(fd, method, argv + optind + 2) : task_raw(fd);
	close(fd);
	return r;
}
