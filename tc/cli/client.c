#include "tc/cli/client.h"

#include "base/json.h"

#include <curl/curl.h>

#define ANSWER_MAX (64u << 20)
#define CONNECT_MS 5000L
#define TIMEOUT_MS 45000L /* longer than the coordinator waits for a reply */

/* ---- URLs ---- */

static void put_escaped(struct buf *out, const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-._~:";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_put_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned)(uint8_t)*text);
	}
}

void url_init(struct url *u, struct cli *c, const char *path)
{
	buf_init(&u->text, &c->arena.as_mem);
	u->has_query = u->drop = false;
	buf_put_text(&u->text, c->server);
	buf_put_text(&u->text, path);
}

void url_segment(struct url *u, const char *segment)
{
	buf_put_char(&u->text, '/');
	put_escaped(&u->text, segment);
}

void url_param(struct url *u, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(&u->text, "%c%s=", u->has_query ? '&' : '?', name);
	put_escaped(&u->text, value);
	u->has_query = true;
}

/* ---- asking ---- */

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
	struct buf *body = ctx;

	buf_put(body, (struct bytes){ (const uint8_t *)data, size * n });
	return buf_error(body) == OK ? size * n : 0;
}

static struct curl_slist *headers(void)
{
	struct curl_slist *list =
		curl_slist_append(NULL, "Content-Type: application/json");
	struct curl_slist *more =
		list ? curl_slist_append(list, "Accept: application/json")
		     : NULL;

	if (!more)
		curl_slist_free_all(list);
	return more;
}

static CURLcode set_up(CURL *curl, struct url *u, const struct buf *body,
		       struct curl_slist *list, struct buf *out)
{
	CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, buf_text(&u->text));

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR,
				      "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	/* A coordinator is named, never looked for behind a proxy. */
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	if (rc == CURLE_OK && u->drop)
		rc = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
	if (rc == CURLE_OK && body) {
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)body->len);
		rc = curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
				      body->data ? (const char *)body->data
						 : "");
	}
	return rc;
}

/* Whether the request may have had an effect though no answer came. */
static bool may_have_arrived(CURLcode rc)
{
	return rc == CURLE_OPERATION_TIMEDOUT || rc == CURLE_RECV_ERROR ||
	       rc == CURLE_GOT_NOTHING || rc == CURLE_PARTIAL_FILE ||
	       rc == CURLE_SEND_ERROR || rc == CURLE_WRITE_ERROR;
}

static int no_answer(struct cli *c, CURLcode rc, bool post)
{
	if (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL) {
		complain("\"%s\" is not a server; one looks like %s", c->server,
			 SERVER_DEFAULT);
		return EXIT_USAGE;
	}
	if (post && may_have_arrived(rc)) {
		complain("no answer from %s (%s): whether it was done is not "
			 "known; look at the transaction before asking again",
			 c->server, curl_easy_strerror(rc));
		return EXIT_UNREACHABLE;
	}
	complain("cannot reach %s: %s; is treatyd running, and is this its "
		 "http address? (--server, TREATY_SERVER)",
		 c->server, curl_easy_strerror(rc));
	return EXIT_UNREACHABLE;
}

static int meaning(long status)
{
	switch (status) {
	case 200:
	case 201:
		return EXIT_OK;
	case 400:
		return EXIT_USAGE;
	case 404:
		return EXIT_NOT_FOUND;
	default:
		return status >= 500 ? EXIT_FAILED : EXIT_REFUSED;
	}
}

static int judge(struct cli *c, struct answer *a)
{
	struct bytes body = buf_bytes(&a->body), detail;
	struct buf safe;
	int rc = meaning(a->status);

	if (json_valid(body))
		a->json = cJSON_ParseWithLength((const char *)body.data,
						body.len);
	if (!a->json) {
		complain("%s answered %ld without JSON; is it a treatyd?",
			 c->server, a->status);
		return EXIT_FAILED;
	}
	if (rc == EXIT_OK)
		return rc;
	detail = json_string(a->json, "detail");
	buf_init(&safe, &c->arena.as_mem);
	put_safe(&safe, detail);
	complain("%s", detail.len > 0 ? buf_text(&safe) : "refused");
	if (c->json)
		answer_pass(c, a);
	return rc;
}

static CURLcode perform(struct url *u, const struct buf *body,
			struct answer *out)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *list = headers();
	CURLcode rc = CURLE_OUT_OF_MEMORY;
	curl_off_t us = 0;

	if (curl && list)
		rc = set_up(curl, u, body, list, &out->body);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(curl);
	if (rc == CURLE_OK) {
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE,
					&out->status);
		(void)curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &us);
		out->ms = (double)us / 1000;
	}
	curl_slist_free_all(list);
	curl_easy_cleanup(curl);
	return rc;
}

int ask(struct cli *c, struct url *u, const struct buf *body,
	struct answer *out)
{
	CURLcode rc;

	*out = (struct answer){ .status = 0 };
	buf_init(&out->body, &mem_heap);
	out->body.limit = ANSWER_MAX;
	if (buf_error(&u->text) != OK || (body && buf_error(body) != OK)) {
		complain("out of memory; nothing was sent");
		return EXIT_FAILED;
	}
	rc = perform(u, body, out);
	if (rc != CURLE_OK)
		return no_answer(c, rc, body || u->drop);
	return judge(c, out);
}

void answer_free(struct answer *a)
{
	cJSON_Delete(a->json);
	buf_fini(&a->body);
}

void answer_pass(struct cli *c, const struct answer *a)
{
	buf_put(&c->out, buf_bytes(&a->body));
	buf_put_char(&c->out, '\n');
}

/* ---- reading ---- */

const cJSON *json_member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

struct bytes json_string(const cJSON *object, const char *name)
{
	return bytes_of(cJSON_GetStringValue(json_member(object, name)));
}

uint64_t json_count(const cJSON *object, const char *name)
{
	const cJSON *item = json_member(object, name);

	if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
	    item->valuedouble > 9007199254740992.0)
		return 0;
	return (uint64_t)item->valuedouble;
}

bool json_flag(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(json_member(object, name));
}

bool json_is_null(const cJSON *object, const char *name)
{
	const cJSON *item = json_member(object, name);

	return !item || cJSON_IsNull(item);
}
