/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of containers through the pair's socket: what is answered when, what may run beside
 * what, and what happens to an operation whose caller does not wait for it.
 */
#include "test/unit/pair_events.h"

enum { CREATED = 1, RUNNING = 2, STOPPED = 3 };

TEST(life_of_a_container)
{
	struct pair pair = {0};
	struct call wait, state;

	events_pair_init(&pair);
	uint32_t pid = pair_number(&pair, "Create", "one", "pid");
	ASSERT(pid > 0);
	ASSERT_EQ(pair_status(&pair, "one"), CREATED);
	ASSERT_EQ(pair_number(&pair, "Connect", "one", "task_pid"), pid);
	call_begin(&pair, &wait, "Wait", "one");
	ASSERT_EQ(pair_number(&pair, "Start", "one", "pid"), pid);
	ASSERT_EQ(pair_status(&pair, "one"), RUNNING);
	ASSERT(!wait.done);
	call_ok(&pair, "Kill", "one");
	call_end(&pair, &wait);
	ASSERT_EQ(call_number(&wait, "exit_status"), 128 + SIGTERM);

	call_begin(&pair, &state, "State", "one");
	call_end(&pair, &state);
	ASSERT_EQ(call_number(&state, "status"), STOPPED);
	ASSERT_EQ(call_number(&state, "pid"), pid);
	ASSERT_EQ(call_number(&state, "exit_status"), 128 + SIGTERM);
	ASSERT_EQ(call_time(&state), call_time(&wait));
	ASSERT_EQ(pair_number(&pair, "Wait", "one", "exit_status"), 128 + SIGTERM);
	ASSERT_EQ(pair_number(&pair, "Delete", "one", "exit_status"), 128 + SIGTERM);
	call_expect(&pair, "State", "one", TTRPC_NOT_FOUND, "container not created: not found");
	events_expect(&pair, "one", "create start exit 143 delete");
	call_free(&wait);
	call_free(&state);
	pair_deinit(&pair);
}

/* Its exit may be known before Start's answer is; nobody is told so in that order. */
TEST(process_that_ends_at_once)
{
	struct pair pair = {0};

	events_pair_init(&pair);
	for (int i = 0; i < 10; i++) {
		char id[32];
		snprintf(id, sizeof(id), "quick-%d", i);
		pair_bundle(&pair, id, "x");
		call_ok(&pair, "Create", id);
		call_ok(&pair, "Start", id);
		ASSERT_EQ(pair_number(&pair, "Wait", id, "exit_status"), 7);
		ASSERT_EQ(pair_number(&pair, "Delete", id, "exit_status"), 7);
		events_expect(&pair, id, "create start exit 7 delete");
	}
	pair_deinit(&pair);
}

TEST(created_and_deleted)
{
	struct pair pair = {0};
	struct call wait;

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	call_begin(&pair, &wait, "Wait", "one");
	ASSERT_EQ(pair_number(&pair, "Delete", "one", "exit_status"), 128 + SIGKILL);
	call_end(&pair, &wait);
	ASSERT_EQ(call_number(&wait, "exit_status"), 128 + SIGKILL);
	call_free(&wait);
	events_expect(&pair, "one", "create exit 137 delete");
	pair_deinit(&pair);
}

/* The id can be used again, and no event tells of what never was. */
TEST(create_that_fails)
{
	struct pair pair = {0};

	events_pair_init(&pair);
	pair_put(&pair, "one", "fail-create", "OCI runtime create failed: no");
	call_expect(&pair, "Create", "one", TTRPC_UNKNOWN, "OCI runtime create failed: no");
	call_expect(&pair, "State", "one", TTRPC_NOT_FOUND, "container not created: not found");
	call_expect(&pair, "Delete", "one", TTRPC_NOT_FOUND, "container not created: not found");
	pair_remove(&pair, "one", "fail-create");
	call_ok(&pair, "Create", "one");
	call_expect(&pair, "Create", "one", TTRPC_ALREADY_EXISTS, "task one: already exists");
	call_ok(&pair, "Delete", "one");
	events_expect(&pair, "one", "create exit 137 delete");
	pair_deinit(&pair);
}

