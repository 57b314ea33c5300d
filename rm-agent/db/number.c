#include "rm-agent/db/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static locale_t plain;

static void make_plain(void)
{
	plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t plain_locale(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	REQUIRE(pthread_once(&once, make_plain) == 0);
	/* "C" is built in: this only fails without memory at the start. */
	REQUIRE(plain != (locale_t)0);
	return plain;
}

static bool put_special(struct buf *out, double d)
{
	if (isnan(d))
		buf_put_text(out, "NaN");
	else if (isinf(d))
		buf_put_text(out, d > 0 ? "Infinity" : "-Infinity");
	else
		return false;
	return true;
}

static bool reads_back(const char *text, double d, bool single)
{
	/* A single also for who reads a double and rounds that. */
	if (single)
		return strtof(text, NULL) == (float)d &&
		       (float)strtod(text, NULL) == (float)d;
	return strtod(text, NULL) == d;
}

static void put_number(struct buf *out, double d, int digits, int most,
		       bool single)
{
	size_t at = out->len;
	locale_t before;

	if (put_special(out, d))
		return;
	before = uselocale(plain_locale());
	for (; digits <= most; digits++) {
		buf_printf(out, "%.*g", digits, d);
		(void)buf_text(out); /* ends it with a NUL */
		if (buf_error(out) != OK || digits == most ||
		    reads_back((const char *)out->data + at, d, single))
			break;
		out->len = at;
	}
	(void)uselocale(before);
}

void put_double(struct buf *out, double d)
{
	put_number(out, d, 15, 17, false);
}

void put_float(struct buf *out, float f)
{
	put_number(out, (double)f, 6, 9, true);
}

double double_of(const char *text)
{
	return strtod_l(text, NULL, plain_locale());
}
