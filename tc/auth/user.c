#include "tc/auth/user.h"

#include "base/tagged.h"
#include "base/utf8.h"

#define VERSION 1

enum user_tag {
	USER_NAME = 1,
	USER_ROLE = 2,
	USER_PASSWORD = 3,
	USER_DISABLED = 4,
	USER_MUST_CHANGE = 5,
	USER_CREATED = 6,
	USER_CHANGED = 7,
};

static int refuse(const char **why, const char *text)
{
	if (why)
		*why = text;
	return E_INVALID;
}

static bool is_alnum(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int user_name_check(struct bytes name, const char **why)
{
	if (name.len == 0 || name.len > USER_NAME_MAX)
		return refuse(why, "must have 1 to 64 characters");
	if (!is_alnum(name.data[0]))
		return refuse(why, "must begin with a-z or 0-9");
	for (size_t i = 0; i < name.len; i++)
		if (!is_alnum(name.data[i]) &&
		    !memchr("._@+-", name.data[i], 5))
			return refuse(why, "may have a-z 0-9 . _ @ + - only");
	return OK;
}

int user_password_check(struct bytes name, struct bytes password,
			const char **why)
{
	if (password.len < PASSWORD_MIN)
		return refuse(why, "must have at least 12 bytes");
	if (password.len > PASSWORD_MAX)
		return refuse(why, "must have at most 1024 bytes");
	if (!utf8_valid(password))
		return refuse(why, "must be UTF-8");
	for (size_t i = 0; i < password.len; i++)
		if (password.data[i] < 0x20 || password.data[i] == 0x7f)
			return refuse(why, "must not have control characters");
	if (bytes_equal(name, password))
		return refuse(why, "must not be the name of the user");
	return OK;
}

void user_one_time_password(char out[ONE_TIME_LEN + 1],
			    const struct entropy *entropy)
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz123456789";
	uint8_t bits[ONE_TIME_LEN];

	_Static_assert(sizeof letters - 1 == 32, "five bits a letter");
	secret_fill(entropy, bits, sizeof bits);
	for (size_t i = 0; i < ONE_TIME_LEN; i++)
		out[i] = i % 6 == 5 ? '-' : letters[bits[i] & 31];
	out[ONE_TIME_LEN] = '\0';
	secret_wipe(bits, sizeof bits);
}

void user_record_put(struct buf *out, const struct user_record *r)
{
	tagged_begin(out, VERSION);
	tagged_put_bytes(out, USER_NAME, r->name);
	tagged_put_number(out, USER_ROLE, (uint64_t)r->role);
	tagged_put_bytes(out, USER_PASSWORD, r->password);
	tagged_put_number(out, USER_DISABLED, r->disabled);
	tagged_put_number(out, USER_MUST_CHANGE, r->must_change);
	tagged_put_number(out, USER_CREATED, r->created_wall_ms);
	tagged_put_number(out, USER_CHANGED, r->changed_wall_ms);
}

static bool user_field(struct user_record *out, const struct tagged *t)
{
	uint64_t v = 0;
	bool ok = true;

	switch (t->tag) {
	case USER_NAME:
		out->name = t->bytes;
		break;
	case USER_ROLE:
		ok = tagged_number(t, ROLES - 1, &v);
		out->role = (enum role)v;
		break;
	case USER_PASSWORD:
		out->password = t->bytes;
		break;
	case USER_DISABLED:
		ok = tagged_number(t, 1, &v);
		out->disabled = v != 0;
		break;
	case USER_MUST_CHANGE:
		ok = tagged_number(t, 1, &v);
		out->must_change = v != 0;
		break;
	case USER_CREATED:
		return tagged_number(t, UINT64_MAX, &out->created_wall_ms);
	case USER_CHANGED:
		return tagged_number(t, UINT64_MAX, &out->changed_wall_ms);
	default: /* of a later version */
		break;
	}
	return ok;
}

/* Something else in its place would be taken for a password that is wrong. */
static bool is_argon2id(struct bytes b)
{
	static const char head[] = "$argon2id$";

	return b.len > sizeof head - 1 && b.len <= PASSWORD_HASH_MAX &&
	       memcmp(b.data, head, sizeof head - 1) == 0 &&
	       !memchr(b.data, 0, b.len);
}

int user_record_get(struct user_record *out, struct bytes body)
{
	struct user_record record = { 0 };
	struct reader r;
	struct tagged t;
	int rc = tagged_open(&r, body, VERSION);

	if (rc != OK)
		return rc;
	while (tagged_next(&r, &t))
		if (!user_field(&record, &t))
			return E_CORRUPT;
	if (r.failed || user_name_check(record.name, NULL) != OK ||
	    record.role == ROLE_NONE || !is_argon2id(record.password))
		return E_CORRUPT;
	*out = record;
	return OK;
}