TEST(start_and_delete_that_fail)
{
	struct pair pair = {0};

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	pair_put(&pair, "one", "fail-start", "OCI runtime start failed: no");
	call_expect(&pair, "Start", "one", TTRPC_UNKNOWN, "OCI runtime start failed: no");
	ASSERT_EQ(pair_status(&pair, "one"), CREATED);
	pair_remove(&pair, "one", "fail-start");
	call_ok(&pair, "Start", "one");
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");
	pair_put(&pair, "one", "fail-remove", "failed to delete task: no");
	call_expect(&pair, "Delete", "one", TTRPC_UNKNOWN, "failed to delete task: no");
	ASSERT_EQ(pair_status(&pair, "one"), STOPPED);
	pair_remove(&pair, "one", "fail-remove");
	call_ok(&pair, "Delete", "one");
	events_expect(&pair, "one", "create start exit 143 delete");
	pair_deinit(&pair);
}

/* The client has asked for the start before it can know that the process died. */
TEST(start_of_what_has_died)
{
	struct pair pair = {0};
	struct call start, state;

	events_pair_init(&pair);
	pid_t pid = (pid_t)pair_number(&pair, "Create", "one", "pid");
	pair_put(&pair, "one", "pass-start", "");
	ASSERT_EQ(kill(pair.server, SIGSTOP), 0);
	/* the order in which these two come to the server is that of the answers it gives */
	call_begin(&pair, &start, "Start", "one");
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	UNTIL(kill(pid, 0) < 0);
	ASSERT_EQ(kill(pair.server, SIGCONT), 0);
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "cannot start a stopped process");
	call_begin(&pair, &state, "State", "one");
	call_end(&pair, &state);
	ASSERT_EQ(call_number(&state, "status"), STOPPED);
	call_free(&state);
	call_ok(&pair, "Delete", "one");
	events_expect(&pair, "one", "create exit 137 delete");
	pair_deinit(&pair);
}

/* ---- beside each other ---- */

TEST(many_creates_at_once)
{
	enum { N = 40 };
	static struct call calls[N];
	struct pair pair = {0};
	char id[32];

	events_pair_init(&pair);
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "many-%d", i);
		pair_bundle(&pair, id, "");
		pair_put(&pair, id, "hold-create", "");
		call_begin(&pair, &calls[i], "Create", id);
	}
	call_ok(&pair, "Connect", "one"); /* it has taken them all in */
	for (int i = N - 1; i >= 0; i--) {
		snprintf(id, sizeof(id), "many-%d", i);
		pair_remove(&pair, id, "hold-create");
	}
	for (int i = 0; i < N; i++) {
		call_end(&pair, &calls[i]);
		call_check(&calls[i], TTRPC_OK, "");
		call_free(&calls[i]);
	}
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "many-%d", i);
		call_ok(&pair, "Delete", id);
		events_expect(&pair, id, "create exit 137 delete");
	}
	pair_deinit(&pair);
}

/* However many creates hang, another container can be looked at, killed and waited for. */
TEST(creates_that_hang_leave_room)
{
	enum { N = 40 };
	static struct call calls[N];
	struct pair pair = {0};
	char id[32];

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	call_ok(&pair, "Start", "one");
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "many-%d", i);
		pair_bundle(&pair, id, "");
		pair_put(&pair, id, "hold-create", "");
		call_begin(&pair, &calls[i], "Create", id);
	}
	call_ok(&pair, "Pids", "one");
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");
	events_expect(&pair, "one", "create start exit 143");
	pair_deinit(&pair);
	for (int i = 0; i < N; i++)
		ASSERT(calls[i].done && calls[i].status.error == -ECANCELED);
}

TEST(other_calls_while_a_create_hangs)
{
	static const char *const methods[] = {"State", "Start", "Kill", "Pids", "Wait", "CloseIO"};
	struct pair pair = {0};
	struct call create;

	pair_init(&pair);
	pair_put(&pair, "one", "hold-create", "");
	call_begin(&pair, &create, "Create", "one");
	UNTIL(pair_exists(&pair, "one", "in-create"));
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		call_expect(&pair, methods[i], "one", TTRPC_NOT_FOUND,
			    "container not created: not found");
	call_expect(&pair, "Create", "one", TTRPC_ALREADY_EXISTS, "task one: already exists");
	ASSERT_EQ(pair_number(&pair, "Connect", "one", "task_pid"), 0);
	call_ok(&pair, "Shutdown", "one");
	ASSERT(!create.done);
	pair_remove(&pair, "one", "hold-create");
	call_end(&pair, &create);
	call_check(&create, TTRPC_OK, "");
	call_free(&create);
	ASSERT_EQ(pair_status(&pair, "one"), CREATED);
	pair_deinit(&pair);
}

