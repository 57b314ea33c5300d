#ifndef TC_DOOR_ALLOW_LIST_H
#define TC_DOOR_ALLOW_LIST_H

/*
 * Which URLs the coordinator may call (the setting http_targets). Without it,
 * whoever may register a branch could have any machine called that treatyd
 * reaches, from inside.
 *
 * Entries, separated by blanks
 * ----------------------------
 *   https://pay.example/tx/    URLs of this scheme, host and port, with a path
 *                              that begins with "/tx/"
 *   https://pay.example/tx     the path "/tx", and what begins with "/tx/"
 *   https://pay.example        any path
 *   http://10.1.2.3:8080/      an address, written in numbers in the URL
 *   net:10.0.0.0/8             names may also lead to addresses of this range
 *
 * A host of the form "*.svc.internal" stands for every name that ends in
 * ".svc.internal".
 *
 * Rules
 * -----
 *  - Nothing that is not listed may be called; an empty list allows nothing.
 *  - Paths are compared as they are written; base/url.h refuses what a server
 *    could read in another way.
 *  - A name in a URL may lead to public addresses only, unless the address lies
 *    in a "net:" range. An address in numbers must be listed as a URL, and
 *    needs no "net:". So nobody who has the say over a name can aim it at the
 *    loopback, a private network or a cloud's metadata.
 *  - A "net:" range must lie in one of the ranges that are not public (see
 *    tc/door/address.h): 0.0.0.0/0 is refused.
 *  - Doors ask when something is registered, the caller asks again before each
 *    call, and for the address of each connection.
 */

#include "base/arena.h"
#include "base/url.h"
#include "tc/door/address.h"
#include "tc/door/participant.h"

#define ALLOW_LIST_MAX 256 /* entries */

struct allow_list;

/*
 * Read the entries.
 * E_INVALID   *why names the entry and what is wrong with it
 * E_LIMIT     more than ALLOW_LIST_MAX; *why
 * E_NOMEM
 */
MUST_CHECK int allow_list_new(struct allow_list **out, const struct mem *mem,
			      struct bytes entries, struct buf *why);
void allow_list_free(struct allow_list *l); /* NULL is fine */

/* In what follows a list that is NULL is an empty one. */

/* OK, or E_DENIED: *why says that it is not allowed and how to allow it. */
MUST_CHECK int allow_list_url(const struct allow_list *l, const struct url *url,
			      struct buf *why);

/* May a connection for this URL, which is allowed, be made to this address?
 * OK, or E_DENIED with *why. */
MUST_CHECK int allow_list_address(const struct allow_list *l,
				  const struct url *url,
				  const struct address *a, struct buf *why);

/*
 * What a door does with the document of a participant before it registers it:
 * read it, check it, ask whether each URL is allowed. *origin becomes the
 * resource to register with; it stays empty if there is no URL.
 *
 * OK
 * E_INVALID, E_LIMIT   as participant_read(); *why
 * E_DENIED             as allow_list_url(); *why
 * E_NOMEM
 */
MUST_CHECK int allow_list_participant(const struct allow_list *l,
				      struct participant *out,
				      struct arena *arena,
				      struct bytes document, struct buf *origin,
				      struct buf *why);

#endif
