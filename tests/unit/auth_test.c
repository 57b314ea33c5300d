/* Who somebody is and what they may do: roles, users, tokens, keys, hellos. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/tagged.h"
#include "tc/auth/api_token.h"
#include "tc/auth/app_key.h"
#include "tc/auth/challenge.h"
#include "tc/auth/role.h"
#include "tc/auth/user.h"
#include "wire/hello.h"

#define ARGON "$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA"

/* Bytes that count up, so that a test knows them. */
static void counting_fill(void *ctx, void *to, size_t n)
{
	uint8_t *next = ctx, *p = to;

	for (size_t i = 0; i < n; i++)
		p[i] = (*next)++;
}

/* ---- roles ---- */

static void test_the_matrix_says_who_may_do_what(void **state)
{
	static const struct {
		struct actor who;
		const char *may; /* P O R S X A, in the order of the actions */
	} rows[] = {
		{ { .kind = ACTOR_NOBODY, .role = ROLE_ADMIN, .scopes = 15 },
		  "P-----" },
		{ { .kind = ACTOR_USER, .role = ROLE_NONE }, "P-----" },
		{ { .kind = ACTOR_USER, .role = ROLE_VIEWER }, "POR---" },
		{ { .kind = ACTOR_USER, .role = ROLE_OPERATOR }, "PORSX-" },
		{ { .kind = ACTOR_USER, .role = ROLE_ADMIN }, "PORSXA" },
		/* a user has no scopes, a token no role */
		{ { .kind = ACTOR_USER, .role = ROLE_VIEWER, .scopes = 15 },
		  "POR---" },
		{ { .kind = ACTOR_TOKEN, .role = ROLE_ADMIN }, "P-----" },
		{ { .kind = ACTOR_TOKEN, .scopes = SCOPE_READ }, "P-R---" },
		{ { .kind = ACTOR_TOKEN, .scopes = SCOPE_OPERATE }, "P-R-X-" },
		{ { .kind = ACTOR_TOKEN, .scopes = SCOPE_ADMIN }, "P-R-XA" },
		{ { .kind = ACTOR_TOKEN, .scopes = SCOPE_SERVICE }, "P--S--" },
		{ { .kind = ACTOR_TOKEN, .scopes = SCOPE_SERVICE | SCOPE_READ },
		  "P-RS--" },
		{ { .kind = ACTOR_TOKEN, .scopes = 15 }, "P-RSXA" },
		{ { .kind = ACTOR_AGENT, .role = ROLE_ADMIN, .scopes = 15 },
		  "P--S--" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int a = 0; a < ACTIONS; a++)
			if (auth_allows(&rows[i].who, (enum auth_action)a) !=
			    (rows[i].may[a] != '-'))
				fail_msg("row %zu, %s", i, auth_action_name(a));
	}
}

static void test_more_scopes_or_a_higher_role_never_take_away(void **state)
{
	(void)state;
	for (int a = 0; a < ACTIONS; a++) {
		for (unsigned s = 0; s <= SCOPES_ALL; s++) {
			struct actor less = { .kind = ACTOR_TOKEN,
					      .scopes = s };

			for (unsigned more = 0; more <= SCOPES_ALL; more++) {
				struct actor both = { .kind = ACTOR_TOKEN,
						      .scopes = s | more };

				if (auth_allows(&less, (enum auth_action)a))
					assert_true(auth_allows(
						&both, (enum auth_action)a));
			}
		}
		for (int r = ROLE_NONE; r + 1 < ROLES; r++) {
			struct actor low = { .kind = ACTOR_USER,
					     .role = (enum role)r };
			struct actor high = { .kind = ACTOR_USER,
					      .role = (enum role)(r + 1) };

			if (auth_allows(&low, (enum auth_action)a))
				assert_true(auth_allows(&high,
							(enum auth_action)a));
		}
	}
}

