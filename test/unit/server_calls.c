/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on the server: answered later, cancelled, past their deadline; a peer that doesn't read;
 * the limits; the server's end in the middle of things.
 */
#include <poll.h>
#include <sys/ioctl.h>

#include "test/unit/fixture.h"

static void answer_parked(struct fixture *fixture, size_t i)
{
	Google__Protobuf__Any answer = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_call *call = fixture->parked[i];

	ASSERT(call);
	fixture->parked[i] = NULL;
	answer.type_url = (char *)(uintptr_t) "late";
	ASSERT_EQ(ttrpc_reply(call, &answer.base), 0);
}

TEST(parked_calls_are_answered_later_in_any_order)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	for (uint32_t id = 1; id <= 5; id += 2)
		raw_request(&fixture, fd, id, "Park", "");
	raw_expect_nothing(fd);
	ASSERT(!ttrpc_server_idle(fixture.server));
	answer_parked(&fixture, 2);
	raw_expect(fd, 5, TTRPC_OK);
	answer_parked(&fixture, 0);
	raw_expect(fd, 1, TTRPC_OK);
	ttrpc_fail(fixture.parked[1], TTRPC_NOT_FOUND, "no %s", "more");
	raw_expect(fd, 3, TTRPC_NOT_FOUND);
	ASSERT(ttrpc_server_idle(fixture.server));
	close(fd);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 0);
	fixture_deinit(&fixture);
}

TEST(calls_of_a_peer_that_went_are_cancelled)
{
	struct fixture fixture;
	int one, two;

	fixture_init(&fixture);
	one = raw_connect(&fixture);
	two = raw_connect(&fixture);
	raw_request(&fixture, one, 1, "Park", "");
	raw_request(&fixture, two, 1, "Park", "");
	raw_request(&fixture, one, 3, "Park", "");
	close(one);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 2);
	ASSERT(!fixture.parked[0] && fixture.parked[1] && !fixture.parked[2]);
	answer_parked(&fixture, 1);
	raw_expect(two, 1, TTRPC_OK);
	close(two);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 2);
	fixture_deinit(&fixture);
}

TEST(freeing_the_server_cancels_its_calls)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Park", "");
	fixture_deinit(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 1);
	raw_expect_closed(fd);
	close(fd);
}

/* ---- deadlines ---- */

static void request_with_timeout(struct fixture *fixture, int fd, uint32_t id, const char *method,
				 int64_t timeout)
{
	uint8_t bytes[512];

	raw_send(fd, bytes, request_build(bytes, id, "test.Echo", method, "", "", timeout));
	settle(fixture);
}

