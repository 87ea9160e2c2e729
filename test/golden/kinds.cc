// SPDX-License-Identifier: Apache-2.0
// A C++ program that uses every kind of method, both ends; compiled only.
#include "kinds.ttrpc.h"

using Note = Golden__Kinds__Note;

static int on_talk_message(golden_kinds_kinds_talk_server *stream, const Note *message)
{
	return golden_kinds_kinds_talk_server_send(stream, message);
}

static void on_talk_half_closed(golden_kinds_kinds_talk_server *stream)
{
	golden_kinds_kinds_talk_close(stream);
}

static int on_talk(golden_kinds_kinds_talk_server *stream)
{
	static const golden_kinds_kinds_talk_server_events events = {
		on_talk_message, on_talk_half_closed, nullptr, nullptr};

	golden_kinds_kinds_talk_accept(stream, &events, nullptr);
	return 0;
}

static int on_download(golden_kinds_kinds_download_server *stream, const Note *request)
{
	if (!request->text)
		return golden_kinds_kinds_download_fail(stream, TTRPC_INVALID_ARGUMENT, "%s",
							"no text");
	return golden_kinds_kinds_download_close(stream);
}

static int on_unary(ttrpc_call *call, const Note *)
{
	Golden__TypesV1__Outer answer = GOLDEN__TYPES_V1__OUTER__INIT;

	return ttrpc_reply(call, &answer.base);
}

int serve(ttrpc_server *server);
int serve(ttrpc_server *server)
{
	static golden_kinds_kinds_handlers handlers = {};

	handlers.unary = on_unary;
	handlers.download = on_download;
	handlers.talk = on_talk;
	return golden_kinds_kinds_register(server, &handlers, nullptr);
}

static int on_note(golden_kinds_kinds_talk_client *stream, const Note *)
{
	return golden_kinds_kinds_talk_close_send(stream);
}

static void done(void *, const ttrpc_status *, const Golden__TypesV1__Outer *)
{
}

int ask(ttrpc_client *client);
int ask(ttrpc_client *client)
{
	static golden_kinds_kinds_talk_client_events events = {};
	Note note = GOLDEN__KINDS__NOTE__INIT;
	golden_kinds_kinds_talk_client *talk;
	int error = golden_kinds_kinds_unary(client, nullptr, &note, done, nullptr);

	events.message = on_note;
	if (error == 0)
		error = golden_kinds_kinds_talk_open(client, nullptr, &events, nullptr, &talk);
	return error < 0 ? error : golden_kinds_kinds_talk_client_send(talk, &note);
}
