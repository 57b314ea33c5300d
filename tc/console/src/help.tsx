/* The keys, and the list of them. */
import { useEffect, useRef } from 'preact/hooks';
import { t, type Key } from './i18n';
import { go, urlOf } from './lib/router';

export const PLACES: [string, string, Key][] = [
	['o', '', 'menu.overview'],
	['t', 'transactions', 'menu.transactions'],
	['s', 'sagas', 'menu.sagas'],
	['m', 'messages', 'menu.messages'],
	['d', 'dead-letters', 'menu.dead-letters'],
	['c', 'machines', 'menu.machines'],
	['p', 'topics', 'menu.topics'],
];

function isTyping(target: EventTarget | null): boolean {
	return target instanceof HTMLElement &&
		(target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/* The links of the page's first list, which j and k walk along. */
function walk(step: 1 | -1): void {
	const links = [...document.querySelectorAll<HTMLElement>('main td:first-child a')];
	const at = links.indexOf(document.activeElement as HTMLElement);
	const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step;
	links[Math.max(0, Math.min(links.length - 1, next))]?.focus();
}

export function useKeys(showHelp: () => void): void {
	useEffect(() => {
		let went = 0; // when g was pressed
		const onKey = (e: KeyboardEvent) => {
			if (e.ctrlKey || e.metaKey || e.altKey || isTyping(e.target)) return;
			if (document.querySelector('dialog[open]')) return;
			if (went && Date.now() - went < 1500) {
				went = 0;
				const place = PLACES.find(([key]) => key === e.key);
				if (place) go(urlOf(place[1] ? [place[1]] : []));
				return;
			}
			if (e.key === 'g') went = Date.now();
			else if (e.key === '?') showHelp();
			else if (e.key === 'j') walk(1);
			else if (e.key === 'k') walk(-1);
			else if (e.key === 'n' || e.key === 'b')
				document.querySelector<HTMLElement>(`[data-key="${e.key}"]`)?.click();
			else if (e.key === '/') {
				const search = document.querySelector<HTMLElement>('input[type=search]');
				if (!search) return;
				search.focus();
				e.preventDefault();
			}
		};
		document.addEventListener('keydown', onKey);
		return () => document.removeEventListener('keydown', onKey);
	}, [showHelp]);
}

export function HelpDialog({ onClose }: { onClose: () => void }) {
	const dialog = useRef<HTMLDialogElement>(null);
	useEffect(() => dialog.current?.showModal(), []);
	const keys: [string[], string][] = [
		[['?'], t('key.help')],
		[['/'], t('key.search')],
		[['j', 'k'], t('key.rows')],
		[['n'], t('next.page')],
		[['b'], t('first.page')],
		...PLACES.map(([key, , label]): [string[], string] => [['g', key], t(label)]),
	];
	return (
		<dialog ref={dialog} aria-labelledby="help-title" onClose={onClose}>
			<h2 id="help-title">{t('keys')}</h2>
			<table class="keys">
				<tbody>
					{keys.map(([names, what]) => (
						<tr>
							<th scope="row">
								{names.map((n) => (
									<kbd>{n}</kbd>
								))}
							</th>
							<td>{what}</td>
						</tr>
					))}
				</tbody>
			</table>
			<div class="buttons">
				<button type="button" class="primary" onClick={() => dialog.current?.close()}>
					{t('close')}
				</button>
			</div>
		</dialog>
	);
}
