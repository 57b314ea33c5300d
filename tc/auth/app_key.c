#include "tc/auth/app_key.h"

#include "base/tagged.h"
#include "base/utf8.h"

#define VERSION 1

enum key_tag {
	KEY_APPLICATION = 1,
	KEY_ID = 2,
	KEY_SECRET = 3,
	KEY_RULE = 4, /* once for each, in order */
	KEY_OWN_ONLY = 5,
	KEY_CREATED_BY = 6,
	KEY_CREATED = 7,
	KEY_EXPIRES = 8,
};

static bool is_text(struct bytes b, size_t max)
{
	if (b.len == 0 || b.len > max || !utf8_valid(b))
		return false;
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] == 0x7f)
			return false;
	return true;
}

int app_key_rule_check(struct bytes rule, const char **why)
{
	const char *wrong = NULL;

	if (!is_text(rule, APP_KEY_NAME_MAX))
		wrong = "must be 1 to 255 bytes of UTF-8 without control "
			"characters";
	else if (memchr(rule.data, '*', rule.len - 1))
		wrong = "may have a * at its end only";
	if (wrong && why)
		*why = wrong;
	return wrong ? E_INVALID : OK;
}

bool app_key_over(const struct app_key_record *r, uint64_t wall_ms)
{
	return r->expires_wall_ms != 0 && wall_ms >= r->expires_wall_ms;
}

static bool rule_allows(struct bytes rule, struct bytes resource)
{
	size_t n = rule.len - 1;

	if (rule.data[n] != '*')
		return bytes_equal(rule, resource);
	return resource.len >= n &&
	       (n == 0 || memcmp(resource.data, rule.data, n) == 0);
}

bool app_key_allows(const struct app_key_record *r, struct bytes resource)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if (rule_allows(r->rules[i], resource))
			return true;
	return r->n_rules == 0;
}

void app_key_sign(uint8_t out[SECRET_LEN], const struct app_key_record *key,
		  struct bytes transcript)
{
	REQUIRE(key->secret.len == SECRET_LEN);
	secret_mac(out, key->secret.data, transcript);
}

bool app_key_signed(const struct app_key_record *key, struct bytes transcript,
		    struct bytes signature)
{
	static const uint8_t nobodys[SECRET_LEN];
	uint8_t mac[SECRET_LEN];
	bool good;

	REQUIRE(!key || key->secret.len == SECRET_LEN);
	secret_mac(mac, key ? key->secret.data : nobodys, transcript);
	good = secret_equal((struct bytes){ mac, sizeof mac }, signature);
	secret_wipe(mac, sizeof mac); /* it would have been the right one */
	return good && key != NULL;
}

/* ---- the row ---- */

void app_key_record_put(struct buf *out, const struct app_key_record *r)
{
	tagged_begin(out, VERSION);
	tagged_put_bytes(out, KEY_APPLICATION, r->application);
	tagged_put_bytes(out, KEY_ID, r->key_id);
	tagged_put_bytes(out, KEY_SECRET, r->secret);
	for (size_t i = 0; i < r->n_rules; i++)
		tagged_put_bytes(out, KEY_RULE, r->rules[i]);
	tagged_put_number(out, KEY_OWN_ONLY, r->own_only);
	tagged_put_bytes(out, KEY_CREATED_BY, r->created_by);
	tagged_put_number(out, KEY_CREATED, r->created_wall_ms);
	tagged_put_number(out, KEY_EXPIRES, r->expires_wall_ms);
}

/* A rule that is not understood must not become "no rule, so anything". */
static bool add_rule(struct app_key_record *out, struct bytes rule)
{
	if (out->n_rules == APP_KEY_RULES_MAX ||
	    app_key_rule_check(rule, NULL) != OK)
		return false;
	out->rules[out->n_rules++] = rule;
	return true;
}

static bool key_field(struct app_key_record *out, const struct tagged *t)
{
	uint64_t v = 0;
	bool ok = true;

	switch (t->tag) {
	case KEY_APPLICATION:
		out->application = t->bytes;
		break;
	case KEY_ID:
		out->key_id = t->bytes;
		break;
	case KEY_SECRET:
		out->secret = t->bytes;
		break;
	case KEY_RULE:
		return add_rule(out, t->bytes);
	case KEY_OWN_ONLY:
		ok = tagged_number(t, 1, &v);
		out->own_only = v != 0;
		break;
	case KEY_CREATED_BY:
		out->created_by = t->bytes;
		break;
	case KEY_CREATED:
		return tagged_number(t, UINT64_MAX, &out->created_wall_ms);
	case KEY_EXPIRES:
		return tagged_number(t, UINT64_MAX, &out->expires_wall_ms);
	default: /* of a later version */
		break;
	}
	return ok;
}

int app_key_record_get(struct app_key_record *out, struct bytes body)
{
	struct app_key_record record = { 0 };
	struct reader r;
	struct tagged t;
	int rc = tagged_open(&r, body, VERSION);

	if (rc != OK)
		return rc;
	while (tagged_next(&r, &t))
		if (!key_field(&record, &t))
			return E_CORRUPT;
	if (r.failed || !is_text(record.application, APP_KEY_NAME_MAX) ||
	    !is_text(record.key_id, APP_KEY_ID_MAX) ||
	    record.secret.len != SECRET_LEN)
		return E_CORRUPT;
	*out = record;
	return OK;
}
