#include "tc/door/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define TEXT_MAX INET6_ADDRSTRLEN

struct known {
	const char *range;
	enum address_kind kind;
};

/* The registries of special-purpose addresses (RFC 6890 and what followed), and
 * what clouds answer on. The first that fits counts. */
static const struct known v4[] = {
	{ "0.0.0.0/8", ADDRESS_NEVER }, /* on Linux, the loopback */
	{ "10.0.0.0/8", ADDRESS_OWN },
	{ "100.64.0.0/10", ADDRESS_OWN },
	{ "127.0.0.0/8", ADDRESS_OWN },
	{ "168.63.129.16/32", ADDRESS_OWN }, /* Azure's hosts */
	{ "169.254.0.0/16", ADDRESS_OWN },   /* and metadata */
	{ "172.16.0.0/12", ADDRESS_OWN },
	{ "192.0.0.0/24", ADDRESS_OWN },
	{ "192.0.2.0/24", ADDRESS_OWN },
	{ "192.88.99.0/24", ADDRESS_OWN },
	{ "192.168.0.0/16", ADDRESS_OWN },
	{ "198.18.0.0/15", ADDRESS_OWN },
	{ "198.51.100.0/24", ADDRESS_OWN },
	{ "203.0.113.0/24", ADDRESS_OWN },
	{ "224.0.0.0/3", ADDRESS_NEVER }, /* multicast, reserved, broadcast */
};

static const struct known v6[] = {
	{ "::1/128", ADDRESS_OWN },
	{ "100::/64", ADDRESS_OWN },
	{ "2001::/23", ADDRESS_OWN }, /* Teredo, benchmarks, … */
	{ "2001:db8::/32", ADDRESS_OWN },
	{ "2002::/16", ADDRESS_OWN }, /* 6to4 */
	{ "3fff::/20", ADDRESS_OWN },
	{ "64:ff9b:1::/48", ADDRESS_OWN },
	{ "fc00::/7", ADDRESS_OWN },
	{ "fe80::/10", ADDRESS_OWN },
	{ "fec0::/10", ADDRESS_OWN },
	{ "2000::/3", ADDRESS_PUBLIC },
	{ "::/0", ADDRESS_NEVER },
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
static const uint8_t translated[12] = { 0x00, 0x64, 0xff, 0x9b };

static void set_v4(struct address *out, const uint8_t *bits)
{
	*out = (struct address){ .v6 = false };
	memcpy(out->bits, bits, 4);
}

static void set_v6(struct address *out, const uint8_t *bits)
{
	if (memcmp(bits, mapped, sizeof mapped) == 0 ||
	    memcmp(bits, translated, sizeof translated) == 0) {
		set_v4(out, bits + 12);
		return;
	}
	*out = (struct address){ .v6 = true };
	memcpy(out->bits, bits, 16);
}

int address_parse(struct address *out, struct bytes text)
{
	char copy[TEXT_MAX];
	uint8_t bits[16];

	if (text.len == 0 || text.len >= sizeof copy ||
	    memchr(text.data, '\0', text.len))
		return E_INVALID;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, bits) == 1)
		set_v4(out, bits);
	else if (inet_pton(AF_INET6, copy, bits) == 1)
		set_v6(out, bits);
	else
		return E_INVALID;
	return OK;
}

int address_of(struct address *out, const struct sockaddr *from)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (from->sa_family == AF_INET) {
		memcpy(&in, from, sizeof in);
		set_v4(out, (const uint8_t *)&in.sin_addr);
		return OK;
	}
	if (from->sa_family == AF_INET6) {
		memcpy(&in6, from, sizeof in6);
		set_v6(out, (const uint8_t *)&in6.sin6_addr);
		return OK;
	}
	return E_UNSUPPORTED;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->v6 == b->v6 && memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

static size_t width(const struct address *a)
{
	return a->v6 ? 128 : 32;
}

/* Are the first n bits the same? */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned n)
{
	unsigned mask = n % 8 ? 0xffu << (8 - n % 8) & 0xffu : 0;

	return memcmp(a, b, n / 8) == 0 &&
	       ((a[n / 8 % 16] ^ b[n / 8 % 16]) & mask) == 0;
}

bool address_in(const struct address_range *range, const struct address *a)
{
	return range->first.v6 == a->v6 &&
	       same_bits(range->first.bits, a->bits, range->prefix);
}

static bool read_prefix(struct bytes text, size_t max, unsigned *prefix)
{
	unsigned n = 0;

	if (text.len == 0 || text.len > 3 ||
	    (text.len > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text.data[i] - '0');
	}
	*prefix = n;
	return n <= max;
}

static bool is_clean(const struct address_range *r)
{
	for (unsigned i = r->prefix; i < width(&r->first); i++)
		if (r->first.bits[i / 8] & 0x80u >> i % 8)
			return false;
	return true;
}

int address_range_parse(struct address_range *out, struct bytes text)
{
	const uint8_t *slash =
		text.len ? memchr(text.data, '/', text.len) : NULL;
	struct bytes first = text, prefix;
	struct address_range r;

	if (slash)
		first.len = (size_t)(slash - text.data);
	if (address_parse(&r.first, first) != OK)
		return E_INVALID;
	/* An IPv4 address in an IPv6 one has no prefix that means it. */
	if (!r.first.v6 && memchr(first.data, ':', first.len))
		return E_INVALID;
	r.prefix = (unsigned)width(&r.first);
	if (slash) {
		prefix = (struct bytes){ slash + 1, text.len - first.len - 1 };
		if (!read_prefix(prefix, width(&r.first), &r.prefix))
			return E_INVALID;
	}
	if (!is_clean(&r))
		return E_INVALID;
	*out = r;
	return OK;
}

static struct address_range known_range(const struct known *k)
{
	struct address_range r;

	REQUIRE(address_range_parse(&r, bytes_of(k->range)) == OK);
	return r;
}

/* The first row that `a` is in, with its range; NULL: it is public. */
static const struct known *find(const struct address *a,
				struct address_range *range)
{
	const struct known *table = a->v6 ? v6 : v4;
	size_t n = a->v6 ? ARRAY_LEN(v6) : ARRAY_LEN(v4);

	for (size_t i = 0; i < n; i++) {
		*range = known_range(&table[i]);
		if (address_in(range, a))
			return &table[i];
	}
	return NULL;
}

enum address_kind address_kind(const struct address *a)
{
	struct address_range range;
	const struct known *k = find(a, &range);

	return k ? k->kind : ADDRESS_PUBLIC;
}

bool address_range_is_own(const struct address_range *range)
{
	struct address_range own;
	const struct known *k = find(&range->first, &own);

	return k && k->kind == ADDRESS_OWN && range->prefix >= own.prefix;
}
