#include "base/hash.h"
#include "tc/door/allow_list.h"
#include "tests/fakes/flaky.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- addresses ---- */

static struct address addr(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(&a, bytes_of(text)), OK);
	return a;
}

static void expect_kind(const char *text, enum address_kind kind)
{
	struct address a = addr(text);

	if (address_kind(&a) != kind)
		print_error("%s\n", text);
	assert_int_equal(address_kind(&a), kind);
}

static void test_what_is_public_and_what_is_not(void **state)
{
	static const char *const open[] = {
		"1.1.1.1",         "8.8.8.8",         "9.255.255.255",
		"11.0.0.0",        "100.63.255.255",  "100.128.0.0",
		"126.255.255.255", "128.0.0.0",       "169.253.255.255",
		"169.255.0.0",     "172.15.255.255",  "172.32.0.0",
		"192.167.255.255", "192.169.0.0",     "198.17.255.255",
		"198.20.0.0",      "223.255.255.255", "2606:4700::1111",
		"2a00::1",         "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
		"2001:200::1",
	};
	static const char *const own[] = {
		"10.0.0.0",
		"10.255.255.255",
		"100.64.0.0",
		"100.100.100.200",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"168.63.129.16",
		"169.254.169.254",
		"172.16.0.0",
		"172.31.255.255",
		"192.0.0.1",
		"192.0.2.1",
		"192.168.255.255",
		"198.18.0.1",
		"198.19.255.255",
		"198.51.100.7",
		"203.0.113.9",
		"::1",
		"fc00::",
		"fdff::1",
		"fd00:ec2::254",
		"fe80::1",
		"febf::1",
		"fec0::1",
		"2001::1",
		"2001:db8::1",
		"2002:7f00:1::",
		"64:ff9b:1::1",
		"100::1",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"64:ff9b::7f00:1",
		"64:ff9b::a9fe:a9fe",
	};
	static const char *const never[] = {
		"0.0.0.0",   "0.1.2.3", "224.0.0.1",       "239.255.255.255",
		"240.0.0.1", "::",      "255.255.255.255", "ff02::1",
		"::2",       "4000::1", "::ffff:0.0.0.0",  "::127.0.0.1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		expect_kind(open[i], ADDRESS_PUBLIC);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		expect_kind(own[i], ADDRESS_OWN);
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		expect_kind(never[i], ADDRESS_NEVER);
}

static void test_only_addresses_are_addresses(void **state)
{
	static const char *const bad[] = { "",     "1.2.3",    "1.2.3.4.5",
					   "a",    "1.2.3.04", "0x7f.0.0.1",
					   ":::",  "[::1]",    "1.2.3.256",
					   " ::1", "::1%eth0" };
	struct address a;
	struct sockaddr other = { .sa_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(address_parse(&a, bytes_of(bad[i])),
				 E_INVALID);
	assert_int_equal(address_parse(&a, BYTES("1.2.3.4\0x")), E_INVALID);
	assert_int_equal(address_of(&a, &other), E_UNSUPPORTED);
}

static void test_a_socket_address_is_the_same_as_its_text(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct address a, b;

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "10.1.2.3", &in.sin_addr), 1);
	assert_int_equal(address_of(&a, (struct sockaddr *)&in), OK);
	b = addr("10.1.2.3");
	assert_true(address_equal(&a, &b));
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr),
			 1);
	assert_int_equal(address_of(&a, (struct sockaddr *)&in6), OK);
	assert_true(address_equal(&a, &b));
	assert_int_equal(inet_pton(AF_INET6, "fd00::1", &in6.sin6_addr), 1);
	assert_int_equal(address_of(&a, (struct sockaddr *)&in6), OK);
	b = addr("fd00::1");
	assert_true(address_equal(&a, &b));
}

static void expect_in(const char *range, const char *address, bool in)
{
	struct address_range r;
	struct address a = addr(address);

	assert_int_equal(address_range_parse(&r, bytes_of(range)), OK);
	assert_int_equal(address_in(&r, &a), in);
}

