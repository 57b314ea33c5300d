#include "wire/hello.h"

int hello_transcript(struct buf *out, const struct hello *h,
		     enum hello_side side)
{
	if (h->coordinator_nonce.len != HELLO_NONCE_LEN ||
	    h->agent_nonce.len != HELLO_NONCE_LEN)
		return E_INVALID;
	buf_put_bytes(out, BYTES("treaty hello 1"));
	buf_put_bytes(out, side == HELLO_AGENT ? BYTES("agent")
					       : BYTES("coordinator"));
	buf_put_bytes(out, h->application);
	buf_put_bytes(out, h->instance);
	buf_put_bytes(out, h->key_id);
	buf_put_bytes(out, h->coordinator);
	buf_put_bytes(out, h->coordinator_nonce);
	buf_put_bytes(out, h->agent_nonce);
	buf_put_bytes(out, h->channel);
	for (size_t i = 0; i < h->n_resources; i++)
		buf_put_bytes(out, h->resources[i]);
	return buf_error(out);
}
