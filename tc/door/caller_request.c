#include "tc/door/caller_request.h"

/* ---- names ---- */

const char *caller_trans_type(const struct command *c)
{
	if (c->type == COMMAND_CHECK)
		return "msg";
	if (c->type == COMMAND_CALL)
		return "saga";
	switch (c->mode) {
	case MODE_TCC:
		return "tcc";
	case MODE_SAGA:
	case MODE_SAGA_ANNOTATION:
		return "saga";
	case MODE_MSG:
		return "msg";
	case MODE_XA:
		return "xa";
	case MODE_AT:
		break;
	}
	return "at";
}

static const char *branch_op(enum branch_mode mode, bool commit)
{
	switch (mode) {
	case MODE_TCC:
		return commit ? "confirm" : "cancel";
	case MODE_SAGA:
	case MODE_SAGA_ANNOTATION:
	case MODE_MSG:
		return commit ? "action" : "compensate";
	case MODE_AT:
	case MODE_XA:
		break;
	}
	return commit ? "commit" : "rollback";
}

const char *caller_op(const struct command *c)
{
	switch (c->type) {
	case COMMAND_CHECK:
		return "msg";
	case COMMAND_CALL:
		return c->compensation ? "compensate" : "action";
	case COMMAND_COMMIT:
	case COMMAND_ROLLBACK:
		break;
	}
	return branch_op(c->mode, c->type == COMMAND_COMMIT);
}

/* ---- the URL ---- */

static int refuse(struct buf *why, const char *text)
{
	buf_put_text(why, text);
	return E_INVALID;
}

/* "http://a/x?y" and "m" to "http://a/x/m?y". */
static void put_service(struct buf *out, struct bytes service,
			struct bytes method)
{
	const uint8_t *query =
		service.len ? memchr(service.data, '?', service.len) : NULL;
	size_t n = query ? (size_t)(query - service.data) : service.len;

	buf_put(out, (struct bytes){ service.data, n });
	if (method.len > 0) {
		if (n > 0 && service.data[n - 1] != '/' &&
		    method.data[0] != '/')
			buf_put_char(out, '/');
		buf_put(out, method);
	}
	buf_put(out, (struct bytes){ service.data + n, service.len - n });
}

static int put_base(struct buf *out, const struct command *c,
		    const struct participant *p, struct buf *why)
{
	switch (c->type) {
	case COMMAND_COMMIT:
		buf_put(out, p->commit);
		break;
	case COMMAND_ROLLBACK:
		buf_put(out, p->rollback);
		break;
	case COMMAND_CHECK:
		buf_put(out, p->check);
		break;
	case COMMAND_CALL:
		put_service(out, c->service, c->method);
		break;
	}
	if (out->len == 0 && buf_error(out) == OK)
		return refuse(why, "it was registered without a URL for this");
	return buf_error(out);
}

/* The branch's id in decimal; without memory the buffer says so. */
static struct bytes branch_id(struct arena *arena, const struct command *c,
			      struct buf *text)
{
	buf_init(text, &arena->as_mem);
	buf_printf(text, "%llu", (unsigned long long)c->branch);
	return buf_bytes(text);
}

static int put_params(struct buf *out, struct arena *arena,
		      const struct command *c)
{
	struct buf id;

	url_put_param(out, "gid", c->xid);
	url_put_param(out, "trans_type", bytes_of(caller_trans_type(c)));
	url_put_param(out, "branch_id", branch_id(arena, c, &id));
	url_put_param(out, "op", bytes_of(caller_op(c)));
	return buf_error(&id);
}

static int make_url(struct caller_request *rq, struct arena *arena,
		    const struct command *c, const struct participant *p,
		    struct buf *why)
{
	struct buf url, base;
	const char *wrong;
	struct url parsed;
	int rc;

	buf_init(&base, &arena->as_mem);
	rc = put_base(&base, c, p, why);
	if (rc != OK)
		return rc;
	/* What comes with the parameters is longer than a URL may be. */
	if (url_parse(&parsed, buf_bytes(&base), &wrong) != OK) {
		buf_printf(why, "its URL is refused: %s", wrong);
		return E_INVALID;
	}
	buf_init(&url, &arena->as_mem);
	buf_put(&url, buf_bytes(&base));
	rc = put_params(&url, arena, c);
	rq->target = parsed;
	rq->url = buf_text(&url);
	return rc == OK ? buf_error(&url) : rc;
}

static int name_target(struct caller_request *rq, struct arena *arena)
{
	struct buf origin, display;

	buf_init(&origin, &arena->as_mem);
	url_put_origin(&origin, &rq->target);
	rq->origin = buf_bytes(&origin);
	buf_init(&display, &arena->as_mem);
	buf_put_text(&display, rq->get ? "GET " : "POST ");
	buf_put(&display, rq->origin);
	buf_put(&display, rq->target.path);
	rq->display = buf_bytes(&display);
	return buf_error(&origin) == OK ? buf_error(&display) : E_NOMEM;
}

/* ---- headers ---- */

static int add_header(struct caller_request *rq, struct buf *line)
{
	REQUIRE(rq->n_headers < CALLER_HEADERS_MAX);
	rq->headers[rq->n_headers++] = buf_text(line);
	return buf_error(line);
}

static int add_named(struct caller_request *rq, struct arena *arena,
		     struct bytes name, struct bytes value)
{
	struct buf line;

	buf_init(&line, &arena->as_mem);
	buf_put(&line, name);
	buf_put_text(&line, ": ");
	buf_put(&line, value);
	return add_header(rq, &line);
}

static int add_key(struct caller_request *rq, struct arena *arena,
		   const struct command *c)
{
	struct buf key, id;

	buf_init(&key, &arena->as_mem);
	buf_put(&key, c->xid);
	buf_put_char(&key, '/');
	buf_put(&key, branch_id(arena, c, &id));
	buf_put_char(&key, '/');
	buf_put_text(&key, caller_op(c));
	if (buf_error(&id) != OK || buf_error(&key) != OK)
		return E_NOMEM;
	return add_named(rq, arena, BYTES("Idempotency-Key"), buf_bytes(&key));
}

static int make_headers(struct caller_request *rq, struct arena *arena,
			const struct command *c, const struct participant *p)
{
	int rc = add_named(rq, arena, BYTES("TX_XID"), c->xid);

	if (rc == OK)
		rc = add_key(rq, arena, c);
	if (rc == OK && rq->body.len > 0)
		rc = add_named(rq, arena, BYTES("Content-Type"),
			       BYTES("application/json"));
	for (size_t i = 0; i < p->n_headers && rc == OK; i++)
		rc = add_named(rq, arena, p->headers[i].name,
			       p->headers[i].value);
	return rc;
}

int caller_request_make(struct caller_request *out, struct arena *arena,
			const struct command *c, struct buf *why)
{
	struct caller_request rq = { .get = c->type == COMMAND_CHECK };
	struct participant p;
	int rc = participant_read(&p, arena, c->participant, why);

	if (rc == E_LIMIT)
		rc = E_INVALID;
	if (rc == OK)
		rc = make_url(&rq, arena, c, &p, why);
	if (rc == OK)
		rc = name_target(&rq, arena);
	if (rc == OK && !rq.get && c->application_data.len > 0) {
		rq.body = arena_bytes(arena, c->application_data);
		rc = rq.body.data ? OK : E_NOMEM;
	}
	if (rc == OK)
		rc = make_headers(&rq, arena, c, &p);
	if (rc == OK)
		*out = rq;
	return rc;
}
