/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_GEN_PRINT_H
#define TTRPC_GEN_PRINT_H
/*
 * Writing C. A template is C text in which $x stands for the value of the letter x:
 *
 *     $g  the file's guard        $s  the service's prefix     $m  the method's member
 *     $f  the .proto's name       $S  its full proto name      $M  its proto name
 *     $b  the same without .proto                              $c  the symbol of its client call
 *     $i $I  input type, descriptor   $o $O  output type, descriptor
 *     $n  the number of methods, or the method's index    $F  the method's flags
 *     $e  server or client        $t  the type of what that end receives or sends
 */
#include <stdio.h>

#include "ttrpc/gen/model.h"

struct print {
	FILE *stream;
	const char *values[128];
};

void print_template(const struct print *print, const char *text);

/* Sets the letters of these; the letters of what is around them stay. */
void print_set_file(struct print *print, const struct model_file *file);
void print_set_service(struct print *print, struct pool *pool, const struct model_service *service);
void print_set_method(struct print *print, struct pool *pool, const struct model_service *service,
		      const struct model_method *method);

/* A .proto's comment, then ours if more is not NULL. Nothing if there is neither. */
void print_comment(const struct print *print, const char *indent, const char *comment,
		   const char *more);

void header_print(struct print *print, struct pool *pool, const struct model_file *file);
void source_print(struct print *print, struct pool *pool, const struct model_file *file);

/* Their parts for methods with streams; the letters of the method are set. */
void header_print_stream_rules(const struct print *print);
void header_print_stream_server(const struct print *print, const struct model_method *method);
void header_print_stream_client(const struct print *print, const struct model_method *method);
void source_print_stream_handler(const struct print *print, const struct model_method *method);
void source_print_stream_server(struct print *print, const struct model_method *method);
void source_print_stream_client(struct print *print, const struct model_method *method);

#endif
