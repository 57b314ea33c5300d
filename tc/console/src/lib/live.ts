/*
 * Answers that stay fresh. Views only say which path they show; that it is
 * polled is known here alone, so that a stream of events can take its place.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { getText, Problem } from './api';
import { parseJson } from './json';

export interface Live<T> {
	data?: T;
	error?: Problem;
	loading: boolean; /* nothing to show for this path yet */
	at?: number; /* when `data` came */
	refresh(): void;
}

const DELAY_MAX = 30_000;

/* How long to wait after so many failures in a row; some jitter keeps many
 * consoles apart. */
export function nextDelay(every: number, failures: number, jitter = Math.random()): number {
	if (failures === 0) return every;
	const delay = Math.min(DELAY_MAX, 1000 * 2 ** (failures - 1));
	return Math.max(every, Math.round(delay * (0.8 + 0.4 * jitter)));
}

/* Asks again and again until it is closed; not while nobody looks. */
export class Poller {
	private failures = 0;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private abort: AbortController | undefined;
	private closed = false;

	constructor(
		private readonly fetchText: (signal: AbortSignal) => Promise<string>,
		private readonly every: number,
		private readonly onText: (text: string) => void,
		private readonly onError: (error: Problem) => void,
		private readonly isHidden: () => boolean = () => document.hidden,
	) {}

	/* Now, and then at its intervals. */
	async run(): Promise<void> {
		clearTimeout(this.timer);
		this.abort?.abort();
		const abort = (this.abort = new AbortController());
		try {
			const text = await this.fetchText(abort.signal);
			if (this.closed || abort.signal.aborted) return;
			this.failures = 0;
			this.onText(text);
		} catch (e) {
			if (this.closed || abort.signal.aborted) return;
			this.failures++;
			this.onError(e instanceof Problem ? e : new Problem(0, 'console', String(e)));
		}
		this.again();
	}

	private again(): void {
		if (this.every <= 0 && this.failures === 0) return;
		this.timer = setTimeout(
			() => (this.isHidden() ? this.again() : void this.run()),
			nextDelay(this.every, this.failures),
		);
	}

	close(): void {
		this.closed = true;
		clearTimeout(this.timer);
		this.abort?.abort();
	}
}

interface Shown<T> {
	path: string | null;
	text?: string;
	data?: T;
	error?: Problem;
	at?: number;
}

/*
 * `every` 0: ask once. With `keep`, what the path before showed stays until the
 * new answer is there (pages of a list); a null path asks nothing.
 */
export function useLive<T>(path: string | null, every = 2000, keep = false): Live<T> {
	const [shown, setShown] = useState<Shown<T>>({ path });
	const poller = useRef<Poller | undefined>(undefined);

	useEffect(() => {
		if (path === null) return;
		const p = (poller.current = new Poller(
			(signal) => getText(path, signal),
			every,
			(text) =>
				setShown((old) =>
					old.path === path && old.text === text
						? { ...old, error: undefined, at: Date.now() }
						: { path, text, data: parseJson(text) as T, at: Date.now() },
				),
			(error) =>
				setShown((old) =>
					old.path === path || keep ? { ...old, path, error } : { path, error },
				),
		));
		const look = () => {
			if (!document.hidden && every > 0) void p.run();
		};
		void p.run();
		document.addEventListener('visibilitychange', look);
		return () => {
			document.removeEventListener('visibilitychange', look);
			p.close();
		};
	}, [path, every, keep]);

	const refresh = useCallback(() => void poller.current?.run(), []);
	const fits = shown.path === path;
	return {
		data: fits || keep ? shown.data : undefined,
		error: fits ? shown.error : undefined,
		loading: !fits || (!shown.data && !shown.error),
		at: shown.at,
		refresh,
	};
}
