#ifndef TC_DOOR_ADDRESS_H
#define TC_DOOR_ADDRESS_H

/*
 * Network addresses: which of them are public, which are somebody's own, and
 * which nothing should ever be sent to.
 *
 * Rules
 * -----
 *  - An IPv4 address inside an IPv6 one (::ffff:0:0/96, 64:ff9b::/96) is that
 *    IPv4 address.
 *  - Own ranges are those that only mean something on this machine or network
 *    (loopback, private, link-local, shared), those in which clouds answer
 *    questions about credentials, and those set aside for examples, tests and
 *    tunnels. What no list knows is not public.
 */

#include "base/base.h"

#include <sys/socket.h>

struct address {
	bool v6;
	uint8_t bits[16]; /* 4 of them, or all */
};

struct address_range {
	struct address first;
	unsigned prefix; /* bits that are the same in all of them */
};

enum address_kind {
	ADDRESS_PUBLIC,
	ADDRESS_OWN,   /* only if a range that names it is allowed */
	ADDRESS_NEVER, /* unspecified, multicast, broadcast, reserved */
};

/* A dotted quad or an IPv6 address, without brackets. E_INVALID. */
MUST_CHECK int address_parse(struct address *out, struct bytes text);
/* E_UNSUPPORTED: neither IPv4 nor IPv6. */
MUST_CHECK int address_of(struct address *out, const struct sockaddr *from);
bool address_equal(const struct address *a, const struct address *b);

enum address_kind address_kind(const struct address *a);

/* "10.0.0.0/8", "::1/128"; without a length it is one address. E_INVALID: not a
 * range, or bits are set behind its prefix. */
MUST_CHECK int address_range_parse(struct address_range *out,
				   struct bytes text);
bool address_in(const struct address_range *range, const struct address *a);
/* Does it lie in one of the own ranges? One that is wider would hold public or
 * reserved addresses, too. */
bool address_range_is_own(const struct address_range *range);

#endif
