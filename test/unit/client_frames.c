/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the client makes of each kind of frame that a peer may send it: a table of frames on the id
 * of a call under way, each sent whole, one byte at a time, and under system calls that fail or move
 * little.
 */
#include "test/unit/client_fixture.h"
#include "test/unit/faults.h"

struct row {
	const char *name;
	uint32_t id;
	uint8_t type, flags;
	const char *data;
	size_t size;
	uint32_t oversize;
	int code, error;
	bool unanswered; /* the frame is dropped */
};

#define BYTES(text) .data = (text), .size = sizeof(text) - 1

static const struct row rows[] = {
	{"empty answer", .id = 1, .type = 2, .code = TTRPC_OK},
	{"flags are ignored", .id = 1, .type = 2, .flags = 0xff, .code = TTRPC_OK},
	{"status of code 0", .id = 1, .type = 2, BYTES("\n\0"), .code = TTRPC_OK},
	{"status of code 0 with a payload", .id = 1, .type = 2, BYTES("\n\0\x12\x03\n\1x"),
	 .code = TTRPC_OK},
	{"status, code and text", .id = 1, .type = 2, BYTES("\n\t\x08\x02\x12\x05plain"),
	 .code = TTRPC_UNKNOWN},
	{"status and payload", .id = 1, .type = 2, BYTES("\n\x02\x08\x05\x12\x03\n\1x"),
	 .code = TTRPC_NOT_FOUND},
	{"status and undecodable payload", .id = 1, .type = 2,
	 BYTES("\n\x02\x08\x05\x12\x02\n\x7f"), .code = TTRPC_NOT_FOUND},
	{"unknown fields", .id = 1, .type = 2,
	 BYTES("\x78\x01\x12\x03\n\1x\x7a\x01y\x7d"
	       "abcd"),
	 .code = TTRPC_OK},
	{"malformed envelope", .id = 1, .type = 2, BYTES("\n\x7f"), .code = TTRPC_INTERNAL,
	 .error = -EBADMSG},
	{"malformed payload", .id = 1, .type = 2, BYTES("\x12\x02\n\x7f"), .code = TTRPC_INTERNAL,
	 .error = -EBADMSG},
	{"data on a unary call", .id = 1, .type = 3, BYTES("abc"), .code = TTRPC_INTERNAL,
	 .error = -EPROTO},
	{"unknown type", .id = 1, .type = 77, .code = TTRPC_INTERNAL, .error = -EPROTO},
	{"a request", .id = 1, .type = 1, BYTES("abc"), .code = TTRPC_INTERNAL, .error = -EPROTO},
	{"oversize answer", .id = 1, .type = 2, .oversize = TTRPC_MESSAGE_MAX + 1,
	 .code = TTRPC_RESOURCE_EXHAUSTED, .error = -EMSGSIZE},
	{"unknown id", .id = 3, .type = 2, .unanswered = true},
	{"even id", .id = 2, .type = 2, .unanswered = true},
	{"id zero", .id = 0, .type = 3, BYTES("abc"), .unanswered = true},
};

static size_t row_build(const struct row *row, uint8_t *bytes)
{
	if (row->oversize) {
		memset(bytes + FRAME_HEADER_SIZE, 0, row->oversize);
		return frame_build(bytes, row->id, row->type, row->flags, bytes + FRAME_HEADER_SIZE,
				   row->oversize);
	}
	return frame_build(bytes, row->id, row->type, row->flags, row->data, row->size);
}

static void feed(struct ttrpc_loop *loop, int fd, const uint8_t *bytes, size_t size, size_t step)
{
	for (size_t at = 0; at < size;) {
		size_t want = size - at < step ? size - at : step;
		ssize_t sent = sendto(fd, bytes + at, want, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);

		ASSERT(sent > 0 || (sent < 0 && errno == EAGAIN));
		at += sent > 0 ? (size_t)sent : 0;
		ASSERT_EQ(ttrpc_loop_dispatch(loop, 0), 0);
	}
	settle_all(loop);
}

static void run_row(const struct row *row, size_t step)
{
	static uint8_t bytes[TTRPC_MESSAGE_MAX + 100];
	struct outcome outcome = {0}, again = {0};
	struct ttrpc_client *client;
	struct ttrpc_loop loop;
	int fds[2], closed = 0;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&loop, fds[0], &client), 0);
	ttrpc_client_on_close(client, on_close, &closed);
	ASSERT_EQ(start(client, "Echo", "", "", 0, &outcome), 0);
	feed(&loop, fds[1], bytes, row_build(row, bytes), step);
	if (outcome.n != !row->unanswered)
		test_fail(__FILE__, __LINE__, "%s: answered %d times", row->name, outcome.n);
	if (outcome.status.code != (enum ttrpc_code)row->code || outcome.status.error != row->error)
		test_fail(__FILE__, __LINE__, "%s: code %d, error %d", row->name,
			  outcome.status.code, outcome.status.error);
	/* The same frame again is late, and the connection goes on. */
	feed(&loop, fds[1], bytes, row_build(row, bytes), step);
	ASSERT_EQ(client->n_late, row->unanswered ? 2 : 1);
	ASSERT_EQ(start(client, "Echo", "", "", 0, &again), 0);
	feed(&loop, fds[1], bytes, frame_build(bytes, 3, FRAME_RESPONSE, 0, "", 0), step);
	ASSERT_EQ(again.n, 1);
	ASSERT_EQ(again.status.code, TTRPC_OK);
	/* Half a frame, and the end. */
	feed(&loop, fds[1], bytes, 7, step);
	close(fds[1]);
	settle_all(&loop);
	/* It had unread bytes of ours, so its end may also show as a reset. */
	ASSERT(closed == -ECONNABORTED || closed == -ECONNRESET);
	ttrpc_client_free(client);
	ttrpc_loop_deinit(&loop);
}

TEST(answers_whole)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i], SIZE_MAX);
}

TEST(answers_byte_by_byte)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i], rows[i].oversize ? 4093 : 1);
}

TEST(answers_under_faults)
{
	SKIP_UNDER_VALGRIND("millions of system calls");
	static const size_t pieces[] = {1, 3, 11, 4096};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t at = 0; at < sizeof(rows) / sizeof(rows[0]); at++) {
			faults_begin(rows[at].oversize ? pieces[i] + 5000 : pieces[i],
				     pieces[i] + 7, (unsigned)(7 * i + at));
			run_row(&rows[at], pieces[i] == 3 && !rows[at].oversize ? 5 : SIZE_MAX);
			faults_end();
		}
	ASSERT(faults.n > 0);
}
