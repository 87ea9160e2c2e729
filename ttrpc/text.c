/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts: a formatter that is a loop over the format with a cursor that counts what it can't store,
 * and the checks for UTF-8 that protobuf's strings need.
 */
#include "ttrpc/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct cursor {
	char *at;
	size_t room;   /* bytes that can still be stored */
	size_t length; /* bytes of the whole text so far */
};

enum width { WIDTH_INT, WIDTH_LONG, WIDTH_LONG_LONG, WIDTH_SIZE };

struct conversion {
	char letter; /* 0: not one of ours */
	enum width width;
	bool has_precision;
	size_t size; /* characters of the conversion in the format */
};

static void cursor_put(struct cursor *cursor, const char *text, size_t size)
{
	size_t stored = size < cursor->room ? size : cursor->room;

	cursor->length += size;
	if (stored == 0)
		return;
	memcpy(cursor->at, text, stored);
	cursor->at += stored;
	cursor->room -= stored;
}

static void cursor_put_number(struct cursor *cursor, uint64_t value, unsigned base)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	cursor_put(cursor, digits + at, sizeof(digits) - at);
}

/* at: behind the percent sign. */
static struct conversion conversion_parse(const char *at)
{
	struct conversion conversion = {0};
	const char *from = at;

	if (at[0] == '.' && at[1] == '*') {
		conversion.has_precision = true;
		at += 2;
	}
	if (at[0] == 'l' && at[1] == 'l') {
		conversion.width = WIDTH_LONG_LONG;
		at += 2;
	} else if (*at == 'l' || *at == 'z') {
		conversion.width = *at == 'l' ? WIDTH_LONG : WIDTH_SIZE;
		at++;
	}
	if (*at && strchr(conversion.has_precision ? "s" : "scdiux%", *at) &&
	    (conversion.width == WIDTH_INT || strchr("diux", *at)))
		conversion.letter = *at;
	/* A format may end within a conversion. */
	conversion.size = (size_t)(at - from) + (*at ? 1 : 0);
	return conversion;
}

static bool format_is_ours(const char *format)
{
	while ((format = strchr(format, '%'))) {
		struct conversion conversion = conversion_parse(++format);

		if (!conversion.letter)
			return false;
		format += conversion.size;
	}
	return true;
}

static void put_signed(struct cursor *cursor, int64_t value)
{
	if (value < 0)
		cursor_put(cursor, "-", 1);
	cursor_put_number(cursor, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

static void put_string(struct cursor *cursor, const char *string, int precision)
{
	if (!string)
		string = "(null)";
	cursor_put(cursor, string,
		   precision < 0 ? strlen(string) : strnlen(string, (size_t)precision));
}

#define TAKE_NUMBER(arguments, width, kind)                                                        \
	((width) == WIDTH_LONG        ? (int64_t)va_arg(arguments, kind long)                      \
	 : (width) == WIDTH_LONG_LONG ? (int64_t)va_arg(arguments, kind long long)                 \
				      : (int64_t)va_arg(arguments, kind int))

size_t text_format_own(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct cursor cursor = {buffer, size ? size - 1 : 0, 0};

	for (;;) {
		const char *percent = strchrnul(format, '%');
		struct conversion conversion;
		int precision = -1;
		char letter;

		cursor_put(&cursor, format, (size_t)(percent - format));
		if (!*percent)
			break;
		conversion = conversion_parse(percent + 1);
		format = percent + 1 + conversion.size;
		if (conversion.has_precision)
			precision = va_arg(arguments, int);

		switch (conversion.letter) {
		case 's':
			put_string(&cursor, va_arg(arguments, const char *), precision);
			break;
		case 'd':
		case 'i':
			put_signed(&cursor,
				   conversion.width == WIDTH_SIZE
					   ? va_arg(arguments, ssize_t)
					   : TAKE_NUMBER(arguments, conversion.width, signed));
			break;
		case 'u':
		case 'x':
			cursor_put_number(&cursor,
					  conversion.width == WIDTH_SIZE
						  ? va_arg(arguments, size_t)
						  : (uint64_t)TAKE_NUMBER(
							    arguments, conversion.width, unsigned),
					  conversion.letter == 'x' ? 16 : 10);
			break;
		case 'c':
			letter = (char)va_arg(arguments, int);
			cursor_put(&cursor, &letter, 1);
			break;
		default:
			cursor_put(&cursor, "%", 1);
		}
	}
	if (size)
		*cursor.at = '\0';
	return cursor.length;
}

size_t text_format(char *buffer, size_t size, const char *format, va_list arguments)
{
	int length;

	if (format_is_ours(format))
		return text_format_own(buffer, size, format, arguments);
	length = vsnprintf(buffer, size, format, arguments);
	return length < 0 ? 0 : (size_t)length;
}

/* The size of the character at text, which has size > 0 bytes; 0: not one. */
static size_t utf8_character(const uint8_t *text, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t value;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || size < length)
		return 0;
	value = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3fu);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return length;
}

/* Whether eight characters of one byte each come. */
static bool ascii_eight(const uint8_t *text, size_t size)
{
	uint64_t eight;

	if (size < sizeof(eight))
		return false;
	memcpy(&eight, text, sizeof(eight));
	return !(eight & UINT64_C(0x8080808080808080));
}

bool text_is_utf8(const void *text, size_t size)
{
	const uint8_t *at = text;
	size_t length;

	for (; size > 0; at += length, size -= length) {
		length = ascii_eight(at, size) ? 8 : utf8_character(at, size);
		if (length == 0)
			return false;
	}
	return true;
}

void text_repair_utf8(char *text, size_t size)
{
	while (size > 0) {
		size_t length = utf8_character((uint8_t *)text, size);

		if (length == 0) {
			*text = '?';
			length = 1;
		}
		text += length;
		size -= length;
	}
}

size_t text_cut_utf8(const char *text, size_t size)
{
	size_t start = size;

	if (size == 0)
		return 0;
	/* Back to the first byte of the last character, which is dropped unless it is whole. */
	do
		start--;
	while (start > 0 && ((uint8_t)text[start] & 0xc0) == 0x80);
	return utf8_character((const uint8_t *)text + start, size - start) ? size : start;
}
