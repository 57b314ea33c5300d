#include "tc/saga/number.h"

#define EXPONENT_MAX 40

__extension__ typedef unsigned __int128 wide;

static int64_t gcd(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t r = a % b;

		a = b;
		b = r;
	}
	return a < 0 ? -a : a;
}

struct number number_of(int64_t n)
{
	return (struct number){ n, 1 };
}

/* INT64_MIN is left out, so that everything can be negated. */
static int reduced(int64_t num, int64_t den, struct number *out)
{
	int64_t g;

	if (num == INT64_MIN || den == INT64_MIN)
		return E_LIMIT;
	g = gcd(num, den);
	if (den < 0)
		g = -g;
	*out = (struct number){ num / g, den / g };
	return OK;
}

/* ---- to and from text ---- */

struct digits {
	int64_t value;
	int64_t exponent; /* of ten */
};

static int take_digit(struct digits *d, uint8_t c, bool fraction)
{
	if (__builtin_mul_overflow(d->value, 10, &d->value) ||
	    __builtin_add_overflow(d->value, c - '0', &d->value))
		return E_LIMIT;
	d->exponent -= fraction;
	return OK;
}

/* 1.500 has as many digits as 1.5: zeros at the end are never taken. */
static size_t mantissa_len(struct bytes text)
{
	const uint8_t *dot;
	size_t n = 0;

	while (n < text.len && text.data[n] != 'e' && text.data[n] != 'E')
		n++;
	dot = n > 0 ? memchr(text.data, '.', n) : NULL;
	while (dot && n > 0 && text.data[n - 1] == '0')
		n--;
	return n;
}

static int exponent(struct bytes text, int64_t *out)
{
	bool minus = false;
	int64_t value = 0;
	size_t i = 0;

	while (i < text.len && text.data[i] != 'e' && text.data[i] != 'E')
		i++;
	for (i++; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '-')
			minus = true;
		else if (c != '+' && value < 10000)
			value = value * 10 + (c - '0');
	}
	*out = minus ? -value : value;
	return OK;
}

static int scaled(struct digits d, struct number *out)
{
	int64_t power = 1;
	int64_t steps = d.exponent < 0 ? -d.exponent : d.exponent;

	if (d.value == 0)
		steps = 0;
	if (steps > EXPONENT_MAX)
		return E_LIMIT;
	for (; steps > 0; steps--) {
		/* 100e-2: as long as it can be divided, it needs no power. */
		if (d.exponent < 0 && d.value % 10 == 0)
			d.value /= 10;
		else if (__builtin_mul_overflow(power, 10, &power))
			return E_LIMIT;
	}
	if (d.exponent < 0)
		return reduced(d.value, power, out);
	if (__builtin_mul_overflow(d.value, power, &d.value))
		return E_LIMIT;
	return reduced(d.value, 1, out);
}

int number_parse(struct bytes text, struct number *out)
{
	struct digits d = { 0 };
	size_t n = mantissa_len(text);
	bool fraction = false, minus = false;
	int64_t e;
	int rc = exponent(text, &e);

	for (size_t i = 0; rc == OK && i < n; i++) {
		uint8_t c = text.data[i];

		if (c == '-')
			minus = true;
		else if (c == '.')
			fraction = true;
		else if (c >= '0' && c <= '9')
			rc = take_digit(&d, c, fraction);
	}
	if (rc != OK)
		return rc;
	d.exponent += e;
	if (minus)
		d.value = -d.value;
	return scaled(d, out);
}

static void put_digits(uint64_t v, size_t places, struct buf *out)
{
	uint8_t digits[40];
	size_t at = sizeof digits;

	do {
		if (places > 0 && sizeof digits - at == places)
			digits[--at] = '.';
		digits[--at] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v > 0 || (places > 0 && sizeof digits - at < places + 2));
	buf_put(out, (struct bytes){ digits + at, sizeof digits - at });
}

int number_write(struct number n, struct buf *out)
{
	size_t places = 0;

	while (n.den != 1) {
		int64_t by = n.den % 10 == 0 ? 1 : n.den % 2 == 0 ? 5 : 2;

		if (n.den % 2 != 0 && n.den % 5 != 0)
			return E_LIMIT;
		if (__builtin_mul_overflow(n.num, by, &n.num) || ++places > 18)
			return E_LIMIT;
		n.den = by == 1 ? n.den / 10 : by == 5 ? n.den / 2 : n.den / 5;
	}
	if (n.num < 0)
		buf_put_char(out, '-');
	put_digits((uint64_t)(n.num < 0 ? -n.num : n.num), places, out);
	return OK;
}

/* ---- computing ---- */

static wide product(int64_t a, int64_t b)
{
	return (wide)(uint64_t)(a < 0 ? -a : a) * (uint64_t)b;
}

int number_compare(struct number a, struct number b)
{
	wide left = product(a.num, b.den), right = product(b.num, a.den);
	int by_size = left < right ? -1 : left > right;

	if ((a.num < 0) != (b.num < 0))
		return a.num < 0 ? -1 : 1;
	return a.num < 0 ? -by_size : by_size;
}

static int sum(struct number a, struct number b, struct number *out)
{
	int64_t g = gcd(a.den, b.den);
	int64_t left, right, den;

	if (__builtin_mul_overflow(a.num, b.den / g, &left) ||
	    __builtin_mul_overflow(b.num, a.den / g, &right) ||
	    __builtin_mul_overflow(a.den, b.den / g, &den) ||
	    __builtin_add_overflow(left, right, &left))
		return E_LIMIT;
	return reduced(left, den, out);
}

static int times(struct number a, struct number b, struct number *out)
{
	int64_t g = gcd(a.num, b.den), h = gcd(b.num, a.den);
	int64_t num, den;

	if (__builtin_mul_overflow(a.num / g, b.num / h, &num) ||
	    __builtin_mul_overflow(a.den / h, b.den / g, &den))
		return E_LIMIT;
	return reduced(num, den, out);
}

static int divided(struct number a, struct number b, struct number *out)
{
	struct number inverse = { b.den, b.num };

	if (b.num == 0)
		return E_INVALID;
	if (b.num < 0)
		inverse = (struct number){ -b.den, -b.num };
	return times(a, inverse, out);
}

int number_compute(char op, struct number a, struct number b,
		   struct number *out)
{
	switch (op) {
	case '-':
		b.num = -b.num;
		return sum(a, b, out);
	case '+':
		return sum(a, b, out);
	case '*':
		return times(a, b, out);
	case '/':
		return divided(a, b, out);
	default:
		if (b.num == 0 || a.den != 1 || b.den != 1)
			return E_INVALID;
		*out = number_of(a.num % b.num);
		return OK;
	}
}

int number_scale(struct number n, uint32_t by, uint64_t *out)
{
	wide v = product(n.num, by);

	if (n.num < 0 || v > UINT64_MAX)
		return E_LIMIT;
	*out = (uint64_t)v / (uint64_t)n.den;
	return OK;
}
