#ifndef TC_CORE_MESSAGE_KEY_H
#define TC_CORE_MESSAGE_KEY_H

/*
 * A message that is given a key is begun once: who repeats it, because no
 * answer came, hears of the first one (.existed) and goes on with that.
 *
 * Rules
 * -----
 *  - A key is known together with the name of its message. It lives as long as
 *    the message, and if that was committed, as long as the tombstone tells so.
 *    With a roll-back it is free again: nothing was sent.
 *  - It is as durable as the message: BEGIN has no row, the first delivery does.
 *  - Keys of messages stand among those of sagas (saga_key.h). A byte that no
 *    UTF-8 text has, in front of the name, tells them apart.
 *
 * Pure.
 */

#include "tc/core/model.h"

/* The key of this BEGIN if it was given before, or NULL. E_NOMEM. */
MUST_CHECK int message_key_known(struct core *c, const struct request *rq,
				 const struct saga_key **out);

/* Answer about the message that has it. */
MUST_CHECK int message_key_answer(struct core *c, const struct request *rq,
				  const struct saga_key *key);

/* Of a message that begins, or is loaded; not among the others yet. Nothing if
 * `key` is empty. E_NOMEM; E_CORRUPT: another one has it. */
MUST_CHECK int message_key_new(struct core *c, struct gtx *g, struct bytes key);
/* From now on it is found. */
void message_key_add(struct core *c, struct gtx *g);
/* One that was not added. */
void message_key_discard(struct core *c, struct gtx *g);

/* What the tombstone keeps when it ends so; NULL: nothing. */
const struct saga_key *message_key_left(const struct gtx *g,
					enum gtx_status status);
void message_key_ending(struct core *c, struct gtx *g, struct tomb *tomb);

#endif
