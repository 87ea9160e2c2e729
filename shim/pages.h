/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_PAGES_H
#define SHIM_PAGES_H

/*
 * Unmaps the program's own pages of code and constants from this process, those in use too. They stay
 * in the page cache; each is mapped again when it is touched.
 */
void pages_forget(void);

/*
 * Gives back the stack below the caller's frame: what functions that have returned left behind.
 */
void pages_forget_stack(void);

/*
 * Makes what the linker marked as read-only after start-up (RELRO) just that: musl does it for a
 * dynamic program and for a static-PIE, not for one with a fixed address. Returns 0 or a negative errno.
 */
int pages_protect(void);

#endif
