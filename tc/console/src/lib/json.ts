/*
 * JSON without losing digits. A number that JavaScript cannot hold as it was
 * written becomes an Exact, which remembers its text.
 */

export type Json =
	| null
	| boolean
	| number
	| string
	| Exact
	| Json[]
	| { [name: string]: Json };

export class Exact {
	constructor(readonly text: string) {}
}

const MARK = '\u0000exact';
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

function isExact(text: string): boolean {
	return text.length < 16 || String(Number(text)) === text;
}

export function parseJson(text: string): Json {
	// Without a long run of digits there is nothing to lose.
	if (!/[\d.]{16}/.test(text)) return JSON.parse(text);
	const marked = text.replace(TOKEN, (token) =>
		token[0] === '"' || isExact(token)
			? token
			: `{"\\u0000exact":"${token}"}`,
	);
	return JSON.parse(marked, (_, value) =>
		value && typeof value === 'object' && MARK in value
			? new Exact(value[MARK])
			: value,
	);
}

/* As people read it: two blanks deeper each level, numbers as they came. */
export function printJson(value: Json, indent = ''): string {
	const deeper = indent + '  ';
	if (value instanceof Exact) return value.text;
	if (value === null || typeof value !== 'object') return JSON.stringify(value);
	const list = Array.isArray(value);
	const parts = list
		? value.map((v) => deeper + printJson(v, deeper))
		: Object.entries(value).map(
				([name, v]) => `${deeper}${JSON.stringify(name)}: ${printJson(v, deeper)}`,
			);
	if (parts.length === 0) return list ? '[]' : '{}';
	return `${list ? '[' : '{'}\n${parts.join(',\n')}\n${indent}${list ? ']' : '}'}`;
}

/* JSON text, pretty if it is JSON, else as it came. */
export function pretty(text: string): string {
	try {
		return printJson(parseJson(text));
	} catch {
		return text;
	}
}
