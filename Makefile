# SPDX-License-Identifier: Apache-2.0
#
#     make            the shims, the libraries and the generator, in build/
#     make RUNTIME=path/mine.c    build/containerd-shim-mine-v2, a shim for a runtime of your own
#     make run        a real containerd runs real containers through the shim, and what that costs
#     make test       everything that can be shown to be right; T=text: only tests whose file matches
#     make asan       the unit tests with address and undefined behaviour sanitizers
#     make valgrind   those of the library under valgrind, where it is installed
#     make fuzz       the fuzz targets under clang's libFuzzer, FUZZ_SECONDS=60 each; T=text as above
#     make fuzz-coverage    which lines of ttrpc/ and shim/ they have reached
#     make soak       10 million calls, a million streams, 100,000 connects; SOAK_SCALE=10: a tenth
#     make lint       format, static analysis, scripts, and builds without a warning by all compilers
#     make interop    clients and servers of other implementations of ttrpc, where Go or Rust is installed
#     make bench, make bench-ttrpc    figures of the shim; of the library, beside Go's and Rust's
#     make test-vm    the same containers in a machine with cgroup v2
#     make bench-vm   how many containers such a machine holds when it has 256 MB, shim by shim
#     make test-daemons  every scenario under every containerd that can be had, and a table of the
#                     results; DAEMON=trixie: that one only, also in `make test`
#     make soak-shim  100,000 processes and 10,000 containers in one shim; SOAK_EXECS=N
#     make deps       what all this needs: tools are installed, daemons only unpacked in build/
#     make format     lets clang-format write the tree
#     make install-ttrpc PREFIX=dir    libttrpc for programs of others, see ttrpc/README.md
#     make clean      removes what was built; keeps what was downloaded
#
# V=1 shows the commands. PIE=1 makes the shims static-PIE. SHIM_REVISION=text is what -v tells of
# sources that are no git work tree.
#
# Everything built is in build/, generated code in build/gen. A source file is added by being there.
# A variant is one set of objects, libraries and unit tests, in build/NAME:
#   musl    what ships: static, small            host    build tools: the generator, seccomp's compiler
#   gcc     glibc, gcc                           asan    glibc, gcc, sanitizers
#   clang   glibc, clang                           fuzz    glibc, clang, sanitizers, libFuzzer
#   coverage    glibc, clang, libFuzzer, counters of lines
# For the rules of others (*/rules.mk, read below): build/VARIANT/obj/path/file.o is made of
# path/file.c in any folder; $(VARIANT_LIBRARIES) are what a program is linked with, in order, and
# $(call link,VARIANT) is the recipe. Headers that they generate go into GENERATED, programs that
# print test results into TESTS, those for make asan into asan_TESTS, those that tests use into
# TEST_TOOLS; $(call CHOSEN,LIST) are those that T= chooses.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all
ifeq ($(filter-out --%,$(filter -j%,$(MAKEFLAGS))),)
MAKEFLAGS += -j$(shell nproc)
endif

V ?= 0
quiet = $(if $(filter 0,$(V)),@printf '  %-8s%s\n' $1 $@;)mkdir -p $(@D);

# ---- what must be there ----

GOALS := $(or $(MAKECMDGOALS),all)
GET_BY_THEMSELVES := run test bench lint asan fuzz fuzz-coverage test-vm bench-vm test-daemons interop \
	soak soak-shim
NEEDED := build \
	$(if $(filter run test bench soak-shim test-vm bench-vm test-daemons,$(GOALS)),daemons) \
	$(if $(filter test-daemons,$(GOALS)),later cri) $(if $(filter test-daemons bench-vm,$(GOALS)),newest) \
	$(if $(filter lint format fuzz,$(GOALS)),lint) \
	$(if $(filter fuzz fuzz-coverage,$(GOALS)),fuzz) \
	$(if $(filter test-vm bench-vm,$(GOALS)),vm)

ifneq ($(filter-out clean deps deps-vm,$(GOALS)),)
MISSING := $(shell .deps/deps missing $(NEEDED))
ifneq ($(MISSING),)
ifeq ($(filter $(GET_BY_THEMSELVES),$(GOALS)),)
$(error missing: $(MISSING); 'make deps' gets it)
endif
# make makes a file that it includes, and then reads everything anew.
include build/deps.mk
build/deps.mk: FORCE
	@.deps/deps get $(NEEDED)
	@touch $@
