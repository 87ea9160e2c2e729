/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is large isn't copied, and that makes no difference: decoded messages are the same, encoded
 * ones too, and whatever is unusual is decoded as ever. Responses that a client lends.
 */
#include "ttrpc/view.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "test/unit/client_fixture.h"

#define LARGE (VIEW_MIN + 1)

static uint8_t bytes[4 * LARGE], flat[4 * LARGE], value[2 * LARGE];

static uint8_t *put_value(uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		value[i] = (uint8_t)(i * 31 + i / 251);
	return wire_bytes_write(at, 2, value, size);
}

static bool is_in(const void *place, const void *area, size_t size)
{
	const uint8_t *at = place, *begin = area;

	return at >= begin && at < begin + size;
}

/* Decodes size bytes both ways; whether the value was left where it is. */
static bool decode(size_t size)
{
	const ProtobufCMessageDescriptor *descriptor = &google__protobuf__any__descriptor;
	Google__Protobuf__Any *viewed, *copied;
	struct arena arena, other;
	bool in_place = false;

	arena_init(&arena, NULL, 0, 1u << 20);
	arena_init(&other, NULL, 0, 1u << 20);
	viewed = (void *)view_unpack(&arena, descriptor, bytes, size);
	copied = (void *)arena_unpack(&other, descriptor, bytes, size);
	ASSERT_EQ(!viewed, !copied);
	if (viewed) {
		ASSERT_STR(viewed->type_url, copied->type_url);
		ASSERT_EQ(viewed->value.len, copied->value.len);
		ASSERT_EQ(memcmp(viewed->value.data, copied->value.data, copied->value.len), 0);
		ASSERT_EQ(viewed->base.n_unknown_fields, copied->base.n_unknown_fields);
		in_place = is_in(viewed->value.data, bytes, size);
	}
	arena_deinit(&arena);
	arena_deinit(&other);
	return in_place;
}

TEST(large_bytes_stay_where_they_are)
{
	uint8_t *end = wire_bytes_write(bytes, 1, "a/b", 3);

	ASSERT(!decode((size_t)(put_value(end, VIEW_MIN) - bytes)));
	ASSERT(decode((size_t)(put_value(end, LARGE) - bytes)));
	/* What isn't known comes first and last. */
	end = wire_bytes_write(bytes, 7, "unknown", 7);
	end = put_value(end, LARGE);
	end = wire_bytes_write(end, 1, "late", 4);
	end = wire_bytes_write(end, 9, "unknown too", 11);
	ASSERT(decode((size_t)(end - bytes)));
}

TEST(the_last_value_counts)
{
	uint8_t *end = wire_bytes_write(bytes, 2, "first", 5);

	end = put_value(end, LARGE);
	ASSERT(decode((size_t)(end - bytes)));
	end = wire_bytes_write(end, 2, "last", 4);
	ASSERT(!decode((size_t)(end - bytes)));
}

TEST(a_long_way_to_write_a_length)
{
	static const uint8_t tag[] = {0x92, 0x80, 0x00}; /* field 2, bytes */
	static const uint8_t length[] = {0x81, 0x80, 0x82, 0x80, 0x00};
	uint8_t *end = bytes;

	memcpy(end, tag, sizeof(tag));
	end += sizeof(tag);
	memcpy(end, length, sizeof(length));
	end += sizeof(length);
	memset(end, 7, LARGE);
	end = wire_bytes_write(end + LARGE, 1, "behind", 6);
	ASSERT(decode((size_t)(end - bytes)));
}

TEST(what_is_malformed_stays_so)
{
	uint8_t *end = put_value(bytes, LARGE);

	ASSERT(!decode((size_t)(end - bytes) - 1));
	*end++ = 0x0a;
	ASSERT(!decode((size_t)(end - bytes)));
	/* Two large fields, of which one is copied in any case. */
	end = wire_bytes_write(bytes, 1, value, 0);
	end = put_value(end, LARGE);
	memset(value, 'x', LARGE);
	end = wire_bytes_write(end, 1, value, LARGE);
	ASSERT(!decode((size_t)(end - bytes)));
}

/* Encodes it both ways; whether that could be done in parts. */
static bool encode(const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message), at = 0;
	struct view_parts parts;

	ASSERT(size <= sizeof(flat));
	protobuf_c_message_pack(message, flat);
	if (!view_pack(message, size, &parts))
		return false;
	for (int i = 0; i < VIEW_PARTS; i++) {
		ASSERT(parts.pieces[i].iov_len <= size - at);
		if (parts.pieces[i].iov_len > 0)
			ASSERT_EQ(memcmp(parts.pieces[i].iov_base, flat + at,
					 parts.pieces[i].iov_len),
				  0);
		at += parts.pieces[i].iov_len;
	}
	ASSERT_EQ(at, size);
	return true;
}

