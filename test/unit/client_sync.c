/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting, and calls that block, with the server in another process.
 */
#include <signal.h>
#include <sys/wait.h>

#include "test/unit/client_fixture.h"

static pid_t serve(struct fixture *fixture)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0)
		_exit(ttrpc_loop_run(&fixture->loop) < 0);
	return pid;
}

static int call_sync(struct ttrpc_client *client, const char *method, const char *value,
		     uint64_t timeout, Google__Protobuf__Any **ret_answer,
		     struct ttrpc_status *ret_status)
{
	const struct ttrpc_options options = {.timeout = timeout};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	ProtobufCMessage *answer = NULL;
	int error;

	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = strlen(value);
	error = ttrpc_client_call_sync(client, &echo_service, echo_method(method), &options,
				       &any.base, &answer, ret_status);
	*ret_answer = (Google__Protobuf__Any *)(void *)answer;
	return error;
}

TEST(calls_that_block)
{
	struct ttrpc_client *client;
	Google__Protobuf__Any *answer;
	struct ttrpc_status status;
	struct fixture fixture;
	char address[128];
	pid_t pid;
	int error;

	fixture_init(&fixture);
	pid = serve(&fixture);
	snprintf(address, sizeof(address), "unix://@%.*s",
		 (int)(fixture.name_size - offsetof(struct sockaddr_un, sun_path) - 1),
		 fixture.name.sun_path + 1);
	ASSERT_EQ(ttrpc_client_connect(NULL, address, 1000000000, &client), 0);

	ASSERT_EQ(call_sync(client, "Echo", "hello", 0, &answer, &status), 0);
	ASSERT_EQ(status.code, TTRPC_OK);
	ASSERT_EQ(answer->value.len, 5);
	google__protobuf__any__free_unpacked(answer, NULL);

	ASSERT_EQ(call_sync(client, "Size", "3000000", 0, &answer, &status), 0);
	ASSERT_EQ(answer->value.len, 3000000);
	google__protobuf__any__free_unpacked(answer, NULL);

	ASSERT_EQ(call_sync(client, "Errno", "2", 0, &answer, &status), 0);
	ASSERT_EQ(status.code, TTRPC_NOT_FOUND);
	ASSERT(!answer);

	/* The server has the same deadline, and its answer to it may come first. */
	error = call_sync(client, "Park", "", 10 * 1000000, &answer, &status);
	ASSERT(error == -ETIMEDOUT || error == 0);
	ASSERT_EQ(status.error, error);
	ASSERT_EQ(status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(call_sync(client, "Echo", "again", 0, &answer, &status), 0);
	google__protobuf__any__free_unpacked(answer, NULL);

	client->next_id = UINT64_C(1) << 32;
	ASSERT_EQ(call_sync(client, "Echo", "", 0, &answer, &status), -EOVERFLOW);
	ASSERT_EQ(status.code, TTRPC_UNAVAILABLE);
	client->next_id = 1001;

	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	fixture_deinit(&fixture);
	ASSERT(call_sync(client, "Echo", "", 0, &answer, &status) < 0);
	ASSERT_EQ(status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(ttrpc_client_call(client, &echo_service, echo_method("Echo"), NULL, NULL, on_done,
				    NULL),
		  -EINVAL);
	ttrpc_client_free(client);
}

/* ---- connecting ---- */

TEST(connect_addresses)
{
	struct ttrpc_client *client = NULL;
	char path[200];

	ASSERT_EQ(ttrpc_client_connect(NULL, "/nonexistent/socket", 0, &client), -ENOENT);
	ASSERT_EQ(ttrpc_client_connect(NULL, "unix:///nonexistent/socket", 0, &client), -ENOENT);
	ASSERT_EQ(ttrpc_client_connect(NULL, "@no such abstract name", 0, &client), -ECONNREFUSED);
	ASSERT_EQ(ttrpc_client_connect(NULL, "", 0, &client), -EINVAL);
	ASSERT_EQ(ttrpc_client_connect(NULL, "unix://", 0, &client), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[108] = '\0';
	ASSERT_EQ(ttrpc_client_connect(NULL, path, 0, &client), -ENAMETOOLONG);
	path[107] = '\0';
	ASSERT_EQ(ttrpc_client_connect(NULL, path, 0, &client), -ENOENT);
	ASSERT(!client);
}

TEST(connect_to_a_full_backlog_ends_in_time)
{
	struct ttrpc_client *clients[8], *client = NULL;
	struct fixture fixture = {0};
	char address[128];
	int fd = fixture_listener(&fixture), n = 0, error;

	snprintf(address, sizeof(address), "@%.*s",
		 (int)(fixture.name_size - offsetof(struct sockaddr_un, sun_path) - 1),
		 fixture.name.sun_path + 1);
	ASSERT_EQ(listen(fd, 1), 0);
	for (;;) {
		error = ttrpc_client_connect(NULL, address, 20 * 1000000, &client);
		if (error < 0)
			break;
		ASSERT(n < 8);
		clients[n++] = client;
	}
	ASSERT_EQ(error, -ETIMEDOUT);
	while (n > 0)
		ttrpc_client_free(clients[--n]);
	close(fd);
}
