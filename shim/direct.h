/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_DIRECT_H
#define SHIM_DIRECT_H
#include "shim/pair.h"

/*
 * What the monitor does by itself, of verbs that were weighed. True: it is done, and answered or about
 * to be. False: nothing has been done, and a worker has to.
 */
bool direct_kill(struct monitor *monitor, const struct verb *verb,
		 struct monitor_container *container);
bool direct_pids(struct monitor *monitor, const struct verb *verb,
		 struct monitor_container *container);
bool direct_stats(struct monitor *monitor, const struct verb *verb,
		  struct monitor_container *container);

#endif