TEST(deadline_ends_a_parked_call)
{
	struct fixture fixture;
	uint64_t start = ttrpc_now();
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	request_with_timeout(&fixture, fd, 1, "Park", 20 * 1000000);
	request_with_timeout(&fixture, fd, 3, "Park", 3600 * INT64_C(1000000000));
	ASSERT_EQ(fixture.n_parked, 2);
	ASSERT(ttrpc_call_deadline(fixture.parked[1]) > ttrpc_now());
	while (fixture.n_cancelled == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	ASSERT(ttrpc_now() - start >= 20 * 1000000);
	raw_expect(fd, 1, TTRPC_DEADLINE_EXCEEDED);
	raw_expect_nothing(fd);
	answer_parked(&fixture, 1);
	raw_expect(fd, 3, TTRPC_OK);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	close(fd);
	fixture_deinit(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 1);
}

TEST(negative_timeout_has_expired_already)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	request_with_timeout(&fixture, fd, 1, "Echo", -1);
	raw_expect(fd, 1, TTRPC_DEADLINE_EXCEEDED);
	request_with_timeout(&fixture, fd, 3, "Echo", INT64_MIN);
	raw_expect(fd, 3, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(fixture.n_handled, 0);
	request_with_timeout(&fixture, fd, 5, "Echo", INT64_MAX);
	raw_expect(fd, 5, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

/* ---- a peer that doesn't read ---- */

/* Requests for answers of 100 kB are sent without reading, until the server takes no more. */
static uint32_t saturate(struct fixture *fixture, int fd, uint32_t id)
{
	static const char size[] = "100000";
	uint8_t bytes[256];
	int unread;

	for (int still = 0; still < 3; id += 2) {
		size_t length = request_build(bytes, id, "test.Echo", "Size", "", size, 0);
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		ASSERT_EQ(sent, length);
		settle(fixture);
		/* What the server leaves in its receive queue is not in ours; SIOCOUTQ tells. */
		ASSERT_EQ(ioctl(fd, TIOCOUTQ, &unread), 0);
		still = unread > 0 ? still + 1 : 0;
		ASSERT(id < 1000);
	}
	return id - 2;
}

TEST(peer_that_does_not_read_is_not_read)
{
	static uint8_t data[200000];
	struct fixture fixture;
	struct connection *connection;
	uint32_t last, id;
	size_t waiting;
	int fd, other;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	connection = container_of(fixture.server->connections.next, struct connection, link);
	last = saturate(&fixture, fd, 1);
	waiting = conn_waiting(&connection->conn);
	ASSERT(waiting > TTRPC_WRITE_QUEUE_MAX && waiting < TTRPC_WRITE_QUEUE_MAX + 200000);
	ASSERT(!ttrpc_server_idle(fixture.server));

	/* Another connection is served as ever. */
	other = raw_connect(&fixture);
	raw_request(&fixture, other, 1, "Echo", "x");
	raw_expect(other, 1, TTRPC_OK);

	/* Nothing is lost, and the requests left in the socket are answered in their turn. */
	for (id = 1; id <= last; id += 2) {
		uint8_t header[FRAME_HEADER_SIZE];
		size_t have = 0;

		while (have < sizeof(header) + 100000 + 8) {
			uint8_t *at = have < sizeof(header) ? header + have : data + have;
			size_t want = have < sizeof(header) ? sizeof(header) - have
							    : sizeof(header) + 100008 - have;
			ssize_t got = recv(fd, at, want, 0);

			ASSERT(got > 0 || (got < 0 && errno == EAGAIN));
			have += got > 0 ? (size_t)got : 0;
			settle(&fixture);
		}
		ASSERT_EQ(header[7], id & 0xff);
	}
	raw_expect_nothing(fd);
	ASSERT(ttrpc_server_idle(fixture.server));
	close(fd);
	close(other);
	fixture_deinit(&fixture);
}

TEST(parked_calls_are_answered_to_a_peer_that_is_not_read)
{
	struct fixture fixture;
	struct connection *connection;
	size_t waiting;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	connection = container_of(fixture.server->connections.next, struct connection, link);
	raw_request(&fixture, fd, 1, "Park", "");
	saturate(&fixture, fd, 3);
	waiting = conn_waiting(&connection->conn);
	answer_parked(&fixture, 0);
	ASSERT(conn_waiting(&connection->conn) > waiting);
	close(fd);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	fixture_deinit(&fixture);
}

TEST(peer_that_goes_while_answers_wait)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	saturate(&fixture, fd, 1);
	close(fd);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	fixture_deinit(&fixture);
}

/* ---- limits ---- */

TEST(calls_under_way_are_limited)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fixture.server->limits.calls = 2;
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Park", "");
	raw_request(&fixture, fd, 3, "Park", "");
	raw_request(&fixture, fd, 5, "Park", "");
	raw_expect(fd, 5, TTRPC_RESOURCE_EXHAUSTED);
	answer_parked(&fixture, 0);
	raw_expect(fd, 1, TTRPC_OK);
	raw_request(&fixture, fd, 7, "Echo", "");
	raw_expect(fd, 7, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(calls_under_way_up_to_the_named_limit)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	for (uint32_t i = 0; i < TTRPC_CALLS_MAX; i++)
		raw_request(&fixture, fd, 2 * i + 1, "Park", "");
	ASSERT_EQ(fixture.n_parked, TTRPC_CALLS_MAX);
	raw_expect_nothing(fd);
	raw_request(&fixture, fd, 2 * TTRPC_CALLS_MAX + 1, "Park", "");
	raw_expect(fd, 2 * TTRPC_CALLS_MAX + 1, TTRPC_RESOURCE_EXHAUSTED);
	close(fd);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, TTRPC_CALLS_MAX);
	/* A burst is not kept for ever. */
	ASSERT_EQ(fixture.server->n_spare_calls, SERVER_SPARE_CALLS_MAX);
	fixture_deinit(&fixture);
}

static size_t metadata_request(uint8_t *at, uint32_t id, const char *key, size_t n)
{
	static struct ttrpc_pair pairs[TTRPC_METADATA_MAX + 1];
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct envelope_call call = {.service = "test.Echo", .method = "Meta", .metadata = pairs};
	struct frame frame = {.id = id, .type = FRAME_REQUEST};
	uint8_t *payload;

	any.type_url = (char *)(uintptr_t)key;
	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct ttrpc_pair){i % 2 ? "Second" : "First", i < 2 ? "yes" : "later"};
	call.n_metadata = n;
	call.payload_size = protobuf_c_message_get_packed_size(&any.base);
	frame.length = (uint32_t)envelope_request_size(&call);
	frame_header_write(at, &frame);
	envelope_request_write(at + FRAME_HEADER_SIZE, &call, &payload);
	protobuf_c_message_pack(&any.base, payload);
	return FRAME_HEADER_SIZE + frame.length;
}