static void test_ranges_end_at_any_bit(void **state)
{
	(void)state;
	expect_in("10.0.0.0/8", "10.255.0.1", true);
	expect_in("10.0.0.0/8", "11.0.0.0", false);
	expect_in("10.0.0.0/8", "a00::", false);
	expect_in("172.16.0.0/12", "172.31.255.255", true);
	expect_in("172.16.0.0/12", "172.32.0.0", false);
	expect_in("10.1.2.3", "10.1.2.3", true);
	expect_in("10.1.2.3/32", "10.1.2.2", false);
	expect_in("10.1.2.2/31", "10.1.2.3", true);
	expect_in("0.0.0.0/0", "255.1.2.3", true);
	expect_in("fd00::/9", "fd7f::1", true);
	expect_in("fd00::/9", "fd80::1", false);
	expect_in("::1", "::1", true);
	expect_in("::1/128", "::3", false);
	expect_in("::/0", "fe80::1", true);
	expect_in("::/0", "1.2.3.4", false);
}

static void test_only_ranges_are_ranges(void **state)
{
	static const char *const bad[] = {
		"",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.1/8",
		"10.0.0.0/-1",
		"10.0.0.0/8x",
		"10/8",
		"fd00::1/64",
		"::/129",
		"::ffff:10.0.0.0/8",
		"10.0.0.0/8/8",
		"10.0.0.0/1000",
		"::ffff:10.0.0.0/104",
	};
	struct address_range r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int rc = address_range_parse(&r, bytes_of(bad[i]));

		if (rc == OK)
			print_error("%s\n", bad[i]);
		assert_int_equal(rc, E_INVALID);
	}
}

/* Whatever url_parse() takes for an address in brackets is one. */
static void test_urls_and_addresses_agree(void **state)
{
	static const char some[] = "::::0123f.";
	uint64_t seed = 7;
	size_t taken = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint8_t text[64] = "http://[";
		size_t n = 8, len = 2 + random_next(&seed) % 14;
		struct address a;
		struct url url;

		for (size_t k = 0; k < len; k++)
			text[n++] = (uint8_t)
				some[random_next(&seed) % (sizeof some - 1)];
		text[n++] = ']';
		if (url_parse(&url, (struct bytes){ text, n }, NULL) != OK) {
			assert_int_equal(
				address_parse(&a, (struct bytes){ text + 8,
								  n - 9 }) ==
						OK &&
					memchr(text + 8, ':', n - 9) != NULL,
				0);
			continue;
		}
		taken++;
		assert_int_equal(address_parse(&a, url.host), OK);
	}
	assert_true(taken > 1000);
}

/* ---- the list ---- */

struct fixture {
	struct allow_list *list;
	struct buf why;
};

static void setup(struct fixture *f, const char *entries)
{
	int rc;

	f->list = NULL;
	buf_init(&f->why, &mem_heap);
	rc = allow_list_new(&f->list, &mem_heap, bytes_of(entries), &f->why);
	if (rc != OK)
		print_error("%s\n", buf_text(&f->why));
	assert_int_equal(rc, OK);
}

static void teardown(struct fixture *f)
{
	allow_list_free(f->list);
	buf_fini(&f->why);
}

static void expect_url(struct fixture *f, const char *text, bool allowed)
{
	struct url url;

	assert_int_equal(url_parse(&url, bytes_of(text), NULL), OK);
	buf_clear(&f->why);
	if (allow_list_url(f->list, &url, &f->why) != (allowed ? OK : E_DENIED))
		print_error("%s\n", text);
	assert_int_equal(allow_list_url(f->list, &url, &f->why),
			 allowed ? OK : E_DENIED);
	assert_int_equal(f->why.len > 0, !allowed);
}

