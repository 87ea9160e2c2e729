/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that go away, in the middle of whatever: their connection is closed, their calls are
 * cancelled, and nothing of them stays.
 */
#include "test/unit/fixture.h"

TEST(peer_gone_in_the_middle_of_a_frame)
{
	uint8_t bytes[512];
	size_t size = request_build(bytes, 1, "test.Echo", "Echo", "", "hello", 0);

	for (size_t cut = 1; cut < size; cut++) {
		struct fixture fixture;
		int fd;

		fixture_init(&fixture);
		fd = raw_connect(&fixture);
		raw_send(fd, bytes, cut);
		settle(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
		close(fd);
		settle(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
		ASSERT_EQ(fixture.n_handled, 0);
		fixture_deinit(&fixture);
	}
}

TEST(peer_gone_in_the_middle_of_an_oversize_frame)
{
	static const uint8_t data[500];
	uint8_t header[FRAME_HEADER_SIZE];
	const struct frame frame = {
		.length = TTRPC_MESSAGE_MAX + 1, .id = 3, .type = FRAME_REQUEST};

	frame_header_write(header, &frame);
	for (int reset = 0; reset < 2; reset++) {
		struct fixture fixture;
		int fd;

		fixture_init(&fixture);
		fd = raw_connect(&fixture);
		/* An answer that is never read makes a reset of the end. */
		raw_request(&fixture, fd, 1, reset ? "Echo" : "Park", "");
		raw_send(fd, header, sizeof(header));
		raw_send(fd, data, sizeof(data));
		settle(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
		close(fd);
		settle(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
		ASSERT_EQ(fixture.n_cancelled, !reset);
		fixture_deinit(&fixture);
	}
}

TEST(peer_that_shuts_down_its_writing_side_is_gone)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Park", "");
	ASSERT_EQ(shutdown(fd, SHUT_WR), 0);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 1);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	raw_expect_closed(fd);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(requests_before_the_end_are_handled)
{
	uint8_t bytes[512];
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_send(fd, bytes, request_build(bytes, 1, "test.Echo", "Echo", "", "x", 0));
	close(fd);
	settle(&fixture);
	ASSERT_EQ(fixture.n_handled, 1);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	fixture_deinit(&fixture);
}

TEST(largest_length_is_drained)
{
	static uint8_t zeros[65536];
	uint8_t header[FRAME_HEADER_SIZE];
	const struct frame frame = {.length = UINT32_MAX, .id = 1, .type = FRAME_REQUEST};
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	frame_header_write(header, &frame);
	raw_send(fd, header, sizeof(header));
	for (int i = 0; i < 100; i++) {
		raw_send(fd, zeros, sizeof(zeros));
		settle(&fixture);
	}
	raw_expect_nothing(fd);
	close(fd);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	fixture_deinit(&fixture);
}
