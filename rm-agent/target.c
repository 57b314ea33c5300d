#include "rm-agent/agent.h"

#include "base/json.h"
#include "base/url.h"

/* URLs as the coordinator wants them: an origin, and a document. */

static int parse(struct url *out, const char *url)
{
	const char *why = "";

	if (url_parse(out, bytes_of(url), &why) == OK)
		return OK;
	return agent_fail(E_INVALID, "\"%.200s\" cannot be called: %s", url,
			  why);
}

/* The first URL gives the origin, the others must have the same. */
static int check_origins(const char *const *urls, size_t n, struct url *first)
{
	bool any = false;
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++) {
		struct url u;

		if (!urls[i])
			continue;
		rc = parse(&u, urls[i]);
		if (rc == OK && any && !url_same_origin(first, &u))
			rc = agent_fail(E_INVALID,
					"\"%.200s\" and the URL before it "
					"are of different servers; that is "
					"two participants",
					urls[i]);
		if (!any)
			*first = u;
		any = true;
	}
	if (rc == OK && !any)
		rc = agent_fail(E_INVALID, "there is no URL to call");
	return rc;
}

static int check_headers(const char *headers)
{
	struct bytes b = bytes_of(headers);

	if (!headers || (json_valid(b) && json_type(b) == JSON_OBJECT))
		return OK;
	return agent_fail(E_INVALID,
			  "the headers \"%.200s\" are not a JSON object of "
			  "texts",
			  headers);
}

int agent_target(const struct agent_urls *u, struct buf *resource,
		 struct buf *participant)
{
	static const char *const names[] = { "commit", "rollback", "check" };
	const char *const urls[] = { u->commit, u->rollback, u->check };
	struct url first;
	struct json j;
	int rc = check_origins(urls, ARRAY_LEN(urls), &first);

	if (rc == OK)
		rc = check_headers(u->headers);
	if (rc != OK)
		return rc;
	url_put_origin(resource, &first);
	json_init(&j, participant);
	json_object(&j, NULL);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		if (urls[i])
			json_text(&j, names[i], bytes_of(urls[i]));
	if (u->headers)
		json_raw(&j, "headers", bytes_of(u->headers));
	json_end(&j);
	rc = buf_error(resource) == OK ? buf_error(participant)
				       : buf_error(resource);
	return rc == OK ? OK
			: agent_fail(rc, "a URL's document: %s",
				     treaty_error_text(rc));
}
