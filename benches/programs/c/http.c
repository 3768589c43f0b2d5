/* Parses an HTTP request: method, path, headers, whose names are compared without regard to case. */
#include "bench.h"

static const char request[] =
	"POST /v1/programs/421/run?verbose=1&limit=20 HTTP/1.1\r\n"
	"Host: translator.example.org:8080\r\n"
	"User-Agent: bench/1.0 (bpf; x86_64)\r\n"
	"Accept: application/json, text/plain;q=0.8, */*;q=0.5\r\n"
	"Accept-Encoding: gzip, deflate, br\r\n"
	"Content-Type: application/octet-stream\r\n"
	"content-length: 4096\r\n"
	"X-Request-Id: 7f9c2ba4e88f827d616045507605853e\r\n"
	"Connection: keep-alive\r\n"
	"\r\n";

struct http {
	u32 method, path_length, queries, headers, content_length, keep_alive;
	u64 hash;
};

static u8 lower(u8 c)
{
	return (u8)(c - 'A') < 26 ? c | 32 : c;
}

static noinline int is_name(const u8 *at, u32 length, const char *name)
{
	u32 i = 0;
	for (; i < length && name[i]; i++)
		if (lower(at[i]) != (u8)name[i])
			return 0;
	return i == length && !name[i];
}

static u32 method(const u8 **at)
{
	u32 word = 0;
	while (**at != ' ')
		word = word << 8 | *(*at)++;
	++*at;
	switch (word) {
	case 'G' << 16 | 'E' << 8 | 'T':
		return 1;
	case (u32)'P' << 24 | 'O' << 16 | 'S' << 8 | 'T':
		return 2;
	case 'P' << 16 | 'U' << 8 | 'T':
		return 3;
	default:
		return 0;
	}
}

static int parse(const u8 *at, const u8 *end, struct http *http)
{
	http->method = method(&at);
	const u8 *path = at;
	for (; at < end && *at != ' '; at++) {
		http->queries += *at == '?' || *at == '&';
		http->hash = http->hash * 31 + *at;
	}
	http->path_length = (u32)(at - path);
	while (at < end && *at++ != '\n')
		;
	while (at < end && *at != '\r') {
		const u8 *name = at;
		while (at < end && *at != ':')
			at++;
		u32 length = (u32)(at - name);
		do
			at++;
		while (at < end && *at == ' ');
		const u8 *value = at;
		while (at < end && *at != '\r')
			http->hash = http->hash * 31 + *at++;
		if (at + 1 >= end || at[1] != '\n')
			return -1;
		if (is_name(name, length, "content-length"))
			for (const u8 *digit = value; digit < at; digit++)
				http->content_length = http->content_length * 10 + (*digit - '0');
		else if (is_name(name, length, "connection"))
			http->keep_alive = is_name(value, (u32)(at - value), "keep-alive");
		http->headers++;
		at += 2;
	}
	return at + 2 == end;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *copy = buffer;
	u64 sum = 0;
	for (u32 i = 0; i < sizeof request; i++)
		copy[i] = (u8)request[i];
	for (u64 n = 0; n < iterations; n++) {
		struct http http = { 0 };
		copy[14] = '0' + n % 10;
		sum += (u64)parse(copy, copy + sizeof request - 1, &http);
		sum = mix(sum, http.hash + http.method + http.headers * 100 + http.content_length + http.keep_alive);
		sum += http.path_length + http.queries;
	}
	return sum;
}
