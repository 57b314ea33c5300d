#include "samples/checkout/call.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <treaty/treaty.h>

#define ANSWER_MAX      65536
#define CALL_TIMEOUT_MS 30000L

struct text {
	size_t len;
	char data[ANSWER_MAX + 1];
};

/* Each thread keeps its connection for the next call, until it ends. */
static pthread_key_t mine;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void *curl)
{
	curl_easy_cleanup(curl);
}

static void make_key(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	pthread_key_create(&mine, forget);
}

/* `fresh`: not on a connection whose last answer was lost. */
static CURL *my_curl(bool fresh)
{
	CURL *curl;

	pthread_once(&once, make_key);
	curl = pthread_getspecific(mine);
	if (curl && fresh) {
		curl_easy_cleanup(curl);
		curl = NULL;
	}
	if (!curl)
		curl = curl_easy_init();
	pthread_setspecific(mine, curl);
	return curl;
}

static size_t collect(char *data, size_t size, size_t n, void *to)
{
	struct text *t = to;

	if (size * n > ANSWER_MAX - t->len)
		return 0;
	memcpy(t->data + t->len, data, size * n);
	t->len += size * n;
	return size * n;
}

static struct curl_slist *headers(const char *xid)
{
	struct curl_slist *list =
		curl_slist_append(NULL, "Content-Type: application/json");
	char line[256];

	if (xid) {
		snprintf(line, sizeof line, TREATY_XID_HEADER ": %s", xid);
		list = curl_slist_append(list, line);
	}
	return list;
}

static long post_once(CURL *curl, const char *url, struct curl_slist *list,
		      const char *body, struct text *answer)
{
	long status = 0;

	answer->len = 0;
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (curl_easy_perform(curl) != CURLE_OK)
		return 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

long call_post(const char *base, const char *path, const char *xid,
	       const cJSON *body, int tries, cJSON **answer)
{
	struct text *text = calloc(1, sizeof *text);
	char *body_text = cJSON_PrintUnformatted(body);
	struct curl_slist *list = headers(xid);
	char url[512];
	long status = 0;

	*answer = NULL;
	snprintf(url, sizeof url, "%s%s", base, path);
	for (int i = 0; i < tries && status == 0 && text && body_text && list;
	     i++) {
		CURL *curl = my_curl(i > 0);

		if (curl)
			status = post_once(curl, url, list, body_text, text);
	}
	if (status) {
		text->data[text->len] = 0;
		*answer = cJSON_Parse(text->data);
	}
	curl_slist_free_all(list);
	free(body_text);
	free(text);
	return status;
}
