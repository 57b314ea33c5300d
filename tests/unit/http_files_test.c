#include "tc/door/http_files.h"

#include "tests/fakes/http_exchange.h"

/*
 * The console's files: which one a path means, what the browser may keep, and
 * that nothing else is reachable. On a table of the test's own; what is
 * compiled in is driven by the console's own tests.
 */

static const struct console_file table[] = {
	{ "/", "text/html", "\"p\"", "\"p-gz\"", false, { 0 }, { 0 } },
	{ "/assets/a b.js",
	  "text/javascript",
	  "\"a\"",
	  "\"a-gz\"",
	  true,
	  { 0 },
	  { 0 } },
	{ "/favicon.svg",
	  "image/svg+xml",
	  "\"f\"",
	  "\"f-gz\"",
	  false,
	  { 0 },
	  { 0 } },
};

static const char *found(const char *path)
{
	const struct console_file *file = NULL;
	struct target target;
	struct arena arena;

	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(target_parse(&target, &arena, bytes_of(path)), OK);
	if (http_file_path(&target))
		file = http_file_find(table, ARRAY_LEN(table), &target);
	arena_fini(&arena);
	return file ? file->path : "none";
}

static void test_the_page_is_at_its_root_and_at_every_deep_link(void **state)
{
	(void)state;
	assert_string_equal(found("/"), "/");
	assert_string_equal(found("/?x=1"), "/");
	assert_string_equal(found("/console"), "/");
	assert_string_equal(found("/console/"), "/");
	assert_string_equal(found("/console/transactions/127.0.0.1:7090:1"),
			    "/");
	assert_string_equal(found("/console/machines/a%2Fb?version=1"), "/");
}

static void test_only_files_of_the_table_are_there(void **state)
{
	(void)state;
	assert_string_equal(found("/assets/a%20b.js"), "/assets/a b.js");
	assert_string_equal(found("/assets/a%20b.js?v=1"), "/assets/a b.js");
	assert_string_equal(found("/favicon.svg"), "/favicon.svg");
	assert_string_equal(found("/assets"), "none");
	assert_string_equal(found("/assets/"), "none");
	assert_string_equal(found("/assets/a%20b.jsx"), "none");
	assert_string_equal(found("/assets%2Fa%20b.js"), "none");
	assert_string_equal(found("/assets/../favicon.svg"), "none");
	assert_string_equal(found("/assets/x/a%20b.js"), "none");
	assert_string_equal(found("/index.html"), "none");
	assert_string_equal(found("//"), "none");
	assert_string_equal(found("/api/v1/x"), "none");
}

static bool takes(const char *accept)
{
	return http_takes_gzip(bytes_of(accept));
}

static void test_gzip_is_sent_only_to_who_takes_it(void **state)
{
	(void)state;
	assert_true(takes("gzip"));
	assert_true(takes("deflate, GZIP;q=0.5, br"));
	assert_true(takes("*"));
	assert_true(takes("br, *;q=0.1"));
	assert_false(takes(""));
	assert_false(takes("identity"));
	assert_false(takes("gzip;q=0"));
	assert_false(takes("gzip; q=0.000, *"));
	assert_false(takes("*;q=0"));
	assert_false(takes("gzipped"));
}

static void test_a_tag_is_known_again(void **state)
{
	(void)state;
	assert_true(http_has_tag(BYTES("\"a\""), "\"a\""));
	assert_true(http_has_tag(BYTES("\"b\", W/\"a\""), "\"a\""));
	assert_true(http_has_tag(BYTES("*"), "\"a\""));
	assert_false(http_has_tag(BYTES("\"a-gz\""), "\"a\""));
	assert_false(http_has_tag(BYTES("a"), "\"a\""));
	assert_false(http_has_tag(BYTES(""), "\"a\""));
}