static void test_names_of_roles_and_scopes_are_read_back(void **state)
{
	enum role role = ROLE_NONE;
	unsigned scope = 0;

	(void)state;
	for (int r = ROLE_VIEWER; r < ROLES; r++) {
		assert_int_equal(role_parse(bytes_of(role_name(r)), &role), OK);
		assert_int_equal(role, r);
	}
	assert_int_equal(role_parse(BYTES("none"), &role), E_INVALID);
	assert_int_equal(role_parse(BYTES("Admin"), &role), E_INVALID);
	assert_int_equal(role_parse(BYTES("admi"), &role), E_INVALID);
	assert_string_equal(role_name(ROLES), "none");
	assert_string_equal(role_name(-1), "none");
	for (unsigned s = 1; s <= SCOPES_ALL; s *= 2) {
		assert_int_equal(scope_parse(bytes_of(scope_name(s)), &scope),
				 OK);
		assert_int_equal(scope, s);
	}
	assert_null(scope_name(3));
	assert_null(scope_name(0));
	assert_int_equal(scope_parse(BYTES("all"), &scope), E_INVALID);
	assert_string_equal(auth_action_name(ACTIONS), "unknown");
	assert_string_equal(auth_action_name(ACTION_OPERATE), "operate");
}

/* ---- users ---- */

static void test_a_user_name_has_one_spelling(void **state)
{
	static const char *const good[] = { "a", "7", "alice", "a.b_c@d+e-f" };
	static const char *const bad[] = { "",           "Alice", "-a", ".a",
					   "a b",        "a\n",   "a/", "a\"",
					   "al\xc3\xa9", "a\x7f" };
	char longest[USER_NAME_MAX + 1];
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(user_name_check(bytes_of(good[i]), &why), OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = NULL;
		assert_int_equal(user_name_check(bytes_of(bad[i]), &why),
				 E_INVALID);
		assert_non_null(why);
	}
	memset(longest, 'a', sizeof longest);
	assert_int_equal(user_name_check((struct bytes){ (uint8_t *)longest,
							 USER_NAME_MAX },
					 NULL),
			 OK);
	assert_int_equal(user_name_check((struct bytes){ (uint8_t *)longest,
							 USER_NAME_MAX + 1 },
					 NULL),
			 E_INVALID);
	/* a NUL is no character of a name */
	assert_int_equal(
		user_name_check((struct bytes){ (const uint8_t *)"a\0b", 3 },
				NULL),
		E_INVALID);
}

static void test_a_password_is_long_enough_text_and_not_the_name(void **state)
{
	char longest[PASSWORD_MAX + 1];
	const char *why = NULL;

	(void)state;
	memset(longest, 'p', sizeof longest);
	assert_int_equal(
		user_password_check(BYTES("alice"), BYTES("elevenchars"), &why),
		E_INVALID);
	assert_non_null(why);
	assert_int_equal(user_password_check(BYTES("alice"),
					     BYTES("twelve chars"), &why),
			 OK);
	assert_int_equal(user_password_check(BYTES("alice-liddell"),
					     BYTES("alice-liddell"), NULL),
			 E_INVALID);
	assert_int_equal(user_password_check(BYTES("alice"),
					     BYTES("twelve\xff"
						   "chars"),
					     NULL),
			 E_INVALID);
	assert_int_equal(user_password_check(BYTES("alice"),
					     BYTES("twelve\nchars"), NULL),
			 E_INVALID);
	assert_int_equal(user_password_check(BYTES("alice"),
					     (struct bytes){ (uint8_t *)longest,
							     PASSWORD_MAX },
					     NULL),
			 OK);
	assert_int_equal(user_password_check(BYTES("alice"),
					     (struct bytes){ (uint8_t *)longest,
							     PASSWORD_MAX + 1 },
					     NULL),
			 E_INVALID);
}

static void test_a_one_time_password_is_random_and_may_be_used(void **state)
{
	char a[ONE_TIME_LEN + 1], b[ONE_TIME_LEN + 1];

	(void)state;
	user_one_time_password(a, &entropy_system);
	user_one_time_password(b, &entropy_system);
	assert_int_equal(strlen(a), ONE_TIME_LEN);
	assert_string_not_equal(a, b);
	for (size_t i = 0; i < ONE_TIME_LEN; i++)
		if (i % 6 == 5)
			assert_int_equal(a[i], '-');
		else
			assert_null(strchr("-ilo0", a[i]));
	assert_int_equal(user_password_check(BYTES("admin"), bytes_of(a), NULL),
			 OK);
}

