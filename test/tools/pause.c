/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a container that is to cost as little as one can: it waits for ever. */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
