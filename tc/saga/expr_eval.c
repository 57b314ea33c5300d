#include "tc/saga/expr_tree.h"

#include "tc/saga/number.h"

/* Depth of recursion is bounded by what the parser lets through. */

struct eval {
	const struct expr_scope *scope;
	struct arena *a;
	struct expr_error *why;
};

static int run(const struct eval *v, const struct expr *e,
	       const struct val **out);

static int fail(const struct eval *v, size_t at, const char *what)
{
	*v->why = (struct expr_error){ at, what };
	return E_INVALID;
}

static const struct val *of_bool(bool b)
{
	return b ? &val_true : &val_false;
}

bool expr_names_error(struct bytes pattern, struct bytes name)
{
	if (name.len == 0)
		return false;
	return bytes_equal(pattern, name) || bytes_equal(pattern, BYTES("*")) ||
	       bytes_equal(pattern, BYTES("java.lang.Throwable")) ||
	       bytes_equal(pattern, BYTES("java.lang.Exception"));
}

static int truth(const struct eval *v, const struct expr *e, bool *out)
{
	const struct val *value;
	int rc = run(v, e, &value);

	if (rc == OK && value->type != JSON_BOOL)
		return fail(v, e->at, "this is neither true nor false");
	if (rc == OK)
		*out = value->truth;
	return rc;
}

static int number(const struct eval *v, size_t at, const struct val *value,
		  struct number *out)
{
	if (value->type != JSON_NUMBER)
		return fail(v, at, "this is not a number");
	if (number_parse(value->text, out) != OK)
		return fail(v, at, "this number is too big or too precise");
	return OK;
}

static int from_number(const struct eval *v, size_t at, struct number n,
		       const struct val **out)
{
	struct val *value = arena_alloc(v->a, sizeof *value);
	struct buf b;

	if (!value)
		return E_NOMEM;
	buf_init(&b, &v->a->as_mem);
	if (number_write(n, &b) != OK)
		return fail(v, at, "this has no exact decimal form");
	if (buf_error(&b) != OK)
		return E_NOMEM;
	value->type = JSON_NUMBER;
	value->text = buf_bytes(&b);
	*out = value;
	return OK;
}

/* ---- arithmetic: fractions all the way, decimal only at the end ---- */

static int compute(const struct eval *v, const struct expr *e,
		   struct number *out)
{
	struct number left, right;
	const struct val *value;
	int rc;

	if (e->op != EXPR_COMPUTE && e->op != EXPR_MINUS) {
		rc = run(v, e, &value);
		return rc == OK ? number(v, e->at, value, out) : rc;
	}
	rc = compute(v, e->left, &left);
	if (rc == OK && e->op == EXPR_MINUS) {
		*out = (struct number){ -left.num, left.den };
		return OK;
	}
	if (rc == OK)
		rc = compute(v, e->right, &right);
	if (rc != OK)
		return rc;
	rc = number_compute(e->sign, left, right, out);
	if (rc == E_LIMIT)
		return fail(v, e->at, "the result is too big or too precise");
	if (rc != OK)
		return fail(v, e->at, "there is no such quotient");
	return OK;
}

static bool is_arithmetic(const struct expr *e)
{
	return e->op == EXPR_COMPUTE || e->op == EXPR_MINUS;
}

/* ---- comparing ---- */

static int order_numbers(const struct eval *v, const struct expr *e, int *out)
{
	struct number left, right;
	int rc = compute(v, e->left, &left);

	if (rc == OK)
		rc = compute(v, e->right, &right);
	if (rc == OK)
		*out = number_compare(left, right);
	return rc;
}

/* One side may be a fraction that no decimal can hold: 1 / 3 < 0.4 */
static int order(const struct eval *v, const struct expr *e, int *out)
{
	const struct val *left, *right;
	int rc;

	if (is_arithmetic(e->left) || is_arithmetic(e->right))
		return order_numbers(v, e, out);
	rc = run(v, e->left, &left);
	if (rc == OK)
		rc = run(v, e->right, &right);
	if (rc != OK)
		return rc;
	if (left->type == JSON_NUMBER && right->type == JSON_NUMBER)
		return order_numbers(v, e, out);
	if (left->type != JSON_TEXT || right->type != JSON_TEXT)
		return fail(v, e->at,
			    "only two numbers or two texts have an "
			    "order");
	*out = bytes_compare(left->text, right->text);
	return OK;
}