static void test_the_letters_of_a_one_time_password_are_32(void **state)
{
	bool seen[256] = { false };
	uint8_t next = 0;
	struct entropy counting = { counting_fill, &next };
	size_t different = 0;

	(void)state;
	for (int i = 0; i < 64; i++) {
		char text[ONE_TIME_LEN + 1];

		user_one_time_password(text, &counting);
		for (size_t k = 0; k < ONE_TIME_LEN; k++)
			seen[(uint8_t)text[k]] = true;
	}
	for (size_t i = 0; i < 256; i++)
		different += seen[i];
	assert_int_equal(different, 32 + 1); /* and the '-' */
}

static struct user_record alice(void)
{
	return (struct user_record){ .name = BYTES("alice"),
				     .role = ROLE_OPERATOR,
				     .password = BYTES(ARGON),
				     .disabled = true,
				     .must_change = true,
				     .created_wall_ms = 5,
				     .changed_wall_ms = 6 };
}

static void test_a_user_is_read_as_written(void **state)
{
	struct user_record in = alice(), out;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	user_record_put(&b, &in);
	assert_int_equal(user_record_get(&out, buf_bytes(&b)), OK);
	assert_true(bytes_equal(out.name, in.name));
	assert_true(bytes_equal(out.password, in.password));
	assert_int_equal(out.role, ROLE_OPERATOR);
	assert_true(out.disabled && out.must_change);
	assert_int_equal(out.created_wall_ms, 5);
	assert_int_equal(out.changed_wall_ms, 6);
	/* a field of a later version is passed over */
	tagged_put_number(&b, 200, 7);
	assert_int_equal(user_record_get(&out, buf_bytes(&b)), OK);
	/* a newer version, none, and every cut */
	b.data[0] = 2;
	assert_int_equal(user_record_get(&out, buf_bytes(&b)), E_VERSION);
	b.data[0] = 0;
	assert_int_equal(user_record_get(&out, buf_bytes(&b)), E_CORRUPT);
	b.data[0] = 1;
	assert_int_equal(
		user_record_get(&out, (struct bytes){ b.data, b.len - 1 }),
		E_CORRUPT);
	buf_fini(&b);
}

static int put_and_get_user(const struct user_record *in)
{
	struct user_record out;
	struct buf b;
	int rc;

	buf_init(&b, &mem_heap);
	user_record_put(&b, in);
	rc = user_record_get(&out, buf_bytes(&b));
	buf_fini(&b);
	return rc;
}

static void test_a_user_without_role_name_or_hash_is_damaged(void **state)
{
	struct user_record r = alice();

	(void)state;
	assert_int_equal(put_and_get_user(&r), OK);
	r.role = ROLE_NONE;
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
	r = alice();
	r.role = ROLES;
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
	r = alice();
	r.name = BYTES("Alice");
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
	r = alice();
	r.password = BYTES("");
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
	r.password = BYTES("$argon2i$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA");
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
	r.password = BYTES("in plain text");
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
	r.password = BYTES("$argon2id$\0"
			   "x");
	assert_int_equal(put_and_get_user(&r), E_CORRUPT);
}

/* ---- tokens ---- */

static void test_a_token_is_found_by_what_is_kept_of_it(void **state)
{
	char text[API_TOKEN_LEN + 1], other[API_TOKEN_LEN + 1];
	uint8_t kept[SECRET_LEN], again[SECRET_LEN], others[SECRET_LEN];

	(void)state;
	api_token_make(text, kept, &entropy_system);
	api_token_make(other, others, &entropy_system);
	assert_int_equal(strlen(text), API_TOKEN_LEN);
	assert_memory_equal(text, "tty_", 4);
	assert_int_equal(api_token_parse(bytes_of(text), again), OK);
	assert_memory_equal(kept, again, SECRET_LEN);
	assert_memory_not_equal(kept, others, SECRET_LEN);
}

