/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are made piece by piece, a piece being what stands between two dots. Upper case begins a
 * word only after a character that is not upper case: CloseIO is close_io, IOUring is iouring.
 */
#include "ttrpc/gen/name.h"

#include <ctype.h>
#include <string.h>

/* GNU C17's keywords, and the words that its headers or the compiler define as macros. */
static const char *const c_words[] = {
	"auto",     "break",  "case",   "char",     "const",    "continue", "default",  "do",
	"double",   "else",   "enum",   "extern",   "float",    "for",      "goto",     "if",
	"inline",   "int",    "long",   "register", "restrict", "return",   "short",    "signed",
	"sizeof",   "static", "struct", "switch",   "typedef",  "union",    "unsigned", "void",
	"volatile", "while",  "asm",    "typeof",   "bool",     "true",     "false",    "errno",
	"i386",     "linux",  "unix",
};

/* What C23 and C++23 add. */
static const char *const cxx_words[] = {
	"alignas",       "alignof",       "and",          "and_eq",    "bitand",
	"bitor",         "catch",         "char16_t",     "char32_t",  "char8_t",
	"class",         "co_await",      "co_return",    "co_yield",  "compl",
	"concept",       "const_cast",    "consteval",    "constexpr", "constinit",
	"decltype",      "delete",        "dynamic_cast", "explicit",  "export",
	"friend",        "mutable",       "namespace",    "new",       "noexcept",
	"not",           "not_eq",        "nullptr",      "operator",  "or",
	"or_eq",         "private",       "protected",    "public",    "reinterpret_cast",
	"requires",      "static_assert", "static_cast",  "template",  "this",
	"thread_local",  "throw",         "try",          "typeid",    "typename",
	"typeof_unqual", "using",         "virtual",      "wchar_t",   "xor",
	"xor_eq",
};

/* Lower-case macros of standard headers that would change what a handlers' struct or its call says. */
static const char *const macro_words[] = {"assert", "offsetof", "stderr", "stdin", "stdout"};

/* What follows ttrpc_ in the names of the library; a test compares them with its headers. */
static const char *const library_words[] = {
	"allow",   "call",   "cancel",   "client",  "close",      "code",        "complete",
	"connect", "detail", "done",     "fail",    "handshake",  "intercepted", "interceptor",
	"limits",  "loop",   "metadata", "method",  "now",        "options",     "pair",
	"policy",  "reply",  "server",   "service", "statistics", "status",      "stream",
	"streams", "timer",  "watch",
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool contains(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

bool name_is_c_word(const char *name)
{
	return contains(c_words, LENGTH(c_words), name);
}

bool name_is_cxx_word(const char *name)
{
	return contains(cxx_words, LENGTH(cxx_words), name);
}

bool name_is_macro(const char *name)
{
	return contains(macro_words, LENGTH(macro_words), name);
}

bool name_is_library(const char *name)
{
	static const char prefix[] = "ttrpc_";

	if (strncmp(name, prefix, strlen(prefix)))
		return false;
	name += strlen(prefix);
	for (size_t i = 0; i < LENGTH(library_words); i++) {
		size_t length = strlen(library_words[i]);

		if (!strncmp(name, library_words[i], length) &&
		    (!name[length] || name[length] == '_'))
			return true;
	}
	return false;
}

char *name_type(struct pool *pool, const char *proto_name)
{
	char *name = pool_zalloc(pool, 2 * strlen(proto_name) + 1, 1), *at = name;
	bool word_begins = true;

	for (const char *c = proto_name; *c; c++) {
		if (*c == '.' || *c == '_') {
			word_begins = true;
			if (*c == '.')
				at = stpcpy(at, "__");
			continue;
		}
		*at++ = (char)(word_begins ? toupper((unsigned char)*c) : *c);
		word_begins = false;
	}
	return name;
}

char *name_lower(struct pool *pool, const char *proto_name, const char *separator)
{
	size_t room = strlen(proto_name) * (strlen(separator) + 2) + 1;
	char *name = pool_zalloc(pool, room, 1), *at = name;
	bool after_upper = true;

	for (const char *c = proto_name; *c; c++) {
		bool upper = isupper((unsigned char)*c);

		if (*c == '.') {
			at = stpcpy(at, separator);
			after_upper = true;
			continue;
		}
		if (upper && !after_upper)
			*at++ = '_';
		*at++ = (char)tolower((unsigned char)*c);
		after_upper = upper;
	}
	return name;
}

char *name_guard(struct pool *pool, const char *file_name)
{
	static const char digits[] = "0123456789abcdef";
	char *name = pool_zalloc(pool, 3 * strlen(file_name) + 1, 1), *at = name;

	for (const char *c = file_name; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (isalnum(byte)) {
			*at++ = *c;
			continue;
		}
		*at++ = '_';
		*at++ = digits[byte >> 4];
		*at++ = digits[byte & 15];
	}
	return name;
}