static int equal(const struct eval *v, const struct expr *e, bool *out)
{
	const struct val *left, *right;
	int sign, rc;

	if (is_arithmetic(e->left) && is_arithmetic(e->right)) {
		rc = order_numbers(v, e, &sign);
		if (rc == OK)
			*out = sign == 0;
		return rc;
	}
	rc = run(v, e->left, &left);
	if (rc == OK)
		rc = run(v, e->right, &right);
	if (rc != OK)
		return rc;
	if (left->type == JSON_NUMBER && right->type == JSON_NUMBER &&
	    !bytes_equal(left->text, right->text)) {
		rc = order_numbers(v, e, &sign);
		if (rc == OK)
			*out = sign == 0;
		return rc;
	}
	*out = val_equal(left, right);
	return OK;
}

static int compare(const struct eval *v, const struct expr *e,
		   const struct val **out)
{
	bool same = false;
	int sign = 0;
	int rc;

	if (e->op == EXPR_EQUAL || e->op == EXPR_DIFFER) {
		rc = equal(v, e, &same);
		if (rc == OK)
			*out = of_bool(same == (e->op == EXPR_EQUAL));
		return rc;
	}
	rc = order(v, e, &sign);
	if (rc != OK)
		return rc;
	*out = of_bool(e->op == EXPR_LESS         ? sign < 0
		       : e->op == EXPR_LESS_EQUAL ? sign <= 0
		       : e->op == EXPR_MORE       ? sign > 0
						  : sign >= 0);
	return OK;
}

static int logic(const struct eval *v, const struct expr *e,
		 const struct val **out)
{
	bool decides = e->op == EXPR_OR;
	bool side;
	int rc = truth(v, e->left, &side);

	if (rc == OK && e->op == EXPR_NOT)
		side = !side;
	else if (rc == OK && side != decides)
		rc = truth(v, e->right, &side);
	if (rc == OK)
		*out = of_bool(side);
	return rc;
}

static int part(const struct eval *v, const struct expr *e,
		const struct val **out)
{
	const struct val *of;
	int rc = run(v, e->left, &of);

	if (rc != OK)
		return rc;
	if (e->op == EXPR_MEMBER)
		*out = val_member(of, e->value->text);
	else if (of->type == JSON_ARRAY && e->index < of->n)
		*out = of->items[e->index];
	else
		*out = &val_null;
	return OK;
}

static int run(const struct eval *v, const struct expr *e,
	       const struct val **out)
{
	struct number n;
	int rc;

	switch (e->op) {
	case EXPR_VALUE:
		*out = e->value;
		return OK;
	case EXPR_ROOT:
		*out = v->scope->root;
		return OK;
	case EXPR_MEMBER:
	case EXPR_INDEX:
		return part(v, e, out);
	case EXPR_EXCEPTION:
		*out = of_bool(
			expr_names_error(e->value->text, v->scope->exception));
		return OK;
	case EXPR_MINUS:
	case EXPR_COMPUTE:
		rc = compute(v, e, &n);
		return rc == OK ? from_number(v, e->at, n, out) : rc;
	case EXPR_NOT:
	case EXPR_AND:
	case EXPR_OR:
		return logic(v, e, out);
	default:
		return compare(v, e, out);
	}
}

int expr_eval(const struct expr *e, const struct expr_scope *scope,
	      struct arena *a, const struct val **out, struct expr_error *why)
{
	struct eval v = { scope, a, why };

	return run(&v, e, out);
}

int expr_test(const struct expr *e, const struct expr_scope *scope,
	      struct arena *a, bool *out, struct expr_error *why)
{
	struct eval v = { scope, a, why };

	return truth(&v, e, out);
}
