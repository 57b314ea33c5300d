#include "base/utf8.h"
#include "tc/cli/cli.h"

#define GAP         2
#define COLUMNS_MAX 16
#define LAST_MIN    10 /* columns of the terminal, for the last one */

void table_init(struct table *t, struct cli *c, const char *const *heads,
		size_t columns)
{
	REQUIRE(columns > 0 && columns <= COLUMNS_MAX);
	*t = (struct table){ .cli = c, .heads = heads, .columns = columns };
}

static bool table_grow(struct table *t)
{
	size_t rows = t->cap / t->columns, more = rows ? rows * 2 : 16;
	struct bytes *cells =
		arena_array(&t->cli->arena, more * t->columns, sizeof *cells);
	enum paint *paints = arena_array(&t->cli->arena, more, sizeof *paints);

	if (!cells || !paints)
		return false;
	if (rows > 0) {
		memcpy(cells, t->cells, t->n_cells * sizeof *cells);
		memcpy(paints, t->paints, rows * sizeof *paints);
	}
	t->cells = cells;
	t->paints = paints;
	t->cap = more * t->columns;
	return true;
}

void table_cell(struct table *t, struct bytes text)
{
	struct buf safe;

	if (t->n_cells == t->cap && !table_grow(t)) {
		t->cli->out.error = E_NOMEM;
		return;
	}
	buf_init(&safe, &t->cli->arena.as_mem);
	put_safe(&safe, text);
	t->cells[t->n_cells++] = buf_bytes(&safe);
	if (buf_error(&safe) != OK)
		t->cli->out.error = E_NOMEM;
}

void table_count(struct table *t, uint64_t n)
{
	struct buf text;

	buf_init(&text, &t->cli->arena.as_mem);
	buf_printf(&text, "%llu", (unsigned long long)n);
	table_cell(t, buf_bytes(&text));
}

void table_row_paint(struct table *t, enum paint paint)
{
	if (t->n_cells > 0)
		t->paints[(t->n_cells - 1) / t->columns] = paint;
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t width = text_width(bytes_of(t->heads[column]));

	for (size_t i = column; i < t->n_cells; i += t->columns) {
		size_t w = text_width(t->cells[i]);

		if (w > width)
			width = w;
	}
	return width;
}

/* As much as fits into so many columns, with an ellipsis if that is not all. */
static void put_cut(struct buf *out, struct bytes text, size_t width)
{
	size_t used = 0;

	if (text_width(text) <= width) {
		buf_put(out, text);
		return;
	}
	while (text.len > 0) {
		uint32_t code;
		size_t n = utf8_decode(text, &code);
		struct bytes one = { text.data, n ? n : 1 };

		used += text_width(one);
		if (used + 1 > width)
			break;
		buf_put(out, one);
		text.data += one.len;
		text.len -= one.len;
	}
	buf_put_text(out, "\xe2\x80\xa6");
}

static void put_blanks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_put_char(out, ' ');
}

static void put_last(const struct table *t, struct bytes cell, size_t at)
{
	size_t room = t->cli->width > at ? t->cli->width - at : 0;

	if (t->cli->width == 0)
		buf_put(&t->cli->out, cell);
	else
		put_cut(&t->cli->out, cell, room > LAST_MIN ? room : LAST_MIN);
}

static void print_line(const struct table *t, const struct bytes *cells,
		       const size_t *widths)
{
	struct buf *out = &t->cli->out;
	size_t at = t->indent, last = t->columns - 1, begin = out->len;

	put_blanks(out, t->indent);
	for (size_t i = 0; i < last; i++) {
		buf_put(out, cells[i]);
		put_blanks(out, widths[i] - text_width(cells[i]) + GAP);
		at += widths[i] + GAP;
	}
	put_last(t, cells[last], at);
	while (out->len > begin && out->data[out->len - 1] == ' ')
		out->len--;
}

void table_print(struct table *t)
{
	struct cli *c = t->cli;
	struct bytes heads[COLUMNS_MAX];
	size_t widths[COLUMNS_MAX];

	for (size_t i = 0; i < t->columns; i++) {
		widths[i] = column_width(t, i);
		heads[i] = bytes_of(t->heads[i]);
	}
	paint(c, PAINT_BOLD);
	print_line(t, heads, widths);
	paint(c, PAINT_PLAIN);
	buf_put_char(&c->out, '\n');
	for (size_t i = 0; i + t->columns <= t->n_cells; i += t->columns) {
		enum paint row = t->paints[i / t->columns];

		if (row != PAINT_PLAIN)
			paint(c, row);
		print_line(t, &t->cells[i], widths);
		if (row != PAINT_PLAIN)
			paint(c, PAINT_PLAIN);
		buf_put_char(&c->out, '\n');
	}
}
