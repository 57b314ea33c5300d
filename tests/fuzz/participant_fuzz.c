#include "tc/door/allow_list.h"
#include "tests/fuzz/fuzz.h"

#include <curl/curl.h>
#include <stdio.h>
#include <strings.h>

/*
 * A URL that is taken is read by libcurl in the same way, so what the allow-list
 * decided about is what gets called. A document that is taken goes around, and
 * no header of it holds more than a header.
 */

#define LIST                                                                   \
	"http://a.example/pay/ https://*.b.example http://127.0.0.1:8080 "     \
	"http://[::1]:8080/ net:10.0.0.0/8"

/* ---- URLs, against libcurl ---- */

static void check_part(CURLU *u, CURLUPart part, unsigned flags,
		       struct bytes want)
{
	char *got = NULL;

	REQUIRE(curl_url_get(u, part, &got, flags) == CURLUE_OK);
	REQUIRE(strlen(got) == want.len);
	REQUIRE(want.len == 0 ||
		strncasecmp(got, (const char *)want.data, want.len) == 0);
	curl_free(got);
}

static void check_absent(CURLU *u, CURLUPart part)
{
	char *got = NULL;

	REQUIRE(curl_url_get(u, part, &got, 0) != CURLUE_OK);
}

static void check_host(CURLU *u, const struct url *url)
{
	struct buf host;

	buf_init(&host, &mem_heap);
	buf_printf(&host, url->v6 ? "[%.*s]" : "%.*s", (int)url->host.len,
		   (const char *)url->host.data);
	if (!url->v6) /* it writes addresses of IPv6 in its own way */
		check_part(u, CURLUPART_HOST, 0, buf_bytes(&host));
	buf_fini(&host);
}

/* One form of v6 in another is the same address. */
static void check_v6(CURLU *u, const struct url *url)
{
	struct address here, there;
	char *got = NULL;

	REQUIRE(curl_url_get(u, CURLUPART_HOST, &got, 0) == CURLUE_OK);
	REQUIRE(strlen(got) > 2 && got[0] == '[');
	REQUIRE(address_parse(&here, url->host) == OK);
	REQUIRE(address_parse(&there, (struct bytes){ (uint8_t *)got + 1,
						      strlen(got) - 2 }) == OK);
	REQUIRE(address_equal(&here, &there));
	curl_free(got);
}

static void check_url(struct bytes text)
{
	struct url url;
	char *copy, port[8];
	CURLU *u;

	if (url_parse(&url, text, NULL) != OK)
		return;
	copy = mem_text(&mem_heap, text);
	u = curl_url();
	REQUIRE(copy && u && strlen(copy) == text.len);
	REQUIRE(curl_url_set(u, CURLUPART_URL, copy, CURLU_PATH_AS_IS) ==
		CURLUE_OK);
	(void)snprintf(port, sizeof port, "%u", (unsigned)url.port);
	check_part(u, CURLUPART_SCHEME, 0,
		   url.tls ? BYTES("https") : BYTES("http"));
	check_host(u, &url);
	if (url.v6)
		check_v6(u, &url);
	check_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, bytes_of(port));
	check_part(u, CURLUPART_PATH, 0, url.path);
	if (url.query.len > 0)
		check_part(u, CURLUPART_QUERY, 0, url.query);
	check_absent(u, CURLUPART_USER);
	check_absent(u, CURLUPART_PASSWORD);
	check_absent(u, CURLUPART_FRAGMENT);
	curl_url_cleanup(u);
	mem_free(&mem_heap, copy);
}

static void check_list(const struct allow_list *list, struct bytes text)
{
	struct url url;
	struct buf why;

	if (url_parse(&url, text, NULL) != OK)
		return;
	buf_init(&why, &mem_heap);
	if (allow_list_url(list, &url, &why) == OK)
		REQUIRE(url.v4 || url.v6 ||
			memmem(url.host.data, url.host.len, ".", 1));
	else
		REQUIRE(why.len > 0);
	buf_fini(&why);
}

/* ---- documents ---- */

static void check_again(const struct participant *p, struct arena *arena)
{
	struct participant back;
	struct buf document, again, why;

	buf_init(&document, &arena->as_mem);
	buf_init(&again, &arena->as_mem);
	buf_init(&why, &arena->as_mem);
	participant_put(&document, p);
	REQUIRE(json_valid(buf_bytes(&document)));
	REQUIRE(participant_read(&back, arena, buf_bytes(&document), &why) ==
		OK);
	participant_put(&again, &back);
	REQUIRE(bytes_equal(buf_bytes(&document), buf_bytes(&again)));
}

static void check_headers(const struct participant *p)
{
	for (size_t i = 0; i < p->n_headers; i++) {
		const struct participant_header *h = &p->headers[i];

		REQUIRE(h->name.len > 0 && h->value.len > 0);
		for (size_t k = 0; k < h->value.len; k++)
			REQUIRE(h->value.data[k] == '\t' ||
				(h->value.data[k] >= ' ' &&
				 h->value.data[k] < 0x7f));
		for (size_t k = 0; k < h->name.len; k++)
			REQUIRE(h->name.data[k] > ' ' &&
				h->name.data[k] != ':' &&
				h->name.data[k] < 0x7f);
	}
}

static void check_document(const struct allow_list *list, struct bytes in)
{
	struct participant p;
	struct arena arena;
	struct buf why, origin;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	buf_init(&why, &arena.as_mem);
	buf_init(&origin, &arena.as_mem);
	rc = participant_read(&p, &arena, in, &why);
	if (rc == OK) {
		check_url(p.commit);
		check_url(p.rollback);
		check_url(p.check);
		check_headers(&p);
		check_again(&p, &arena);
	} else {
		REQUIRE(why.len > 0);
	}
	rc = allow_list_participant(list, &p, &arena, in, &origin, &why);
	REQUIRE(rc == OK || why.len > 0);
	arena_fini(&arena);
}

void fuzz_one(struct bytes in)
{
	struct allow_list *list, *other;
	struct buf why;

	buf_init(&why, &mem_heap);
	REQUIRE(allow_list_new(&list, &mem_heap, BYTES(LIST), &why) == OK);
	check_url(in);
	check_list(list, in);
	check_document(list, in);
	if (allow_list_new(&other, &mem_heap, in, &why) == OK)
		allow_list_free(other);
	else
		REQUIRE(why.len > 0);
	allow_list_free(list);
	buf_fini(&why);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const char *const texts[] = {
		"http://a.example/pay/confirm?x=1&y=%20",
		"https://x.b.example:8443/a;b/%2F/c",
		"HTTP://127.0.0.1:8080/x?y",
		"http://[::1]:8080/",
		"http://[::ffff:127.0.0.1]/",
		"https://[1:2:3:4:5:6:7:8]:1",
		"http://user:pw@a.example/",
		"http://a.example/pay/../x",
		"http://a.example/pay/%2e%2e/x#y",
		"http://0x7f.1/",
		"http://a.example:80:80/",
		"http://a.example\\@b.example/",
		"{\"commit\":\"http://a.example/pay/confirm\",\"rollback\":"
		"\"http://a.example/pay/cancel\",\"headers\":"
		"{\"Authorization\":\"Bearer x\"}}",
		"{\"check\":\"https://x.b.example/\"}",
		"{\"headers\":{\"A\":\"b\\r\\nc\",\"Host\":\"x\"}}",
		LIST,
		"net:fd00::/8 net:127.0.0.1/32 http://*.svc:80/x",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		sink->seed(sink->ctx, bytes_of(texts[i]));
}
