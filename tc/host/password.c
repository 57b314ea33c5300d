#include "tc/host/password.h"

#include <sodium.h>

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "libsodium's");

void password_cost_default(struct password_cost *cost)
{
	cost->passes = crypto_pwhash_OPSLIMIT_INTERACTIVE;
	cost->memory = crypto_pwhash_MEMLIMIT_INTERACTIVE;
}

void password_cost_least(struct password_cost *cost)
{
	cost->passes = crypto_pwhash_OPSLIMIT_MIN;
	cost->memory = crypto_pwhash_MEMLIMIT_MIN;
}

static bool in_range(const struct password_cost *cost)
{
	return cost->passes >= crypto_pwhash_OPSLIMIT_MIN &&
	       cost->passes <= crypto_pwhash_OPSLIMIT_MAX &&
	       cost->memory >= crypto_pwhash_MEMLIMIT_MIN &&
	       cost->memory <= crypto_pwhash_MEMLIMIT_MAX;
}

int password_hash(char out[PASSWORD_HASH_SIZE], struct bytes password,
		  const struct password_cost *cost)
{
	char text[PASSWORD_HASH_SIZE];
	int rc = OK;

	if (!in_range(cost))
		return E_INVALID;
	if (crypto_pwhash_str_alg(text, (const char *)password.data,
				  password.len, cost->passes, cost->memory,
				  crypto_pwhash_ALG_ARGON2ID13) != 0)
		rc = E_NOMEM;
	else
		memcpy(out, text, sizeof text);
	sodium_memzero(text, sizeof text);
	return rc;
}

/*
 * A string is taken apart here and not by libsodium's verify, which says "wrong
 * password" also when there was no memory to find out.
 *
 *   $argon2id$v=19$m=65536,t=2,p=1$salt$hash      m in KiB; base64
 */

#define BASE64   sodium_base64_VARIANT_ORIGINAL_NO_PADDING
#define HASH_LEN 32

struct parts {
	struct password_cost cost;
	uint8_t salt[crypto_pwhash_SALTBYTES];
	uint8_t hash[HASH_LEN];
};

static bool skip(const char **at, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*at, text, n) != 0)
		return false;
	*at += n;
	return true;
}

static bool number(const char **at, uint64_t *out)
{
	const char *begin = *at;

	*out = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		*out = *out * 10 + (uint64_t)(**at - '0');
		if (*out > UINT32_MAX)
			return false;
	}
	return *at != begin;
}

static bool base64(const char **at, uint8_t *out, size_t len)
{
	const char *end = strchr(*at, '$');
	size_t n = end ? (size_t)(end - *at) : strlen(*at), got = 0;

	if (sodium_base642bin(out, len, *at, n, NULL, &got, NULL, BASE64) !=
		    0 ||
	    got != len)
		return false;
	*at += n;
	return true;
}

static bool take_apart(const char *text, struct parts *out)
{
	uint64_t kib;

	if (!skip(&text, "$argon2id$v=19$m=") || !number(&text, &kib) ||
	    !skip(&text, ",t=") || !number(&text, &out->cost.passes) ||
	    !skip(&text, ",p=1$") ||
	    !base64(&text, out->salt, sizeof out->salt) || !skip(&text, "$") ||
	    !base64(&text, out->hash, sizeof out->hash) || *text != '\0')
		return false;
	out->cost.memory = (size_t)kib * 1024;
	return in_range(&out->cost);
}

int password_check(const char *hash, struct bytes password,
		   const struct password_cost *cost)
{
	bool known = hash && *hash;
	struct parts parts = { .cost = *cost };
	uint8_t out[HASH_LEN];
	int rc = E_NOMEM;

	if (known && !take_apart(hash, &parts))
		return E_CORRUPT;
	if (crypto_pwhash(out, sizeof out, (const char *)password.data,
			  password.len, parts.salt, parts.cost.passes,
			  parts.cost.memory, crypto_pwhash_ALG_ARGON2ID13) == 0)
		rc = sodium_memcmp(out, parts.hash, sizeof out) == 0 && known
			     ? OK
			     : E_DENIED;
	sodium_memzero(out, sizeof out);
	sodium_memzero(&parts, sizeof parts);
	return rc;
}

bool password_is_stale(const char *hash, const struct password_cost *cost)
{
	struct parts parts;

	return !take_apart(hash, &parts) || parts.cost.passes != cost->passes ||
	       parts.cost.memory / 1024 != cost->memory / 1024;
}
