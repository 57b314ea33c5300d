/* Where the console is: real paths below /console/, so links can be sent. */
import type { ComponentChildren } from 'preact';
import { store, useStore } from './store';

export interface Place {
	parts: string[];
	query: Record<string, string>;
}

const BASE = '/console';

export function placeOf(url: string): Place {
	const [path, search = ''] = url.split('?', 2);
	const rest = path === '/' ? '' : path.replace(/^\/console\/?/, '');
	const query: Record<string, string> = {};
	new URLSearchParams(search).forEach((value, name) => (query[name] = value));
	return { parts: rest.split('/').filter(Boolean).map(unescapePart), query };
}

/* A link that somebody broke names nothing; it must not break the page. */
function unescapePart(part: string): string {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

export function urlOf(parts: string[], query: Record<string, string | undefined> = {}): string {
	const search = new URLSearchParams();
	for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
	const text = search.toString();
	return [BASE, ...parts.map((p) => encodeURIComponent(p).replace(/%3A/g, ':'))].join('/') +
		(text ? `?${text}` : '');
}

function here(): string {
	return location.pathname + location.search;
}

const url = store(typeof location === 'undefined' ? '/' : here());

if (typeof window !== 'undefined') window.addEventListener('popstate', () => url.set(here()));

export function go(to: string, replace = false): void {
	if (replace) history.replaceState(null, '', to);
	else history.pushState(null, '', to);
	url.set(here());
	if (!replace) window.scrollTo(0, 0);
}

export function usePlace(): Place {
	return placeOf(useStore(url));
}

interface LinkProps {
	to: string;
	children?: ComponentChildren;
	class?: string;
	title?: string;
	'aria-current'?: 'page';
	'aria-label'?: string;
	'data-key'?: string;
}

export function Link({ to, ...rest }: LinkProps) {
	const onClick = (e: MouseEvent) => {
		if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
		e.preventDefault();
		go(to);
	};
	return <a href={to} onClick={onClick} {...rest} />;
}
