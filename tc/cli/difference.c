#include "tc/cli/difference.h"

#include <stdlib.h>

#define VALUE_MAX 400 /* bytes of one value that are shown */

bool has_difference(const cJSON *branch)
{
	return !json_is_null(branch, "detail");
}

/* As undo/image.h writes values: null, a string, {"base64"}, {"type","text"} */
static void put_value(struct buf *out, const cJSON *value)
{
	struct bytes text = bytes_of(cJSON_GetStringValue(value));
	size_t len = text.len;

	if (!value) {
		buf_put_char(out, '-');
		return;
	}
	if (cJSON_IsNull(value)) {
		buf_put_text(out, "NULL");
		return;
	}
	if (json_member(value, "base64")) {
		text = json_string(value, "base64");
		len = text.len;
		buf_put_text(out, "base64:");
	} else if (json_member(value, "text")) {
		buf_put_char(out, '(');
		buf_put(out, json_string(value, "type"));
		buf_put_text(out, ") ");
		text = json_string(value, "text");
		len = text.len;
	}
	if (text.len > VALUE_MAX)
		text.len = VALUE_MAX;
	buf_put(out, text);
	if (len > VALUE_MAX)
		buf_printf(out, "\xe2\x80\xa6 (%zu bytes)", len);
}

static void cell_value(struct table *t, const cJSON *value)
{
	struct buf text;

	buf_init(&text, &t->cli->arena.as_mem);
	put_value(&text, value);
	table_cell(t, buf_bytes(&text));
}

static void print_columns(struct cli *c, const cJSON *columns)
{
	static const char *const heads[] = { "COLUMN", "TYPE", "BEFORE",
					     "AFTER", "NOW" };
	const cJSON *column;
	struct table t;

	if (cJSON_GetArraySize(columns) == 0)
		return;
	table_init(&t, c, heads, ARRAY_LEN(heads));
	t.indent = 4;
	cJSON_ArrayForEach(column, columns)
	{
		table_cell(&t, json_string(column, "name"));
		table_cell(&t, json_string(column, "type"));
		cell_value(&t, json_member(column, "before"));
		cell_value(&t, json_member(column, "after"));
		cell_value(&t, json_member(column, "now"));
	}
	table_print(&t);
}

static void put_key(struct buf *out, const cJSON *key)
{
	const char *between = "";
	const cJSON *part;

	cJSON_ArrayForEach(part, key)
	{
		struct buf value;

		buf_init(&value, out->mem);
		put_value(&value, part);
		buf_put_text(out, between);
		put_safe(out, bytes_of(part->string));
		buf_put_text(out, " = ");
		put_safe(out, buf_bytes(&value));
		between = ", ";
		buf_fini(&value);
	}
}

static void put_member(struct buf *out, const char *before, const cJSON *row,
		       const char *name)
{
	struct bytes text = json_string(row, name);

	if (text.len == 0)
		return;
	buf_put_text(out, before);
	put_safe(out, text);
}

static void print_row(struct cli *c, const cJSON *row)
{
	struct buf *out = &c->out;

	buf_put_text(out, "  ");
	paint(c, PAINT_BOLD);
	put_safe(out, json_string(row, "table"));
	paint(c, PAINT_PLAIN);
	buf_put_text(out, " (");
	put_key(out, json_member(row, "key"));
	buf_put_char(out, ')');
	put_member(out, ": before ", row, "before");
	put_member(out, ", after ", row, "after");
	put_member(out, ", now ", row, "now");
	buf_put_char(out, '\n');
	if (json_string(row, "reason").len > 0)
		put_member(out, "    ", row, "reason");
	if (json_string(row, "reason").len > 0)
		buf_put_char(out, '\n');
	print_columns(c, json_member(row, "columns"));
}

/* Of another make: as it came. */
static void print_unknown(struct cli *c, const cJSON *detail)
{
	char *text = cJSON_PrintUnformatted(detail);

	buf_put_text(&c->out, "  ");
	put_safe(&c->out, bytes_of(text));
	buf_put_char(&c->out, '\n');
	cJSON_free(text);
}

void print_difference(struct cli *c, const cJSON *branch)
{
	const cJSON *detail = json_member(branch, "detail");
	const cJSON *rows = json_member(detail, "rows"), *row;
	uint64_t shown = 0, dirty = json_count(detail, "dirty");

	if (!cJSON_IsArray(rows)) {
		print_unknown(c, detail);
		return;
	}
	cJSON_ArrayForEach(row, rows)
	{
		print_row(c, row);
		shown++;
	}
	if (dirty > shown)
		buf_printf(&c->out, "  … and %llu more dirty rows\n",
			   (unsigned long long)(dirty - shown));
}