TEST(parts_are_what_pack_makes)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, *decoded;
	static char long_url[VIEW_SMALL_MAX + 1];
	struct arena arena;
	uint8_t *end;

	any.value.data = value;
	any.value.len = VIEW_MIN;
	ASSERT(!encode(&any.base));
	any.value.len = LARGE;
	ASSERT(encode(&any.base));
	any.type_url = (char *)(uintptr_t) "type.googleapis.com/x";
	ASSERT(encode(&any.base));
	memset(long_url, 'u', sizeof(long_url) - 1);
	any.type_url = long_url;
	ASSERT(!encode(&any.base));

	/* Unknown fields are packed behind the known ones. */
	end = put_value(bytes, LARGE);
	end = wire_bytes_write(end, 9, "unknown", 7);
	arena_init(&arena, NULL, 0, 1u << 20);
	decoded = (void *)view_unpack(&arena, &google__protobuf__any__descriptor, bytes,
				      (size_t)(end - bytes));
	ASSERT(decoded);
	ASSERT(encode(&decoded->base));
	arena_deinit(&arena);
}

/* ---- lent responses ---- */

static struct ttrpc_client *connect_to(struct fixture *fixture, pid_t *ret_pid, int flags)
{
	struct ttrpc_client *client;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_EQ(connect(fd, (const struct sockaddr *)&fixture->name, fixture->name_size), 0);
	ASSERT_EQ(fcntl(fd, F_SETFL, flags), 0);
	ASSERT_EQ(ttrpc_client_new(NULL, fd, &client), 0);
	*ret_pid = fork();
	ASSERT(*ret_pid >= 0);
	if (*ret_pid == 0)
		_exit(ttrpc_loop_run(&fixture->loop) < 0);
	return client;
}

static void end(struct fixture *fixture, struct ttrpc_client *client, pid_t pid)
{
	ttrpc_client_free(client);
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	fixture_deinit(fixture);
}

static Google__Protobuf__Any *ask(struct ttrpc_client *client, const char *method,
				  const ProtobufCMessage *request, uint64_t timeout)
{
	const struct ttrpc_options options = {.lend = true, .timeout = timeout};
	ProtobufCMessage *answer = NULL;
	struct ttrpc_status status;

	ASSERT_EQ(ttrpc_client_call_sync(client, &echo_service, echo_method(method), &options,
					 request, &answer, &status),
		  0);
	ASSERT_EQ(status.code, TTRPC_OK);
	return (void *)answer;
}

/* Each answer is the next request, also where it is the frame of the answer that it points into. */
static void echo_around(int flags, uint64_t timeout)
{
	static const size_t sizes[] = {0, 16, 30000, 40000, sizeof(value), 16};
	Google__Protobuf__Any first = GOOGLE__PROTOBUF__ANY__INIT, *answer;
	struct ttrpc_client *client;
	struct fixture fixture;
	pid_t pid;

	fixture_init(&fixture);
	client = connect_to(&fixture, &pid, flags);
	put_value(flat, sizeof(value));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		first.value.data = value;
		first.value.len = sizes[i];
		answer = &first;
		for (int n = 0; n < 5; n++) {
			answer = ask(client, "Echo", &answer->base, timeout);
			ASSERT_EQ(answer->value.len, sizes[i]);
			if (sizes[i] > 0)
				ASSERT_EQ(memcmp(answer->value.data, value, sizes[i]), 0);
		}
	}
	end(&fixture, client, pid);
}

TEST(a_lent_answer_may_be_asked_with)
{
	echo_around(0, 0);
}

TEST(a_lent_answer_with_a_deadline)
{
	echo_around(0, UINT64_C(600000000000));
}

TEST(a_lent_answer_of_a_descriptor_that_does_not_block)
{
	echo_around(O_NONBLOCK, 0);
}

/*
 * The answer of a call that was given up is larger than what the server keeps waiting, and it doesn't
 * read until that was taken: a request that waited in send would wait for ever.
 */
TEST(a_large_request_after_calls_that_were_given_up)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, *answer;
	struct ttrpc_cancel cancel = {NULL};
	struct ttrpc_options options = {.cancel = &cancel};
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;
	struct ttrpc_loop loop;
	int fd;
	pid_t pid;

	fixture_init(&fixture);
	client = connect_to(&fixture, &pid, 0);
	ttrpc_client_free(client);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(connect(fd, (const struct sockaddr *)&fixture.name, fixture.name_size), 0);
	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(ttrpc_client_new(&loop, fd, &client), 0);
	any.value.data = (uint8_t *)(uintptr_t) "4000000";
	any.value.len = 7;
	ASSERT_EQ(ttrpc_client_call(client, &echo_service, echo_method("Size"), &options, &any.base,
				    on_done, &outcome),
		  0);
	ttrpc_client_cancel(&cancel);
	ASSERT_EQ(outcome.n, 1);
	any.value.data = calloc(1, 3000000);
	any.value.len = 3000000;
	answer = ask(client, "Echo", &any.base, 0);
	ASSERT_EQ(answer->value.len, 3000000);
	free(any.value.data);
	end(&fixture, client, pid);
	ttrpc_loop_deinit(&loop);
}
