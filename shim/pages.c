/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of the program that a process has mapped.
 *
 * A resident process is forked by one that has parsed a command line, and then runs code of its own
 * that it needs once. All that stays mapped and counts in its resident set, though it will never be
 * touched again: the kernel unmaps file pages only where memory is short. So both residents drop all
 * of them right before their loop. What the loop needs comes back with one fault for each mapping,
 * since the linker put it together (resident.ld). Measured, both processes: 460 kB before, 180 after.
 *
 * Only mappings that can't be written to: a page of the others that was written to would come back as
 * it is in the file. The headers of the program say which they are. p_align is the largest page size
 * that the program can be loaded with, and a page of that size never belongs to two of them.
 */
#include "shim/pages.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker's: an ElfW(Ehdr), with more behind it; mapped with the first segment. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static void segment_forget(uintptr_t base, const ElfW(Phdr) * segment)
{
	uintptr_t begin = (base + segment->p_vaddr) & ~(segment->p_align - 1);
	/* the kernel rounds the size up; one that refuses costs memory, nothing else */
	madvise((void *)begin, base + segment->p_vaddr + segment->p_memsz - begin, MADV_DONTNEED);
}

static const ElfW(Phdr) * segments_find(size_t *ret_n, uintptr_t *ret_base)
{
	const ElfW(Ehdr) *program = (const void *)__ehdr_start;
	const ElfW(Phdr) *segments = (const void *)(__ehdr_start + program->e_phoff);

	/* the header lies at the program's file offset 0, and so at that segment's address */
	*ret_base = (uintptr_t)program;
	for (size_t i = 0; i < program->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
			*ret_base -= segments[i].p_vaddr;
	*ret_n = program->e_phnum;
	return segments;
}

void pages_forget(void)
{
	uintptr_t base;
	size_t n;
	const ElfW(Phdr) *segments = segments_find(&n, &base);

	for (size_t i = 0; i < n; i++)
		if (segments[i].p_type == PT_LOAD && !(segments[i].p_flags & PF_W))
			segment_forget(base, &segments[i]);
}

#define STACK_ROOM (256u << 10) /* bytes below us that may be in use; the kernel stops at the end */

/* A page that is partly ours stays, and one below it: what the kernel writes for a signal. */
void __attribute__((noinline)) pages_forget_stack(void)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(size - 1)) - size;
	madvise((void *)(end - STACK_ROOM), STACK_ROOM, MADV_DONTNEED);
}

int pages_protect(void)
{
	uintptr_t base, size = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t n;
	const ElfW(Phdr) *segments = segments_find(&n, &base);

	for (size_t i = 0; i < n; i++) {
		uintptr_t begin = base + segments[i].p_vaddr, end = begin + segments[i].p_memsz;
		/* the end of the region is that of a page, its beginning need not be */
		if (segments[i].p_type == PT_GNU_RELRO && end % size == 0 &&
		    mprotect((void *)(begin & ~(size - 1)), end - (begin & ~(size - 1)),
			     PROT_READ) < 0)
			return -errno;
	}
	return 0;
}
