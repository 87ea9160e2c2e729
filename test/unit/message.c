/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs and reports over a socket pair: whole, cut, too long, with descriptors too many. */
#include "shim/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "test/test.h"

static void pair_make(int pair[static 2])
{
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void pair_close(const int pair[static 2])
{
	close(pair[0]);
	close(pair[1]);
}

TEST(ids)
{
	static const struct {
		const char *id;
		bool valid;
	} table[] = {
		{"a", true},     {"redis-1.0_x", true}, {"0", true},     {"A.b", true},
		{"", false},     {".", false},          {"..", false},   {"a..b", false},
		{"-a", false},   {"a-", false},         {"_a", false},   {"a/b", false},
		{"../b", false}, {"a b", false},        {"a\n", false},  {"\xc3\xa4", false},
		{"a.", false},   {".a", false},         {"a%2e", false},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (id_valid(table[i].id) != table[i].valid)
			test_fail(__FILE__, __LINE__, "\"%s\"", table[i].id);

	char longest[ID_SIZE + 1];
	memset(longest, 'x', sizeof(longest));
	ASSERT(!id_valid(longest));
	longest[ID_SIZE - 1] = 0;
	ASSERT(id_valid(longest));
}

TEST(verb_arrives_with_its_payload)
{
	struct verb sent = {.type = VERB_CREATE, .tag = 7, .id = "one"}, received;
	int pair[2], payload, file = dup(0);
	pair_make(pair);
	ASSERT_EQ(verb_send(pair[0], &sent, file), 0);
	ASSERT_EQ(verb_receive(pair[1], &received, &payload), 0);
	ASSERT_EQ(received.tag, 7);
	ASSERT_STR(received.id, "one");
	ASSERT(payload >= 0);
	close(payload);
	ASSERT_EQ(verb_send(pair[0], &sent, -1), 0);
	ASSERT_EQ(verb_receive(pair[1], &received, &payload), 0);
	ASSERT_EQ(payload, -1);
	ASSERT_EQ(verb_receive(pair[1], &received, &payload), -EAGAIN);
	close(file);
	pair_close(pair);
}

TEST(verb_of_another_size_is_refused)
{
	struct verb received;
	char bytes[sizeof(struct verb) + 1] = {0};
	int pair[2], payload = -1;
	pair_make(pair);
	for (size_t size = 1; size <= sizeof(bytes); size++) {
		if (size == sizeof(struct verb))
			continue;
		ASSERT_EQ(send(pair[0], bytes, size, 0), size);
		ASSERT_EQ(verb_receive(pair[1], &received, &payload), -EBADMSG);
	}
	close(pair[0]);
	ASSERT_EQ(verb_receive(pair[1], &received, &payload), -ENODATA);
	close(pair[1]);
}

TEST(verb_with_an_endless_id_is_refused)
{
	struct verb sent = {.type = VERB_KILL, .tag = 1}, received;
	int pair[2], payload = -1;
	pair_make(pair);
	memset(sent.id, 'x', sizeof(sent.id));
	ASSERT_EQ(verb_send(pair[0], &sent, -1), 0);
	ASSERT_EQ(verb_receive(pair[1], &received, &payload), -EBADMSG);
	pair_close(pair);
}

static void send_many(int fd, struct iovec part, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 2 * ROLE_MAX)] = {0};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *first = CMSG_FIRSTHDR(&header);
	first->cmsg_level = SOL_SOCKET;
	first->cmsg_type = SCM_RIGHTS;
	first->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n);
	for (size_t i = 0; i < n; i++)
		((int *)(void *)CMSG_DATA(first))[i] = fd;
	ASSERT_EQ(sendmsg(fd, &header, 0), part.iov_len);
}

/* One more than there is room for is what the padding of a control message would hold. */
TEST(descriptors_too_many_are_closed)
{
	static struct report_message message;
	struct report report = {.type = REPORT_DONE};
	struct verb verb = {.type = VERB_KILL, .tag = 1}, received;
	char text[RUNTIME_ERROR_MAX];
	int pair[2], payload = -1;
	message.text = text;
	pair_make(pair);
	int next = dup(0);
	close(next);
	for (size_t n = 2; n <= 2 * ROLE_MAX; n++) {
		send_many(pair[0], (struct iovec){&verb, sizeof(verb)}, n);
		ASSERT_EQ(verb_receive(pair[1], &received, &payload), -EBADMSG);
		send_many(pair[0], (struct iovec){&report, sizeof(report)}, n);
		ASSERT_EQ(report_receive(pair[1], &message, MSG_DONTWAIT), -EBADMSG);
	}
	ASSERT_EQ(payload, -1);
	int after = dup(0);
	ASSERT_EQ(after, next);
	close(after);
	pair_close(pair);
}

TEST(report_keeps_descriptors_in_their_roles)
{
	static struct report_message sent, received;
	int pair[2], ends[2];
	pair_make(pair);
	ASSERT_EQ(pipe(ends), 0);
	char text[RUNTIME_ERROR_MAX];
	received.text = text;
	report_init(&sent);
	sent.report.type = REPORT_DONE;
	sent.report.text_size = 5;
	sent.fds[ROLE_STDOUT_SOURCE] = ends[0];
	sent.fds[ROLE_STDERR_KEEPER] = ends[1];
	ASSERT_EQ(report_send(pair[0], &sent.report, sent.fds, "hello", 0), 0);
	ASSERT_EQ(report_receive(pair[1], &received, MSG_DONTWAIT), 0);
	ASSERT_EQ(received.report.text_size, 5);
	ASSERT_MEM(received.text, "hello", 5);
	ASSERT(received.fds[ROLE_STDOUT_SOURCE] >= 0 && received.fds[ROLE_STDERR_KEEPER] >= 0);
	ASSERT_EQ(received.fds[ROLE_STDIN_SINK], -1);
	ASSERT_EQ(write(received.fds[ROLE_STDERR_KEEPER], "x", 1), 1);
	report_deinit(&received);
	report_deinit(&sent);
	pair_close(pair);
}

TEST(report_that_contradicts_itself_is_refused)
{
	static struct report_message received;
	struct report report = {.type = REPORT_DONE, .text_size = 9};
	char text[RUNTIME_ERROR_MAX];
	int pair[2];
	received.text = text;
	pair_make(pair);
	ASSERT_EQ(send(pair[0], &report, sizeof(report), 0), sizeof(report));
	ASSERT_EQ(report_receive(pair[1], &received, MSG_DONTWAIT), -EBADMSG);
	report.text_size = 0;
	report.roles = 1; /* no descriptor comes */
	ASSERT_EQ(send(pair[0], &report, sizeof(report), 0), sizeof(report));
	ASSERT_EQ(report_receive(pair[1], &received, MSG_DONTWAIT), -EBADMSG);
	ASSERT_EQ(send(pair[0], &report, sizeof(report) - 1, 0), sizeof(report) - 1);
	ASSERT_EQ(report_receive(pair[1], &received, MSG_DONTWAIT), -EBADMSG);
	pair_close(pair);
}
