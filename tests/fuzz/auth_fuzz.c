#include "tc/auth/api_token.h"
#include "tc/auth/app_key.h"
#include "tc/auth/user.h"
#include "tests/fuzz/fuzz.h"

/*
 * A row that is understood says the same after writing and reading, and grants
 * nothing that its struct cannot say. A token that is taken has one spelling.
 *
 * Input: what it is u8 (a user, token, key, or a token's text), then it.
 */

static void require_answer(int rc)
{
	REQUIRE(rc == OK || rc == E_CORRUPT || rc == E_VERSION);
}

static void check_user(struct bytes body, struct buf *b)
{
	struct user_record r, again;
	int rc = user_record_get(&r, body);

	require_answer(rc);
	if (rc != OK)
		return;
	REQUIRE(r.role > ROLE_NONE && r.role < ROLES);
	REQUIRE(user_name_check(r.name, NULL) == OK);
	user_record_put(b, &r);
	REQUIRE(user_record_get(&again, buf_bytes(b)) == OK);
	REQUIRE(bytes_equal(again.name, r.name) && again.role == r.role);
	REQUIRE(bytes_equal(again.password, r.password));
	REQUIRE(again.disabled == r.disabled);
	REQUIRE(again.must_change == r.must_change);
	REQUIRE(again.created_wall_ms == r.created_wall_ms);
	REQUIRE(again.changed_wall_ms == r.changed_wall_ms);
}

static void check_token(struct bytes body, struct buf *b)
{
	struct api_token_record r, again;
	int rc = api_token_record_get(&r, body);

	require_answer(rc);
	if (rc != OK)
		return;
	REQUIRE(r.scopes > 0 && r.scopes <= SCOPES_ALL);
	REQUIRE(r.hash.len == SECRET_LEN);
	api_token_record_put(b, &r);
	REQUIRE(api_token_record_get(&again, buf_bytes(b)) == OK);
	REQUIRE(bytes_equal(again.hash, r.hash) && again.scopes == r.scopes);
	REQUIRE(bytes_equal(again.label, r.label));
	REQUIRE(bytes_equal(again.created_by, r.created_by));
	REQUIRE(again.created_wall_ms == r.created_wall_ms);
	REQUIRE(again.expires_wall_ms == r.expires_wall_ms);
	REQUIRE(again.used_wall_ms == r.used_wall_ms);
}

static void check_key(struct bytes body, struct buf *b)
{
	struct app_key_record r, again;
	int rc = app_key_record_get(&r, body);

	require_answer(rc);
	if (rc != OK)
		return;
	REQUIRE(r.secret.len == SECRET_LEN && r.n_rules <= APP_KEY_RULES_MAX);
	app_key_record_put(b, &r);
	REQUIRE(app_key_record_get(&again, buf_bytes(b)) == OK);
	REQUIRE(bytes_equal(again.application, r.application));
	REQUIRE(bytes_equal(again.key_id, r.key_id));
	REQUIRE(bytes_equal(again.secret, r.secret));
	REQUIRE(again.own_only == r.own_only && again.n_rules == r.n_rules);
	REQUIRE(again.expires_wall_ms == r.expires_wall_ms);
	for (size_t i = 0; i < r.n_rules; i++) {
		REQUIRE(app_key_rule_check(r.rules[i], NULL) == OK);
		REQUIRE(bytes_equal(again.rules[i], r.rules[i]));
		if (!memchr(r.rules[i].data, '*', r.rules[i].len))
			REQUIRE(app_key_allows(&r, r.rules[i]));
	}
}

static void check_text(struct bytes text)
{
	uint8_t hash[SECRET_LEN], secret[SECRET_LEN];
	char again[SECRET_TEXT_LEN + 1];

	if (api_token_parse(text, hash) != OK)
		return;
	REQUIRE(text.len == API_TOKEN_LEN);
	text = (struct bytes){ text.data + 4, text.len - 4 };
	REQUIRE(secret_of_text(secret, text) == OK);
	secret_text(again, secret);
	REQUIRE(bytes_equal(text, bytes_of(again)));
}

void fuzz_one(struct bytes in)
{
	struct bytes body = { in.data + 1, in.len - 1 };
	struct buf b;

	if (in.len == 0)
		return;
	REQUIRE(secret_init() == OK);
	buf_init(&b, &mem_heap);
	switch (in.data[0] % 4) {
	case 0:
		check_user(body, &b);
		break;
	case 1:
		check_token(body, &b);
		break;
	case 2:
		check_key(body, &b);
		break;
	default:
		check_text(body);
		break;
	}
	buf_fini(&b);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const uint8_t secret[SECRET_LEN] = { 1, 2, 3 };
	struct user_record user = { .name = BYTES("alice"),
				    .role = ROLE_ADMIN,
				    .password = BYTES("$argon2id$v=19$m=8$x"),
				    .disabled = true,
				    .must_change = true,
				    .created_wall_ms = 1,
				    .changed_wall_ms = 2 };
	struct api_token_record token = { .hash = { secret, SECRET_LEN },
					  .label = BYTES("ci"),
					  .scopes = SCOPES_ALL,
					  .created_by = BYTES("alice"),
					  .created_wall_ms = 1,
					  .expires_wall_ms = 2,
					  .used_wall_ms = 3 };
	struct app_key_record key = { .application = BYTES("order"),
				      .key_id = BYTES("2024"),
				      .secret = { secret, SECRET_LEN },
				      .rules = { BYTES("db1"), BYTES("msg:*") },
				      .n_rules = 2,
				      .own_only = true,
				      .expires_wall_ms = 9 };
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_put_u8(&b, 0);
	user_record_put(&b, &user);
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 1);
	api_token_record_put(&b, &token);
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 2);
	app_key_record_put(&b, &key);
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 3);
	buf_put_text(&b, "tty_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	fuzz_seed(sink, &b);
	buf_fini(&b);
}
