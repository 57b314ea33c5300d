#include "tc/door/participant.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
	struct arena arena;
	struct buf why;
	struct participant p;
};

static void setup(struct fixture *f)
{
	arena_init(&f->arena, &mem_heap, 0);
	buf_init(&f->why, &mem_heap);
}

static void teardown(struct fixture *f)
{
	arena_fini(&f->arena);
	buf_fini(&f->why);
}

static int read(struct fixture *f, const char *document)
{
	buf_clear(&f->why);
	return participant_read(&f->p, &f->arena, bytes_of(document), &f->why);
}

static void expect_refused(const char *document, const char *why)
{
	struct fixture f;
	int rc;

	setup(&f);
	f.p.n_headers = 7;
	rc = read(&f, document);
	if (rc == OK || !strstr(buf_text(&f.why), why))
		print_error("%s\n%s\n", document, buf_text(&f.why));
	assert_int_equal(rc, E_INVALID);
	assert_non_null(strstr(buf_text(&f.why), why));
	assert_int_equal(f.p.n_headers, 7); /* left alone */
	teardown(&f);
}

static void test_a_document_goes_around(void **state)
{
	static const char document[] =
		"{\"commit\":\"http://a/confirm?x=1\","
		"\"rollback\":\"http://a/cancel\","
		"\"check\":\"http://A:80/check\","
		"\"headers\":{\"Authorization\":\"Bearer \\\"x\\\"\","
		"\"X-Y\":\"z\\t1\"}}";
	struct fixture f;
	struct buf out;

	(void)state;
	setup(&f);
	buf_init(&out, &mem_heap);
	assert_int_equal(read(&f, document), OK);
	assert_true(bytes_equal(f.p.commit, BYTES("http://a/confirm?x=1")));
	assert_true(bytes_equal(f.p.rollback, BYTES("http://a/cancel")));
	assert_true(bytes_equal(f.p.check, BYTES("http://A:80/check")));
	assert_int_equal(f.p.n_headers, 2);
	assert_true(bytes_equal(f.p.headers[0].name, BYTES("Authorization")));
	assert_true(bytes_equal(f.p.headers[0].value, BYTES("Bearer \"x\"")));
	participant_put(&out, &f.p);
	assert_string_equal(buf_text(&out), document);
	assert_true(json_valid(buf_bytes(&out)));
	buf_clear(&out);
	assert_int_equal(participant_origin(&out, &f.p), OK);
	assert_string_equal(buf_text(&out), "http://a:80");
	buf_fini(&out);
	teardown(&f);
}

static void test_secrets_are_not_shown(void **state)
{
	struct fixture f;
	struct buf out;

	(void)state;
	setup(&f);
	buf_init(&out, &mem_heap);
	assert_int_equal(read(&f, "{\"headers\":{\"A\":\"s1\",\"B\":\"s2\"},"
				  "\"commit\":\"http://a\"}"),
			 OK);
	participant_put_public(&out, &f.p);
	assert_string_equal(buf_text(&out),
			    "{\"commit\":\"http://a\",\"headers\":"
			    "{\"A\":\"***\",\"B\":\"***\"}}");
	buf_fini(&out);
	teardown(&f);
}

static void test_nothing_is_a_participant_without_anything(void **state)
{
	static const char *const empty[] = { "", "{}", " {\"headers\":{}} " };
	struct fixture f;
	struct buf out;

	(void)state;
	setup(&f);
	buf_init(&out, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		assert_int_equal(read(&f, empty[i]), OK);
		assert_int_equal(participant_origin(&out, &f.p), E_NOTFOUND);
		assert_int_equal(out.len, 0);
		participant_put(&out, &f.p);
		assert_string_equal(buf_text(&out), "{}");
		buf_clear(&out);
	}
	buf_fini(&out);
	teardown(&f);
}

static void test_malformed_documents_are_refused(void **state)
{
	(void)state;
	expect_refused("x", "JSON object");
	expect_refused("[]", "JSON object");
	expect_refused("{\"commit\":\"http://a\"", "JSON object");
	expect_refused("{\"commit\":1}", "must be a string");
	expect_refused("{\"commit\":null}", "must be a string");
	expect_refused("{\"commit\":\"\"}", "is empty");
	expect_refused("{\"confirm\":\"http://a\"}", "no member \"confirm\"");
	expect_refused("{\"commit\":\"http://a\",\"commit\":\"http://a\"}",
		       "twice");
	expect_refused(
		"{\"commit\":\"http://a\",\"c\\u006fmmit\":\"http://a\"}",
		"twice");
	expect_refused("{\"headers\":{},\"headers\":{}}", "twice");
	expect_refused("{\"headers\":[]}", "object");
	expect_refused("{\"headers\":{\"A\":1}}", "string");
}