static void test_an_empty_list_allows_nothing_and_says_how_to(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, " ");
	expect_url(&f, "http://a/", false);
	assert_non_null(strstr(buf_text(&f.why), "http_targets is empty"));
	assert_non_null(strstr(buf_text(&f.why), "add http://a:80/"));
	allow_list_free(f.list);
	f.list = NULL;
	expect_url(&f, "http://a/", false);
	teardown(&f);
	setup(&f, "net:10.0.0.0/8");
	expect_url(&f, "http://10.0.0.1/", false);
	teardown(&f);
}

static void test_scheme_host_and_port_must_be_the_same(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "http://pay.example https://b:8443/");
	expect_url(&f, "http://pay.example/", true);
	expect_url(&f, "http://PAY.example:80/x?y", true);
	expect_url(&f, "https://pay.example/", false);
	expect_url(&f, "http://pay.example:81/", false);
	expect_url(&f, "http://x.pay.example/", false);
	expect_url(&f, "http://pay.example.evil/", false);
	expect_url(&f, "http://pay-example/", false);
	expect_url(&f, "https://b:8443/any", true);
	expect_url(&f, "https://b/any", false);
	teardown(&f);
}

static void test_paths_are_cut_at_slashes(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "http://a/pay http://b/pay/ http://c/p%61y/");
	expect_url(&f, "http://a/pay", true);
	expect_url(&f, "http://a/pay?x", true);
	expect_url(&f, "http://a/pay/", true);
	expect_url(&f, "http://a/pay/x/y", true);
	expect_url(&f, "http://a/payx", false);
	expect_url(&f, "http://a/Pay", false);
	expect_url(&f, "http://a/pa", false);
	expect_url(&f, "http://a/", false);
	expect_url(&f, "http://a/x/pay/", false);
	expect_url(&f, "http://a//pay/", false);
	expect_url(&f, "http://b/pay/", true);
	expect_url(&f, "http://b/pay/x", true);
	expect_url(&f, "http://b/pay", false);
	expect_url(&f, "http://b/p%61y/", false);
	expect_url(&f, "http://c/p%61y/x", true);
	teardown(&f);
}

static void test_a_star_stands_for_names_in_front(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "http://*.svc.internal:8080/tx/ https://*.b");
	expect_url(&f, "http://pay.svc.internal:8080/tx/x", true);
	expect_url(&f, "http://a.b.SVC.internal:8080/tx/x", true);
	expect_url(&f, "http://pay.svc.internal:8080/x", false);
	expect_url(&f, "http://pay.svc.internal/tx/x", false);
	expect_url(&f, "http://svc.internal:8080/tx/x", false);
	expect_url(&f, "http://paysvc.internal:8080/tx/x", false);
	expect_url(&f, "http://pay.svc.internal.evil:8080/tx/x", false);
	expect_url(&f, "https://a.b/", true);
	expect_url(&f, "http://a.b/", false);
	teardown(&f);
}

static void test_addresses_are_listed_as_such(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "http://10.1.2.3:8080/ http://[FD00::1]/ http://127.0.0.1/");
	expect_url(&f, "http://10.1.2.3:8080/x", true);
	expect_url(&f, "http://10.1.2.4:8080/x", false);
	expect_url(&f, "http://10.1.2.3/x", false);
	expect_url(&f, "http://[fd00:0::1]/", true);
	expect_url(&f, "http://[fd00::2]/", false);
	expect_url(&f, "http://[::ffff:127.0.0.1]/", true); /* the same one */
	expect_url(&f, "http://localhost/", false);
	teardown(&f);
}

static void expect_address(struct fixture *f, const char *text,
			   const char *address, bool allowed)
{
	struct address a = addr(address);
	struct url url;
	int rc;

	assert_int_equal(url_parse(&url, bytes_of(text), NULL), OK);
	buf_clear(&f->why);
	rc = allow_list_address(f->list, &url, &a, &f->why);
	if (rc != (allowed ? OK : E_DENIED))
		print_error("%s %s\n", text, address);
	assert_int_equal(rc, allowed ? OK : E_DENIED);
	assert_int_equal(f->why.len > 0, !allowed);
}

