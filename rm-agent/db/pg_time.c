#include "rm-agent/db/pg.h"

/*
 * PostgreSQL counts days and microseconds from 2000-01-01. Texts are ISO 8601
 * with PostgreSQL's " BC", which it reads back under every DateStyle.
 */

#define DAY_US    INT64_C(86400000000)
#define DAYS_1970 10957 /* from 1970-01-01 to 2000-01-01 */

struct civil {
	int64_t year; /* 0 is 1 BC */
	int month;
	int day;
};

/* Proleptic Gregorian calendar, counted in eras of 400 years from 1 March. */
static struct civil civil_of(int64_t days)
{
	int64_t z = days + DAYS_1970 + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	struct civil c = {
		.year = yoe + era * 400,
		.month = (int)(mp < 10 ? mp + 3 : mp - 9),
		.day = (int)(doy - (153 * mp + 2) / 5 + 1),
	};

	if (c.month <= 2)
		c.year++;
	return c;
}

/* Returns whether " BC" must follow at the end. */
static bool put_day(struct buf *out, int64_t days)
{
	struct civil c = civil_of(days);
	bool bc = c.year <= 0;

	buf_printf(out, "%04lld-%02d-%02d",
		   (long long)(bc ? 1 - c.year : c.year), c.month, c.day);
	return bc;
}

void pg_put_date(struct buf *out, int32_t days)
{
	if (days == INT32_MAX)
		buf_put_text(out, "infinity");
	else if (days == INT32_MIN)
		buf_put_text(out, "-infinity");
	else if (put_day(out, days))
		buf_put_text(out, " BC");
}

/* ".5" for 500000; nothing for 0. */
static void put_fraction(struct buf *out, int64_t us)
{
	int digits = 6;

	if (us == 0)
		return;
	while (us % 10 == 0) {
		us /= 10;
		digits--;
	}
	buf_printf(out, ".%0*lld", digits, (long long)us);
}

void pg_put_time(struct buf *out, int64_t us)
{
	int64_t s = us / 1000000;

	buf_printf(out, "%02lld:%02lld:%02lld", (long long)(s / 3600),
		   (long long)(s / 60 % 60), (long long)(s % 60));
	put_fraction(out, us % 1000000);
}

void pg_put_timetz(struct buf *out, int64_t us, int32_t zone)
{
	int32_t east = -zone; /* seconds; stored as west of Greenwich */
	int32_t abs = east < 0 ? -east : east;

	pg_put_time(out, us);
	buf_printf(out, "%c%02d", east < 0 ? '-' : '+', abs / 3600);
	if (abs % 3600 != 0)
		buf_printf(out, ":%02d", abs / 60 % 60);
	if (abs % 60 != 0)
		buf_printf(out, ":%02d", abs % 60);
}

void pg_put_timestamp(struct buf *out, int64_t us, bool zone)
{
	int64_t days, rest;
	bool bc;

	if (us == INT64_MAX || us == INT64_MIN) {
		buf_put_text(out, us > 0 ? "infinity" : "-infinity");
		return;
	}
	days = us / DAY_US;
	rest = us % DAY_US;
	if (rest < 0) {
		rest += DAY_US;
		days--;
	}
	bc = put_day(out, days);
	buf_put_char(out, ' ');
	pg_put_time(out, rest);
	if (zone)
		buf_put_text(out, "+00");
	if (bc)
		buf_put_text(out, " BC");
}

/* ISO 8601 with a sign on every field: read back alike under every
 * IntervalStyle. Hours, minutes and seconds apart, because the server reads
 * each as a double. */
void pg_put_interval(struct buf *out, int64_t us, int32_t days, int32_t months)
{
	uint64_t abs = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	uint64_t s = abs / 1000000;
	const char *sign = us < 0 ? "-" : "";

	buf_put_char(out, 'P');
	if (months / 12 != 0)
		buf_printf(out, "%dY", months / 12);
	if (months % 12 != 0)
		buf_printf(out, "%dM", months % 12);
	if (days != 0)
		buf_printf(out, "%dD", days);
	if (us == 0) {
		if (months == 0 && days == 0)
			buf_put_text(out, "T0S");
		return;
	}
	buf_put_char(out, 'T');
	if (s / 3600 != 0)
		buf_printf(out, "%s%lluH", sign,
			   (unsigned long long)(s / 3600));
	if (s / 60 % 60 != 0)
		buf_printf(out, "%s%lluM", sign,
			   (unsigned long long)(s / 60 % 60));
	if (s % 60 != 0 || abs % 1000000 != 0) {
		buf_printf(out, "%s%llu", sign, (unsigned long long)(s % 60));
		put_fraction(out, (int64_t)(abs % 1000000));
		buf_put_char(out, 'S');
	}
}