static void test_a_token_is_kept_as_a_known_hash(void **state)
{
	/* BLAKE2b-256 of the bytes 00 … 1f; from another implementation */
	static const uint8_t wanted[SECRET_LEN] = {
		0xcb, 0x2f, 0x51, 0x60, 0xfc, 0x1f, 0x7e, 0x05,
		0xa5, 0x5e, 0xf4, 0x9d, 0x34, 0x0b, 0x48, 0xda,
		0x2e, 0x5a, 0x78, 0x09, 0x9d, 0x53, 0x39, 0x33,
		0x51, 0xcd, 0x57, 0x9d, 0xd4, 0x25, 0x03, 0xd6
	};
	char text[API_TOKEN_LEN + 1];
	uint8_t kept[SECRET_LEN], next = 0;
	struct entropy counting = { counting_fill, &next };

	(void)state;
	api_token_make(text, kept, &counting);
	assert_string_equal(text,
			    "tty_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	assert_memory_equal(kept, wanted, SECRET_LEN);
}

static void test_what_is_no_token_is_refused(void **state)
{
	char text[API_TOKEN_LEN + 2] =
		"tty_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
	uint8_t hash[SECRET_LEN];

	(void)state;
	assert_int_equal(api_token_parse(bytes_of(text), hash), OK);
	/* the spare bits of the last letter are zero: one spelling */
	text[API_TOKEN_LEN - 1] = '9';
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	text[API_TOKEN_LEN - 1] = '8';
	text[0] = 'T';
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	text[0] = 't';
	text[9] = '+'; /* of the other base64 */
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	text[9] = (char)0x80; /* libsodium takes it for a letter */
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	text[9] = '\n';
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	text[9] = 'w';
	assert_int_equal(api_token_parse(bytes_of(text), hash), OK);
	text[API_TOKEN_LEN] = '=';
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	text[API_TOKEN_LEN - 1] = '\0';
	assert_int_equal(api_token_parse(bytes_of(text), hash), E_INVALID);
	assert_int_equal(api_token_parse(BYTES(""), hash), E_INVALID);
}

static void test_a_token_is_over_when_its_time_has_come(void **state)
{
	struct api_token_record r = { .expires_wall_ms = 1000 };

	(void)state;
	assert_false(api_token_over(&r, 999));
	assert_true(api_token_over(&r, 1000));
	r.expires_wall_ms = 0;
	assert_false(api_token_over(&r, UINT64_MAX));
}

static void test_the_last_use_is_written_once_an_hour(void **state)
{
	struct api_token_record r = { 0 };

	(void)state;
	assert_true(api_token_used_is_news(&r, 1));
	r.used_wall_ms = 5000;
	assert_false(api_token_used_is_news(&r, 5000 + API_TOKEN_USED_MS - 1));
	assert_true(api_token_used_is_news(&r, 5000 + API_TOKEN_USED_MS));
	assert_false(api_token_used_is_news(&r, 4000)); /* clock set back */
}

static void test_a_token_row_is_read_as_written(void **state)
{
	static const uint8_t hash[SECRET_LEN] = { 1, 2, 3 };
	struct api_token_record in = { .hash = { hash, SECRET_LEN },
				       .label = BYTES("ci"),
				       .scopes = SCOPE_READ | SCOPE_SERVICE,
				       .created_by = BYTES("alice"),
				       .created_wall_ms = 1,
				       .expires_wall_ms = 2,
				       .used_wall_ms = 3 };
	struct api_token_record out;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	api_token_record_put(&b, &in);
	assert_int_equal(api_token_record_get(&out, buf_bytes(&b)), OK);
	assert_true(bytes_equal(out.hash, in.hash));
	assert_true(bytes_equal(out.label, in.label));
	assert_true(bytes_equal(out.created_by, in.created_by));
	assert_int_equal(out.scopes, in.scopes);
	assert_int_equal(out.created_wall_ms, 1);
	assert_int_equal(out.expires_wall_ms, 2);
	assert_int_equal(out.used_wall_ms, 3);
	for (size_t n = 0; n < b.len; n++) /* never a longer life by a cut */
		if (api_token_record_get(&out, (struct bytes){ b.data, n }) ==
		    OK)
			assert_int_equal(out.scopes, in.scopes);
	in.scopes = 16;
	buf_clear(&b);
	api_token_record_put(&b, &in);
	assert_int_equal(api_token_record_get(&out, buf_bytes(&b)), E_CORRUPT);
	in.scopes = 0;
	buf_clear(&b);
	api_token_record_put(&b, &in);
	assert_int_equal(api_token_record_get(&out, buf_bytes(&b)), E_CORRUPT);
	in.scopes = 1;
	in.hash.len--;
	buf_clear(&b);
	api_token_record_put(&b, &in);
	assert_int_equal(api_token_record_get(&out, buf_bytes(&b)), E_CORRUPT);
	in.hash.len++;
	in.label = BYTES("two\nlines");
	buf_clear(&b);
	api_token_record_put(&b, &in);
	assert_int_equal(api_token_record_get(&out, buf_bytes(&b)), E_CORRUPT);
	buf_fini(&b);
}

/* ---- applications ---- */

static const uint8_t secret_a[SECRET_LEN] = { 0xaa, 1 };
static const uint8_t secret_b[SECRET_LEN] = { 0xbb, 2 };

static struct app_key_record order_key(void)
{
	return (struct app_key_record){ .application = BYTES("order"),
					.key_id = BYTES("2024"),
					.secret = { secret_a, SECRET_LEN },
					.own_only = true,
					.created_by = BYTES("alice"),
					.created_wall_ms = 1,
					.expires_wall_ms = 2 };
}

static void test_a_rule_is_a_name_or_a_beginning(void **state)
{
	struct app_key_record r = order_key();

	(void)state;
	assert_true(app_key_allows(&r, BYTES("anything"))); /* no rule */
	r.rules[r.n_rules++] = BYTES("db1");
	assert_true(app_key_allows(&r, BYTES("db1")));
	assert_false(app_key_allows(&r, BYTES("db10")));
	assert_false(app_key_allows(&r, BYTES("db")));
	assert_false(app_key_allows(&r, BYTES("")));
	r.rules[r.n_rules++] = BYTES("msg:*");
	assert_true(app_key_allows(&r, BYTES("msg:")));
	assert_true(app_key_allows(&r, BYTES("msg:mail")));
	assert_false(app_key_allows(&r, BYTES("msg")));
	assert_false(app_key_allows(&r, BYTES("MSG:mail")));
	assert_true(app_key_allows(&r, BYTES("db1")));
	r.rules[0] = BYTES("*");
	assert_true(app_key_allows(&r, BYTES("")));
}

static void test_a_star_stands_at_the_end_only(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_int_equal(app_key_rule_check(BYTES("*"), NULL), OK);
	assert_int_equal(app_key_rule_check(BYTES("a*"), NULL), OK);
	assert_int_equal(app_key_rule_check(BYTES("a*b"), &why), E_INVALID);
	assert_non_null(why);
	assert_int_equal(app_key_rule_check(BYTES("**"), NULL), E_INVALID);
	assert_int_equal(app_key_rule_check(BYTES(""), NULL), E_INVALID);
	assert_int_equal(app_key_rule_check(BYTES("a\tb"), NULL), E_INVALID);
}

static int put_and_get_key(const struct app_key_record *in,
			   struct app_key_record *out, struct buf *b)
{
	buf_clear(b);
	app_key_record_put(b, in);
	return app_key_record_get(out, buf_bytes(b));
}

static void test_a_key_is_read_as_written(void **state)
{
	struct app_key_record in = order_key(), out;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < APP_KEY_RULES_MAX; i++)
		in.rules[in.n_rules++] = i % 2 ? BYTES("db1") : BYTES("msg:*");
	assert_int_equal(put_and_get_key(&in, &out, &b), OK);
	assert_true(bytes_equal(out.application, in.application));
	assert_true(bytes_equal(out.key_id, in.key_id));
	assert_true(bytes_equal(out.secret, in.secret));
	assert_true(bytes_equal(out.created_by, in.created_by));
	assert_int_equal(out.n_rules, APP_KEY_RULES_MAX);
	assert_true(bytes_equal(out.rules[1], BYTES("db1")));
	assert_true(out.own_only);
	assert_int_equal(out.created_wall_ms, 1);
	assert_false(app_key_over(&out, 1));
	assert_true(app_key_over(&out, 2));
	/* one rule more than there may be; one that is none */
	tagged_put_bytes(&b, 4, BYTES("more"));
	assert_int_equal(app_key_record_get(&out, buf_bytes(&b)), E_CORRUPT);
	in.n_rules = 1;
	in.rules[0] = BYTES("a*b");
	assert_int_equal(put_and_get_key(&in, &out, &b), E_CORRUPT);
	in = order_key();
	in.secret.len = 31;
	assert_int_equal(put_and_get_key(&in, &out, &b), E_CORRUPT);
	in = order_key();
	in.key_id = BYTES("");
	assert_int_equal(put_and_get_key(&in, &out, &b), E_CORRUPT);
	in = order_key();
	in.application = BYTES("");
	assert_int_equal(put_and_get_key(&in, &out, &b), E_CORRUPT);
	buf_fini(&b);
}