static void test_names_lead_to_public_addresses_or_named_ranges(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "http://a http://10.1.2.3 http://0.0.0.0 net:10.2.0.0/16 "
		  "net:127.0.0.1 net:fd00::/16");
	expect_address(&f, "http://a", "8.8.8.8", true);
	expect_address(&f, "http://a", "2a00::1", true);
	expect_address(&f, "http://a", "10.2.3.4", true);
	expect_address(&f, "http://a", "::ffff:10.2.3.4", true);
	expect_address(&f, "http://a", "10.3.0.1", false);
	assert_non_null(strstr(buf_text(&f.why), "a leads to 10.3.0.1"));
	assert_non_null(strstr(buf_text(&f.why), "net:10.3.0.1"));
	expect_address(&f, "http://a", "127.0.0.1", true);
	expect_address(&f, "http://a", "127.0.0.2", false);
	expect_address(&f, "http://a", "169.254.169.254", false);
	expect_address(&f, "http://a", "fd00::7", true);
	expect_address(&f, "http://a", "fe80::7", false);
	assert_non_null(strstr(buf_text(&f.why), "fe80:0:0:0:0:0:0:7"));
	expect_address(&f, "http://a", "0.0.0.0", false);
	expect_address(&f, "http://a", "224.0.0.1", false);
	/* A listed address is for who says so in the URL only. */
	expect_address(&f, "http://a", "10.1.2.3", false);
	expect_address(&f, "http://10.1.2.3", "10.1.2.3", true);
	expect_address(&f, "http://10.1.2.3", "10.2.0.1", false);
	expect_address(&f, "http://0.0.0.0", "0.0.0.0", true);
	teardown(&f);
	f.list = NULL;
	buf_init(&f.why, &mem_heap);
	expect_address(&f, "http://a", "127.0.0.1", false);
	expect_address(&f, "http://a", "8.8.8.8", true);
	teardown(&f);
}

static void expect_bad(const char *entries, const char *why)
{
	struct allow_list *list;
	struct buf b;

	buf_init(&b, &mem_heap);
	if (allow_list_new(&list, &mem_heap, bytes_of(entries), &b) == OK)
		print_error("taken: %s\n", entries);
	assert_int_equal(
		allow_list_new(&list, &mem_heap, bytes_of(entries), &b),
		E_INVALID);
	if (!strstr(buf_text(&b), why))
		print_error("%s: %s\n", entries, buf_text(&b));
	assert_non_null(strstr(buf_text(&b), why));
	buf_fini(&b);
}

static void test_entries_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	expect_bad("pay.example", "does not begin with http");
	expect_bad("*", "does not begin with http");
	expect_bad("http://*", "host name");
	expect_bad("http://*/", "host name");
	expect_bad("http://*.", "empty");
	expect_bad("http://*x.b/", "host name");
	expect_bad("http://a.*.b/", "host name");
	expect_bad("http://*.0.0.1/", "number");
	expect_bad("http://ok http://a/../b", "dot segment");
	expect_bad("http://a/?x", "no query");
	expect_bad("http://a/?", "no query");
	expect_bad("http://u@a/", "password");
	expect_bad("net:", "http_targets: \"net:\"");
	expect_bad("net:x", "not a range");
	expect_bad("net:10.0.0.1/8", "not a range");
	expect_bad("net:0.0.0.0/0", "must lie in one");
	expect_bad("net:::/0", "must lie in one");
	expect_bad("net:10.0.0.0/7", "must lie in one");
	expect_bad("net:8.0.0.0/6", "must lie in one");
	expect_bad("net:8.8.8.8", "must lie in one");
	expect_bad("net:0.0.0.0/8", "must lie in one");
	expect_bad("net:224.0.0.0/8", "must lie in one");
	expect_bad("net:2000::/3", "must lie in one");
	expect_bad("net:fc00::/6", "must lie in one");
}

