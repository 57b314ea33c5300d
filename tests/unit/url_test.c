#include "base/url.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect_origin(const char *text, const char *origin)
{
	struct url url;
	struct buf b;
	const char *why = "";
	int rc = url_parse(&url, bytes_of(text), &why);

	if (rc != OK)
		print_error("%s: %s\n", text, why);
	assert_int_equal(rc, OK);
	assert_true(url_is_http(bytes_of(text)));
	buf_init(&b, &mem_heap);
	url_put_origin(&b, &url);
	assert_string_equal(buf_text(&b), origin);
	buf_fini(&b);
}

static void test_an_origin_has_one_form(void **state)
{
	(void)state;
	expect_origin("http://a", "http://a:80");
	expect_origin("http://a/", "http://a:80");
	expect_origin("http://a:80?x", "http://a:80");
	expect_origin("HTTPS://Pay.Example.COM/x?y=z",
		      "https://pay.example.com:443");
	expect_origin("https://a:80/", "https://a:80");
	expect_origin("http://a_b-c.d:65535/", "http://a_b-c.d:65535");
	expect_origin("http://127.0.0.1:1/", "http://127.0.0.1:1");
	expect_origin("http://[::1]/", "http://[::1]:80");
	expect_origin("https://[FE80::A:0]:8443/x", "https://[fe80::a:0]:8443");
	expect_origin("http://xn--bcher-kva.example/",
		      "http://xn--bcher-kva.example:80");
	expect_origin("http://1.2.3.4.example/", "http://1.2.3.4.example:80");
}

static void test_the_parts_are_views_of_the_text(void **state)
{
	struct bytes text = BYTES("https://h:1/a/b%20c;d?e=f&g=/?");
	struct url url;

	(void)state;
	assert_int_equal(url_parse(&url, text, NULL), OK);
	assert_true(bytes_equal(url.text, text));
	assert_true(url.tls && !url.v6 && !url.v4);
	assert_int_equal(url.port, 1);
	assert_true(bytes_equal(url.host, BYTES("h")));
	assert_true(bytes_equal(url.path, BYTES("/a/b%20c;d")));
	assert_true(bytes_equal(url.query, BYTES("e=f&g=/?")));
	assert_int_equal(url_parse(&url, BYTES("http://10.0.0.1"), NULL), OK);
	assert_true(url.v4 && !url.v6);
	assert_true(bytes_equal(url.path, BYTES("/")));
	assert_int_equal(url.query.len, 0);
}

static void test_dots_that_are_no_dot_segments_pass(void **state)
{
	static const char *const good[] = {
		"http://a/...",           "http://a/.a",    "http://a/a.",
		"http://a/a..b/",         "http://a//x//y", "http://a/%2ea",
		"http://a/x?../..",       "http://a/a%2Fb", "http://a/;x",
		"http://a/.well-known/x",
	};
	struct url url;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(url_parse(&url, bytes_of(good[i]), NULL), OK);
}

static void test_addresses_in_brackets_are_real_ones(void **state)
{
	static const char *const good[] = {
		"http://[::]/",
		"http://[1::]/",
		"http://[1:2:3:4:5:6:7:8]/",
		"http://[::ffff:1.2.3.4]/",
		"http://[1:2:3:4:5:6:1.2.3.4]/",
		"http://[1:2:3:4:5:6:7::]/",
		"http://[::2:3:4:5:6:7:8]/",
	};
	static const char *const bad[] = {
		"http://[]/",
		"http://[:]/",
		"http://[1]/",
		"http://[:::]/",
		"http://[1::2::3]/",
		"http://[1:2:3:4:5:6:7:8:9]/",
		"http://[1:2:3:4:5:6:7:8::]/",
		"http://[12345::]/",
		"http://[g::]/",
		"http://[::1.2.3]/",
		"http://[::1.2.3.256]/",
		"http://[::1%25eth0]/",
		"http://[::1%eth0]/",
		"http://[1:]/",
		"http://[:1]/",
		"http://[1.2.3.4]/",
		"http://[::1.2.3.4:5]/",
		"http://[v1.x]/",
		"http://[::1/",
		"http://[::1]x/",
		"http://::1/",
		"http://[a.example]/",
	};
	struct url url;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(url_parse(&url, bytes_of(good[i]), NULL), OK);
		assert_true(url.v6);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(url_parse(&url, bytes_of(bad[i]), NULL),
				 E_INVALID);
}

