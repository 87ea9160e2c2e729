/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 against the vectors of FIPS 180-4 and one that containerd's shims were seen to make. */
#include "shim/sha256.h"

#include <string.h>

#include "test/test.h"

static const struct {
	const char *text, *hex;
} vectors[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"dump/c.sock/default/t2",
	 "3952538c7aa24c23355bb6397b388bbec4206355c938659f030f79c2cc947e00"},
};

TEST(known_texts)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char hex[SHA256_HEX_SIZE];
		sha256_hex(vectors[i].text, strlen(vectors[i].text), hex);
		ASSERT_STR(hex, vectors[i].hex);
	}
}

TEST(a_million_letters)
{
	static char text[1000000];
	char hex[SHA256_HEX_SIZE];
	memset(text, 'a', sizeof(text));
	sha256_hex(text, sizeof(text), hex);
	ASSERT_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Each length around the ends of blocks, where the padding changes its form. */
TEST(lengths_around_a_block)
{
	static const struct {
		size_t length;
		const char *hex;
	} lengths[] = {
		{1, "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a"},
		{54, "640acda6bbc3d5235d7548ca79372075c804179825ee976d37b23a5cc5c5dc5d"},
		{55, "3376424373aba5558fe0d6fb4de3b937b5cc23e38bf978d47a792423bb77a235"},
		{56, "433433c89b6417aafffa5b2361b4912dbb11e4a796207bf7ca3a1dcc116ea994"},
		{57, "e46253b9c51b9b5d88db5040edaf5532be1331b37c4b3c8c105e08620f1aa0de"},
		{63, "6e80a1cca9ce209522c092413cd97b7b71b18c8c3e90b2e0d5fe59b97c37ad18"},
		{64, "55d24d1e5bb5c78ff659439718f787646160ce78ff2f48952745723fe61d06e6"},
		{65, "676fc2b538902dd46ab4f093f1cfd8d218dfa9624fc3d539cad3cba6a3eb07f5"},
		{118, "fa962bdcbf9b6eea7303d0e2349ca0e781a6fb8256bb36575b9ad8c0d0423d2b"},
		{119, "4f1fca6f9f81f68cd9b37209a7bf1eebece7533f47acfe55e204736ea05c26b6"},
		{120, "864bacb2b3f3b4c49e904e197a03783d6825bc7738ce9e945b14c75dca2b3ff7"},
		{121, "3ebbc7a21b67e46cbd3e6f1f76c761107f72f1f67d5f5306e60b5d70d1b29d8c"},
		{127, "9780c3f3ad52c35ce90bfc4848357d38e9a43fe53ce31985c9e8d6daf9b15611"},
		{128, "a7061f12c459e9a58c2368fad32b8bd799483e6f145b22cdaf6b0bc14ad384eb"},
		{129, "793dcae2491bc998fabf543e0cc868456caf6a60ac750f1545a62a167659b551"},
	};
	char text[129];

	memset(text, 'm', sizeof(text));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char hex[SHA256_HEX_SIZE];
		sha256_hex(text, lengths[i].length, hex);
		ASSERT_STR(hex, lengths[i].hex);
	}
}