TEST(delete_of_a_create_that_hangs)
{
	struct pair pair = {0};
	struct call create;

	events_pair_init(&pair);
	pair_put(&pair, "one", "hold-create", "");
	call_begin(&pair, &create, "Create", "one");
	UNTIL(pair_exists(&pair, "one", "in-create"));
	call_expect(&pair, "Delete", "one", TTRPC_NOT_FOUND, "container not created: not found");
	call_end(&pair, &create);
	ASSERT(create.status.error == 0 && create.status.code != TTRPC_OK);
	pair_remove(&pair, "one", "hold-create");
	/* as soon as what it did is undone */
	struct call again = {0};
	do {
		call_begin(&pair, &again, "Create", "one");
		call_end(&pair, &again);
		call_free(&again);
	} while (again.status.code == TTRPC_ALREADY_EXISTS);
	call_check(&again, TTRPC_OK, "");
	ASSERT(pair_exists(&pair, "one", "in-force"));
	call_ok(&pair, "Delete", "one");
	events_expect(&pair, "one", "create exit 137 delete");
	char log[512];
	ASSERT(read(pair.log_fd, log, sizeof(log)) < 0);
	pair_deinit(&pair);
}

TEST(other_calls_while_a_delete_runs)
{
	static const char *const methods[] = {"Kill", "Pids", "Delete", "Start"};
	struct call delete, calls[4];
	struct pair pair = {0};

	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	pair_put(&pair, "one", "hold-remove", "");
	call_begin(&pair, &delete, "Delete", "one");
	UNTIL(pair_exists(&pair, "one", "in-remove"));
	for (int i = 0; i < 4; i++)
		call_begin(&pair, &calls[i], methods[i], "one");
	ASSERT_EQ(pair_status(&pair, "one"), CREATED);
	call_ok(&pair, "CloseIO", "one");
	for (int i = 0; i < 4; i++)
		ASSERT(!calls[i].done);
	pair_remove(&pair, "one", "hold-remove");
	call_end(&pair, &delete);
	call_check(&delete, TTRPC_OK, "");
	call_free(&delete);
	for (int i = 0; i < 4; i++) {
		call_end(&pair, &calls[i]);
		if (i == 2) /* asked twice, answered twice */
			call_check(&calls[i], TTRPC_OK, "");
		else
			call_check(&calls[i], TTRPC_NOT_FOUND, "container not created: not found");
		call_free(&calls[i]);
	}
	pair_deinit(&pair);
}

/* They do not wait for a start, nor for each other; the delete waits for nobody but the start. */
TEST(kill_beside_a_start_that_hangs)
{
	struct call start, pids, delete;
	struct pair pair = {0};

	events_pair_init(&pair);
	call_ok(&pair, "Create", "one");
	pair_put(&pair, "one", "hold-start", "");
	pair_put(&pair, "one", "hold-pids", "");
	call_begin(&pair, &start, "Start", "one");
	call_begin(&pair, &pids, "Pids", "one");
	UNTIL(pair_exists(&pair, "one", "in-start") && pair_exists(&pair, "one", "in-pids"));
	call_ok(&pair, "Kill", "one");
	call_begin(&pair, &delete, "Delete", "one");
	call_ok(&pair, "Connect", "one");
	ASSERT(!start.done && !pids.done && !delete.done);
	pair_put(&pair, "one", "fail-start", "the process has gone");
	pair_remove(&pair, "one", "hold-start");
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "the process has gone");
	call_end(&pair, &delete);
	call_check(&delete, TTRPC_OK, "");
	ASSERT_EQ(call_number(&delete, "exit_status"), 128 + SIGTERM);
	pair_remove(&pair, "one", "hold-pids");
	call_end(&pair, &pids);
	call_free(&delete);
	call_free(&pids);
	events_expect(&pair, "one", "create exit 143 delete");
	pair_deinit(&pair);
}

