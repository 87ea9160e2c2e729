/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_LIST_H
#define TTRPC_LIST_H
/*
 * A ring of links embedded in what they link. A list is a link of its own that belongs to nothing;
 * a link that is in no list points at itself, so that taking it out twice is harmless.
 */
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *previous;
};

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *link)
{
	link->next = link->previous = link;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
	link->next = list;
	link->previous = list->previous;
	list->previous->next = link;
	list->previous = link;
}

static inline void list_remove(struct list *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	list_init(link);
}

#endif
