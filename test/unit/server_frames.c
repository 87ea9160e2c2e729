/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server answers to each kind of frame, odd ones above all: a table of byte sequences and
 * the answers that they must get, each sent whole, one byte at a time, and under system calls that fail
 * or move little.
 */
#include "test/unit/faults.h"

#define FRAMES_MAX 6
#define ANSWERS_MAX 4
#define FILLING 0x55 /* the data of oversize frames */
#define FILLING_PIECE 1000

struct sent {
	uint32_t id;
	uint8_t type, flags;
	const char *service, *method; /* NULL: data is the frame's data */
	const char *data;             /* text; with a method: the request's value */
	uint32_t oversize;            /* length of a frame that is above the limit */
};

struct answer {
	uint32_t id;
	int code;
	const char *text; /* NULL: any */
};

struct row {
	const char *name;
	struct sent sent[FRAMES_MAX];
	struct answer answers[ANSWERS_MAX];
	size_t cancelled;
};

#define REQUEST(frame_id, method_name, value)                                                      \
	{                                                                                          \
		.id = (frame_id), .type = FRAME_REQUEST, .service = "test.Echo",                   \
		.method = (method_name), .data = (value)                                           \
	}
#define DATA(frame_id, frame_flags, text)                                                          \
	{                                                                                          \
		.id = (frame_id), .type = FRAME_DATA, .flags = (frame_flags), .data = (text)       \
	}

/* A call that works, after whatever came before: the connection goes on. */
#define PROBE REQUEST(99, "Echo", "x")
#define PROBE_ANSWER                                                                               \
	{                                                                                          \
		99, TTRPC_OK, NULL                                                                 \
	}

