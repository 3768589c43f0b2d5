/* Interned strings: words of a text are hashed, looked up in chains, compared, and copied if they are new. */
#include "bench.h"

enum { CHAINS = 128, TEXT = 3072 };

struct string {
	struct string *next;
	u32 hash, length, count;
	u8 bytes[];
};

struct pool {
	struct string *chains[CHAINS];
	u8 *next;
	u32 strings;
};

static noinline u32 hash_of(const u8 *bytes, u32 length)
{
	u32 hash = length ^ 0x5bd1e995;
	for (u32 i = length; i > 0; i--)
		hash ^= (hash << 5) + (hash >> 2) + bytes[i - 1];
	return hash;
}

static int is_equal(const u8 *a, const u8 *b, u32 length)
{
	for (u32 i = 0; i < length; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

static noinline struct string *intern(struct pool *pool, const u8 *bytes, u32 length)
{
	u32 hash = hash_of(bytes, length);
	struct string **chain = &pool->chains[hash % CHAINS];
	for (struct string *string = *chain; string; string = string->next)
		if (string->hash == hash && string->length == length && is_equal(string->bytes, bytes, length)) {
			string->count++;
			return string;
		}
	struct string *string = (struct string *)pool->next;
	pool->next += (sizeof *string + length + 7) & ~7ull;
	string->next = *chain;
	string->hash = hash;
	string->length = length;
	string->count = 1;
	for (u32 i = 0; i < length; i++)
		string->bytes[i] = bytes[i];
	*chain = string;
	pool->strings++;
	return string;
}

static int is_letter(u8 byte)
{
	return (u8)((byte | 32) - 'a') < 26 || byte == '_';
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer;
	struct pool *pool = (struct pool *)(text + TEXT);
	u32 state = 5;
	u64 sum = 0;
	for (u32 i = 0; i < TEXT; i++) {
		u32 random = next_random(&state);
		text[i] = random % 5 == 0 ? ' ' : (u8)("etaoin_s"[random >> 8 & 7]);
	}
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < CHAINS; i++)
			pool->chains[i] = 0;
		pool->next = (u8 *)(pool + 1);
		pool->strings = 0;
		text[n % TEXT] ^= 1;
		for (u32 at = 0; at < TEXT;) {
			u32 start = at;
			while (at < TEXT && is_letter(text[at]))
				at++;
			if (at > start)
				sum += intern(pool, text + start, at - start)->count;
			else
				at++;
		}
		sum = mix(sum, pool->strings);
	}
	return sum;
}