static void test_what_is_doubtful_is_refused_with_a_reason(void **state)
{
	static const char *const bad[] = {
		"",
		"http",
		"http:/a/",
		"http://",
		"http:///x",
		"http://?x",
		"ftp://a/",
		"file:///etc/passwd",
		" http://a/",
		"http://a/ ",
		"http://a b/",
		"http://u@a/",
		"http://u:p@a/",
		"http://good.example@evil.example/",
		"http://good.example\\@evil.example/",
		"http://a/#f",
		"http://a#@b/",
		"http://a:/",
		"http://a:0/",
		"http://a:080/",
		"http://a:65536/",
		"http://a:99999999999999999999/",
		"http://a:-1/",
		"http://a:+80/",
		"http://a:8x/",
		"http://a:80:80/",
		"http://.a/",
		"http://a./",
		"http://a..b/",
		"http://-a/",
		"http://a-/",
		"http://a%2eb/",
		"http://a,b/",
		"http://\xc3\xbcx.example/",
		"http://a/\xc3\xbc",
		"http://127.1/",
		"http://2130706433/",
		"http://0x7f000001/",
		"http://0x7f.0.0.1/",
		"http://127.0.0.0x1/",
		"http://0177.0.0.1/",
		"http://127.0.0.01/",
		"http://127.0.0.256/",
		"http://1.2.3.4.5/",
		"http://a.1/",
		"http://a/..",
		"http://a/.",
		"http://a/x/../y",
		"http://a/x/./y",
		"http://a/%2e%2E/y",
		"http://a/.%2e",
		"http://a/x%2f..%2fy",
		"http://a/x%5c..%5Cy",
		"http://a/..;x/y",
		"http://a/..%3bx/y",
		"http://a/a%00b",
		"http://a/a%0d%0ab",
		"http://a/%7f",
		"http://a/%",
		"http://a/%2",
		"http://a/%zz",
		"http://a/?x=%",
		"http://a/\"",
		"http://a/<",
		"http://a/{x}",
		"http://a/|",
		"http://a/^",
		"http://a/`",
		"http://a/\\",
		"http://a/x\r\nHost: b",
		"http://a/\x01",
		"http://a/?x y",
		"http://a/?x[]=1",
	};
	struct url url = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *why = NULL;
		int rc = url_parse(&url, bytes_of(bad[i]), &why);

		if (rc == OK)
			print_error("taken: %s\n", bad[i]);
		assert_int_equal(rc, E_INVALID);
		assert_non_null(why);
	}
	assert_int_equal(url.port, 7); /* left alone */
	assert_int_equal(url_parse(&url, BYTES("http://a/\0b"), NULL),
			 E_INVALID);
	assert_int_equal(url_parse(&url, BYTES("http://a\0.b/"), NULL),
			 E_INVALID);
}

static void test_lengths_have_limits(void **state)
{
	struct url url;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	buf_put_text(&b, "http://a/");
	while (b.len < URL_LEN_MAX)
		buf_put_char(&b, 'x');
	assert_int_equal(url_parse(&url, buf_bytes(&b), NULL), OK);
	buf_put_char(&b, 'x');
	assert_int_equal(url_parse(&url, buf_bytes(&b), NULL), E_INVALID);
	buf_clear(&b);
	buf_put_text(&b, "http://");
	for (int i = 0; i < 63; i++)
		buf_put_char(&b, 'x');
	assert_int_equal(url_parse(&url, buf_bytes(&b), NULL), OK);
	buf_put_char(&b, 'x');
	assert_int_equal(url_parse(&url, buf_bytes(&b), NULL), E_INVALID);
	buf_clear(&b);
	buf_put_text(&b, "http://");
	for (int i = 0; i < 127; i++)
		buf_put_text(&b, "x.");
	buf_put_char(&b, 'x');
	assert_int_equal(url_parse(&url, buf_bytes(&b), NULL), E_INVALID);
	buf_fini(&b);
}

static void test_no_cut_or_changed_byte_confuses_it(void **state)
{
	static const char text[] = "https://[::1]:44/a%20b/%2e;c?x=%41&y#";
	uint8_t copy[sizeof text];
	struct url url;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		/* Exactly as long, so that a sanitizer sees a read beyond. */
		uint8_t *cut = mem_alloc(&mem_heap, n + 1);

		memcpy(cut + 1, text, n);
		if (url_parse(&url, (struct bytes){ cut + 1, n }, NULL) == OK)
			assert_true(url.text.len == n);
		mem_free(&mem_heap, cut);
	}
	for (size_t i = 0; i < sizeof text; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(copy, text, sizeof text);
			copy[i] = (uint8_t)c;
			if (url_parse(&url,
				      (struct bytes){ copy, sizeof text - 1 },
				      NULL) == OK)
				assert_true(url.port > 0 && url.host.len > 0);
		}
	}
}

static void test_only_http_looks_like_a_url(void **state)
{
	(void)state;
	assert_true(url_is_http(BYTES("http://")));
	assert_true(url_is_http(BYTES("hTTpS://x")));
	assert_false(url_is_http(BYTES("http:/x")));
	assert_false(url_is_http(BYTES("httpx://")));
	assert_false(url_is_http(BYTES("")));
	assert_false(url_is_http(BYTES("msg:http://x")));
	assert_false(url_is_http(BYTES("https:/")));
}