static const struct row rows[] = {
	{"a call", {REQUEST(1, "Echo", "hi")}, {{1, TTRPC_OK, NULL}}, 0},
	{"ids may have gaps",
	 {REQUEST(5, "Echo", "a"), REQUEST(77, "Echo", "b")},
	 {{5, TTRPC_OK, NULL}, {77, TTRPC_OK, NULL}},
	 0},
	{"undefined flags of a request are ignored",
	 {{.id = 1,
	   .type = FRAME_REQUEST,
	   .flags = 0xf8,
	   .service = "test.Echo",
	   .method = "Echo",
	   .data = "x"}},
	 {{1, TTRPC_OK, NULL}},
	 0},
	{"flags of streams on a unary request are ignored",
	 {{.id = 1,
	   .type = FRAME_REQUEST,
	   .flags = 0x07,
	   .service = "test.Echo",
	   .method = "Echo",
	   .data = "x"}},
	 {{1, TTRPC_OK, NULL}},
	 0},
	{"oversize request",
	 {{.id = 1, .type = FRAME_REQUEST, .oversize = 70001}, PROBE},
	 {{1, TTRPC_RESOURCE_EXHAUSTED, "message of 70001 bytes is above the limit of 70000"},
	  PROBE_ANSWER},
	 0},
	{"oversize id can be used afterwards",
	 {{.id = 1, .type = FRAME_REQUEST, .oversize = 70001}, REQUEST(1, "Echo", "x")},
	 {{1, TTRPC_RESOURCE_EXHAUSTED, NULL}, {1, TTRPC_OK, NULL}},
	 0},
	{"size is judged before parity",
	 {{.id = 2, .type = FRAME_REQUEST, .oversize = 70001}, PROBE},
	 {{2, TTRPC_RESOURCE_EXHAUSTED, NULL}, PROBE_ANSWER},
	 0},
	{"size is judged before type",
	 {{.id = 1, .type = 77, .oversize = 90000}, PROBE},
	 {{1, TTRPC_RESOURCE_EXHAUSTED, NULL}, PROBE_ANSWER},
	 0},
	{"oversize frame on a call under way is its answer",
	 {REQUEST(1, "Park", ""), {.id = 1, .type = FRAME_DATA, .oversize = 70001}, PROBE},
	 {{1, TTRPC_RESOURCE_EXHAUSTED, NULL}, PROBE_ANSWER},
	 1},
	{"even id",
	 {REQUEST(2, "Echo", "x"), PROBE},
	 {{2, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"id zero",
	 {REQUEST(0, "Echo", "x"), PROBE},
	 {{0, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"parity is judged before type",
	 {{.id = 4, .type = 200, .data = "abc"},
	  {.id = 6, .type = FRAME_RESPONSE, .data = ""},
	  PROBE},
	 {{4, TTRPC_INVALID_ARGUMENT, NULL}, {6, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"id used again",
	 {REQUEST(1, "Echo", "x"), REQUEST(1, "Echo", "x"), PROBE},
	 {{1, TTRPC_OK, NULL}, {1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"id below the last one, for the first time",
	 {REQUEST(9, "Echo", "x"), REQUEST(7, "Echo", "x"), PROBE},
	 {{9, TTRPC_OK, NULL}, {7, TTRPC_OK, NULL}, PROBE_ANSWER},
	 0},
	{"id below the last one, used before",
	 {REQUEST(7, "Echo", "x"), REQUEST(9, "Echo", "x"), REQUEST(7, "Echo", "x"), PROBE},
	 {{7, TTRPC_OK, NULL},
	  {9, TTRPC_OK, NULL},
	  {7, TTRPC_INVALID_ARGUMENT, NULL},
	  PROBE_ANSWER},
	 0},
	{"id of a call under way used again ends that call",
	 {REQUEST(1, "Park", ""), REQUEST(1, "Echo", "x"), PROBE},
	 {{1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 1},
	{"empty request",
	 {{.id = 1, .type = FRAME_REQUEST, .data = ""}, PROBE},
	 {{1, TTRPC_UNIMPLEMENTED, "service "}, PROBE_ANSWER},
	 0},
	{"request that is no protobuf",
	 {{.id = 1, .type = FRAME_REQUEST, .data = "\xff\xff\xff"}, PROBE},
	 {{1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"undecodable request uses its id up",
	 {{.id = 3, .type = FRAME_REQUEST, .data = "\n\x7fx"}, REQUEST(3, "Echo", "x"), PROBE},
	 {{3, TTRPC_INVALID_ARGUMENT, NULL}, {3, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"service that is no UTF-8",
	 {{.id = 1, .type = FRAME_REQUEST, .service = "\xc3(", .method = "Echo", .data = ""},
	  PROBE},
	 {{1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"unknown service",
	 {{.id = 1, .type = FRAME_REQUEST, .service = "x", .method = "Echo", .data = ""}, PROBE},
	 {{1, TTRPC_UNIMPLEMENTED, "service x"}, PROBE_ANSWER},
	 0},
	{"unknown method",
	 {REQUEST(1, "nope", ""), PROBE},
	 {{1, TTRPC_UNIMPLEMENTED, "method nope"}, PROBE_ANSWER},
	 0},
	{"method without a handler",
	 {REQUEST(1, "Null", ""), PROBE},
	 {{1, TTRPC_UNIMPLEMENTED, "method Null"}, PROBE_ANSWER},
	 0},
	{"method that streams",
	 {REQUEST(1, "Stream", ""), PROBE},
	 {{1, TTRPC_UNIMPLEMENTED, "method Stream"}, PROBE_ANSWER},
	 0},
	{"payload that is no Any",
	 {{.id = 1,
	   .type = FRAME_REQUEST,
	   .data = "\n\x09test.Echo\x12\x04"
		   "Echo\x1a\x02\n\x7f"},
	  PROBE},
	 {{1, TTRPC_INTERNAL, NULL}, PROBE_ANSWER},
	 0},
	{"data for an id never opened",
	 {DATA(1, 0, "x"), DATA(3, 0, ""), PROBE},
	 {{1, TTRPC_INVALID_ARGUMENT, NULL}, {3, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"data for a call that ended",
	 {REQUEST(1, "Echo", "x"), DATA(1, 0, "x"), PROBE},
	 {{1, TTRPC_OK, NULL}, {1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"data for a call that failed",
	 {REQUEST(1, "Fail", "5"), DATA(1, 0, "x"), PROBE},
	 {{1, TTRPC_NOT_FOUND, NULL}, {1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"data for a call that was refused",
	 {REQUEST(1, "nope", ""), DATA(1, 0x05, ""), PROBE},
	 {{1, TTRPC_UNIMPLEMENTED, NULL}, {1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 0},
	{"data for a unary call under way",
	 {REQUEST(1, "Park", ""), DATA(1, 0, "x"), PROBE},
	 {{1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 1},
	{"half-close of a unary call under way",
	 {REQUEST(1, "Park", ""), DATA(1, 0x05, ""), PROBE},
	 {{1, TTRPC_INVALID_ARGUMENT, NULL}, PROBE_ANSWER},
	 1},
	{"a response is ignored",
	 {{.id = 1, .type = FRAME_RESPONSE, .data = "abc"}, PROBE},
	 {PROBE_ANSWER},
	 0},
	{"unknown types are ignored, also for a call under way",
	 {REQUEST(1, "Park", ""),
	  {.id = 1, .type = 0, .data = "abc"},
	  {.id = 1, .type = 4, .data = ""},
	  {.id = 7, .type = 255, .flags = 255, .data = "abc"},
	  PROBE},
	 {PROBE_ANSWER},
	 0},
	{"handler without an answer", {REQUEST(1, "Silent", "")}, {{1, TTRPC_UNKNOWN, NULL}}, 0},
	{"handler with three answers",
	 {REQUEST(1, "Twice", ""), PROBE},
	 {{1, TTRPC_OK, NULL}, PROBE_ANSWER},
	 0},
	{"handler's status", {REQUEST(1, "Fail", "10")}, {{1, TTRPC_ABORTED, NULL}}, 0},
	{"handler's failure without a code",
	 {REQUEST(1, "Fail", "0")},
	 {{1, TTRPC_UNKNOWN, NULL}},
	 0},
	{"handler's errno", {REQUEST(1, "Errno", "2")}, {{1, TTRPC_NOT_FOUND, NULL}}, 0},
	{"handler's other errno", {REQUEST(1, "Errno", "5")}, {{1, TTRPC_UNKNOWN, NULL}}, 0},
	{"answer above the limit",
	 {REQUEST(1, "Size", "70001"), PROBE},
	 {{1, TTRPC_RESOURCE_EXHAUSTED, NULL}, PROBE_ANSWER},
	 0},
	{"a call and its end together",
	 {REQUEST(1, "Echo", "1"), REQUEST(3, "Fail", "5"), REQUEST(5, "Echo", "2"), PROBE},
	 {{1, TTRPC_OK, NULL}, {3, TTRPC_NOT_FOUND, NULL}, {5, TTRPC_OK, NULL}, PROBE_ANSWER},
	 0},
};

static size_t sent_build(uint8_t *at, const struct sent *sent)
{
	if (sent->oversize > 0) {
		memset(at + FRAME_HEADER_SIZE, FILLING, sent->oversize);
		return frame_build(at, sent->id, sent->type, 0, at + FRAME_HEADER_SIZE,
				   sent->oversize);
	}
	if (sent->method) {
		size_t size =
			request_build(at, sent->id, sent->service, sent->method, "", sent->data, 0);

		at[9] = sent->flags;
		return size;
	}
	return frame_build(at, sent->id, sent->type, sent->flags, sent->data, strlen(sent->data));
}

#define CHECK(row, condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, "%s: %s", (row)->name, #condition);          \
	} while (0)

static void check_answer(const struct row *row, const struct answer *answer, int fd)
{
	struct envelope_response response;
	struct frame frame = {0};
	uint8_t data[1024];

	CHECK(row, raw_receive(fd, &frame, data, sizeof(data)));
	CHECK(row, frame.id == answer->id);
	CHECK(row, frame.type == FRAME_RESPONSE && frame.flags == 0);
	CHECK(row, envelope_response_parse((struct slice){data, frame.length}, &response) == 0);
	CHECK(row, response.code == answer->code);
	if (answer->text) {
		CHECK(row, response.text.size == strlen(answer->text));
		CHECK(row, memcmp(response.text.data, answer->text, response.text.size) == 0);
	}
}

static void check_answers(const struct row *row, int fd)
{
	const struct answer *answer = row->answers;
	uint8_t byte;

	for (; answer < row->answers + ANSWERS_MAX && (answer->id || answer->code); answer++)
		check_answer(row, answer, fd);
	CHECK(row, recv(fd, &byte, 1, MSG_PEEK) == -1 && errno == EAGAIN);
}

/* Where the data of an oversize frame is far from its end, one byte is as good as the next. */
static size_t piece_size(const uint8_t *bytes, size_t left, size_t step)
{
	size_t filling = 0;

	if (left < step)
		return left;
	while (filling < left && filling < 2 * FILLING_PIECE && bytes[filling] == FILLING)
		filling++;
	return filling == 2 * FILLING_PIECE && step < FILLING_PIECE ? FILLING_PIECE : step;
}

static void run_row(const struct row *row, size_t step)
{
	static uint8_t bytes[200000];
	struct fixture fixture;
	size_t size = 0;
	int fd;

	fixture_init(&fixture);
	fixture.server->limits.message = 70000;
	for (const struct sent *sent = row->sent; sent < row->sent + FRAMES_MAX; sent++)
		if (sent->data || sent->oversize)
			size += sent_build(bytes + size, sent);
	fd = raw_connect(&fixture);
	for (size_t at = 0, piece; at < size; at += piece) {
		piece = piece_size(bytes + at, size - at, step);
		raw_send(fd, bytes + at, piece);
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	}
	settle_all(&fixture.loop);
	check_answers(row, fd);
	CHECK(row, fixture.n_cancelled == row->cancelled);
	/* A call that was ended for it must not be answered again. */
	close(fd);
	settle_all(&fixture.loop);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	ASSERT_EQ(fixture.n_cancelled, fixture.n_parked);
	fixture_deinit(&fixture);
}

static void run_rows(size_t step)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i], step);
}

TEST(frames_whole)
{
	run_rows(200000);
}

TEST(frames_byte_by_byte)
{
	run_rows(1);
}

TEST(frames_in_odd_pieces)
{
	run_rows(7);
	run_rows(1021);
}

TEST(frames_under_faults)
{
	static const size_t pieces[] = {1, 3, 11, 4096};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t at = 0; at < sizeof(rows) / sizeof(rows[0]); at++) {
			bool large = rows[at].sent[0].oversize || rows[at].sent[1].oversize;

			faults_begin(large ? pieces[i] + 500 : pieces[i], pieces[i] + 7,
				     (unsigned)(7 * i + at));
			run_row(&rows[at], pieces[i] == 3 ? 5 : 200000);
			faults_end();
		}
	ASSERT(faults.n > 0);
}

/* ---- what no table shows ---- */

TEST(random_frames_never_end_the_server)
{
	static uint8_t bytes[4096];
	static uint8_t sink[65536];
	static const uint8_t zeros[300];
	struct fixture fixture;
	unsigned seed = 12345;

	fixture_init(&fixture);
	for (int round = 0; round < 300; round++) {
		int fd = raw_connect(&fixture);
		size_t size = 0;

		while (size + 600 < sizeof(bytes)) {
			uint32_t id = (uint32_t)rand_r(&seed) % 12;
			size_t length = (size_t)rand_r(&seed) % 300;
			size_t from = size;

			if (rand_r(&seed) % 2)
				size += request_build(bytes + size, id, "test.Echo",
						      rand_r(&seed) % 2 ? "Echo" : "Park", "type",
						      "value", rand_r(&seed) % 3 ? 0 : -1);
			else
				size += frame_build(bytes + size, id, (uint8_t)(rand_r(&seed) % 5),
						    (uint8_t)rand_r(&seed), zeros, length);
			/* Some bytes of the data are wrong. */
			for (int i = rand_r(&seed) % 4; i > 0 && size > from + FRAME_HEADER_SIZE;
			     i--)
				bytes[from + FRAME_HEADER_SIZE +
				      (size_t)rand_r(&seed) % (size - from - FRAME_HEADER_SIZE)] =
					(uint8_t)rand_r(&seed);
		}
		raw_send(fd, bytes, size - (size_t)rand_r(&seed) % 20);
		settle(&fixture);
		while (recv(fd, sink, sizeof(sink), 0) > 0)
			settle(&fixture);
		close(fd);
		settle(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
		fixture.n_parked = 0;
	}
	fixture_deinit(&fixture);
}
