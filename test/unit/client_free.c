/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that is closed or freed from within the callbacks that its own end sets off: whoever
 * does that may give back what belongs to its calls and streams when the function returns.
 */
#include "test/unit/stream_fixture.h"

enum { CALLS = 40, STREAMS = 4 };

struct end {
	struct fixture fixture;
	struct ttrpc_client *client;
	struct outcome outcomes[CALLS];
	struct heard heard[STREAMS];
	int n_closed;
};

static struct end end;

/* Each ended, once. */
static void check_all_ended(void)
{
	for (int i = 0; i < CALLS; i++)
		ASSERT_EQ(end.outcomes[i].n, 1);
	for (int i = 0; i < STREAMS; i++)
		ASSERT_EQ(end.heard[i].n_ended, 1);
}

static void done_frees(void *userdata, const struct ttrpc_status *status,
		       const ProtobufCMessage *response)
{
	struct ttrpc_client *client = end.client;

	on_done(userdata, status, response);
	end.client = NULL;
	ttrpc_client_free(client);
	check_all_ended();
}

static void done_closes(void *userdata, const struct ttrpc_status *status,
			const ProtobufCMessage *response)
{
	on_done(userdata, status, response);
	ttrpc_client_close(end.client);
	check_all_ended();
}

static void closed(void *userdata, int error)
{
	(void)userdata;
	ASSERT(error < 0);
	end.n_closed++;
}

/* Calls and streams in all of the client's lists; the first call is the one with done. */
static void end_init(ttrpc_done_fn done)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	memset(&end, 0, sizeof(end));
	stream_fixture_init(&end.fixture);
	end.client = connect_client(&end.fixture);
	ttrpc_client_on_close(end.client, closed, NULL);
	ASSERT_EQ(ttrpc_client_call(end.client, &echo_service, echo_method("Park"), NULL, &any.base,
				    done, &end.outcomes[0]),
		  0);
	for (int i = 0; i < STREAMS; i++)
		ASSERT_EQ(stream_start(end.client, "Hold", NULL, 0, &end.heard[i]), 0);
	for (int i = 1; i < CALLS; i++)
		ASSERT_EQ(start(end.client, "Park", "", "", 0, &end.outcomes[i]), 0);
	settle(&end.fixture);
}

static void end_deinit(void)
{
	settle(&end.fixture);
	check_all_ended();
	fixture_deinit(&end.fixture);
}

static void server_goes(void)
{
	end.fixture.server = ttrpc_server_free(end.fixture.server);
	settle(&end.fixture);
}

TEST(freed_when_the_servers_end_is_told)
{
	end_init(done_frees);
	server_goes();
	ASSERT(!end.client);
	ASSERT_EQ(end.n_closed, 0);
	end_deinit();
}

TEST(closed_when_the_servers_end_is_told)
{
	end_init(done_closes);
	server_goes();
	ASSERT_EQ(end.n_closed, 1);
	ASSERT_EQ(ttrpc_client_closed(end.client).error, -EPIPE);
	ttrpc_client_free(end.client);
	end_deinit();
}

TEST(closed_while_it_is_being_freed)
{
	struct ttrpc_client *client;

	end_init(done_closes);
	client = end.client;
	ttrpc_client_free(client);
	ASSERT_EQ(end.n_closed, 0);
	end_deinit();
}

TEST(freed_while_it_is_being_closed)
{
	end_init(done_frees);
	ttrpc_client_close(end.client);
	ASSERT_EQ(end.n_closed, 0);
	end_deinit();
}

/* The same from a stream's last callback. */
static void ended_frees(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct ttrpc_client *client = end.client;

	heard_ended(stream, status);
	end.client = NULL;
	ttrpc_client_free(client);
}

TEST(freed_by_a_stream_that_the_servers_end_ends)
{
	static const struct ttrpc_stream_events events = {.ended = ended_frees};
	struct heard first = {.answer = 0};

	end_init(on_done);
	ASSERT_EQ(ttrpc_stream_open(end.client, &stream_service, stream_method("Hold"), NULL, NULL,
				    &events, NULL, &first, &first.stream),
		  0);
	settle(&end.fixture);
	server_goes();
	ASSERT_EQ(first.n_ended, 1);
	ASSERT(!end.client);
	end_deinit();
}
