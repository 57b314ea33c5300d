/* Light, dark, or as the system has it. */
import { remember, remembered, store } from './store';

export type Theme = 'system' | 'light' | 'dark';

function first(): Theme {
	const chosen = remembered('theme');
	return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

export const theme = store<Theme>(first());

export function applyTheme(): void {
	const root = document.documentElement;
	if (theme.get() === 'system') root.removeAttribute('data-theme');
	else root.setAttribute('data-theme', theme.get());
}

export function setTheme(next: Theme): void {
	remember('theme', next);
	theme.set(next);
	applyTheme();
}