endif
endif

.PHONY: deps deps-vm
deps:
	@.deps/deps get build lint daemons later
deps-vm:
	@.deps/deps get build daemons vm

# ---- sources ----

RUNTIMES := shim/runc%.c shim/skeleton.c
PROTOS := $(sort $(wildcard proto/*.proto proto/google/*/*.proto))
SERVICES := $(if $(PROTOS),$(sort $(shell grep -l '^service ' $(PROTOS))))
GENERATOR_PROTOS := $(sort $(wildcard ttrpc/gen/*.proto))
ttrpc_SOURCES := $(sort $(wildcard ttrpc/*.c))
shim_SOURCES := $(sort $(wildcard api/*.c) $(filter-out $(RUNTIMES),$(wildcard shim/*.c)))
runc_SOURCES := $(sort $(wildcard shim/runc*.c))
UNIT_TESTS := $(sort $(patsubst %.c,%,$(wildcard test/unit/*.c)))

MESSAGES := $(PROTOS:%.proto=build/gen/%.pb-c.c)
STUBS := $(SERVICES:%.proto=build/gen/%.ttrpc.c)
# The library needs no schema of containerd's.
ttrpc_MESSAGES := $(filter build/gen/proto/google/% build/gen/proto/ttrpc.%,$(MESSAGES))
shim_MESSAGES := $(filter-out $(ttrpc_MESSAGES),$(MESSAGES)) $(STUBS)

GENERATED := $(MESSAGES:.c=.h) $(STUBS:.c=.h)
TESTS :=
asan_TESTS = $(asan_UNIT)
CHOSEN = $(if $(T),$(strip $(foreach test,$1,$(if $(findstring $(T),$(test)),$(test)))),$1)
TEST_TOOLS :=
GENERATOR := build/protoc-gen-ttrpc-c
PRODUCTS := $(addprefix build/,containerd-shim-mote-v2 containerd-shim-skeleton-v2 libttrpc.a libshim.a)

# ---- flags ----

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wvla \
	-Wmissing-prototypes -Wold-style-definition -Wundef -Wformat=2 -Werror
SOURCES := build/sources
INCLUDES := -I. -Ibuild/gen -isystem $(SOURCES)/protobuf-c -isystem $(SOURCES)/jansson/src \
	-isystem build/gen/jansson
COMMON := -std=gnu17 -g -D_GNU_SOURCE= $(INCLUDES) -fstack-protector-strong -fno-strict-aliasing \
	-ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=.
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDENED := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack

MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)
MUSL := /usr/lib/$(MULTIARCH:-gnu=-musl)

# Not static-PIE: measured at 20 containers it adds 30 kB of Pss_Anon to each (77 for 47; 64 is the
# goal), since every table with a pointer is relocated at start, and 38 kB to the file.
# musl has no _FORTIFY_SOURCE, and Debian no package that adds it. Its own headers come first, then
# gcc's, then the kernel's, which musl-gcc hides.
musl_CC := musl-gcc
musl_CFLAGS := -Os -idirafter build/uapi $(if $(PIE),-fPIE,-fno-pie) \
	-fno-unwind-tables -fno-asynchronous-unwind-tables
ifeq ($(PIE),)
musl_LD := musl-gcc
musl_LDFLAGS := -static -no-pie -Wl,--gc-sections $(HARDENED)
else
# The start files in musl-gcc's specs are those of a dynamic program: with -static-pie it makes one.
musl_LD := gcc
musl_LDFLAGS := -static-pie -nostdlib -Wl,--gc-sections $(HARDENED) $(MUSL)/rcrt1.o $(MUSL)/crti.o \
	$(shell gcc -print-file-name=crtbeginS.o)
musl_LIBS := -L$(MUSL) -lc -lgcc $(shell gcc -print-file-name=crtendS.o) $(MUSL)/crtn.o
endif
# Their assertions are about what their caller does wrong, and bring printf and stdio into the smallest
# program. All other variants have them.
musl_FOREIGN := -DNDEBUG
musl_SCRIPT := shim/resident.ld # of the shims
musl_HEADERS = $(GENERATED) build/uapi/linux

gcc_CC := gcc
gcc_LD := gcc
gcc_CFLAGS := -O2 -fPIE $(FORTIFY)
gcc_LDFLAGS := -pie -Wl,--gc-sections $(HARDENED)
gcc_HEADERS = $(GENERATED)

clang_CC := clang
clang_LD := clang
clang_CFLAGS := -O2 -fPIE $(FORTIFY)
clang_LDFLAGS := -pie -Wl,--gc-sections $(HARDENED)
clang_HEADERS = $(GENERATED)

asan_CC := gcc
asan_LD := gcc
asan_CFLAGS := -O1 -fPIE -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -U_FORTIFY_SOURCE
# protobuf-c shifts into the sign bit.
asan_FOREIGN := -fno-sanitize=undefined
asan_LDFLAGS := -pie -fsanitize=address,undefined
asan_HEADERS = $(GENERATED)

fuzz_CC := clang
fuzz_LD := clang
fuzz_CFLAGS := -O1 -fPIE -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
fuzz_FOREIGN := $(asan_FOREIGN)
fuzz_LDFLAGS := -pie -fsanitize=fuzzer,address,undefined
fuzz_HEADERS = $(GENERATED)

# The fuzz targets once more, to see which lines their inputs reach.
coverage_CC := clang
coverage_LD := clang
coverage_CFLAGS := -O1 -fPIE -fprofile-instr-generate -fcoverage-mapping
coverage_LDFLAGS := -pie -fsanitize=fuzzer -fprofile-instr-generate
coverage_HEADERS = $(GENERATED)

# Programs of the build: made before what they generate.
host_CC := gcc
host_LD := gcc
host_CFLAGS := -O2 $(FORTIFY)
host_LDFLAGS :=
host_HEADERS := $(GENERATOR_PROTOS:%.proto=build/gen/%.pb-c.h)

all: $(if $(RUNTIME),build/containerd-shim-$(basename $(notdir $(RUNTIME)))-v2,$(PRODUCTS) $(GENERATOR))

-include seccomp/rules.mk test/rules.mk ttrpc/rules.mk

# ---- generated code ----

build/gen/%.pb-c.c build/gen/%.pb-c.h: %.proto $(PROTOS)
	$(call quiet,PROTO)protoc --proto_path=. --c_out=build/gen $<

build/gen/%.ttrpc.c build/gen/%.ttrpc.h: %.proto $(PROTOS) $(GENERATOR)
	$(call quiet,STUBS)protoc --proto_path=. --plugin=$(GENERATOR) --ttrpc-c_out=build/gen $<

build/gen/jansson/jansson_config.h: $(SOURCES)/complete
	$(call quiet,CONFIG)sed -e 's/@json_inline@/inline/' -e 's/@json_have_[a-z_]*@/1/' \
		$(SOURCES)/jansson/src/jansson_config.h.in >$@

# What its configure would find out about any Linux.
JANSSON_HAS := $(addprefix HAVE_,STDINT_H UNISTD_H FCNTL_H SYS_TYPES_H SYS_TIME_H SYS_STAT_H \
	SYS_PARAM_H ENDIAN_H SCHED_H LOCALE_H CLOSE OPEN READ GETPID GETTIMEOFDAY SCHED_YIELD SETLOCALE \
	ATOMIC_BUILTINS SYNC_BUILTINS) USE_URANDOM
build/gen/jansson/jansson_private_config.h: $(SOURCES)/complete
	$(call quiet,CONFIG)printf '#define %s 1\n' $(JANSSON_HAS) >$@; \
	echo '#define INITIAL_HASHTABLE_ORDER 3' >>$@

JANSSON_HEADERS := $(addprefix build/gen/jansson/,jansson_config.h jansson_private_config.h)
GENERATED += $(JANSSON_HEADERS)

ifndef SHIM_REVISION
SHIM_REVISION := $(if $(wildcard .git),$(shell GIT_OPTIONAL_LOCKS=0 \
	git describe --always --dirty --exclude='*' --abbrev=12 2>/dev/null))
endif
REVISION_LINE := \#define SHIM_REVISION "$(or $(SHIM_REVISION),unknown)"
build/gen/shim/revision.h: FORCE
	@mkdir -p $(@D); echo '$(REVISION_LINE)' | cmp -s - $@ || echo '$(REVISION_LINE)' >$@
GENERATED += build/gen/shim/revision.h

# The kernel's headers alone, without glibc's beside them.
build/uapi/linux:
	$(call quiet,LINK)ln -sfn /usr/include/linux $@; \
	ln -sfn /usr/include/asm-generic build/uapi/asm-generic; \
	ln -sfn /usr/include/$(MULTIARCH)/asm build/uapi/asm

# ---- objects, libraries and programs of each variant ----

objects = $(patsubst build/gen/%.c,build/$1/obj/gen/%.o,$(filter build/gen/%,$2)) \
	$(patsubst %.c,build/$1/obj/%.o,$(filter-out build/%,$2))
archive = $(call quiet,AR)rm -f $@.new; ar rcsD $@.new $(filter %.o,$^); mv $@.new $@
link = $(call quiet,LD)$($1_LD) $($1_LDFLAGS) $(addprefix -T ,$(filter %.ld,$^)) \
	-o $@ $(filter %.o,$^) $(filter %.a,$^) $($1_LIBS)

define variant
$1_LIBRARIES := $(addprefix build/$1/,libshim.a libttrpc.a libprotobuf-c.a libjansson.a)
$1_COMPILE = $($1_CC) $(COMMON) $($1_CFLAGS)
$1_UNIT := $(UNIT_TESTS:%=build/$1/%)

build/$1/flags: FORCE
	@mkdir -p $$(@D); echo '$$($1_COMPILE) $$($1_FOREIGN) $(WARNINGS) $$($1_LDFLAGS)' | \
		cmp -s - $$@ || echo '$$($1_COMPILE) $$($1_FOREIGN) $(WARNINGS) $$($1_LDFLAGS)' >$$@

build/$1/obj/%.o: %.c build/$1/flags | $$($1_HEADERS)
	$$(call quiet,CC)$$($1_COMPILE) $(WARNINGS) -MMD -MP -c -o $$@ $$<

# What others wrote or generated is not held to our warnings.
build/$1/obj/gen/%.o: build/gen/%.c build/$1/flags | $$($1_HEADERS)
	$$(call quiet,CC)$$($1_COMPILE) -w -MMD -MP -c -o $$@ $$<

build/$1/obj/sources/%.o: $(SOURCES)/%.c build/$1/flags | $(JANSSON_HEADERS)
	$$(call quiet,CC)$$($1_COMPILE) -w $$($1_FOREIGN) -DHAVE_CONFIG_H -c -o $$@ $$<

# A folder is newer when a file has gone.
build/$1/libttrpc.a: $(call objects,$1,$(ttrpc_SOURCES) $(ttrpc_MESSAGES)) ttrpc proto
	$$(archive)
build/$1/libshim.a: $(call objects,$1,$(shim_SOURCES) $(shim_MESSAGES)) api shim proto
	$$(archive)
build/$1/librunc.a: $(call objects,$1,$(runc_SOURCES)) shim
	$$(archive)
build/$1/libprotobuf-c.a: build/$1/obj/sources/protobuf-c/protobuf-c/protobuf-c.o
	$$(archive)
build/$1/libjansson.a: $(patsubst $(SOURCES)/%.c,build/$1/obj/sources/%.o,$(sort \
		$(wildcard $(SOURCES)/jansson/src/*.c)))
	$$(archive)

build/$1/containerd-shim-mote-v2.debug: $(call objects,$1,$(runc_SOURCES)) $$($1_LIBRARIES) \
		$$($1_SCRIPT)
	$$(call link,$1)
build/$1/containerd-shim-skeleton-v2.debug: build/$1/obj/shim/skeleton.o $$($1_LIBRARIES) \
		$$($1_SCRIPT)
	$$(call link,$1)

# A test that needs flags of its own for the linker has them in NAME.ldflags.
build/$1/test/unit/%: build/$1/obj/test/unit/%.o build/$1/obj/test/test.o build/$1/librunc.a \
		$$($1_LIBRARIES)
	$$(call link,$1) $$(shell cat test/unit/$$*.ldflags 2>/dev/null)
endef

$(foreach name,musl gcc clang asan fuzz coverage host,$(eval $(call variant,$(name))))

-include $(shell find build/*/obj -name '*.d' 2>/dev/null)

build/libttrpc.a build/libshim.a: build/%.a: build/musl/%.a
	$(call quiet,COPY)cp $< $@

build/containerd-shim-%-v2: build/musl/containerd-shim-%-v2.debug
	$(call quiet,STRIP)strip -R .comment -o $@ $<

$(GENERATOR): $(call objects,host,$(sort $(wildcard ttrpc/gen/*.c)) \
		$(GENERATOR_PROTOS:%.proto=build/gen/%.pb-c.c)) build/host/libprotobuf-c.a
	$(call link,host)

# A runtime of the user's own, from wherever it is.
ifneq ($(RUNTIME),)
RUNTIME_NAME := $(basename $(notdir $(RUNTIME)))
ifeq ($(and $(filter %.c,$(RUNTIME)),$(wildcard $(RUNTIME))),)
$(error RUNTIME=$(RUNTIME): no such C file)
endif
# Two files of one name, in two folders, are not the same runtime.
build/musl/obj/runtime/$(RUNTIME_NAME).path: FORCE
	@mkdir -p $(@D); echo '$(abspath $(RUNTIME))' | cmp -s - $@ || echo '$(abspath $(RUNTIME))' >$@
build/musl/obj/runtime/$(RUNTIME_NAME).o: $(RUNTIME) build/musl/flags \
		build/musl/obj/runtime/$(RUNTIME_NAME).path | $(musl_HEADERS)
	$(call quiet,CC)$(musl_COMPILE) $(WARNINGS) -MMD -MP -c -o $@ $<
build/musl/containerd-shim-$(RUNTIME_NAME)-v2.debug: build/musl/obj/runtime/$(RUNTIME_NAME).o \
		$(musl_LIBRARIES) $(musl_SCRIPT)
	$(call link,musl)
endif

# ---- tests ----

SCRIPTS := $(sort $(shell find .ci .deps seccomp test -type f -exec grep -lE '^\#!.*sh|shellcheck shell=' {} +))
test_scripts = $(sort $(shell find test/$1 -name '*.sh' -perm -u+x 2>/dev/null))
ALL_TESTS = test/includes.sh $(call test_scripts,golden) $(musl_UNIT) $(TESTS) \
	$(call test_scripts,filter) $(call test_scripts,build) $(call test_scripts,integration)

# A T that chooses none of a goal's tests is told before anything is got or built.
some_chosen = $(if $(and $(filter $1,$(GOALS)),$(T)),$(if $(call CHOSEN,$2),,$(error \
	T=$(T): no file of the tests of 'make $1' has that in its name)))
$(call some_chosen,test,$(ALL_TESTS))
$(call some_chosen,asan,$(asan_TESTS))
$(call some_chosen,fuzz,$(FUZZ))
$(call some_chosen,fuzz-coverage,$(FUZZ))
$(call some_chosen,valgrind,$(VALGRIND_TESTS))

.PHONY: all test asan lint lint-format lint-analyse lint-scripts lint-builds format clean FORCE
FORCE:

test: all $(musl_UNIT) $(TESTS) $(TEST_TOOLS)
	@test/run $(call CHOSEN,$(ALL_TESTS))

asan: $(call CHOSEN,$(asan_TESTS))
	@test/run $^

# ---- judgement of the sources ----

C_FILES := $(sort $(shell find api proto seccomp shim test ttrpc -name '*.[ch]' -not -path 'test/golden/*'))
ANALYSED := $(filter %.c,$(C_FILES))

lint: lint-format lint-scripts lint-analyse lint-builds
	@echo 'lint: clean'
lint-format:
	@echo '  FORMAT'; clang-format --dry-run -Werror $(C_FILES)
lint-scripts:
	@echo '  SCRIPTS'; shellcheck $(SCRIPTS)
lint-analyse: $(ANALYSED:%.c=build/lint/%.tidy)
build/lint/%.tidy: %.c .clang-tidy $(filter %.h,$(C_FILES)) | $(GENERATED)
	$(call quiet,TIDY)clang-tidy --quiet $< -- $(clang_COMPILE) >$@.log 2>&1 || \
		{ cat $@.log; exit 1; }; touch $@
lint-builds: all $(foreach name,musl gcc clang,$($(name)_UNIT) $($(name)_LIBRARIES)) \
	$(foreach name,gcc clang,build/$(name)/containerd-shim-mote-v2.debug \
		build/$(name)/containerd-shim-skeleton-v2.debug)

format:
	@clang-format -i $(C_FILES)

clean:
	rm -rf $(filter-out build/apt build/sources build/daemons build/vm,$(wildcard build/*))