static void test_urls_are_checked(void **state)
{
	(void)state;
	expect_refused("{\"commit\":\"ftp://a\"}", "commit URL");
	expect_refused("{\"check\":\"http://a/../b\"}", "dot segment");
	expect_refused("{\"rollback\":\"http://u:p@a/\"}", "password");
	expect_refused("{\"rollback\":\"http://a/\\u0000\"}", "escaped");
	expect_refused("{\"commit\":\"http://a?gid=1\"}", "parameter gid");
	expect_refused("{\"commit\":\"http://a?x&%6fp=1\"}", "parameter op");
	expect_refused("{\"commit\":\"http://a\",\"rollback\":\"http://b\"}",
		       "same scheme, host and port");
	expect_refused("{\"commit\":\"http://a\",\"check\":\"https://a\"}",
		       "same scheme");
	expect_refused("{\"commit\":\"http://a_b\",\"check\":\"http://a-b\"}",
		       "same scheme");
}

static void test_headers_that_are_not_theirs_are_refused(void **state)
{
	static const char *const names[] = {
		"Host",
		"host",
		"Content-Length",
		"content_length",
		"TX_XID",
		"TX-XID",
		"tx_xid",
		"Idempotency-Key",
		"Upgrade",
		"Connection",
		"TE",
		"Transfer-Encoding",
		"transfer_Encoding",
		"Keep-Alive",
		"Trailer",
		"Expect",
		"Proxy-Authorization",
		"Content-Type",
		"Accept-Encoding",
	};
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_clear(&b);
		buf_printf(&b, "{\"headers\":{\"%s\":\"x\"}}", names[i]);
		expect_refused(buf_text(&b), "leave it out");
	}
	buf_fini(&b);
}

static void test_names_and_values_of_headers_cannot_smuggle(void **state)
{
	static const char *const names[] = { "",     "a b",      "a:",
					     "a\\n", "\\u0000",  "\xc3\xbc",
					     "a(",   "a\\u007f", "{" };
	static const char *const values[] = {
		"",   "a\\r\\nX: y", "a\\n",     "a\\u0000b",
		" a", "a\\t",        "\xc3\xbc", "\\u007f",
	};
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_clear(&b);
		buf_printf(&b, "{\"headers\":{\"%s\":\"x\"}}", names[i]);
		expect_refused(buf_text(&b), "no name of a header");
	}
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		buf_clear(&b);
		buf_printf(&b, "{\"headers\":{\"X\":\"%s\"}}", values[i]);
		expect_refused(buf_text(&b), "visible ASCII");
	}
	buf_fini(&b);
	expect_refused("{\"headers\":{\"X-A\":\"1\",\"x_a\":\"2\"}}", "twice");
}

static void test_there_are_limits(void **state)
{
	struct fixture f;
	struct buf b;

	(void)state;
	setup(&f);
	buf_init(&b, &mem_heap);
	buf_put_text(&b, "{\"headers\":{\"h0\":\"x\"");
	for (int i = 1; i < PARTICIPANT_HEADERS_MAX; i++)
		buf_printf(&b, ",\"h%d\":\"x\"", i);
	buf_put_text(&b, "}}");
	assert_int_equal(read(&f, buf_text(&b)), OK);
	assert_int_equal(f.p.n_headers, PARTICIPANT_HEADERS_MAX);
	b.len -= 2;
	buf_put_text(&b, ",\"more\":\"x\"}}");
	assert_int_equal(read(&f, buf_text(&b)), E_LIMIT);
	assert_true(f.why.len > 0);
	buf_clear(&b);
	buf_put_text(&b, "{}");
	while (b.len <= PARTICIPANT_LEN_MAX)
		buf_put_char(&b, ' ');
	assert_int_equal(read(&f, buf_text(&b)), E_LIMIT);
	b.len--;
	assert_int_equal(read(&f, buf_text(&b)), OK);
	buf_fini(&b);
	teardown(&f);
}

static void test_without_memory_nothing_is_taken(void **state)
{
	static const char document[] =
		"{\"commit\":\"http://a\",\"headers\":{\"A\":\"b\"}}";
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct participant p = { .n_headers = 9 };
		struct flaky f;
		struct arena arena;
		struct buf why;

		flaky_init(&f, n);
		arena_init(&arena, &f.mem, 16);
		buf_init(&why, &f.mem);
		rc = participant_read(&p, &arena, bytes_of(document), &why);
		assert_true(rc == OK || rc == E_NOMEM);
		assert_int_equal(p.n_headers, rc == OK ? 1 : 9);
		buf_fini(&why);
		arena_fini(&arena);
		assert_int_equal(f.live, 0);
		assert_true(n < 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_document_goes_around),
		cmocka_unit_test(test_secrets_are_not_shown),
		cmocka_unit_test(
			test_nothing_is_a_participant_without_anything),
		cmocka_unit_test(test_malformed_documents_are_refused),
		cmocka_unit_test(test_urls_are_checked),
		cmocka_unit_test(test_headers_that_are_not_theirs_are_refused),
		cmocka_unit_test(
			test_names_and_values_of_headers_cannot_smuggle),
		cmocka_unit_test(test_there_are_limits),
		cmocka_unit_test(test_without_memory_nothing_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
