#include "undo/quote.h"

void quote_name(struct buf *out, enum dialect dialect, struct bytes name)
{
	char quote = dialect == DIALECT_MYSQL ? '`' : '"';

	buf_put_char(out, quote);
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == (uint8_t)quote)
			buf_put_char(out, quote);
		buf_put_u8(out, name.data[i]);
	}
	buf_put_char(out, quote);
}

void quote_table(struct buf *out, enum dialect dialect, struct bytes schema,
		 struct bytes name)
{
	if (schema.len > 0) {
		quote_name(out, dialect, schema);
		buf_put_char(out, '.');
	}
	quote_name(out, dialect, name);
}

static bool contains(struct bytes text, const char *word)
{
	struct bytes w = bytes_of(word);

	for (size_t i = 0; i + w.len <= text.len; i++)
		if (memcmp(text.data + i, w.data, w.len) == 0)
			return true;
	return false;
}

/* "(10,2)" of "decimal(10,2) unsigned"; empty if there is none. */
static struct bytes in_brackets(struct bytes type)
{
	const uint8_t *open = NULL;

	for (size_t i = 0; i < type.len; i++) {
		if (type.data[i] == '(' && !open)
			open = type.data + i;
		if (type.data[i] == ')' && open)
			return (struct bytes){ open, (size_t)(type.data + i +
							      1 - open) };
	}
	return (struct bytes){ 0 };
}

/*
 * MySQL compares a number with a string as doubles, so that two large numbers
 * may look equal; and takes a string for a BIT column as its bytes.
 */
static void mysql_param(struct buf *out, const struct column *column)
{
	struct bytes precision = in_brackets(column->type);

	if (column->class == VALUE_BIT) {
		buf_put_text(out, "CAST(CONV(?, 2, 10) AS UNSIGNED)");
	} else if (column->class == VALUE_INT) {
		buf_put_text(out, contains(column->type, "unsigned")
					  ? "CAST(? AS UNSIGNED)"
					  : "CAST(? AS SIGNED)");
	} else if (column->class == VALUE_NUMBER && precision.len > 0) {
		buf_put_text(out, "CAST(? AS DECIMAL");
		buf_put(out, precision);
		buf_put_char(out, ')');
	} else if (column->class == VALUE_FLOAT) {
		buf_put_text(out, contains(column->type, "float")
					  ? "CAST(? AS FLOAT)"
					  : "CAST(? AS DOUBLE)");
	} else {
		buf_put_char(out, '?');
	}
}

void quote_param(struct buf *out, enum dialect dialect,
		 const struct column *column, size_t n)
{
	if (dialect == DIALECT_MYSQL) {
		mysql_param(out, column);
	} else if (dialect == DIALECT_SQLITE) {
		buf_put_char(out, '?');
	} else {
		buf_printf(out, "$%zu", n);
		if (column->type.len > 0) {
			buf_put_text(out, "::");
			buf_put(out, column->type);
		}
	}
}

void quote_param_as(struct buf *out, enum dialect dialect, const char *type,
		    size_t n)
{
	if (dialect != DIALECT_POSTGRES) {
		buf_put_char(out, '?');
		return;
	}
	buf_printf(out, "$%zu", n);
	if (type)
		buf_printf(out, "::%s", type);
}