static void expect_param(const char *url, struct bytes value, const char *all)
{
	struct url back;
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_put_text(&b, url);
	url_put_param(&b, "p", value);
	assert_string_equal(buf_text(&b), all);
	assert_int_equal(url_parse(&back, buf_bytes(&b), NULL), OK);
	assert_true(url_has_param(&back, "p"));
	buf_fini(&b);
}

static void test_parameters_join_whatever_query_there_is(void **state)
{
	(void)state;
	expect_param("http://a", BYTES("1"), "http://a?p=1");
	expect_param("http://a/b", BYTES("1"), "http://a/b?p=1");
	expect_param("http://a/b?", BYTES("1"), "http://a/b?p=1");
	expect_param("http://a/b?x", BYTES("1"), "http://a/b?x&p=1");
	expect_param("http://a/b?x=2&", BYTES("1"), "http://a/b?x=2&p=1");
	expect_param("http://a/b?x=?y", BYTES("1"), "http://a/b?x=?y&p=1");
	expect_param("http://a/b?x=?", BYTES("1"), "http://a/b?x=?&p=1");
}

static void test_values_are_escaped(void **state)
{
	(void)state;
	expect_param("http://a", BYTES(""), "http://a?p=");
	expect_param("http://a", BYTES("10.0.0.1:8091:7"),
		     "http://a?p=10.0.0.1%3A8091%3A7");
	expect_param("http://a", BYTES("aZ09-._~"), "http://a?p=aZ09-._~");
	expect_param("http://a", BYTES("&=#?/%+ \xc3\xbc\r\n\0"),
		     "http://a?p=%26%3D%23%3F%2F%25%2B%20%C3%BC%0D%0A%00");
}

static void expect_has(const char *text, bool has)
{
	struct url url;

	assert_int_equal(url_parse(&url, bytes_of(text), NULL), OK);
	assert_int_equal(url_has_param(&url, "gid"), has);
}

static void test_a_parameter_is_found_however_it_is_spelled(void **state)
{
	(void)state;
	expect_has("http://a/", false);
	expect_has("http://a/?", false);
	expect_has("http://a/?gid", true);
	expect_has("http://a/?gid=", true);
	expect_has("http://a/?x=1&gid=2", true);
	expect_has("http://a/?x=1;gid=2", true);
	expect_has("http://a/?g%69d=2", true);
	expect_has("http://a/?%67%69%64=2", true);
	expect_has("http://a/?gi=2", false);
	expect_has("http://a/?gidx=2", false);
	expect_has("http://a/?x=gid", false);
	expect_has("http://a/gid?x", false);
}

static void expect_same(const char *one, const char *other, bool same)
{
	struct url a, b;

	assert_int_equal(url_parse(&a, bytes_of(one), NULL), OK);
	assert_int_equal(url_parse(&b, bytes_of(other), NULL), OK);
	assert_int_equal(url_same_origin(&a, &b), same);
	assert_int_equal(url_same_origin(&b, &a), same);
}

static void test_origins_are_compared_as_they_are_written(void **state)
{
	(void)state;
	expect_same("http://a/x", "HTTP://A:80/y?z", true);
	expect_same("http://a", "https://a", false);
	expect_same("http://a", "https://a:80", false);
	expect_same("http://a", "http://a:81", false);
	expect_same("http://a-b", "http://a_b", false);
	expect_same("http://a", "http://ab", false);
	expect_same("http://[::1]", "http://[::1]:80", true);
}

static void test_an_origin_without_memory_is_an_error(void **state)
{
	struct flaky f;
	struct url url;
	struct buf b;

	(void)state;
	assert_int_equal(url_parse(&url, BYTES("http://a"), NULL), OK);
	flaky_init(&f, 0);
	buf_init(&b, &f.mem);
	url_put_origin(&b, &url);
	url_put_param(&b, "x", BYTES("y"));
	assert_int_equal(buf_error(&b), E_NOMEM);
	buf_fini(&b);
	assert_int_equal(f.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_origin_has_one_form),
		cmocka_unit_test(test_the_parts_are_views_of_the_text),
		cmocka_unit_test(test_dots_that_are_no_dot_segments_pass),
		cmocka_unit_test(test_addresses_in_brackets_are_real_ones),
		cmocka_unit_test(
			test_what_is_doubtful_is_refused_with_a_reason),
		cmocka_unit_test(test_lengths_have_limits),
		cmocka_unit_test(test_no_cut_or_changed_byte_confuses_it),
		cmocka_unit_test(test_only_http_looks_like_a_url),
		cmocka_unit_test(test_parameters_join_whatever_query_there_is),
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(
			test_a_parameter_is_found_however_it_is_spelled),
		cmocka_unit_test(test_origins_are_compared_as_they_are_written),
		cmocka_unit_test(test_an_origin_without_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
