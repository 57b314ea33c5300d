/* Asking the coordinator. Every error is a Problem with a stable code. */
import { parseJson } from './json';
import { store } from './store';

export class Problem extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		readonly detail: string,
	) {
		super(detail);
	}
}

/* No answer at all: which of our requests was the last that had one? */
export interface Connection {
	up: boolean;
	lastAnswer: number | null;
}

export const connection = store<Connection>({ up: true, lastAnswer: null });

export function problemOf(status: number, text: string): Problem {
	try {
		const body = JSON.parse(text);
		if (typeof body.code === 'string')
			return new Problem(status, body.code, String(body.detail ?? body.title ?? ''));
	} catch {
		// something between us and the coordinator answered
	}
	return new Problem(status, 'http', `HTTP ${status}`);
}

async function ask(path: string, init: RequestInit): Promise<string> {
	let response: Response;
	let text: string;
	try {
		response = await fetch(`/api/v1/${path}`, { cache: 'no-store', ...init });
		text = await response.text();
	} catch (e) {
		if (init.signal?.aborted) throw e;
		connection.set({ ...connection.get(), up: false });
		throw new Problem(0, 'offline', '');
	}
	connection.set({ up: true, lastAnswer: Date.now() });
	if (!response.ok) throw problemOf(response.status, text);
	return text;
}

export async function getText(path: string, signal?: AbortSignal): Promise<string> {
	return ask(path, { signal });
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
	return parseJson(await ask(path, { signal })) as T;
}

export async function send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
	const text = await ask(path, {
		method,
		headers: method === 'POST' ? { 'Content-Type': 'application/json' } : {},
		body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined,
	});
	return parseJson(text) as T;
}

/* "a/b" with each part escaped; undefined and empty parameters are left out. */
export function path(parts: string[], query: Record<string, string | undefined> = {}): string {
	const search = Object.entries(query)
		.filter(([, value]) => value)
		.map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
		.join('&');
	return parts.map(encodeURIComponent).join('/') + (search ? `?${search}` : '');
}
