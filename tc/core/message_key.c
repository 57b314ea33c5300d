#include "tc/core/message_key.h"

#define MARK '\xff'

/* The name that it stands under. */
static int marked(struct core *c, struct bytes name, struct bytes *out)
{
	struct buf text;

	buf_init(&text, &c->fx.arena.as_mem);
	buf_put_char(&text, MARK);
	buf_put(&text, name);
	*out = buf_bytes(&text);
	return buf_error(&text);
}

int message_key_known(struct core *c, const struct request *rq,
		      const struct saga_key **out)
{
	struct bytes name;
	int rc;

	*out = NULL;
	if (rq->business_key.len == 0)
		return OK;
	rc = marked(c, rq->name, &name);
	if (rc == OK)
		*out = saga_keys_find(&c->sagas.keys, name, rq->business_key);
	return rc;
}

int message_key_answer(struct core *c, const struct request *rq,
		       const struct saga_key *key)
{
	struct gtx *g = gtx_find(c, key->number);
	struct answer a;

	if (!g)
		return answer_from_tomb(c, rq,
					tombs_find(&c->tombs, key->number));
	a = answer_about(rq, OK, g);
	a.existed = true;
	return answer_give(c, &a, answer_rests_on(c, g));
}

int message_key_new(struct core *c, struct gtx *g, struct bytes key)
{
	struct bytes name;

	if (key.len == 0)
		return OK;
	if (marked(c, g->name, &name) != OK)
		return E_NOMEM;
	if (saga_keys_find(&c->sagas.keys, name, key))
		return E_CORRUPT;
	g->key = saga_key_new(&c->sagas.keys, g->party.number, name, key);
	return g->key ? OK : E_NOMEM;
}

void message_key_add(struct core *c, struct gtx *g)
{
	if (g->key)
		saga_keys_add(&c->sagas.keys, g->key);
}

void message_key_discard(struct core *c, struct gtx *g)
{
	mem_free(c->mem, g->key);
	g->key = NULL;
}

const struct saga_key *message_key_left(const struct gtx *g,
					enum gtx_status status)
{
	return status == GTX_COMMITTED ? g->key : NULL;
}

void message_key_ending(struct core *c, struct gtx *g, struct tomb *tomb)
{
	if (tomb->status == GTX_COMMITTED)
		tomb->key = g->key;
	else
		saga_keys_drop(&c->sagas.keys, g->key);
	g->key = NULL;
}