static const char *header_of(const struct http_answer *answer, const char *name)
{
	const char *headers[HTTP_FILE_HEADERS];
	size_t n = http_file_headers(answer, headers, ARRAY_LEN(headers));

	assert_true(n <= HTTP_FILE_HEADERS && n % 2 == 0);
	for (size_t i = 0; i < n; i += 2)
		if (strcmp(headers[i], name) == 0)
			return headers[i + 1];
	return "none";
}

static void test_headers_keep_others_out_and_say_what_may_be_kept(void **state)
{
	struct http_answer page = { .file = &table[0] };
	struct http_answer script = { .file = &table[1], .gzip = true };
	const char *policy = header_of(&page, "Content-Security-Policy");

	(void)state;
	assert_non_null(strstr(policy, "default-src 'self'"));
	assert_non_null(strstr(policy, "frame-ancestors 'none'"));
	assert_null(strstr(policy, "unsafe"));
	assert_null(strstr(policy, "http"));
	assert_string_equal(header_of(&page, "Cache-Control"), "no-cache");
	assert_string_equal(header_of(&page, "ETag"), "\"p\"");
	assert_string_equal(header_of(&page, "Content-Encoding"), "none");
	assert_non_null(
		strstr(header_of(&script, "Cache-Control"), "immutable"));
	assert_string_equal(header_of(&script, "ETag"), "\"a-gz\"");
	assert_string_equal(header_of(&script, "Content-Encoding"), "gzip");
	assert_string_equal(header_of(&script, "Vary"), "Accept-Encoding");
}

/* ---- with what is compiled in ---- */

static unsigned ask(const char *method, const char *target, const char *tag)
{
	begin(method, target, NULL);
	x.call.if_none_match = bytes_of(tag);
	if (http_admit(&x.api, &x.call, &x.answer))
		assert_int_equal(
			http_handle(&x.api, &x.call, &x.answer, &x.request),
			HTTP_ANSWERED);
	return x.answer.status;
}

static void test_the_page_is_served_once_and_then_not_modified(void **state)
{
	const char *etag;
	size_t n;

	(void)state;
	(void)console_files(&n);
#ifdef NO_CONSOLE
	skip();
#endif
	assert_true(n > 0);
	assert_int_equal(ask("GET", "/console/sagas", NULL), 200);
	assert_non_null(x.answer.file);
	etag = x.answer.file->etag;
	assert_true(x.answer.file->plain.len > 100);
	arena_fini(&x.arena);
	assert_int_equal(ask("HEAD", "/", etag), 304);
	arena_fini(&x.arena);
	assert_int_equal(ask("GET", "/assets/nothing.js", NULL), 404);
	assert_null(x.answer.file);
	arena_fini(&x.arena);
	assert_int_equal(ask("GET", "/nothing", NULL), 404);
	arena_fini(&x.arena);
}

static void test_the_page_cannot_be_posted_to_nor_had_by_a_foreign_name(
	void **s)
{
	(void)s;
	begin("POST", "/console", "{}");
	assert_false(http_admit(&x.api, &x.call, &x.answer));
	assert_int_equal(x.answer.status, 405);
	assert_string_equal(x.answer.allow, "GET, HEAD");
	arena_fini(&x.arena);
	begin("GET", "/", NULL);
	x.call.host = BYTES("evil.example");
	assert_false(http_admit(&x.api, &x.call, &x.answer));
	assert_int_equal(x.answer.status, 421);
	arena_fini(&x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_page_is_at_its_root_and_at_every_deep_link),
		cmocka_unit_test(test_only_files_of_the_table_are_there),
		cmocka_unit_test(test_gzip_is_sent_only_to_who_takes_it),
		cmocka_unit_test(test_a_tag_is_known_again),
		cmocka_unit_test(
			test_headers_keep_others_out_and_say_what_may_be_kept),
		cmocka_unit_test(
			test_the_page_is_served_once_and_then_not_modified),
		cmocka_unit_test(
			test_the_page_cannot_be_posted_to_nor_had_by_a_foreign_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
