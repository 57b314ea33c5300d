#include "tc/door/caller_outcome.h"

#include "base/json.h"
#include "base/utf8.h"

#define EXCERPT_MAX 200 /* bytes of a body in a sentence */
#define NAME_MAX    200
#define MESSAGE_MAX 1000

enum meaning { DONE, REFUSED, IN_PROGRESS, UNKNOWN };

static enum meaning meaning_of(int http)
{
	if (http >= 200 && http <= 299)
		return DONE;
	if (http == 409)
		return REFUSED;
	if (http == 425)
		return IN_PROGRESS;
	return UNKNOWN;
}

static enum branch_status status_of(enum command_type type, enum meaning m)
{
	bool rollback = type == COMMAND_ROLLBACK;

	switch (m) {
	case DONE:
		return rollback ? BRANCH_ROLLBACKED : BRANCH_COMMITTED;
	case REFUSED:
		if (type == COMMAND_CHECK)
			return BRANCH_ROLLBACKED;
		return rollback ? BRANCH_ROLLBACK_UNRETRYABLE
				: BRANCH_COMMIT_UNRETRYABLE;
	case IN_PROGRESS:
	case UNKNOWN:
		break;
	}
	return rollback ? BRANCH_ROLLBACK_RETRYABLE : BRANCH_COMMIT_RETRYABLE;
}

/* ---- sentences ---- */

/* As much as fits, not ending in half a character. */
static struct bytes cut_text(struct bytes text, size_t max)
{
	size_t n = 0;

	while (n < text.len) {
		struct bytes rest = { text.data + n, text.len - n };
		uint32_t code;
		size_t len = utf8_decode(rest, &code);

		len = len ? len : 1;
		if (n + len > max)
			break;
		n += len;
	}
	return (struct bytes){ text.data, n };
}

static const char *hint(int http, bool broken)
{
	if (broken)
		return "; the body is not the JSON that its Content-Type "
		       "promises, or too long";
	if (http >= 300 && http <= 399)
		return "; redirects are not followed";
	return "";
}

static void put_sentence(struct buf *out, const struct caller_request *rq,
			 const struct caller_answer *a, bool broken)
{
	struct bytes body = cut_text(a->body, EXCERPT_MAX);

	buf_put(out, rq->display);
	if (a->http == 0) {
		buf_put_text(out, ": ");
		buf_put(out, a->why);
		return;
	}
	buf_printf(out, " answered %d", a->http);
	if (body.len > 0) {
		buf_put_text(out, " ");
		json_put_text(out, body);
		if (body.len < a->body.len || a->cut)
			buf_put_text(out, "…");
	}
	buf_put_text(out, hint(a->http, broken));
}

/* ---- bodies of sagas ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool ends_in_json(struct bytes type)
{
	static const char json[] = "json";
	size_t n = sizeof json - 1;

	if (type.len <= n || !strchr("/+", type.data[type.len - n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(type.data[type.len - n + i]) != (uint8_t)json[i])
			return false;
	return true;
}

/* "application/json; charset=utf-8", "application/problem+json" */
static bool is_json(struct bytes type)
{
	size_t n = 0;

	while (n < type.len && type.data[n] != ';')
		n++;
	while (n > 0 && (type.data[n - 1] == ' ' || type.data[n - 1] == '\t'))
		n--;
	return ends_in_json((struct bytes){ type.data, n });
}

/* The text of a member, up to max bytes; none if there is no such text. */
static int member(struct arena *arena, struct bytes document,
		  struct bytes quoted_name, size_t max, struct bytes *out)
{
	struct json_walk walk;
	struct bytes key, value;
	struct buf text;

	*out = (struct bytes){ 0 };
	json_walk_init(&walk, document);
	while (json_walk(&walk, &key, &value)) {
		if (!bytes_equal(key, quoted_name) ||
		    json_type(value) != JSON_TEXT)
			continue;
		buf_init(&text, &arena->as_mem);
		json_get_text(&text, value);
		*out = cut_text(buf_bytes(&text), max);
		return buf_error(&text);
	}
	return OK;
}

static int read_refusal(struct branch_done *done, struct arena *arena,
			const struct caller_answer *a)
{
	struct bytes message;
	int rc;

	if (a->cut || !json_valid(a->body) || json_type(a->body) != JSON_OBJECT)
		return OK;
	rc = member(arena, a->body, BYTES("\"error\""), NAME_MAX,
		    &done->error_name);
	if (rc == OK)
		rc = member(arena, a->body, BYTES("\"message\""), MESSAGE_MAX,
			    &message);
	if (rc == OK && message.len > 0)
		done->error = message;
	return rc;
}

/* ---- outcomes ---- */

void caller_outcome(struct branch_done *done, struct arena *arena,
		    const struct caller_request *rq,
		    const struct caller_answer *answer)
{
	bool call = done->type == COMMAND_CALL;
	enum meaning m = meaning_of(answer->http);
	bool output = call && m == DONE && answer->body.len > 0 &&
		      is_json(answer->type);
	bool broken = output && (answer->cut || !json_valid(answer->body));
	struct buf text;

	if (broken)
		m = UNKNOWN;
	done->status = status_of(done->type, m);
	done->in_progress = m == IN_PROGRESS;
	if (m == DONE) {
		if (output)
			done->detail = answer->body;
		return;
	}
	buf_init(&text, &arena->as_mem);
	put_sentence(&text, rq, answer, broken);
	done->error = buf_bytes(&text);
	/* Refused for another reason than was said would be wrong. */
	if (call && m == REFUSED && read_refusal(done, arena, answer) != OK) {
		done->status = status_of(done->type, UNKNOWN);
		done->error_name = (struct bytes){ 0 };
	}
}

void caller_not_called(struct branch_done *done, bool for_ever,
		       struct bytes why)
{
	/* Never "refused" of a check: that would say it was rolled back. */
	bool hung = for_ever && done->type != COMMAND_CHECK;

	if (done->type == COMMAND_ROLLBACK)
		done->status = hung ? BRANCH_ROLLBACK_UNRETRYABLE
				    : BRANCH_ROLLBACK_RETRYABLE;
	else
		done->status = hung ? BRANCH_COMMIT_UNRETRYABLE
				    : BRANCH_COMMIT_RETRYABLE;
	done->error = why;
}
