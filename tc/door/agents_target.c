#include "tc/door/agents_target.h"

#include "tc/door/service_urls.h"

/* Which URLs the coordinator will call for a request. */
struct needs {
	bool commit;
	bool rollback;
	bool check;
};

static struct needs needs_of(const struct request *q)
{
	if (q->type == RQ_BEGIN)
		return (struct needs){ .check = true };
	if (q->type == RQ_SUBSCRIBE)
		return (struct needs){ .commit = true };
	switch (q->mode) {
	case MODE_MSG:
		return (struct needs){ .commit = true };
	case MODE_SAGA:
	case MODE_SAGA_ANNOTATION:
		return (struct needs){ .rollback = true };
	default:
		return (struct needs){ .commit = true, .rollback = true };
	}
}

static const char *missing(const struct needs *n, const struct participant *p)
{
	if (n->commit && p->commit.len == 0)
		return "commit";
	if (n->rollback && p->rollback.len == 0)
		return "rollback";
	if (n->check && p->check.len == 0)
		return "check";
	return NULL;
}

static int refuse(struct buf *why, const char *text)
{
	buf_clear(why);
	buf_put_text(why, text);
	return E_INVALID;
}

static int check_url(const struct request *q, const struct participant *p,
		     struct bytes target, struct bytes origin, struct buf *why)
{
	const struct needs needs = needs_of(q);
	const char *name = missing(&needs, p);

	if (q->type == RQ_REGISTER && q->mode == MODE_AT)
		return refuse(why, "a branch of mode AT cannot be called by "
				   "URL");
	if (name) {
		buf_clear(why);
		buf_printf(why, "the participant has no URL \"%s\"", name);
		return E_INVALID;
	}
	if (!bytes_equal(target, origin)) {
		buf_clear(why);
		buf_printf(why,
			   "the resource must be the origin of the "
			   "participant's URLs, %.*s",
			   (int)origin.len, (const char *)origin.data);
		return E_INVALID;
	}
	return OK;
}

static int check_name(const struct request *q, struct bytes target,
		      struct bytes origin, struct buf *why)
{
	if (url_is_http(target))
		return refuse(why, "an HTTP participant needs a document with "
				   "its URLs");
	/* A saga's services are named by its machine, here are headers. */
	if (origin.len > 0 && q->type != RQ_SAGA_START)
		return refuse(why, "a participant's URLs, and a resource that "
				   "is not their origin");
	return OK;
}

static int check_target(const struct allow_list *list, struct arena *arena,
			const struct request *q, struct buf *why)
{
	struct bytes target = q->type == RQ_BEGIN ? q->check : q->resource;
	struct participant *p;
	struct buf origin;
	int rc;

	if (q->participant.len == 0)
		return check_name(q, target, (struct bytes){ 0 }, why);
	p = arena_alloc(arena, sizeof *p);
	if (!p)
		return E_NOMEM;
	buf_init(&origin, &arena->as_mem);
	rc = allow_list_participant(list, p, arena, q->participant, &origin,
				    why);
	if (rc != OK)
		return rc;
	if (buf_error(&origin) != OK)
		return buf_error(&origin);
	return url_is_http(target)
		       ? check_url(q, p, target, buf_bytes(&origin), why)
		       : check_name(q, target, buf_bytes(&origin), why);
}

/* The services of a definition. */
static int check_document(const struct allow_list *list, struct arena *arena,
			  struct bytes document, struct buf *why)
{
	struct service_at at;
	struct buf wrong;
	int rc;

	buf_init(&wrong, &arena->as_mem);
	rc = service_urls_check(list, arena, document, &at, &wrong);
	if (rc == OK || rc == E_NOMEM)
		return rc;
	buf_clear(why);
	service_at_put(why, &at);
	buf_put_text(why, rc == E_INVALID ? ": this must be " : ": ");
	buf_put(why, buf_bytes(&wrong));
	return buf_error(&wrong) == OK ? rc : E_NOMEM;
}

int agents_target_check(const struct allow_list *list, struct arena *arena,
			const struct request *q, struct buf *why)
{
	int rc = check_target(list, arena, q, why);

	if (rc == OK && (q->type == RQ_MACHINE_PUT || q->type == RQ_SAGA_START))
		rc = check_document(list, arena, q->text, why);
	return rc;
}
