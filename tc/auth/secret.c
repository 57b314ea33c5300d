#include "tc/auth/secret.h"

#include <sodium.h>

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void system_fill(void *ctx, void *to, size_t n)
{
	(void)ctx;
	randombytes_buf(to, n);
}

const struct entropy entropy_system = { system_fill, NULL };

int secret_init(void)
{
	return sodium_init() < 0 ? E_IO : OK;
}

void secret_fill(const struct entropy *e, void *to, size_t n)
{
	e->fill(e->ctx, to, n);
}

void secret_wipe(void *p, size_t n)
{
	if (p)
		sodium_memzero(p, n);
}

bool secret_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	       (a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0);
}

void secret_hash(uint8_t out[SECRET_LEN], const uint8_t *key, struct bytes b)
{
	REQUIRE(crypto_generichash(out, SECRET_LEN, b.data, b.len, key,
				   key ? SECRET_LEN : 0) == 0);
}

void secret_mac(uint8_t out[SECRET_LEN], const uint8_t key[SECRET_LEN],
		struct bytes b)
{
	REQUIRE(crypto_auth_hmacsha256(out, b.data, b.len, key) == 0);
}

void secret_text(char out[SECRET_TEXT_LEN + 1], const uint8_t in[SECRET_LEN])
{
	sodium_bin2base64(out, SECRET_TEXT_LEN + 1, in, SECRET_LEN, BASE64);
}

/* The library reads some bytes above 127 as if they were letters, so what was
 * read is spelled again and compared. */
int secret_of_text(uint8_t out[SECRET_LEN], struct bytes text)
{
	char again[SECRET_TEXT_LEN + 1];
	uint8_t bin[SECRET_LEN];
	size_t len = 0;
	int rc = E_INVALID;

	if (text.len != SECRET_TEXT_LEN ||
	    sodium_base642bin(bin, sizeof bin, (const char *)text.data,
			      text.len, NULL, &len, NULL, BASE64) != 0 ||
	    len != SECRET_LEN)
		return E_INVALID;
	secret_text(again, bin);
	if (secret_equal(bytes_of(again), text)) {
		memcpy(out, bin, sizeof bin);
		rc = OK;
	}
	secret_wipe(bin, sizeof bin);
	secret_wipe(again, sizeof again);
	return rc;
}
