#ifndef RM_AGENT_XA_GID_H
#define RM_AGENT_XA_GID_H

/*
 * The name of a branch inside of a database: an XA xid with three parts.
 *
 *   formatID  XA_FORMAT, so that nobody else's transactions are touched
 *   gtrid     the global xid, "host:port:number"
 *   bqual     "branch.session": the branch id, and the id of the database
 *             session that works on it (backend pid, thread id)
 *
 * PostgreSQL takes one string; it is spelled as the JDBC driver spells it:
 * formatID_base64(gtrid)_base64(bqual).
 *
 * Pure.
 */

#include "base/buf.h"

/* "TRTY"; positive in 31 bits, because MariaDB takes no more. */
#define XA_FORMAT    0x54525459
#define XA_PART_MAX  64  /* of gtrid and bqual, by the standard */
#define XA_BQUAL_MAX 41  /* two u64 and a dot */
#define XA_TEXT_MAX  200 /* PostgreSQL's limit, with the NUL */

struct xa_gid {
	char gtrid[XA_PART_MAX + 1];
	char bqual[XA_BQUAL_MAX + 1];
	uint64_t branch;
	uint64_t session;
};

/* E_LIMIT: the xid is longer than a gtrid may be. E_INVALID: it is no xid, or
 * branch is 0. */
MUST_CHECK int xa_gid_make(struct xa_gid *out, struct bytes xid,
			   uint64_t branch, uint64_t session);

/* From what a database lists. E_INVALID: it is none of ours. */
MUST_CHECK int xa_gid_of_parts(struct xa_gid *out, uint64_t format,
			       struct bytes gtrid, struct bytes bqual);
MUST_CHECK int xa_gid_of_text(struct xa_gid *out, struct bytes text);

/* PostgreSQL's text: digits, letters, + / = and _, so it needs no quoting. */
void xa_gid_put_text(struct buf *out, const struct xa_gid *gid);
/* X'…' of one part, and MySQL's whole: X'…',X'…',formatID */
void xa_gid_put_hex(struct buf *out, const char *part);
void xa_gid_put_parts(struct buf *out, const struct xa_gid *gid);

/* True if it belongs to the coordinator of this name ("host:port"). */
bool xa_gid_is_of(const struct xa_gid *gid, struct bytes coordinator);
bool xa_gid_equal(const struct xa_gid *a, const struct xa_gid *b);

#endif
