/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/ids.h"

#include "test/test.h"

#define WINDOW (2 * IDS_WINDOW) /* in ids */

TEST(in_order_each_once_and_without_memory)
{
	struct ids ids = {0};

	for (uint32_t id = 1; id < 3 * WINDOW; id += 2) {
		ASSERT(ids_use(&ids, id));
		ASSERT(!ids_use(&ids, id));
		ASSERT(!ids_use(&ids, 1));
	}
	ASSERT(!ids.skipped);
	ids_deinit(&ids);
}

TEST(skipped_ids_come_once)
{
	struct ids ids = {0};

	ASSERT(ids_use(&ids, 9));
	ASSERT(ids_use(&ids, 15));
	for (uint32_t id = 1; id <= 15; id += 2)
		ASSERT_EQ(ids_use(&ids, id), id != 9 && id != 15);
	for (uint32_t id = 1; id <= 15; id += 2)
		ASSERT(!ids_use(&ids, id));
	ASSERT(ids_use(&ids, 17));
	ids_deinit(&ids);
}

TEST(skipped_ids_are_kept_for_a_window)
{
	struct ids ids = {0};

	ASSERT(ids_use(&ids, 1));
	ASSERT(ids_use(&ids, 7)); /* 3 and 5 are skipped */
	for (uint32_t id = 9; id < 5 + WINDOW; id += 2)
		ASSERT(ids_use(&ids, id));
	ASSERT(!ids_use(&ids, 3));
	ASSERT(ids_use(&ids, 5));
	ASSERT(ids_use(&ids, 5 + WINDOW)); /* takes the place of 5 */
	ASSERT(!ids_use(&ids, 5));
	ASSERT(!ids_use(&ids, 5 + WINDOW));
	ids_deinit(&ids);
}

TEST(place_of_a_skipped_id_is_free_for_the_next)
{
	struct ids ids = {0};

	ASSERT(ids_use(&ids, 3)); /* 1 is skipped, and never comes */
	for (uint32_t id = 5; id <= 1 + WINDOW; id += 2)
		ASSERT(ids_use(&ids, id));
	ASSERT(!ids_use(&ids, 1 + WINDOW));
	ASSERT(!ids_use(&ids, 1));
	ids_deinit(&ids);
}

TEST(jump_beyond_the_window)
{
	struct ids ids = {0};
	uint32_t far = 1 + 10 * WINDOW;

	ASSERT(ids_use(&ids, 1));
	ASSERT(ids_use(&ids, far));
	ASSERT(!ids_use(&ids, 1));
	ASSERT(!ids_use(&ids, far - WINDOW));
	ASSERT(ids_use(&ids, far - WINDOW + 2));
	ASSERT(ids_use(&ids, far - 2));
	ASSERT(!ids_use(&ids, far - WINDOW + 2));
	ids_deinit(&ids);
}

TEST(last_id_of_all)
{
	struct ids ids = {0};

	ASSERT(ids_use(&ids, UINT32_MAX));
	ASSERT(!ids_use(&ids, UINT32_MAX));
	ASSERT(ids_use(&ids, UINT32_MAX - 2));
	ASSERT(!ids_use(&ids, 1));
	ids_deinit(&ids);
}