/* ---- the hello ---- */

static const uint8_t nonce_a[HELLO_NONCE_LEN] = { 1 };
static const uint8_t nonce_c[HELLO_NONCE_LEN] = { 2 };
static const uint8_t nonce_x[HELLO_NONCE_LEN] = { 3 };
static const struct bytes offered[] = { { (const uint8_t *)"db1", 3 },
					{ (const uint8_t *)"db2", 3 } };

static struct hello order_hello(void)
{
	return (struct hello){ .application = BYTES("order"),
			       .instance = BYTES("host-1"),
			       .key_id = BYTES("2024"),
			       .coordinator = BYTES("tc:7090"),
			       .coordinator_nonce = { nonce_c, 32 },
			       .agent_nonce = { nonce_a, 32 },
			       .channel = BYTES(""),
			       .resources = offered,
			       .n_resources = 2 };
}

static bool signs_the_same(const struct hello *h, enum hello_side side)
{
	struct hello good = order_hello();
	struct app_key_record key = order_key();
	uint8_t mac[SECRET_LEN];
	struct buf a, b;
	bool same;

	buf_init(&a, &mem_heap);
	buf_init(&b, &mem_heap);
	assert_int_equal(hello_transcript(&a, &good, HELLO_AGENT), OK);
	assert_int_equal(hello_transcript(&b, h, side), OK);
	app_key_sign(mac, &key, buf_bytes(&a));
	same = app_key_signed(&key, buf_bytes(&b),
			      (struct bytes){ mac, sizeof mac });
	buf_fini(&a);
	buf_fini(&b);
	return same;
}

