#include "tc/auth/api_token.h"

#include "base/tagged.h"
#include "base/utf8.h"

#define VERSION 1

static const char prefix[] = "tty_";
#define PREFIX_LEN (sizeof prefix - 1)

enum token_tag {
	TOKEN_HASH = 1,
	TOKEN_LABEL = 2,
	TOKEN_SCOPES = 3,
	TOKEN_CREATED_BY = 4,
	TOKEN_CREATED = 5,
	TOKEN_EXPIRES = 6,
	TOKEN_USED = 7,
};

void api_token_make(char text[API_TOKEN_LEN + 1], uint8_t hash[SECRET_LEN],
		    const struct entropy *entropy)
{
	uint8_t secret[SECRET_LEN];

	secret_fill(entropy, secret, sizeof secret);
	memcpy(text, prefix, PREFIX_LEN);
	secret_text(text + PREFIX_LEN, secret);
	secret_hash(hash, NULL, (struct bytes){ secret, sizeof secret });
	secret_wipe(secret, sizeof secret);
}

int api_token_parse(struct bytes text, uint8_t hash[SECRET_LEN])
{
	uint8_t secret[SECRET_LEN];
	struct bytes rest;
	int rc;

	if (text.len != API_TOKEN_LEN ||
	    memcmp(text.data, prefix, PREFIX_LEN) != 0)
		return E_INVALID;
	rest = (struct bytes){ text.data + PREFIX_LEN, text.len - PREFIX_LEN };
	rc = secret_of_text(secret, rest);
	if (rc == OK)
		secret_hash(hash, NULL,
			    (struct bytes){ secret, sizeof secret });
	secret_wipe(secret, sizeof secret);
	return rc;
}

int api_token_label_check(struct bytes label, const char **why)
{
	const char *wrong = NULL;

	if (label.len == 0 || label.len > API_TOKEN_LABEL_MAX)
		wrong = "must have 1 to 128 bytes";
	else if (!utf8_valid(label))
		wrong = "must be UTF-8";
	for (size_t i = 0; !wrong && i < label.len; i++)
		if (label.data[i] < 0x20 || label.data[i] == 0x7f)
			wrong = "must not have control characters";
	if (wrong && why)
		*why = wrong;
	return wrong ? E_INVALID : OK;
}

bool api_token_over(const struct api_token_record *r, uint64_t wall_ms)
{
	return r->expires_wall_ms != 0 && wall_ms >= r->expires_wall_ms;
}

bool api_token_used_is_news(const struct api_token_record *r, uint64_t wall_ms)
{
	return wall_ms > r->used_wall_ms &&
	       (r->used_wall_ms == 0 ||
		wall_ms - r->used_wall_ms >= API_TOKEN_USED_MS);
}

void api_token_record_put(struct buf *out, const struct api_token_record *r)
{
	tagged_begin(out, VERSION);
	tagged_put_bytes(out, TOKEN_HASH, r->hash);
	tagged_put_bytes(out, TOKEN_LABEL, r->label);
	tagged_put_number(out, TOKEN_SCOPES, r->scopes);
	tagged_put_bytes(out, TOKEN_CREATED_BY, r->created_by);
	tagged_put_number(out, TOKEN_CREATED, r->created_wall_ms);
	tagged_put_number(out, TOKEN_EXPIRES, r->expires_wall_ms);
	tagged_put_number(out, TOKEN_USED, r->used_wall_ms);
}

static bool token_field(struct api_token_record *out, const struct tagged *t)
{
	uint64_t v = 0;
	bool ok = true;

	switch (t->tag) {
	case TOKEN_HASH:
		out->hash = t->bytes;
		break;
	case TOKEN_LABEL:
		out->label = t->bytes;
		break;
	case TOKEN_SCOPES: /* one of a later version is not understood here */
		ok = tagged_number(t, SCOPES_ALL, &v);
		out->scopes = (unsigned)v;
		break;
	case TOKEN_CREATED_BY:
		out->created_by = t->bytes;
		break;
	case TOKEN_CREATED:
		return tagged_number(t, UINT64_MAX, &out->created_wall_ms);
	case TOKEN_EXPIRES:
		return tagged_number(t, UINT64_MAX, &out->expires_wall_ms);
	case TOKEN_USED:
		return tagged_number(t, UINT64_MAX, &out->used_wall_ms);
	default: /* of a later version */
		break;
	}
	return ok;
}

int api_token_record_get(struct api_token_record *out, struct bytes body)
{
	struct api_token_record record = { 0 };
	struct reader r;
	struct tagged t;
	int rc = tagged_open(&r, body, VERSION);

	if (rc != OK)
		return rc;
	while (tagged_next(&r, &t))
		if (!token_field(&record, &t))
			return E_CORRUPT;
	if (r.failed || record.hash.len != SECRET_LEN || record.scopes == 0 ||
	    api_token_label_check(record.label, NULL) != OK)
		return E_CORRUPT;
	*out = record;
	return OK;
}