/* What a delete ends after a time is what hangs; not another delete that takes its time. */
TEST(delete_behind_a_delete_that_is_slow)
{
	struct call start, deletes[2];
	struct pair pair = {0};

	pair_init(&pair);
	call_ok(&pair, "Create", "one");
	pair_put(&pair, "one", "hold-start", "");
	call_begin(&pair, &start, "Start", "one");
	UNTIL(pair_exists(&pair, "one", "in-start"));
	pair_put(&pair, "one", "hold-remove", "");
	call_begin(&pair, &deletes[0], "Delete", "one");
	call_begin(&pair, &deletes[1], "Delete", "one");
	call_ok(&pair, "Connect", "one");
	uint64_t asked = ttrpc_now();
	pair_put(&pair, "one", "fail-start", "not now");
	pair_remove(&pair, "one", "hold-start");
	call_end(&pair, &start);
	call_check(&start, TTRPC_UNKNOWN, "not now");
	UNTIL(pair_exists(&pair, "one", "in-remove"));
	/* longer than a delete waits for what hangs */
	UNTIL(ttrpc_now() > asked + UINT64_C(4000000000));
	call_ok(&pair, "Connect", "one");
	pair_remove(&pair, "one", "hold-remove");
	for (int i = 0; i < 2; i++) {
		call_end(&pair, &deletes[i]);
		call_check(&deletes[i], TTRPC_OK, "");
		call_free(&deletes[i]);
	}
	pair_deinit(&pair);
}

/* ---- callers who do not wait ---- */

TEST(deadline_ends_the_wait_and_not_the_operation)
{
	struct pair pair = {0};
	struct call call;

	events_pair_init(&pair);
	pair_put(&pair, "one", "hold-create", "");
	ProtobufCMessage *request = call_request("Create", "one");
	call_set(request, "bundle", pair_file(&pair, "one", ""));
	call_send(pair.client, &call, "Create", request, SECOND / 10);
	call_end(&pair, &call);
	ASSERT_EQ(call.status.code, TTRPC_DEADLINE_EXCEEDED);
	pair_remove(&pair, "one", "hold-create");
	events_expect(&pair, "one", "create");
	ASSERT_EQ(pair_status(&pair, "one"), CREATED);

	call_send(pair.client, &call, "Wait", call_request("Wait", "one"), SECOND / 10);
	call_end(&pair, &call);
	ASSERT_EQ(call.status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(pair_number(&pair, "Delete", "one", "exit_status"), 128 + SIGKILL);
	pair_deinit(&pair);
}

TEST(clients_that_go_away)
{
	struct pair pair = {0};
	struct call create, wait, delete;

	events_pair_init(&pair);
	pair_put(&pair, "one", "hold-create", "");
	call_begin(&pair, &create, "Create", "one");
	UNTIL(pair_exists(&pair, "one", "in-create"));
	pair.client = ttrpc_client_free(pair.client);
	ASSERT(create.done && create.status.error == -ECANCELED);
	pair.client = pair_connect(&pair);
	/* a create that nobody waits for is finished, then undone */
	pair_remove(&pair, "one", "hold-create");
	events_expect(&pair, "one", "create exit 137 delete");
	call_expect(&pair, "State", "one", TTRPC_NOT_FOUND, "container not created: not found");

	call_ok(&pair, "Create", "one");
	call_begin(&pair, &wait, "Wait", "one");
	call_ok(&pair, "Connect", "one");
	pair.client = ttrpc_client_free(pair.client);
	pair.client = pair_connect(&pair);
	call_ok(&pair, "Start", "one");
	call_ok(&pair, "Kill", "one");
	call_ok(&pair, "Wait", "one");

	pair_put(&pair, "one", "hold-remove", "");
	call_begin(&pair, &delete, "Delete", "one");
	UNTIL(pair_exists(&pair, "one", "in-remove"));
	pair.client = ttrpc_client_free(pair.client);
	pair.client = pair_connect(&pair);
	pair_remove(&pair, "one", "hold-remove");
	events_expect(&pair, "one", "create exit 137 delete create start exit 143 delete");
	call_expect(&pair, "State", "one", TTRPC_NOT_FOUND, "container not created: not found");
	pair_deinit(&pair);
}
