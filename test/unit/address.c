/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: the fixed formula, Go's path cleaning, limits of length, the file in the bundle. */
#include "shim/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/test.h"

#define HASH_T2 "3952538c7aa24c23355bb6397b388bbec4206355c938659f030f79c2cc947e00"

/* What Go's filepath.Join makes of the three parts. */
static const struct {
	const char *parts[3], *joined;
} joins[] = {
	{{"dump/c.sock", "default", "t2"}, "dump/c.sock/default/t2"},
	{{"/run/containerd/containerd.sock", "k8s.io", "x"},
	 "/run/containerd/containerd.sock/k8s.io/x"},
	{{"//run///c.sock", "default", "t2"}, "/run/c.sock/default/t2"},
	{{"/run/./c.sock/", "default/", "t2/"}, "/run/c.sock/default/t2"},
	{{"", "default", "t2"}, "default/t2"},
	{{"/c", "default", ""}, "/c/default"},
	{{"", "", ""}, ""},
	{{"unix:///run/c.sock", "n", "i"}, "unix:/run/c.sock/n/i"},
	{{"/a", "n", ".."}, "/a"},
	{{"/a", "n", "../.."}, "/"},
	{{"/a", "n", "../../../../b"}, "/b"},
	{{"/", "..", "x"}, "/x"},
	{{"a", "b", "../.."}, "."},
	{{"a", "..", "../../b"}, "../../b"},
	{{"a", "..", "../../b/.."}, "../.."},
	{{"..", "..", "a/.."}, "../.."},
	{{".", ".", "."}, "."},
	{{"a", ".b", "..c"}, "a/.b/..c"},
	{{"a", "...", "b"}, "a/.../b"},
	{{"a//b", "./c", "d/./e/../f"}, "a/b/c/d/f"},
};

TEST(join_is_gos)
{
	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
		char *joined = address_join(joins[i].parts, 3);
		ASSERT(joined != NULL);
		ASSERT_STR(joined, joins[i].joined);
		free(joined);
	}
}

TEST(socket_path_of_the_test_vector)
{
	char path[ADDRESS_PATH_SIZE];
	struct failure failure;

	ASSERT_EQ(
		address_socket_path(ADDRESS_FOLDER, "dump/c.sock", "default", "t2", path, &failure),
		0);
	ASSERT_STR(path, "/run/containerd/s/" HASH_T2);
	ASSERT_EQ(address_socket_path("/x//", "dump//./c.sock", "default", "t2", path, &failure),
		  0);
	ASSERT_STR(path, "/x/" HASH_T2);
	ASSERT_EQ(address_socket_path("/", "dump/c.sock", "default", "t2", path, &failure), 0);
	ASSERT_STR(path, "/" HASH_T2);
}

TEST(socket_folder_limits)
{
	char folder[200], path[ADDRESS_PATH_SIZE];
	struct failure failure = {.text = ""};

	memset(folder, 'f', sizeof(folder));
	folder[0] = '/';
	for (size_t length = 2; length < sizeof(folder); length++) {
		folder[length] = 0;
		strcpy(path, "untouched");
		int result = address_socket_path(folder, "a", "n", "i", path, &failure);
		if (length <= 107 - 1 - 64) {
			ASSERT_EQ(result, 0);
			ASSERT_EQ(strlen(path), length + 65);
		} else {
			ASSERT_EQ(result, FAILURE_REFUSED);
			ASSERT_STR(path, "untouched");
			ASSERT(strstr(failure.text, "too long"));
		}
		folder[length] = 'f';
	}
	ASSERT_EQ(address_socket_path("s", "a", "n", "i", path, &failure), FAILURE_REFUSED);
	ASSERT(strstr(failure.text, "absolute"));
	ASSERT_EQ(address_socket_path("", "a", "n", "i", path, &failure), FAILURE_REFUSED);
}

TEST(long_groups_are_hashed_whole)
{
	char one[ADDRESS_PATH_SIZE], two[ADDRESS_PATH_SIZE];
	struct failure failure;
	size_t size = 1u << 20;
	char *group = malloc(size + 1);

	ASSERT(group != NULL);
	memset(group, 'g', size);
	group[size] = 0;
	ASSERT_EQ(address_socket_path("/s", "a", "n", group, one, &failure), 0);
	group[size - 1] = 'h';
	ASSERT_EQ(address_socket_path("/s", "a", "n", group, two, &failure), 0);
	ASSERT(strcmp(one, two) != 0);
	free(group);
}

