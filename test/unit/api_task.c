/* SPDX-License-Identifier: Apache-2.0 */
/* The task service under its two names. */
#include "api/task.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/task_v3.ttrpc.h"
#include "test/test.h"

TEST(both_versions_have_the_same_methods)
{
	const struct ttrpc_service *v2 = &containerd_task_v2_task_service;
	const struct ttrpc_service *v3 = &containerd_task_v3_task_service;

	ASSERT_STR(v2->name, "containerd.task.v2.Task");
	ASSERT_STR(v3->name, "containerd.task.v3.Task");
	ASSERT_EQ(v2->n_methods, 17);
	ASSERT_EQ(v3->n_methods, 17);
	for (size_t i = 0; i < v2->n_methods; i++) {
		ASSERT_STR(v2->methods[i].name, v3->methods[i].name);
		ASSERT(v2->methods[i].input == v3->methods[i].input);
		ASSERT(v2->methods[i].output == v3->methods[i].output);
		ASSERT_EQ(v2->methods[i].flags, 0);
		ASSERT_EQ(v3->methods[i].flags, 0);
	}
}

struct fixture {
	struct ttrpc_loop loop;
	struct ttrpc_server *server;
	struct ttrpc_client *client;
	int n_handled, n_answered;
	uint32_t shim_pid;
	enum ttrpc_code code;
};

static int connect_handler(struct ttrpc_call *call,
			   const Containerd__Task__V2__ConnectRequest *request)
{
	Containerd__Task__V2__ConnectResponse response =
		CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	struct fixture *fixture = ttrpc_call_userdata(call);

	ASSERT_STR(request->id, "box");
	fixture->n_handled++;
	response.shim_pid = 4711;
	return ttrpc_reply(call, &response.base);
}

/* The last member, so that the two structs differ nowhere before it. */
static int shutdown_handler(struct ttrpc_call *call,
			    const Containerd__Task__V2__ShutdownRequest *request)
{
	ASSERT(request->now);
	return ttrpc_fail(call, TTRPC_FAILED_PRECONDITION, "not yet");
}

static const struct containerd_task_v2_task_handlers handlers = {
	.connect = connect_handler,
	.shutdown = shutdown_handler,
};

static void setup(struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof(address);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*fixture = (struct fixture){.loop = TTRPC_LOOP_NULL};
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	ASSERT_EQ(ttrpc_server_new(&fixture->loop, TTRPC_POLICY_SAME_USER, &fixture->server), 0);
	ASSERT_EQ(api_task_register(fixture->server, &handlers, fixture), 0);
	/* An address without a name lets the kernel choose an abstract one. */
	ASSERT_EQ(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	ASSERT_EQ(listen(listener, 8), 0);
	ASSERT_EQ(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	ASSERT_EQ(ttrpc_server_listen(fixture->server, listener), 0);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&address, length), 0);
	ASSERT_EQ(ttrpc_client_new(&fixture->loop, fd, &fixture->client), 0);
}

static void teardown(struct fixture *fixture)
{
	fixture->client = ttrpc_client_free(fixture->client);
	fixture->server = ttrpc_server_free(fixture->server);
	ttrpc_loop_deinit(&fixture->loop);
}

static void connected(void *userdata, const struct ttrpc_status *status,
		      const Containerd__Task__V2__ConnectResponse *response)
{
	struct fixture *fixture = userdata;

	ASSERT_EQ(status->code, TTRPC_OK);
	fixture->shim_pid = response->shim_pid;
	fixture->n_answered++;
	ttrpc_loop_stop(&fixture->loop, 0);
}

static void emptied(void *userdata, const struct ttrpc_status *status,
		    const Google__Protobuf__Empty *response)
{
	struct fixture *fixture = userdata;

	ASSERT(!response);
	fixture->code = status->code;
	fixture->n_answered++;
	ttrpc_loop_stop(&fixture->loop, 0);
}

TEST(one_handler_answers_under_both_names)
{
	Containerd__Task__V2__ConnectRequest request = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	struct fixture fixture;

	setup(&fixture);
	request.id = (char[]){"box"};
	ASSERT_EQ(containerd_task_v2_task_connect(fixture.client, NULL, &request, connected,
						  &fixture),
		  0);
	ASSERT_EQ(ttrpc_loop_run(&fixture.loop), 0);
	ASSERT_EQ(fixture.shim_pid, 4711);
	fixture.shim_pid = 0;
	ASSERT_EQ(containerd_task_v3_task_connect(fixture.client, NULL, &request, connected,
						  &fixture),
		  0);
	ASSERT_EQ(ttrpc_loop_run(&fixture.loop), 0);
	ASSERT_EQ(fixture.shim_pid, 4711);
	ASSERT_EQ(fixture.n_handled, 2);
	ASSERT_EQ(fixture.n_answered, 2);
	teardown(&fixture);
}

TEST(the_last_handler_too)
{
	Containerd__Task__V2__ShutdownRequest request =
		CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;
	struct fixture fixture;

	setup(&fixture);
	request.now = true;
	ASSERT_EQ(
		containerd_task_v3_task_shutdown(fixture.client, NULL, &request, emptied, &fixture),
		0);
	ASSERT_EQ(ttrpc_loop_run(&fixture.loop), 0);
	ASSERT_EQ(fixture.code, TTRPC_FAILED_PRECONDITION);
	teardown(&fixture);
}

TEST(a_handler_that_is_null_answers_unimplemented)
{
	Containerd__Task__V2__PauseRequest request = CONTAINERD__TASK__V2__PAUSE_REQUEST__INIT;
	struct fixture fixture;

	setup(&fixture);
	ASSERT_EQ(containerd_task_v2_task_pause(fixture.client, NULL, &request, emptied, &fixture),
		  0);
	ASSERT_EQ(ttrpc_loop_run(&fixture.loop), 0);
	ASSERT_EQ(fixture.code, TTRPC_UNIMPLEMENTED);
	fixture.code = TTRPC_OK;
	ASSERT_EQ(containerd_task_v3_task_pause(fixture.client, NULL, &request, emptied, &fixture),
		  0);
	ASSERT_EQ(ttrpc_loop_run(&fixture.loop), 0);
	ASSERT_EQ(fixture.code, TTRPC_UNIMPLEMENTED);
	teardown(&fixture);
}

TEST(a_second_registration_is_refused)
{
	struct fixture fixture;

	setup(&fixture);
	ASSERT_EQ(api_task_register(fixture.server, &handlers, &fixture), -EEXIST);
	teardown(&fixture);
}
