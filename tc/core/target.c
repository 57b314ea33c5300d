#include "base/url.h"
#include "tc/core/model.h"

/*
 * Who is to be told something: a resource that agents offer, or an origin.
 */

/* An origin is written in one way only, else it would be two peers. */
static int check_origin(struct core *c, struct bytes text)
{
	struct buf origin;
	struct url url;

	if (url_parse(&url, text, NULL) != OK)
		return E_INVALID;
	buf_init(&origin, &c->fx.arena.as_mem);
	url_put_origin(&origin, &url);
	if (buf_error(&origin) != OK)
		return E_NOMEM;
	return bytes_equal(buf_bytes(&origin), text) ? OK : E_INVALID;
}

static int check_name(struct core *c, struct bytes name, const char **what)
{
	int rc = OK;

	*what = "resource longer than text_max";
	if (name.len > c->config.text_max)
		return E_LIMIT;
	if (url_is_http(name))
		rc = check_origin(c, name);
	*what = "a URL as resource must be an origin, \"http://host:port\"";
	return rc;
}

int target_check(struct core *c, const struct request *rq, struct bytes name,
		 const char **what)
{
	int rc = check_name(c, name, what);

	if (rc != OK)
		return rc;
	*what = "participant longer than participant_max";
	if (rq->participant.len > c->config.participant_max)
		return E_LIMIT;
	*what = "call timeout longer than timeout_ms_max";
	if (rq->call_timeout_ms > c->config.timeout_ms_max)
		return E_LIMIT;
	*what = NULL;
	return OK;
}