static void test_there_is_a_limit_of_entries(void **state)
{
	struct allow_list *list;
	struct buf b, why;

	(void)state;
	buf_init(&b, &mem_heap);
	buf_init(&why, &mem_heap);
	for (int i = 0; i < ALLOW_LIST_MAX; i++)
		buf_printf(&b, "http://h%d/ ", i);
	assert_int_equal(allow_list_new(&list, &mem_heap, buf_bytes(&b), &why),
			 OK);
	allow_list_free(list);
	buf_put_text(&b, "net:10.0.0.0/8");
	assert_int_equal(allow_list_new(&list, &mem_heap, buf_bytes(&b), &why),
			 E_LIMIT);
	assert_true(why.len > 0);
	buf_fini(&b);
	buf_fini(&why);
}

static int take(struct fixture *f, const char *document, struct buf *origin)
{
	struct arena arena;
	struct participant p;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	buf_clear(origin);
	buf_clear(&f->why);
	rc = allow_list_participant(f->list, &p, &arena, bytes_of(document),
				    origin, &f->why);
	arena_fini(&arena);
	return rc;
}

static void test_each_url_of_a_participant_is_asked_about(void **state)
{
	struct fixture f;
	struct buf origin;

	(void)state;
	setup(&f, "http://a/pay/");
	buf_init(&origin, &mem_heap);
	assert_int_equal(take(&f, "{\"commit\":\"http://a/pay/x\"}", &origin),
			 OK);
	assert_string_equal(buf_text(&origin), "http://a:80");
	assert_int_equal(take(&f, "{\"headers\":{\"A\":\"b\"}}", &origin), OK);
	assert_int_equal(origin.len, 0);
	assert_int_equal(take(&f,
			      "{\"commit\":\"http://a/pay/x\","
			      "\"rollback\":\"http://a/x\"}",
			      &origin),
			 E_DENIED);
	assert_int_equal(take(&f,
			      "{\"commit\":\"http://a/pay/x\","
			      "\"check\":\"http://a/x\"}",
			      &origin),
			 E_DENIED);
	assert_int_equal(take(&f, "{\"commit\":\"http://b/pay/x\"}", &origin),
			 E_DENIED);
	assert_int_equal(origin.len, 0);
	assert_int_equal(take(&f, "[]", &origin), E_INVALID);
	buf_fini(&origin);
	teardown(&f);
}

static void test_without_memory_there_is_no_list(void **state)
{
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct allow_list *list = NULL;
		struct flaky f;
		struct buf why;

		flaky_init(&f, n);
		buf_init(&why, &f.mem);
		rc = allow_list_new(&list, &f.mem,
				    BYTES("http://a net:10.0.0.0/8"), &why);
		assert_true(rc == OK || rc == E_NOMEM);
		allow_list_free(list);
		buf_fini(&why);
		assert_int_equal(f.live, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_public_and_what_is_not),
		cmocka_unit_test(test_only_addresses_are_addresses),
		cmocka_unit_test(test_a_socket_address_is_the_same_as_its_text),
		cmocka_unit_test(test_ranges_end_at_any_bit),
		cmocka_unit_test(test_only_ranges_are_ranges),
		cmocka_unit_test(test_urls_and_addresses_agree),
		cmocka_unit_test(
			test_an_empty_list_allows_nothing_and_says_how_to),
		cmocka_unit_test(test_scheme_host_and_port_must_be_the_same),
		cmocka_unit_test(test_paths_are_cut_at_slashes),
		cmocka_unit_test(test_a_star_stands_for_names_in_front),
		cmocka_unit_test(test_addresses_are_listed_as_such),
		cmocka_unit_test(
			test_names_lead_to_public_addresses_or_named_ranges),
		cmocka_unit_test(test_entries_that_make_no_sense_are_refused),
		cmocka_unit_test(test_there_is_a_limit_of_entries),
		cmocka_unit_test(test_each_url_of_a_participant_is_asked_about),
		cmocka_unit_test(test_without_memory_there_is_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
