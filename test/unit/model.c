/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of exits and events, over all interleavings: from each beginning every order of up to six
 * of what clients may ask and of what the monitor may report then. After each step State, the answers,
 * the events and who waits are compared with what a client must see (model_world.h, model_requests.h).
 * After each order the rest is let happen, the container is deleted, and nothing may be left: no
 * operation, timer, descriptor or memory. That the test sees what is wrong is shown by
 * model_mutants.c.
 */
#include "test/unit/model_orders.h"

#define ORDERS_SECONDS 100 /* on a machine that does much else */

static void orders_all(int i)
{
	alarm(ORDERS_SECONDS);
	unsigned long orders = orders_try(&beginnings[i], i < ANY_CREATED ? DEPTH : ANY_DEPTH);
	/* fewer would mean that the beginning does not lead where it should */
	if (orders < 1000)
		test_fail(__FILE__, __LINE__, "only %lu orders of %s", orders, beginnings[i].name);
	if (getenv("MODEL_COUNT"))
		fprintf(stderr, "%s: %lu\n", beginnings[i].name, orders);
}

TEST(creating)
{
	orders_all(CREATING);
}
TEST(execs_of_created)
{
	orders_all(EXECS_OF_CREATED);
}
TEST(starting)
{
	orders_all(STARTING);
}
TEST(exec_starting)
{
	orders_all(EXEC_STARTING);
}
TEST(exec_running)
{
	orders_all(EXEC_RUNNING);
}
TEST(shared_pids)
{
	orders_all(SHARED_PIDS);
}
TEST(paused)
{
	orders_all(PAUSED);
}
TEST(restore)
{
	orders_all(RESTORE);
}
TEST(two_execs)
{
	orders_all(TWO_EXECS);
}
TEST(requests_of_created)
{
	orders_all(ANY_CREATED);
}
TEST(requests_of_checkpoint)
{
	orders_all(ANY_CHECKPOINT);
}
TEST(requests_of_running)
{
	orders_all(ANY_RUNNING);
}
TEST(requests_of_paused)
{
	orders_all(ANY_PAUSED);
}
TEST(requests_of_stopped)
{
	orders_all(ANY_STOPPED);
}
