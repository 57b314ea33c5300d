#ifndef RM_AGENT_DB_CHARSET_H
#define RM_AGENT_DB_CHARSET_H

/*
 * Text between UTF-8 and the character set of a session.
 *
 * Only character sets that map one to one onto Unicode are known: UTF-8
 * itself, ASCII, and the usual ones of one byte a character. For others
 * (SJIS, Big5, GBK, …) implementations differ in what a character becomes, so
 * text would not come back as it was; they are refused.
 */

#include "base/arena.h"

struct charset {
	void *to_utf8;   /* iconv_t; NULL for none needed */
	void *from_utf8; /* likewise */
	char name[32];   /* as the database calls it */
};

/* By the database's name for it, any case, also MySQL's. E_UNSUPPORTED: not
 * one of those above. Fine on a zeroed struct or one in use. */
MUST_CHECK int charset_set(struct charset *c, const char *name);
void charset_fini(struct charset *c);

/* E_INVALID: the text has no counterpart. E_NOMEM. The result may be the
 * argument itself. */
MUST_CHECK int charset_to_utf8(struct charset *c, struct arena *arena,
			       struct bytes in, struct bytes *out);
MUST_CHECK int charset_from_utf8(struct charset *c, struct arena *arena,
				 struct bytes in, struct bytes *out);

#endif
