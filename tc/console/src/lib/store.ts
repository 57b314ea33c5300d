/* A value that views follow. */
import { useEffect, useState } from 'preact/hooks';

export interface Store<T> {
	get(): T;
	set(value: T): void;
	follow(listener: () => void): () => void;
}

export function store<T>(value: T): Store<T> {
	const listeners = new Set<() => void>();
	return {
		get: () => value,
		set(next) {
			if (Object.is(next, value)) return;
			value = next;
			for (const listener of [...listeners]) listener();
		},
		follow(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
	};
}

export function useStore<T>(s: Store<T>): T {
	const [, redraw] = useState({});
	useEffect(() => s.follow(() => redraw({})), [s]);
	return s.get();
}

/* What the browser remembers; private windows may refuse. */
export function remembered(name: string): string | null {
	try {
		return localStorage.getItem(`treaty.${name}`);
	} catch {
		return null;
	}
}

export function remember(name: string, value: string): void {
	try {
		localStorage.setItem(`treaty.${name}`, value);
	} catch {
		// then it is forgotten with the window
	}
}