static const struct {
	const char *ttrpc, *grpc, *path;
} publishers[] = {
	{"", "", ""},
	{"/run/c.sock.ttrpc", "/run/c.sock", "/run/c.sock.ttrpc"},
	{"unix:///run/t.sock", "/run/c.sock", "/run/t.sock"},
	{"", "/run/c.sock", "/run/c.sock.ttrpc"},
	{"", "unix:///run/c.sock", "/run/c.sock.ttrpc"},
	{"/t", "", "/t"},
};

TEST(publisher_address)
{
	struct failure failure;
	for (size_t i = 0; i < sizeof(publishers) / sizeof(publishers[0]); i++) {
		char path[ADDRESS_PATH_SIZE];
		ASSERT_EQ(
			address_publisher(publishers[i].ttrpc, publishers[i].grpc, path, &failure),
			0);
		ASSERT_STR(path, publishers[i].path);
	}
}

TEST(publisher_limits)
{
	char longest[ADDRESS_PATH_SIZE + 1], path[ADDRESS_PATH_SIZE] = "untouched";
	struct failure failure = {.text = ""};

	memset(longest, '/', sizeof(longest));
	longest[ADDRESS_PATH_SIZE] = 0;
	ASSERT_EQ(address_publisher(longest, "", path, &failure), FAILURE_REFUSED);
	ASSERT(strstr(failure.text, "too long"));
	longest[ADDRESS_PATH_SIZE - 1] = 0;
	ASSERT_EQ(address_publisher("", longest, path, &failure), FAILURE_REFUSED);
	ASSERT_STR(path, "untouched");
	ASSERT_EQ(address_publisher(longest, "", path, &failure), 0);
	ASSERT_STR(path, longest);
	longest[ADDRESS_PATH_SIZE - 1 - strlen(".ttrpc")] = 0;
	ASSERT_EQ(address_publisher("", longest, path, &failure), 0);
	ASSERT_EQ(strlen(path), ADDRESS_PATH_SIZE - 1);
}

static void folder_enter(char folder[static 32])
{
	strcpy(folder, "/tmp/mote-address.XXXXXX");
	ASSERT(mkdtemp(folder) != NULL);
	ASSERT_EQ(chdir(folder), 0);
}

static void folder_leave(const char *folder)
{
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(rmdir(folder), 0); /* fails if a temporary file was left */
}

static void file_make(const char *text)
{
	int fd = open(ADDRESS_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

TEST(file_is_written_and_read)
{
	char folder[32], path[ADDRESS_PATH_SIZE] = "untouched", text[128];
	struct stat file;

	folder_enter(folder);
	ASSERT_EQ(address_file_read(path), -ENOENT);
	umask(0777);
	ASSERT_EQ(address_file_write("/run/containerd/s/" HASH_T2), 0);
	ASSERT_EQ(stat(ADDRESS_FILE, &file), 0);
	ASSERT_EQ(file.st_mode & 07777, 0644);
	ASSERT_EQ(address_file_write("/run/containerd/s/" HASH_T2), 0);

	int fd = open(ADDRESS_FILE, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	ASSERT(n > 0);
	text[n] = 0;
	ASSERT_STR(text, "unix:///run/containerd/s/" HASH_T2);
	ASSERT_EQ(address_file_read(path), 0);
	ASSERT_STR(path, "/run/containerd/s/" HASH_T2);
	address_file_remove();
	ASSERT_EQ(address_file_read(path), -ENOENT);
	folder_leave(folder);
}

static const char *const foreign[] = {
	"",
	"unix://",
	"unix:///",
	"/run/containerd/s/" HASH_T2,
	"unix://run/containerd/s/" HASH_T2,
	"unix:///etc/passwd",
	"unix:///run/containerd/containerd.sock",
	"unix:///run/containerd/s/" HASH_T2 "\n",
	"unix:///run/containerd/s/" HASH_T2 "/",
	"unix:///run/containerd/s/x" HASH_T2,
	"unix:///s/3952538C7AA24C23355BB6397B388BBEC4206355C938659F030F79C2CC947E00",
	"unix:///aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/" HASH_T2,
	"{\"version\":3,\"address\":\"unix:///run/containerd/s/" HASH_T2
	"\",\"protocol\":\"ttrpc\"}",
};

TEST(file_of_others_is_refused)
{
	char folder[32], path[ADDRESS_PATH_SIZE] = "untouched";

	folder_enter(folder);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		file_make(foreign[i]);
		ASSERT_EQ(address_file_read(path), -EBADMSG);
		ASSERT_STR(path, "untouched");
	}
	address_file_remove();
	ASSERT_EQ(symlink("/etc/passwd", ADDRESS_FILE), 0);
	ASSERT_EQ(address_file_read(path), -ELOOP);
	address_file_remove();
	folder_leave(folder);
}