static void test_everything_in_a_hello_is_signed(void **state)
{
	struct hello h = order_hello();

	(void)state;
	assert_true(signs_the_same(&h, HELLO_AGENT));
	assert_false(signs_the_same(&h, HELLO_COORDINATOR)); /* reflected */
	h.application = BYTES("orde");
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h.instance = BYTES("rhost-1"); /* what was moved to a neighbour */
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h = order_hello();
	h.key_id = BYTES("2025");
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h = order_hello();
	h.coordinator = BYTES("tc:7099");
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h = order_hello();
	h.coordinator_nonce.data = nonce_x; /* replayed */
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h = order_hello();
	h.agent_nonce.data = nonce_x;
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h = order_hello();
	h.channel = BYTES("tls");
	assert_false(signs_the_same(&h, HELLO_AGENT));
	h = order_hello();
	h.n_resources = 1;
	assert_false(signs_the_same(&h, HELLO_AGENT));
}

static void test_a_nonce_has_32_bytes(void **state)
{
	struct hello h = order_hello();
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	h.agent_nonce.len = 31;
	assert_int_equal(hello_transcript(&b, &h, HELLO_AGENT), E_INVALID);
	h = order_hello();
	h.coordinator_nonce.len = 0;
	assert_int_equal(hello_transcript(&b, &h, HELLO_AGENT), E_INVALID);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void test_another_key_or_none_is_refused(void **state)
{
	struct app_key_record a = order_key(), b = order_key();
	uint8_t mac[SECRET_LEN], nobodys[SECRET_LEN] = { 0 };
	struct bytes signature = { mac, sizeof mac };

	(void)state;
	b.secret.data = secret_b;
	app_key_sign(mac, &a, BYTES("text"));
	assert_true(app_key_signed(&a, BYTES("text"), signature));
	assert_false(app_key_signed(&b, BYTES("text"), signature));
	assert_false(app_key_signed(NULL, BYTES("text"), signature));
	signature.len--;
	assert_false(app_key_signed(&a, BYTES("text"), signature));
	signature.len = 0;
	assert_false(app_key_signed(&a, BYTES("text"), signature));
	/* nor is what an unknown key is compared with */
	secret_mac(mac, nobodys, BYTES("text"));
	assert_false(app_key_signed(NULL, BYTES("text"),
				    (struct bytes){ mac, sizeof mac }));
}

static void test_the_mac_is_that_of_rfc_4231(void **state)
{
	/* Test case 2 has the key "Jefe"; zeros behind it change nothing. */
	static const uint8_t wanted[SECRET_LEN] = {
		0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
		0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
		0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
		0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43
	};
	static const uint8_t key[SECRET_LEN] = { 'J', 'e', 'f', 'e' };
	uint8_t mac[SECRET_LEN];

	(void)state;
	secret_mac(mac, key, BYTES("what do ya want for nothing?"));
	assert_memory_equal(mac, wanted, SECRET_LEN);
}

static void test_a_challenge_is_good_for_one_answer_in_time(void **state)
{
	struct challenge c = { 0 };
	uint8_t nonce[SECRET_LEN], next = 1;
	struct entropy counting = { counting_fill, &next };

	(void)state;
	assert_int_equal(challenge_take(&c, 0, nonce), E_STATE);
	challenge_make(&c, &counting, 1000, 500);
	assert_int_equal(challenge_take(&c, 1499, nonce), OK);
	assert_int_equal(nonce[0], 1);
	assert_int_equal(nonce[31], 32);
	assert_int_equal(challenge_take(&c, 1499, nonce), E_STATE);
	challenge_make(&c, &counting, 1000, 500);
	memset(nonce, 0, sizeof nonce);
	assert_int_equal(challenge_take(&c, 1500, nonce), E_TIMEOUT);
	assert_int_equal(nonce[0], 0);
	assert_int_equal(challenge_take(&c, 1000, nonce), E_STATE);
	challenge_make(&c, &counting, 0, 500);
	challenge_make(&c, &counting, 0, 500); /* the newest counts */
	assert_int_equal(challenge_take(&c, 0, nonce), OK);
	assert_int_equal(nonce[0], 97);
}

static void test_comparing_looks_at_every_byte_and_the_length(void **state)
{
	(void)state;
	assert_true(secret_equal(BYTES(""), BYTES("")));
	assert_true(secret_equal(BYTES("abc"), BYTES("abc")));
	assert_false(secret_equal(BYTES("abc"), BYTES("abd")));
	assert_false(secret_equal(BYTES("abc"), BYTES("xbc")));
	assert_false(secret_equal(BYTES("abc"), BYTES("ab")));
	assert_false(secret_equal(BYTES(""), BYTES("a")));
}

static int set_up(void **state)
{
	(void)state;
	return secret_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_matrix_says_who_may_do_what),
		cmocka_unit_test(
			test_more_scopes_or_a_higher_role_never_take_away),
		cmocka_unit_test(test_names_of_roles_and_scopes_are_read_back),
		cmocka_unit_test(test_a_user_name_has_one_spelling),
		cmocka_unit_test(
			test_a_password_is_long_enough_text_and_not_the_name),
		cmocka_unit_test(
			test_a_one_time_password_is_random_and_may_be_used),
		cmocka_unit_test(
			test_the_letters_of_a_one_time_password_are_32),
		cmocka_unit_test(test_a_user_is_read_as_written),
		cmocka_unit_test(
			test_a_user_without_role_name_or_hash_is_damaged),
		cmocka_unit_test(test_a_token_is_found_by_what_is_kept_of_it),
		cmocka_unit_test(test_a_token_is_kept_as_a_known_hash),
		cmocka_unit_test(test_what_is_no_token_is_refused),
		cmocka_unit_test(test_a_token_is_over_when_its_time_has_come),
		cmocka_unit_test(test_the_last_use_is_written_once_an_hour),
		cmocka_unit_test(test_a_token_row_is_read_as_written),
		cmocka_unit_test(test_a_rule_is_a_name_or_a_beginning),
		cmocka_unit_test(test_a_star_stands_at_the_end_only),
		cmocka_unit_test(test_a_key_is_read_as_written),
		cmocka_unit_test(test_everything_in_a_hello_is_signed),
		cmocka_unit_test(test_a_nonce_has_32_bytes),
		cmocka_unit_test(test_another_key_or_none_is_refused),
		cmocka_unit_test(test_the_mac_is_that_of_rfc_4231),
		cmocka_unit_test(
			test_a_challenge_is_good_for_one_answer_in_time),
		cmocka_unit_test(
			test_comparing_looks_at_every_byte_and_the_length),
	};
	return cmocka_run_group_tests_name("auth", tests, set_up, NULL);
}
