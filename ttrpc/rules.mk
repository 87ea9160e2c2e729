# SPDX-License-Identifier: Apache-2.0

# ---- libttrpc for programs of others: make install-ttrpc PREFIX=dir [VARIANT=musl] ----
#
# Headers, static libraries, the generator and ttrpc.pc, for glibc unless VARIANT says otherwise.
# protobuf-c's own header and run-time come with it; a system's can be used in their place.

PREFIX ?= /usr/local
VARIANT ?= gcc

TTRPC_HEADERS := $(addprefix ttrpc/,intercept.h limits.h loop.h metadata.h policy.h stream.h ttrpc.h)

# What the library's files call among themselves gets a prefix: a program may have an arena_init() of
# its own. Google's messages keep their names, which a program's own copies of them replace.
build/install/$(VARIANT)/libttrpc.a: build/$(VARIANT)/libttrpc.a
	$(call quiet,NAMES)nm -g --defined-only $< | awk 'NF == 3 && $$3 !~ /^(ttrpc_|google__)/ \
		{ print $$3, "ttrpc__" $$3 }' | sort -u >$@.names; \
	objcopy --redefine-syms=$@.names $< $@

.PHONY: install-ttrpc
install-ttrpc: build/install/$(VARIANT)/libttrpc.a build/$(VARIANT)/libprotobuf-c.a $(GENERATOR)
	$(if $(filter 0,$(V)),@printf '  INSTALL %s\n' '$(DESTDIR)$(PREFIX)';) \
	to='$(DESTDIR)$(PREFIX)'; mkdir -p "$$to"/{bin,include/{ttrpc,protobuf-c},lib/pkgconfig}; \
	install -m 644 $(TTRPC_HEADERS) "$$to/include/ttrpc"; \
	install -m 644 $(SOURCES)/protobuf-c/protobuf-c/protobuf-c.h "$$to/include/protobuf-c"; \
	install -m 644 $(filter %.a,$^) "$$to/lib"; \
	install -m 755 $(GENERATOR) "$$to/bin"; \
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: ttrpc' 'Description: ttrpc for C' 'Version: 1' \
		'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lttrpc -lprotobuf-c' \
		>"$$to/lib/pkgconfig/ttrpc.pc"
# ---- end of libttrpc for others ----

# ---- the examples: built as anybody would by test/build/examples.sh, and analysed like the rest ----

EXAMPLES_ANALYSED := $(patsubst %.c,build/lint/%.tidy,$(wildcard ttrpc/examples/*.c))
$(EXAMPLES_ANALYSED): clang_COMPILE += -Ibuild/gen/ttrpc/examples
$(EXAMPLES_ANALYSED): | $(foreach proto,$(wildcard ttrpc/examples/*.proto),$(addprefix \
	build/gen/$(proto:.proto=),.pb-c.h .ttrpc.h))

test: build/install/$(VARIANT)/libttrpc.a build/$(VARIANT)/libprotobuf-c.a
# ---- end of the examples ----