static void expect_meta(struct fixture *fixture, int fd, uint32_t id, const char *key, size_t n,
			const char *value)
{
	uint8_t bytes[8192], data[512];
	struct envelope_response response;
	Google__Protobuf__Any *any;
	struct frame frame;
	char uid[16];

	raw_send(fd, bytes, metadata_request(bytes, id, key, n));
	settle(fixture);
	ASSERT(raw_receive(fd, &frame, data, sizeof(data)));
	ASSERT_EQ(envelope_response_parse((struct slice){data, frame.length}, &response), 0);
	ASSERT_EQ(response.code, TTRPC_OK);
	any = google__protobuf__any__unpack(NULL, response.payload.size, response.payload.data);
	ASSERT(any);
	ASSERT_STR(any->type_url, value);
	snprintf(uid, sizeof(uid), "%u", getuid());
	ASSERT_EQ(any->value.len, strlen(uid));
	ASSERT_MEM(any->value.data, uid, any->value.len);
	google__protobuf__any__free_unpacked(any, NULL);
}

TEST(metadata_is_found_in_any_case_and_limited)
{
	uint8_t bytes[8192];
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	expect_meta(&fixture, fd, 1, "second", 4, "yes");
	expect_meta(&fixture, fd, 3, "FIRST", 4, "yes");
	expect_meta(&fixture, fd, 5, "firs", 4, "(none)");
	expect_meta(&fixture, fd, 7, "firstly", 4, "(none)");
	expect_meta(&fixture, fd, 9, "first", 0, "(none)");
	expect_meta(&fixture, fd, 11, "first", TTRPC_METADATA_MAX, "yes");
	raw_send(fd, bytes, metadata_request(bytes, 13, "first", TTRPC_METADATA_MAX + 1));
	settle(&fixture);
	raw_expect(fd, 13, TTRPC_RESOURCE_EXHAUSTED);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(decoded_size_is_limited)
{
	struct fixture fixture;
	char value[300];
	int fd;

	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	fixture_init(&fixture);
	fixture.server->limits.decoded = 256;
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Echo", value);
	raw_expect(fd, 1, TTRPC_RESOURCE_EXHAUSTED);
	raw_request(&fixture, fd, 3, "Echo", "short");
	raw_expect(fd, 3, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(status_text_is_cut_and_repaired)
{
	static uint8_t bytes[16384], data[16384];
	static char text[6001];
	struct envelope_response response;
	struct fixture fixture;
	struct frame frame;
	int fd;

	/* Two-byte characters behind one byte: the cut falls into the middle of one. */
	memset(text, 'x', sizeof(text) - 1);
	for (size_t i = 1; i + 1 < sizeof(text) - 1; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_send(fd, bytes, request_build(bytes, 1, text, "Fail", "", "", 0));
	settle(&fixture);
	ASSERT(raw_receive(fd, &frame, data, sizeof(data)));
	ASSERT_EQ(envelope_response_parse((struct slice){data, frame.length}, &response), 0);
	ASSERT_EQ(response.code, TTRPC_UNIMPLEMENTED);
	ASSERT_EQ(response.text.size, TTRPC_STATUS_TEXT_MAX);
	ASSERT_MEM(response.text.data, "service x\xc3\xa4", 11);
	close(fd);
	fixture_deinit(&fixture);
}

/* ---- the end ---- */

static int on_free(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	struct fixture *fixture = ttrpc_call_userdata(call);

	(void)handlers;
	ASSERT(strlen(any_of(request)->type_url) == 0);
	fixture->server = ttrpc_server_free(fixture->server);
	/* The request and the call are there until the handler returns. */
	ASSERT(ttrpc_call_userdata(call) == fixture);
	return ttrpc_reply(call, request);
}

TEST(server_freed_by_a_handler)
{
	static const struct ttrpc_method methods[] = {ANY_METHOD("Free", 0, on_free)};
	static const struct ttrpc_service service = {"test.Free", 1, methods};
	struct fixture fixture;
	uint8_t bytes[512];
	size_t size;
	int fd, other;

	fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &service, NULL, &fixture), 0);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &service, NULL, NULL), -EEXIST);
	fd = raw_connect(&fixture);
	other = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Park", "");
	raw_request(&fixture, other, 1, "Park", "");
	size = request_build(bytes, 3, "test.Free", "Free", "", "", 0);
	size += request_build(bytes + size, 5, "test.Echo", "Echo", "", "", 0);
	raw_send(fd, bytes, size);
	settle(&fixture);
	ASSERT(!fixture.server);
	ASSERT_EQ(fixture.n_cancelled, 2);
	ASSERT_EQ(fixture.n_handled, 0);
	raw_expect_closed(fd);
	raw_expect_closed(other);
	close(fd);
	close(other);
	ttrpc_loop_deinit(&fixture.loop);
}

static void last_close(void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->n_handled++;
	fixture->server = ttrpc_server_free(fixture->server);
}

TEST(last_close_is_told_and_may_free_the_server)
{
	struct fixture fixture;
	int one, two;

	fixture_init(&fixture);
	ttrpc_server_on_last_close(fixture.server, last_close, &fixture);
	one = raw_connect(&fixture);
	two = raw_connect(&fixture);
	close(one);
	settle(&fixture);
	ASSERT_EQ(fixture.n_handled, 0);
	close(two);
	settle(&fixture);
	ASSERT_EQ(fixture.n_handled, 1);
	ASSERT(!fixture.server);
	ttrpc_loop_deinit(&fixture.loop);
}
